/*
 * Keeps the sound around presses: windows wished for, frames from the ring, into
 * snippets. Nothing of the ring goes anywhere but through here.
 */
#ifndef FIRMWARE_KEEPER_H
#define FIRMWARE_KEEPER_H

#include "app/base/config.h"
#include "app/journal/entry.h"
#include "firmware/listener.h"
#include "firmware/recorder.h"
#include "firmware/ring.h"

#include <stdint.h>

#define KEEPER_TICK_NS (250 * NS_PER_MS)

struct keeper;

/*
 * Keeps snippets in the folder <config->state>/snippets, made if missing.
 * Everything is borrowed for its life. @before_ns is the longest look back of
 * the scheme. 0 or -errno with an explanation. Everything here blocks on the
 * disk; one thread.
 */
int keeper_open(const struct config *config, struct ring *ring, struct listener *listener,
	const char *boot_id, int64_t before_ns, struct keeper **ret_keeper,
	struct error *error) MUST_CHECK;
void keeper_close(struct keeper *keeper);

/* The folder of the snippets; borrowed. */
int keeper_dir(const struct keeper *keeper);

/* From now on snippets belong to this observation, in this run. */
void keeper_belong(struct keeper *keeper, int64_t observation, int64_t boot);

/* Wants the sound of [from, to). Nothing while it is stopped. */
void keeper_keep(struct keeper *keeper, const struct keep *keep);

/*
 * Encodes what has come, syncs once a second, finishes what is over. Finished
 * snippets are added to the recorder's entries. 0, or -errno with an
 * explanation when the disk refused: those snippets are left for later repair,
 * the wishes are forgotten.
 */
int keeper_advance(struct keeper *keeper, int64_t now_ns, struct recorder *recorder,
	struct error *error) MUST_CHECK;

/* When to call keeper_advance() next; INT64_MAX while nothing is wanted. */
int64_t keeper_deadline(const struct keeper *keeper);

/*
 * The sound stops here (card lost, muted): snippets are finished with what there
 * is. What is still wanted after now stays wanted, should the sound come back; what
 * is wanted later of the sound before now is kept at once, as long as it is in the
 * ring. As keeper_advance().
 */
int keeper_cut(struct keeper *keeper, int64_t now_ns, struct recorder *recorder,
	struct error *error) MUST_CHECK;

/* Nothing after @end_ns is wanted any more: finish it all. As keeper_advance(). */
int keeper_end(struct keeper *keeper, int64_t end_ns, int64_t now_ns, struct recorder *recorder,
	struct error *error) MUST_CHECK;

/* From now on the longest look back is another. */
void keeper_look_back(struct keeper *keeper, int64_t before_ns);

/* No room: forget what is wanted, take no more; or go on. */
void keeper_stop(struct keeper *keeper, bool stopped);

#endif
