#include "app/server/passwords.h"
#include "app/server/token.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define CROWD 24

static int set_up(void **state)
{
	struct passwords *passwords = NULL;
	int r = passwords_new(&passwords);

	*state = passwords;
	return r;
}

static int tear_down(void **state)
{
	passwords_free(*state);
	return 0;
}

static void a_password_opens_what_it_closed(void **state)
{
	char hash[PASSWORD_HASH_CHARS], again[PASSWORD_HASH_CHARS];
	bool match = false;

	assert_int_equal(passwords_hash(*state, "three kind words", hash), 0);
	assert_int_equal(passwords_hash(*state, "three kind words", again), 0);
	assert_string_not_equal(hash, again);
	assert_null(strstr(hash, "kind"));
	assert_int_equal(strncmp(hash, "$argon2id$", 10), 0);
	assert_int_equal(passwords_match(*state, hash, "three kind words", &match), 0);
	assert_true(match);
	assert_int_equal(passwords_match(*state, hash, "three kind word", &match), 0);
	assert_false(match);
}

static double seconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void a_name_that_nobody_has_takes_as_long_and_never_matches(void **state)
{
	char hash[PASSWORD_HASH_CHARS];
	double begin, known_s, unknown_s;
	bool match = true;

	assert_int_equal(passwords_hash(*state, "three kind words", hash), 0);
	begin = seconds();
	assert_int_equal(passwords_match(*state, hash, "wrong, quite wrong", &match), 0);
	known_s = seconds() - begin;
	begin = seconds();
	assert_int_equal(passwords_match(*state, NULL, "wrong, quite wrong", &match), 0);
	unknown_s = seconds() - begin;
	assert_false(match);
	assert_int_equal(passwords_match(*state, "", "", &match), 0);
	assert_false(match);
	assert_true(unknown_s > known_s / 4 && unknown_s < known_s * 4);
}

static void a_hash_that_is_none_matches_nothing(void **state)
{
	bool match = true;

	assert_int_equal(passwords_match(*state, "no hash", "no hash", &match), 0);
	assert_false(match);
}

static void short_and_endless_passwords_are_refused_with_a_reason(void **state)
{
	char endless[PASSWORD_MOST_BYTES + 2];
	struct error error;
	bool match = true;

	memset(endless, 'x', sizeof(endless) - 1);
	endless[sizeof(endless) - 1] = '\0';
	assert_int_equal(password_check("123456789", &error), -EINVAL);
	assert_non_null(strstr(error.text, "at least 10"));
	assert_int_equal(password_check("ééééééééé", &error), -EINVAL);
	assert_int_equal(password_check("éééééééééé", &error), 0);
	assert_int_equal(password_check(endless, &error), -EINVAL);
	assert_int_equal(passwords_match(*state, NULL, endless, &match), 0);
	assert_false(match);
}

struct caller {
	struct passwords *passwords;
	pthread_t thread;
	int result;
};

static void *call(void *data)
{
	struct caller *caller = data;
	bool match;

	caller->result = passwords_match(caller->passwords, NULL, "a password", &match);
	return NULL;
}

static void a_crowd_is_served_in_part_and_sent_away_in_part(void **state)
{
	struct caller callers[CROWD];
	int served = 0, sent_away = 0;
	bool match;

	for (size_t i = 0; i < CROWD; i++) {
		callers[i].passwords = *state;
		assert_int_equal(pthread_create(&callers[i].thread, NULL, call, &callers[i]), 0);
	}
	for (size_t i = 0; i < CROWD; i++) {
		assert_int_equal(pthread_join(callers[i].thread, NULL), 0);
		served += callers[i].result == 0;
		sent_away += callers[i].result == -EBUSY;
	}
	assert_int_equal(served + sent_away, CROWD);
	assert_true(served >= 8);
	assert_int_equal(passwords_match(*state, NULL, "afterwards", &match), 0);
}

static void tokens_are_long_and_never_the_same(void **state)
{
	char one[TOKEN_CHARS], two[TOKEN_CHARS];

	token_new(one);
	token_new(two);
	assert_true(token_valid(one));
	assert_false(token_equal(one, two));
	assert_true(token_equal(one, one));
	assert_false(token_valid("abc"));
	one[3] = 'G';
	assert_false(token_valid(one));
}

static void what_is_kept_of_a_token_is_its_sha256(void **state)
{
	char hash[TOKEN_CHARS];

	token_hash("abc", hash); /* FIPS 180-2, appendix B.1 */
	assert_string_equal(
		hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void what_derives_from_a_token_depends_on_token_and_purpose(void **state)
{
	char one[TOKEN_CHARS], two[TOKEN_CHARS], three[TOKEN_CHARS];

	token_derive("Jefe", "what do ya want for nothing?", one); /* RFC 4231, case 2 */
	assert_string_equal(
		one, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	token_derive("Jefe", "something else", two);
	token_derive("jefe", "what do ya want for nothing?", three);
	assert_false(token_equal(one, two));
	assert_false(token_equal(one, three));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_password_opens_what_it_closed),
		cmocka_unit_test(a_name_that_nobody_has_takes_as_long_and_never_matches),
		cmocka_unit_test(a_hash_that_is_none_matches_nothing),
		cmocka_unit_test(short_and_endless_passwords_are_refused_with_a_reason),
		cmocka_unit_test(a_crowd_is_served_in_part_and_sent_away_in_part),
		cmocka_unit_test(tokens_are_long_and_never_the_same),
		cmocka_unit_test(what_is_kept_of_a_token_is_its_sha256),
		cmocka_unit_test(what_derives_from_a_token_depends_on_token_and_purpose),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
