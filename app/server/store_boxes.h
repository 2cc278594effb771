/*
 * Boxes and the codes that pair them, in the store. What is given as a secret's
 * hash is what token_hash() makes. Any thread; blocks on the disk.
 */
#ifndef SERVER_STORE_BOXES_H
#define SERVER_STORE_BOXES_H

#include "app/base/id.h"
#include "app/server/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOX_NAME_CHARS 65

#define STORE_E_NO_BOX 10   /* no such box, or not any more */
#define STORE_E_NO_CODE 11  /* no such pairing code */
#define STORE_E_CODE_GONE 12 /* it has been used, or its time is over */
#define STORE_E_OTHERS 13   /* the journal is another box's */

struct box_row {
	char id[ID_CHARS], coach[ID_CHARS];
	char name[BOX_NAME_CHARS];
	char coach_name[128];
	int64_t paired_ns, revoked_ns, heard_ns, reported_ns;
	char version[32];
	int64_t free_bytes, state_bytes, clock_error_ns, unsent_entries, unsent_snippets;
	char *faults; /* a JSON array of texts, owned */
	char *health; /* a JSON object, or ""; owned */
};

struct box_report {
	const char *version, *faults, *health;
	int64_t now_ns, clock_error_ns, free_bytes, state_bytes, unsent_entries, unsent_snippets;
};

/* Gives out a code for one of @coach's boxes; codes whose time is over go. 0 or -errno. */
int store_pairing_add(struct store *store, const char *code_hash, const char *coach,
	int64_t expires_ns, int64_t now_ns, struct error *error) MUST_CHECK;

/*
 * Uses a code up and makes the box: its id, name, and the hash of its token. 0,
 * STORE_E_NO_CODE, STORE_E_CODE_GONE or -errno.
 */
int store_pairing_take(struct store *store, const char *code_hash, const struct box_row *box,
	const char *token_hash, int64_t now_ns, struct error *error) MUST_CHECK;

/* The box of a token that has not been revoked. 0, STORE_E_NO_BOX or -errno. */
int store_box_by_token(struct store *store, const char *token_hash, struct box_row *ret_box,
	struct error *error) MUST_CHECK;

/* 0, STORE_E_NO_BOX or -errno. box_row_fini() it. */
int store_box_get(struct store *store, const char *id, struct box_row *ret_box,
	struct error *error) MUST_CHECK;

/* All boxes, or one coach's (@coach not NULL), by name. box_rows_free() the list. */
int store_box_list(struct store *store, const char *coach, struct box_row **ret_list,
	size_t *ret_n, struct error *error) MUST_CHECK;
void box_row_fini(struct box_row *box);
void box_rows_free(struct box_row *list, size_t n);

/* What a box said about itself; it has been heard of too. 0 or -errno. */
int store_box_report(struct store *store, const char *id, const struct box_report *report,
	struct error *error) MUST_CHECK;

/* It has been heard of. 0 or -errno. */
int store_box_heard(
	struct store *store, const char *id, int64_t now_ns, struct error *error) MUST_CHECK;

/*
 * Changes what is not NULL, and revokes for good when @revoked_ns is not 0. What the
 * box kept before stays its earlier coach's. 0, STORE_E_NO_BOX or -errno.
 */
int store_box_change(struct store *store, const char *id, const char *name, const char *coach,
	int64_t revoked_ns, struct error *error) MUST_CHECK;

#endif
