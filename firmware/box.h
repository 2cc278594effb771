/* The box at work: everything wired together, and the loop that turns it. */
#ifndef FIRMWARE_BOX_H
#define FIRMWARE_BOX_H

#include "app/base/config.h"
#include "app/base/error.h"

struct box;

/*
 * Reads the scheme, opens the journal, recovers what an earlier run left, claims
 * lamps and buttons and starts listening. A microphone or buttons that are not
 * there are no error: they are waited for, and the lamps and the journal say so.
 * @config is borrowed for the box's life. 0 or -errno with an explanation.
 */
int box_open(const struct config *config, struct box **ret_box, struct error *error) MUST_CHECK;

/*
 * Turns until SIGTERM or SIGINT, then ends the observation and saves. 0; or
 * -errno with an explanation when it must be started anew.
 */
int box_run(struct box *box, struct error *error) MUST_CHECK;

/* Takes NULL. */
void box_close(struct box *box);

#endif
