#include "app/scheme/site.h"

#include "app/base/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int site_scheme(const struct config *config, struct scheme *ret_scheme, char **ret_text,
	struct error *error)
{
	char path[FILE_PATH_CHARS];
	int r;

	if (strcmp(config->scheme, "site") != 0) {
		return scheme_read(config->scheme, ret_scheme, ret_text, error);
	}
	r = file_path(path, sizeof(path), "%s/" SITE_SCHEME, config->state);
	if (r < 0) {
		return error_set(error, r, "%s: the path is too long", config->state);
	}
	if (access(path, F_OK) < 0) {
		return scheme_read("default", ret_scheme, ret_text, error);
	}
	r = scheme_read(path, ret_scheme, ret_text, error);
	if (r == 0 || r == -ENOMEM) {
		return r;
	}
	r = scheme_read("default", ret_scheme, ret_text, NULL);
	return r < 0 ? error_set(error, r, "out of memory") : SITE_E_BUILT_IN;
}

bool site_kept(const char *state)
{
	char path[FILE_PATH_CHARS];

	return file_path(path, sizeof(path), "%s/" SITE_SCHEME, state) == 0 &&
		access(path, F_OK) == 0;
}

int site_keep(const char *state, const char *text, struct error *error)
{
	struct scheme scheme;
	int r;

	if (strnlen(text, SITE_SCHEME_BYTES + 1) > SITE_SCHEME_BYTES) {
		return error_set(
			error, -EFBIG, "the scheme is longer than %d bytes", SITE_SCHEME_BYTES);
	}
	r = scheme_parse(text, SITE_SCHEME, &scheme, error);
	if (r < 0) {
		return r;
	}
	r = file_replace(state, SITE_SCHEME, text, strlen(text), 0640);
	return r < 0 ? error_set(error, r, "%s/" SITE_SCHEME ": %s", state, strerror(-r)) : 0;
}

int site_forget(const char *state)
{
	return file_remove(state, SITE_SCHEME);
}
