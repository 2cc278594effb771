#include "app/server/access.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/*
 * The table once more, by hand and in another form: for each deed what each kind
 * of person is told. A: allowed, i: sign in, r: refused, h: hidden.
 *
 * In order: signed out or revoked; administrator; another coach; its coach;
 * another teacher; its teacher; a coach and a teacher whom its teacher lets see it;
 * an administrator who is a coach as well, of another one and of this one; a coach
 * who teaches as well, and is its coach; the same person, and is its teacher.
 */
static const struct {
	enum deed deed;
	const char *told;
} expected[] = {
	{DEED_SIGN_IN, "AAAAAAAAAAAA"},
	{DEED_TAKE_INVITATION, "AAAAAAAAAAAA"},
	{DEED_SEE_SESSION, "iAAAAAAAAAAA"},
	{DEED_SIGN_OUT, "iAAAAAAAAAAA"},
	{DEED_CHANGE_PASSWORD, "iAAAAAAAAAAA"},
	{DEED_CHECK_SCHEME, "iAAAAAAAAAAA"},
	{DEED_LIST_OBSERVATIONS, "iAAAAAAAAAAA"},
	{DEED_PLAN, "irAArrArAAAA"},
	{DEED_LIST_PEOPLE, "iArrrrrrAArr"},
	{DEED_LIST_TEACHERS, "iAAArrArAAAA"},
	{DEED_INVITE_ADMINISTRATOR, "iArrrrrrAArr"},
	{DEED_INVITE_COACH, "iArrrrrrAArr"},
	{DEED_INVITE_TEACHER, "iAAArrArAAAA"},
	{DEED_REVOKE_PERSON, "iArrrrrrAArr"},
	{DEED_GIVE_ROLES, "iArrrrrrAArr"},
	{DEED_LIST_BOXES, "iArrrrrrAArr"},
	{DEED_LIST_OWN_BOXES, "iAAArrArAAAA"},
	{DEED_PAIR_BOX, "iAAArrArAAAA"},
	{DEED_PAIR_BOX_FOR_OTHERS, "iArrrrrrAArr"},
	{DEED_NAME_BOX, "iAhAhhhhAAAh"},
	{DEED_REVOKE_BOX, "iAhAhhhhAAAh"},
	{DEED_GIVE_BOX, "iArrrrrrAArr"},
	{DEED_SEE_SITE, "iArrrrrrAArr"},
	{DEED_CHANGE_SITE, "iArrrrrrAArr"},
	{DEED_SEE_TIMELINE, "ihhAhAAAhAAA"},
	{DEED_HEAR, "ihhAhAAAhAAA"},
	{DEED_CHANGE_OBSERVATION, "ihhAhhhhhAAh"},
	{DEED_WITHDRAW, "ihhhhAhhhhhA"},
	{DEED_SEE_LOOKS, "ihhhhAhhhhhA"},
	{DEED_RELEASE, "ihhhhAhhhhhA"},
};

static const struct {
	unsigned int roles, relations;
} persons[] = {
	{ROLE_NONE, RELATION_NONE},
	{ROLE_ADMINISTRATOR, RELATION_NONE},
	{ROLE_COACH, RELATION_NONE},
	{ROLE_COACH, RELATION_COACH},
	{ROLE_TEACHER, RELATION_NONE},
	{ROLE_TEACHER, RELATION_TEACHER},
	{ROLE_COACH, RELATION_GUEST},
	{ROLE_TEACHER, RELATION_GUEST},
	{ROLE_ADMINISTRATOR | ROLE_COACH, RELATION_NONE},
	{ROLE_ADMINISTRATOR | ROLE_COACH, RELATION_COACH},
	{ROLE_COACH | ROLE_TEACHER, RELATION_COACH},
	{ROLE_COACH | ROLE_TEACHER, RELATION_TEACHER},
};
#define N_PERSONS (sizeof(persons) / sizeof(persons[0]))

static char letter(enum verdict verdict)
{
	return verdict <= VERDICT_HIDDEN ? "Airh"[verdict] : '?';
}

static void every_kind_of_person_is_told_what_the_table_says(void **state)
{
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		char told[N_PERSONS + 1] = "";

		for (size_t j = 0; j < N_PERSONS; j++) {
			told[j] = letter(access_decide(
				persons[j].roles, persons[j].relations, expected[i].deed));
		}
		if (strcmp(told, expected[i].told) != 0) {
			fail_msg("deed %d: %s, not %s", expected[i].deed, told, expected[i].told);
		}
	}
}

static void no_deed_is_left_out_of_the_table(void **state)
{
	bool seen[DEEDS_END] = {false};

	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		assert_false(seen[expected[i].deed]);
		seen[expected[i].deed] = true;
	}
	for (size_t i = 0; i < DEEDS_END; i++) {
		assert_true(seen[i]);
	}
}

static void an_administrator_sees_no_observation_by_any_relation(void **state)
{
	for (unsigned int relations = RELATION_NONE; relations <= RELATIONS_ALL; relations++) {
		for (enum deed deed = DEED_SEE_TIMELINE; deed < DEEDS_END; deed++) {
			assert_int_equal(
				access_decide(ROLE_ADMINISTRATOR, relations, deed), VERDICT_HIDDEN);
		}
	}
}

static void being_an_administrator_too_shows_no_observation_more(void **state)
{
	for (unsigned int roles = ROLE_COACH; roles <= ROLES_ALL; roles++) {
		for (unsigned int relations = RELATION_NONE; relations <= RELATIONS_ALL;
			relations++) {
			for (enum deed deed = DEED_SEE_TIMELINE; deed < DEEDS_END; deed++) {
				assert_int_equal(
					access_allowed(roles | ROLE_ADMINISTRATOR, relations, deed),
					access_allowed(
						roles & ~ROLE_ADMINISTRATOR, relations, deed));
			}
		}
	}
}

static void several_roles_may_what_one_of_them_may_and_no_more(void **state)
{
	for (unsigned int roles = ROLE_NONE; roles <= ROLES_ALL; roles++) {
		for (unsigned int relations = RELATION_NONE; relations <= RELATIONS_ALL;
			relations++) {
			for (enum deed deed = 0; deed < DEEDS_END; deed++) {
				bool one = false;

				for (unsigned int role = 1; role <= ROLES_ALL; role <<= 1) {
					one |= access_allowed(roles & role, relations, deed);
				}
				assert_int_equal(access_allowed(roles, relations, deed), one);
			}
		}
	}
}

static void a_relation_counts_only_for_the_role_it_belongs_to(void **state)
{
	assert_false(access_allowed(ROLE_TEACHER, RELATION_COACH, DEED_SEE_TIMELINE));
	assert_false(access_allowed(ROLE_COACH, RELATION_TEACHER, DEED_SEE_TIMELINE));
	assert_false(access_allowed(ROLE_COACH, RELATION_TEACHER, DEED_WITHDRAW));
	assert_false(access_allowed(ROLE_NONE, RELATION_COACH, DEED_SEE_TIMELINE));
	assert_false(access_allowed(ROLE_NONE, RELATION_TEACHER, DEED_HEAR));
}

static void numbers_from_elsewhere_are_never_allowed(void **state)
{
	assert_int_equal(
		access_decide(ROLES_ALL + 1, RELATION_COACH, DEED_SEE_TIMELINE), VERDICT_SIGN_IN);
	assert_int_equal(
		access_decide(ROLES_ALL | 64, RELATION_TEACHER, DEED_SEE_SESSION), VERDICT_SIGN_IN);
	assert_int_equal(
		access_decide(ROLES_ALL, RELATIONS_ALL + 1, DEED_SEE_TIMELINE), VERDICT_SIGN_IN);
	assert_int_equal(
		access_decide(ROLE_ADMINISTRATOR, RELATION_NONE, DEEDS_END), VERDICT_HIDDEN);
	assert_int_equal(
		access_decide(ROLE_COACH, RELATION_COACH, (enum deed)1000), VERDICT_HIDDEN);
}

static void roles_have_names_and_nobody_is_none(void **state)
{
	assert_string_equal(role_name(ROLE_COACH), "coach");
	assert_null(role_name(ROLE_NONE));
	assert_null(role_name(ROLE_COACH | ROLE_TEACHER));
	assert_int_equal(role_of("administrator"), ROLE_ADMINISTRATOR);
	assert_int_equal(role_of("teacher"), ROLE_TEACHER);
	assert_int_equal(role_of("nobody"), ROLE_NONE);
	assert_int_equal(role_of("Coach"), ROLE_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_person_is_told_what_the_table_says),
		cmocka_unit_test(no_deed_is_left_out_of_the_table),
		cmocka_unit_test(an_administrator_sees_no_observation_by_any_relation),
		cmocka_unit_test(being_an_administrator_too_shows_no_observation_more),
		cmocka_unit_test(several_roles_may_what_one_of_them_may_and_no_more),
		cmocka_unit_test(a_relation_counts_only_for_the_role_it_belongs_to),
		cmocka_unit_test(numbers_from_elsewhere_are_never_allowed),
		cmocka_unit_test(roles_have_names_and_nobody_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
