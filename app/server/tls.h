/* The server's own key and certificate, by GnuTLS. */
#ifndef SERVER_TLS_H
#define SERVER_TLS_H

#include "app/base/error.h"
#include "app/base/file.h"
#include "app/base/pin.h"

/*
 * Makes <dir>/tls/key.pem (ECDSA on P-256, readable by the owner only) and
 * cert.pem (signed by the key itself, for this machine's names, @host too if not
 * NULL) unless they are there, and gives their paths. 0 or -errno. Blocks.
 */
int tls_prepare(const char *dir, const char *host, char ret_key[static FILE_PATH_CHARS],
	char ret_cert[static FILE_PATH_CHARS], struct error *error) MUST_CHECK;

/* The pin of a certificate. 0, -EINVAL or -errno. */
int tls_pin(const char *cert, char ret_pin[static PIN_CHARS], struct error *error) MUST_CHECK;

#endif
