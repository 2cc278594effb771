/* What went wrong, in words a person can act on. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#define MUST_CHECK __attribute__((warn_unused_result))

/*
 * An explanation that travels with a return code: it names the file, the line
 * or the field, and the way out. Owned by the caller, plain memory; valid only
 * after a function that was given it returned non-zero. Every function takes
 * NULL for "no explanation wanted".
 */
struct error {
	char text[480];
};

/*
 * Writes the explanation (printf-style, truncated if too long) and returns
 * @code unchanged, so that a failing function can `return error_set(...)`.
 * Any thread; does not block.
 */
int error_set(struct error *error, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Puts "@prefix: " before an existing explanation and returns @code. An empty
 * explanation gets strerror(-code) first.
 */
int error_prefix(struct error *error, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
