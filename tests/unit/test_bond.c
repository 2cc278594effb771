#include "app/sync/bond.h"

#include "app/base/file.h"

#include <errno.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define TOKEN "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define PIN "sha256//q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k="
#define HEAD "[pairing]\nurl = https://a.example\ntoken = " TOKEN "\n"

static void an_address_is_https_or_on_this_machine(void **state)
{
	static const struct {
		const char *text, *url; /* NULL: refused */
	} table[] = {
		{"https://chalk.example", "https://chalk.example"},
		{"HTTPS://chalk.example:8443/", "https://chalk.example:8443"},
		{"https://192.168.4.1", "https://192.168.4.1"},
		{"https://[fe80::1]:8443", "https://[fe80::1]:8443"},
		{"http://127.0.0.1:80", "http://127.0.0.1:80"},
		{"http://127.9.9.9", "http://127.9.9.9"},
		{"http://localhost:5", "http://localhost:5"},
		{"http://[::1]:5", "http://[::1]:5"},
		{"http://chalk.example", NULL},
		{"http://127.0.0.1.evil.example", NULL},
		{"http://localhost.evil.example", NULL},
		{"http://127.0.0.1@evil.example", NULL},
		{"http://128.0.0.1", NULL},
		{"https://user:pw@chalk.example", NULL},
		{"https://chalk.example/path", NULL},
		{"https://chalk.example?x", NULL},
		{"https://chalk.example#x", NULL},
		{"https://chalk.example:0", NULL},
		{"https://chalk.example:65536", NULL},
		{"https://chalk.example:", NULL},
		{"https://a:b:c", NULL},
		{"https://[::1", NULL},
		{"https://", NULL},
		{"https:///", NULL},
		{"ftp://chalk.example", NULL},
		{"chalk.example", NULL},
		{"", NULL},
		{"https://chalk.exa mple", NULL},
		{"https://chalk.example\n", NULL},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct error error = {""};
		char url[BOND_URL_CHARS] = "-";
		int r = bond_url(table[i].text, url, &error);

		if (r != (table[i].url ? 0 : -EINVAL) ||
			(table[i].url && strcmp(url, table[i].url) != 0)) {
			fail_msg("\"%s\" -> %d \"%s\"", table[i].text, r, url);
		}
	}
	assert_true(bond_is_local("http://127.0.0.1:9"));
	assert_false(bond_is_local("https://chalk.example"));
}

static int parse(const char *text, struct bond *bond, struct error *error)
{
	return bond_parse(text, strlen(text), "p", bond, error);
}

static void a_pairing_is_read_back_as_it_was_kept(void **state)
{
	struct bond bond = {.url = "https://a.example:8443",
		.box = "1-2",
		.token = TOKEN,
		.pin = PIN,
		.server = "Räume ; der\nSchule"};
	struct bond back;
	char dir[] = "/tmp/test_bond.XXXXXX", path[64];
	struct stat st;

	assert_non_null(mkdtemp(dir));
	assert_int_equal(bond_read(dir, &back, NULL), -ENOENT);
	assert_int_equal(bond_keep(dir, &bond, NULL), 0);
	assert_int_equal(bond_read(dir, &back, NULL), 0);
	assert_string_equal(back.url, bond.url);
	assert_string_equal(back.token, bond.token);
	assert_string_equal(back.pin, bond.pin);
	assert_string_equal(back.server, "Räume   der Schule");
	(void)snprintf(path, sizeof(path), "%s/pairing", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	memset(bond.server, 'x', sizeof(bond.server) - 1);
	memcpy(bond.server + 98, "\xc3\xa4\xc3\xa4", 4);
	assert_int_equal(bond_keep(dir, &bond, NULL), 0);
	assert_int_equal(bond_read(dir, &back, NULL), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

static void a_broken_pairing_is_named_with_its_line_and_shows_no_token(void **state)
{
	static const struct {
		const char *text, *names;
	} table[] = {
		{"", "p:1: url or token is missing"},
		{"[pairing]\nurl = http://a.example\n", "p:2: url"},
		{HEAD "pin = sha256//x\n", "p:4: pin"},
		{HEAD "pins = x\n", "p:4: unknown key"},
		{"[pair]\nurl = x\n", "unknown section"},
		{"[pairing]\nurl = https://a\ntoken = " TOKEN "0\n", "p:3: token"},
		{"[pairing]\nurl = https://a\ntoken = secret\n", "p:3: token"},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct error error = {""};
		struct bond bond;

		assert_int_equal(parse(table[i].text, &bond, &error), -EINVAL);
		if (!strstr(error.text, table[i].names)) {
			fail_msg("\"%s\" does not say \"%s\"", error.text, table[i].names);
		}
		assert_null(strstr(error.text, "secret"));
		assert_null(strstr(error.text, TOKEN));
	}
}

static void a_short_form_is_the_first_eight_bytes_of_the_key(void **state)
{
	char brief[PIN_SHORT_CHARS];

	pin_short(PIN, brief);
	assert_string_equal(brief, "abcd-ef01-2345-6789");
	pin_short("", brief);
	assert_string_equal(brief, "");
	pin_short("sha256//AAAA", brief);
	assert_string_equal(brief, "");
}

static int wish(const char *text, struct bond_wish *ret_wish, struct error *error)
{
	return bond_wish(text, strlen(text), "f", ret_wish, error);
}

static void a_boot_file_is_read_as_any_editor_writes_it(void **state)
{
	struct bond_wish got;

	assert_int_equal(wish("\xef\xbb\xbf# room 4\r\n\r\nurl = https://a.example/\r\n"
			      "code=WDJB-MJHT\r\npin = ABCD-ef01-2345-6789",
				 &got, NULL),
		0);
	assert_string_equal(got.url, "https://a.example");
	assert_string_equal(got.code, "WDJB-MJHT");
	assert_string_equal(got.pin, "ABCD-ef01-2345-6789");
}

static void a_broken_boot_file_is_named_with_its_line(void **state)
{
	static const struct {
		const char *text, *names;
	} table[] = {
		{"", "f:1: url= is missing"},
		{"url=https://a", "f:1: code= is missing"},
		{"code=x\n", "f:1: url= is missing"},
		{"url=http://a\n", "f:1: "},
		{"\n\nwhat\n", "f:3: must be like"},
		{"ssid=x\n", "f:1: `ssid` is not known"},
		{"code=\n", "f:1: code"},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct error error = {""};
		struct bond_wish got;

		assert_int_equal(wish(table[i].text, &got, &error), -EINVAL);
		if (!strstr(error.text, table[i].names)) {
			fail_msg("\"%s\" does not say \"%s\"", error.text, table[i].names);
		}
	}
	struct bond_wish got;

	assert_int_equal(bond_wish("url\0=x", 6, "f", &got, NULL), -EINVAL);
}

/* A certificate in shape only: what stands before the key, and the key. */
static void the_key_is_found_in_a_certificate_and_nowhere_else(void **state)
{
	static const unsigned char spki[] = {0x30, 3, 0x03, 1, 0};
	static const unsigned char der[] = {0x30, 0x1a, 0x30, 0x16, 0xa0, 3, 2, 1, 2, 2, 1, 5, 0x30,
		0, 0x30, 0, 0x30, 0, 0x30, 0, 0x30, 3, 0x03, 1, 0, 0, 0, 0};
	unsigned char hash[32];
	char pin[PIN_CHARS], expected[PIN_CHARS] = "sha256//";

	(void)crypto_hash_sha256(hash, spki, sizeof(spki));
	(void)sodium_bin2base64(
		expected + 8, sizeof(expected) - 8, hash, 32, sodium_base64_VARIANT_ORIGINAL);
	assert_int_equal(bond_pin(der, sizeof(der), pin), 0);
	assert_string_equal(pin, expected);
	for (size_t n = 0; n < sizeof(der); n++) {
		assert_int_equal(bond_pin(der, n, pin), -EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_https_or_on_this_machine),
		cmocka_unit_test(a_pairing_is_read_back_as_it_was_kept),
		cmocka_unit_test(a_broken_pairing_is_named_with_its_line_and_shows_no_token),
		cmocka_unit_test(a_short_form_is_the_first_eight_bytes_of_the_key),
		cmocka_unit_test(a_boot_file_is_read_as_any_editor_writes_it),
		cmocka_unit_test(a_broken_boot_file_is_named_with_its_line),
		cmocka_unit_test(the_key_is_found_in_a_certificate_and_nowhere_else),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
