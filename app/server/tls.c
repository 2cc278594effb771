#include "app/server/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define YEARS 20
#define YEAR_S (365 * 24 * 3600L)
#define HOST_CHARS 256
#define PEM_BYTES_MOST (64 << 10)

static int fail(struct error *error, int result, const char *doing)
{
	return error_set(error, result == GNUTLS_E_MEMORY_ERROR ? -ENOMEM : -EINVAL,
		"%s: GnuTLS says \"%s\"", doing, gnutls_strerror(result));
}

/* A file that is whole or not there; only the owner reads it. */
static int write_whole(const char *path, const void *bytes, size_t n, struct error *error)
{
	char part[FILE_PATH_CHARS];
	int fd, r;

	r = file_path(part, sizeof(part), "%s.part", path);
	if (r < 0) {
		return error_set(error, r, "%s: the path is too long", path);
	}
	fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	r = fd < 0 ? -errno : file_write(fd, bytes, n);
	if (r == 0 && fsync(fd) < 0) {
		r = -errno;
	}
	if (fd >= 0) {
		(void)close(fd);
	}
	if (r == 0 && rename(part, path) < 0) {
		r = -errno;
	}
	return r < 0 ? error_set(error, r, "%s: %s", path, strerror(-r)) : 0;
}

static int make_key(const char *path, struct error *error)
{
	gnutls_x509_privkey_t key;
	gnutls_datum_t pem = {NULL, 0};
	int result, r;

	result = gnutls_x509_privkey_init(&key);
	if (result < 0) {
		return fail(error, result, "making a key");
	}
	result = gnutls_x509_privkey_generate(
		key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
	if (result >= 0) {
		result = gnutls_x509_privkey_export2_pkcs8(
			key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &pem);
	}
	r = result < 0 ? fail(error, result, "making a key")
		       : write_whole(path, pem.data, pem.size, error);
	if (pem.data) {
		sodium_memzero(pem.data, pem.size);
		gnutls_free(pem.data);
	}
	gnutls_x509_privkey_deinit(key);
	return r;
}

/* Adds a name or an address that the certificate is good for. */
static int add_name(gnutls_x509_crt_t cert, const char *name)
{
	unsigned char bytes[16];
	unsigned int flags = GNUTLS_FSAN_APPEND;

	if (inet_pton(AF_INET, name, bytes) == 1) {
		return gnutls_x509_crt_set_subject_alt_name(
			cert, GNUTLS_SAN_IPADDRESS, bytes, 4, flags);
	}
	if (inet_pton(AF_INET6, name, bytes) == 1) {
		return gnutls_x509_crt_set_subject_alt_name(
			cert, GNUTLS_SAN_IPADDRESS, bytes, 16, flags);
	}
	return gnutls_x509_crt_set_subject_alt_name(
		cert, GNUTLS_SAN_DNSNAME, name, (unsigned int)strlen(name), flags);
}

static int describe(gnutls_x509_crt_t cert, const char *host)
{
	const char *const names[] = {"localhost", "127.0.0.1", "::1"};
	char own[HOST_CHARS] = "";
	unsigned char serial[16];
	time_t now = time(NULL);
	size_t i;
	int result;

	(void)gethostname(own, sizeof(own) - 1);
	randombytes_buf(serial, sizeof(serial));
	serial[0] &= 0x7f;
	result = gnutls_x509_crt_set_version(cert, 3);
	if (result >= 0) {
		result = gnutls_x509_crt_set_serial(cert, serial, sizeof(serial));
	}
	if (result >= 0) { /* a laptop's clock may lag */
		result = gnutls_x509_crt_set_activation_time(cert, now - YEAR_S);
	}
	if (result >= 0) {
		result = gnutls_x509_crt_set_expiration_time(cert, now + YEARS * YEAR_S);
	}
	if (result >= 0) {
		result = gnutls_x509_crt_set_dn_by_oid(
			cert, GNUTLS_OID_X520_COMMON_NAME, 0, "Chalkbox", strlen("Chalkbox"));
	}
	for (i = 0; i < sizeof(names) / sizeof(names[0]) && result >= 0; i++) {
		result = add_name(cert, names[i]);
	}
	if (result >= 0 && own[0] && strcmp(own, "localhost") != 0) {
		result = add_name(cert, own);
	}
	if (result >= 0 && host && strcmp(host, own) != 0) {
		result = add_name(cert, host);
	}
	if (result >= 0) {
		result = gnutls_x509_crt_set_key_usage(cert, GNUTLS_KEY_DIGITAL_SIGNATURE);
	}
	if (result >= 0) {
		result = gnutls_x509_crt_set_key_purpose_oid(cert, GNUTLS_KP_TLS_WWW_SERVER, 0);
	}
	return result;
}

static int sign(gnutls_x509_crt_t cert, gnutls_x509_privkey_t key, const char *host,
	gnutls_datum_t *ret_pem)
{
	int result = describe(cert, host);

	if (result >= 0) {
		result = gnutls_x509_crt_set_key(cert, key);
	}
	if (result >= 0) {
		result = gnutls_x509_crt_sign2(cert, cert, key, GNUTLS_DIG_SHA256, 0);
	}
	return result < 0 ? result : gnutls_x509_crt_export2(cert, GNUTLS_X509_FMT_PEM, ret_pem);
}

static int read_pem(const char *path, gnutls_datum_t *ret_pem, struct error *error)
{
	char *text;
	size_t n;
	int r = file_read(path, PEM_BYTES_MOST, &text, &n);

	if (r < 0) {
		return error_set(error, r, "%s: %s", path, strerror(-r));
	}
	*ret_pem = (gnutls_datum_t){(unsigned char *)text, (unsigned int)n};
	return 0;
}

static int make_cert(const char *key_path, const char *path, const char *host, struct error *error)
{
	gnutls_x509_privkey_t key = NULL;
	gnutls_x509_crt_t cert = NULL;
	gnutls_datum_t key_pem, pem = {NULL, 0};
	int result, r;

	r = read_pem(key_path, &key_pem, error);
	if (r < 0) {
		return r;
	}
	result = gnutls_x509_privkey_init(&key);
	if (result >= 0) {
		result = gnutls_x509_privkey_import2(key, &key_pem, GNUTLS_X509_FMT_PEM, NULL, 0);
	}
	if (result >= 0) {
		result = gnutls_x509_crt_init(&cert);
	}
	if (result >= 0) {
		result = sign(cert, key, host, &pem);
	}
	r = result < 0 ? fail(error, result, key_path)
		       : write_whole(path, pem.data, pem.size, error);
	gnutls_free(pem.data);
	if (cert) {
		gnutls_x509_crt_deinit(cert);
	}
	if (key) {
		gnutls_x509_privkey_deinit(key);
	}
	sodium_memzero(key_pem.data, key_pem.size);
	free(key_pem.data);
	return r;
}

int tls_prepare(const char *dir, const char *host, char ret_key[static FILE_PATH_CHARS],
	char ret_cert[static FILE_PATH_CHARS], struct error *error)
{
	char folder[FILE_PATH_CHARS];
	int fd, r;

	if (file_path(folder, sizeof(folder), "%s/tls", dir) < 0 ||
		file_path(ret_key, FILE_PATH_CHARS, "%s/tls/key.pem", dir) < 0 ||
		file_path(ret_cert, FILE_PATH_CHARS, "%s/tls/cert.pem", dir) < 0) {
		return error_set(error, -ENAMETOOLONG, "%s: the path is too long", dir);
	}
	if (mkdir(folder, 0700) < 0 && errno != EEXIST) {
		return error_set(error, -errno, "%s: %s", folder, strerror(errno));
	}
	r = access(ret_key, F_OK) == 0 ? 0 : make_key(ret_key, error);
	if (r == 0 && access(ret_cert, F_OK) != 0) {
		r = make_cert(ret_key, ret_cert, host, error);
	}
	fd = r < 0 ? -1 : open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		r = file_sync_dir(fd);
		(void)close(fd);
	}
	return r;
}

static int pin_of(gnutls_x509_crt_t cert, char ret_pin[static PIN_CHARS])
{
	unsigned char digest[crypto_hash_sha256_BYTES];
	gnutls_datum_t spki = {NULL, 0};
	gnutls_pubkey_t pubkey;
	int result;

	result = gnutls_pubkey_init(&pubkey);
	if (result < 0) {
		return result;
	}
	result = gnutls_pubkey_import_x509(pubkey, cert, 0);
	if (result >= 0) {
		result = gnutls_pubkey_export2(pubkey, GNUTLS_X509_FMT_DER, &spki);
	}
	gnutls_pubkey_deinit(pubkey);
	if (result < 0) {
		return result;
	}
	(void)crypto_hash_sha256(digest, spki.data, spki.size);
	gnutls_free(spki.data);
	pin_write(digest, ret_pin);
	return 0;
}

int tls_pin(const char *cert, char ret_pin[static PIN_CHARS], struct error *error)
{
	gnutls_x509_crt_t read = NULL;
	gnutls_datum_t pem;
	int result, r;

	r = read_pem(cert, &pem, error);
	if (r < 0) {
		return r;
	}
	result = gnutls_x509_crt_init(&read);
	if (result >= 0) {
		result = gnutls_x509_crt_import(read, &pem, GNUTLS_X509_FMT_PEM);
	}
	if (result >= 0) {
		result = pin_of(read, ret_pin);
	}
	if (read) {
		gnutls_x509_crt_deinit(read);
	}
	free(pem.data);
	return result < 0 ? fail(error, result, cert) : 0;
}
