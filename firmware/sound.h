/*
 * The sound of a box at work: heard, muted, metered, kept around presses, and
 * given up when there is no room for it. Without a microphone by choice (sound
 * is not switched on) only the look at the room is left.
 */
#ifndef FIRMWARE_SOUND_H
#define FIRMWARE_SOUND_H

#include "firmware/keeper.h"
#include "firmware/level.h"
#include "firmware/listener.h"
#include "firmware/meter.h"
#include "firmware/recorder.h"
#include "firmware/ring.h"

struct sound {
	const struct config *config;
	struct ring *ring;
	struct listener *listener; /* NULL: sound is off */
	struct keeper *keeper;
	struct meter meter;
	bool muted;
	bool no_room;
	int64_t no_room_ns; /* since then */
	int64_t ending_ns; /* an observation ended then, its last sound is on its way; 0: none */
};

/*
 * Makes everything ready but does not listen yet. @config is borrowed. 0 or
 * -errno with an explanation. sound_close() takes a half-built or zeroed one.
 */
int sound_open(struct sound *sound, const struct config *config, const struct scheme *scheme,
	const char *boot_id, struct error *error) MUST_CHECK;
void sound_close(struct sound *sound);

/* Starts listening, muted if the recorder wishes so. 0 or -errno. */
int sound_start(struct sound *sound, const struct recorder *recorder) MUST_CHECK;

/* Readable when sound_take() has something to do; -1 when sound is off. Borrowed. */
int sound_fd(const struct sound *sound);

/* The folder of the snippets; borrowed. */
int sound_dir(const struct sound *sound);

/* Tells the recorder what happened to the microphone. */
void sound_take(struct sound *sound, struct recorder *recorder);

/* Takes over what the recorder wishes in its `out`: mute, windows, an end. */
void sound_wish(struct sound *sound, int64_t now_ns, struct recorder *recorder);

/* Encodes and meters what has come. Blocks on the disk. */
void sound_advance(struct sound *sound, int64_t now_ns, struct recorder *recorder);

/* The ended observation's sound is all there is going to be: finishes it. */
void sound_end(struct sound *sound, int64_t now_ns, struct recorder *recorder);

/* How loud it is now; false when nothing is being heard. */
bool sound_level(struct sound *sound, struct level *ret_level);

/*
 * Looks whether there is room for snippets. That there was none, or that one could
 * not be written, goes on for two seconds at least, so that a lamp can show it.
 */
void sound_look_at_space(struct sound *sound, int64_t now_ns, struct recorder *recorder);

/* From now on another scheme's look back counts. */
void sound_follow(struct sound *sound, const struct scheme *scheme);

/* When to call sound_advance() next; INT64_MAX for never. */
int64_t sound_deadline(const struct sound *sound, int64_t now_ns);

#endif
