/* Which server the box belongs to, and how it came to. */
#ifndef SYNC_BOND_H
#define SYNC_BOND_H

#include "app/base/error.h"
#include "app/base/pin.h"

#include <stdbool.h>
#include <stddef.h>

#define BOND_FILE "pairing" /* in sync's state folder, mode 0600 */
#define BOND_URL_CHARS 160
#define BOND_CODE_CHARS 64

struct bond {
	char url[BOND_URL_CHARS]; /* https://HOST[:PORT], or http:// to the loopback */
	char box[64];
	char token[65];
	char pin[PIN_CHARS]; /* sha256//BASE64 of the server's public key; "": by CAs */
	char server[128];
};

/*
 * An address of a server as a person types it: https, or http to the loopback
 * only; no user, path, question or fragment but "/". 0 with its plain form, or
 * -EINVAL with an explanation.
 */
int bond_url(const char *text, char ret_url[static BOND_URL_CHARS], struct error *error) MUST_CHECK;

/* Whether the server is this very machine. */
bool bond_is_local(const char *url);

/*
 * Reads text that is already in memory; @name is what messages call it. 0, or
 * -EINVAL with "NAME:LINE: ...".
 */
int bond_parse(const char *text, size_t n, const char *name, struct bond *ret_pairing,
	struct error *error) MUST_CHECK;

/*
 * The pairing kept in the folder. 0; -ENOENT when the box is not paired; -EINVAL
 * or -errno with an explanation. Blocks on the disk.
 */
int bond_read(const char *dir, struct bond *ret_pairing, struct error *error) MUST_CHECK;
int bond_keep(const char *dir, const struct bond *pairing, struct error *error) MUST_CHECK;

/* What a file on the boot partition asks for. */
struct bond_wish {
	char url[BOND_URL_CHARS];
	char code[BOND_CODE_CHARS];
	char pin[PIN_CHARS]; /* the key to be compared, whole or short; "" for none */
};

/*
 * Reads such a file's text: lines url=, code= and, if wanted, pin=; "#" comments,
 * either kind of line's end and a byte order mark are fine. 0, or -EINVAL with
 * "NAME:LINE: ...".
 */
int bond_wish(const char *text, size_t n, const char *name, struct bond_wish *ret_wish,
	struct error *error) MUST_CHECK;

/*
 * Finds the SubjectPublicKeyInfo in a certificate (RFC 5280, DER) and gives its
 * pin. 0 or -EINVAL.
 */
int bond_pin(const unsigned char *der, size_t n, char ret_pin[static PIN_CHARS]);

#endif
