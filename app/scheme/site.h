/* Which scheme a box works with: its own, or the one its site sends down. */
#ifndef SCHEME_SITE_H
#define SCHEME_SITE_H

#include "app/base/config.h"
#include "app/scheme/scheme.h"

#include <stdbool.h>

#define SITE_SCHEME "site.scheme" /* in the state folder */
#define SITE_SCHEME_BYTES 65536

/*
 * The scheme that config->scheme names: a file, "default", or "site", which is
 * the file SITE_SCHEME of the state folder and, while there is none, the
 * built-in one. Results and ownership as scheme_read(); SITE_E_BUILT_IN: the
 * site's cannot be used, @error says why, and the built-in one stands in. Blocks
 * on the file.
 */
#define SITE_E_BUILT_IN 1
int site_scheme(const struct config *config, struct scheme *ret_scheme, char **ret_text,
	struct error *error) MUST_CHECK;

/*
 * Keeps a scheme's text as the site's: whole, or not at all; it is on disk when
 * this returns 0. -EINVAL with an explanation when it is no scheme, -EFBIG, or
 * another -errno. Blocks on the disk. One writer a folder.
 */
int site_keep(const char *state, const char *text, struct error *error) MUST_CHECK;

/* Whether there is one. Blocks on the disk. */
bool site_kept(const char *state);

/* Takes the site's scheme back: the built-in one stands in. 0 or -errno. Blocks. */
int site_forget(const char *state) MUST_CHECK;

#endif
