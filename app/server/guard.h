/*
 * Is this one request, and the same one to everybody who reads it? libmicrohttpd
 * takes shapes that a proxy in front may read differently, which is how one
 * request is smuggled inside another; here they end. Pure.
 */
#ifndef SERVER_GUARD_H
#define SERVER_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GUARD_HEADERS_MOST 64
#define GUARD_BYTES_MOST (16 << 10)

struct guard {
	size_t n, bytes;
	const char *seen[GUARD_HEADERS_MOST]; /* borrowed from the request */
	size_t hosts;
	bool has_length, chunked;
	int64_t length; /* of the body; 0 when it is chunked or absent */
	int status;     /* 0 while nothing is wrong */
	const char *why;
};

/* Shows it the next header; name and value are borrowed while the guard is used. */
void guard_see(struct guard *guard, const char *name, const char *value);

/* After the last header: 0, or the status of the refusal; guard->why says why. */
int guard_end(struct guard *guard);

/*
 * Whether the path is one of ours in form: begins with "/", made of letters,
 * digits and "._~-" in parts that are not empty, "." or ".."; "/" at the end is
 * allowed only for "/" itself.
 */
bool guard_path(const char *path);

/* Whether the bytes are UTF-8 (RFC 3629) without a NUL. */
bool guard_utf8(const char *text, size_t n);

/* How deep the brackets of JSON go, those in strings not counted. */
#define GUARD_DEEPEST 32 /* what is taken */
size_t guard_depth(const char *text, size_t n);

/*
 * Percent-decodes into the caller's memory. 0, or -EINVAL for a broken escape, a
 * NUL, text that is not UTF-8 or does not fit.
 */
int guard_decode(const char *text, char *ret_text, size_t room);

/*
 * The Range header of a body of @size bytes. 0: the whole body (no range, or one
 * that RFC 9110 lets a server ignore: malformed, several, other units); 1: a part,
 * from *ret_from, *ret_n bytes; -ERANGE: nothing of it is there (416).
 */
int guard_range(const char *header, int64_t size, int64_t *ret_from, int64_t *ret_n);

#endif
