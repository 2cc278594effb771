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
 * another teacher; its teacher; a coach and a teacher whom its teacher lets see it.
 */
static const struct {
	enum deed deed;
	const char *told;
} expected[] = {
	{DEED_SIGN_IN, "AAAAAAAA"},
	{DEED_TAKE_INVITATION, "AAAAAAAA"},
	{DEED_SEE_SESSION, "iAAAAAAA"},
	{DEED_SIGN_OUT, "iAAAAAAA"},
	{DEED_CHECK_SCHEME, "iAAAAAAA"},
	{DEED_LIST_OBSERVATIONS, "iAAAAAAA"},
	{DEED_PLAN, "irAArrAr"},
	{DEED_LIST_PEOPLE, "iArrrrrr"},
	{DEED_LIST_TEACHERS, "iAAArrAr"},
	{DEED_INVITE_ADMINISTRATOR, "iArrrrrr"},
	{DEED_INVITE_COACH, "iArrrrrr"},
	{DEED_INVITE_TEACHER, "iAAArrAr"},
	{DEED_REVOKE_PERSON, "iArrrrrr"},
	{DEED_LIST_BOXES, "iArrrrrr"},
	{DEED_LIST_OWN_BOXES, "iAAArrAr"},
	{DEED_PAIR_BOX, "iAAArrAr"},
	{DEED_PAIR_BOX_FOR_OTHERS, "iArrrrrr"},
	{DEED_NAME_BOX, "iAhAhhhh"},
	{DEED_REVOKE_BOX, "iAhAhhhh"},
	{DEED_GIVE_BOX, "iArrrrrr"},
	{DEED_SEE_SITE, "iArrrrrr"},
	{DEED_CHANGE_SITE, "iArrrrrr"},
	{DEED_SEE_TIMELINE, "ihhAhAAA"},
	{DEED_HEAR, "ihhAhAAA"},
	{DEED_CHANGE_OBSERVATION, "ihhAhhhh"},
	{DEED_WITHDRAW, "ihhhhAhh"},
	{DEED_SEE_LOOKS, "ihhhhAhh"},
	{DEED_RELEASE, "ihhhhAhh"},
};

static const struct {
	enum role role;
	enum relation relation;
} persons[] = {
	{ROLE_NONE, RELATION_NONE},
	{ROLE_ADMINISTRATOR, RELATION_NONE},
	{ROLE_COACH, RELATION_NONE},
	{ROLE_COACH, RELATION_COACH},
	{ROLE_TEACHER, RELATION_NONE},
	{ROLE_TEACHER, RELATION_TEACHER},
	{ROLE_COACH, RELATION_GUEST},
	{ROLE_TEACHER, RELATION_GUEST},
};

static char letter(enum verdict verdict)
{
	return verdict <= VERDICT_HIDDEN ? "Airh"[verdict] : '?';
}

static void every_kind_of_person_is_told_what_the_table_says(void **state)
{
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		char told[9] = "";

		for (size_t j = 0; j < sizeof(persons) / sizeof(persons[0]); j++) {
			told[j] = letter(access_decide(
				persons[j].role, persons[j].relation, expected[i].deed));
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
	for (enum relation relation = RELATION_NONE; relation < RELATIONS_END; relation++) {
		for (enum deed deed = DEED_SEE_TIMELINE; deed < DEEDS_END; deed++) {
			assert_int_equal(
				access_decide(ROLE_ADMINISTRATOR, relation, deed), VERDICT_HIDDEN);
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
		access_decide(ROLES_END, RELATION_COACH, DEED_SEE_TIMELINE), VERDICT_SIGN_IN);
	assert_int_equal(
		access_decide((enum role)99, RELATION_TEACHER, DEED_SEE_SESSION), VERDICT_SIGN_IN);
	assert_int_equal(
		access_decide(ROLE_ADMINISTRATOR, RELATION_NONE, DEEDS_END), VERDICT_HIDDEN);
	assert_int_equal(
		access_decide(ROLE_COACH, RELATION_COACH, (enum deed)1000), VERDICT_HIDDEN);
}

static void roles_have_names_and_nobody_is_none(void **state)
{
	assert_string_equal(role_name(ROLE_COACH), "coach");
	assert_string_equal(role_name((enum role)77), "nobody");
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
		cmocka_unit_test(a_relation_counts_only_for_the_role_it_belongs_to),
		cmocka_unit_test(numbers_from_elsewhere_are_never_allowed),
		cmocka_unit_test(roles_have_names_and_nobody_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
