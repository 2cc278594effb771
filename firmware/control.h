/*
 * What chalkbox-sync and `chalkbox doctor` may ask of the recorder, over a socket
 * of its own: a server has a snippet, so its file may go; a scheme came down; is a
 * lesson on; let the buttons be tried. Nothing asked here can touch an entry that
 * is kept.
 *
 * SOCK_SEQPACKET at <runtime>/control.sock, mode 0660; a message a packet, text,
 * no newline; each is answered by one.
 *
 *	status          -> status observing|ready SEQ, the last entry's
 *	gone SEQ SHA256 -> ok | error TEXT
 *	scheme TEXT     -> ok | error TEXT; no TEXT takes the site's scheme back
 *	level           -> level DB PEAK MS | error TEXT; how loud it is now: dB of
 *	                   full scale, the peak in thousandths of it, of how much sound
 *	try [LAMP]      -> ok | error TEXT; begins a trial (trial.h), or keeps it up,
 *	                   with that lamp lit; not during a lesson. Then come, unasked,
 *	                   "press BUTTON" and "release BUTTON", and "over" when nothing
 *	                   was asked for half a minute. Hanging up ends it.
 */
#ifndef FIRMWARE_CONTROL_H
#define FIRMWARE_CONTROL_H

#include "app/base/config.h"
#include "app/journal/journal.h"
#include "firmware/recorder.h"
#include "firmware/sound.h"
#include "firmware/trial.h"

struct control;

/*
 * Listens. @config is borrowed for its life. 0 or -errno with an explanation.
 * Nothing here blocks, but for the disk. One thread.
 */
int control_open(const struct config *config, struct control **ret_control,
	struct error *error) MUST_CHECK;

/* Takes NULL. */
void control_close(struct control *control);

/* Readable when control_take() has something to do; borrowed. */
int control_fd(const struct control *control);

/*
 * Takes the next message, if one is there. What it asks to be written is added to
 * the recorder's entries; @journal (NULL while it cannot be read), the folder
 * of the snippets @dir_fd and @sound are looked at. Then call control_saved().
 */
void control_take(struct control *control, struct recorder *recorder, struct journal *journal,
	int dir_fd, struct sound *sound);

/* Answers the message just taken: whether what it asked for is on disk. */
void control_saved(struct control *control, bool saved);

/* The trial, on or not; borrowed until control_close(). Takes NULL, gives it then. */
struct trial *control_trial(struct control *control);

/* Tells who tries what was pressed. Takes NULL. */
void control_tell(struct control *control, int64_t now_ns);

/* Whether a scheme came (or went) since control_renewed(). */
bool control_scheme_came(const struct control *control);
void control_renewed(struct control *control);

#endif
