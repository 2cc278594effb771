#include "app/journal/entry.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BOOT_ID "0f5a3c1e-9d2b-4c6f-8a17-2b3c4d5e6f70"
#define SHA "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void set_body(struct entry *entry, const char *body)
{
	entry_fini(entry);
	entry->body = strdup(body);
	assert_non_null(entry->body);
}

/* An entry of the kind that keeps all rules. */
static struct entry good(enum entry_kind kind)
{
	struct entry entry = {.seq = 9, .boot = 1, .t_ns = 5000, .kind = kind, .observation = 3};

	switch (kind) {
	case ENTRY_BOOT:
		entry.boot = 9;
		entry.observation = 0;
		set_body(&entry, "{\"boot_id\":\"" BOOT_ID "\"}");
		break;
	case ENTRY_CLOCK:
		entry.value = 1700000000000000000;
		set_body(&entry, "{\"uncertainty_ns\":5,\"trusted\":true}");
		break;
	case ENTRY_START:
		entry.observation = 9;
		set_body(&entry,
			"{\"id\":\"" BOOT_ID "\",\"cause\":\"button\",\"scheme\":\"[scheme]\"}");
		break;
	case ENTRY_END:
		set_body(&entry, "{\"cause\":\"idle\"}");
		break;
	case ENTRY_RELEASE:
		entry.ref = 8;
		entry.value = 1;
		memcpy(entry.code, "questioning", 12);
		break;
	case ENTRY_PRESS:
	case ENTRY_CUE:
	case ENTRY_FAULT:
		memcpy(entry.code, "questioning", 12);
		break;
	case ENTRY_UNDO:
		entry.ref = 8;
		break;
	case ENTRY_MIC:
		entry.value = MIC_FULL;
		break;
	case ENTRY_GAP:
		set_body(&entry, "{\"cause\":\"overrun\",\"from_ns\":1,\"to_ns\":2}");
		break;
	case ENTRY_SNIPPET:
		set_body(&entry,
			"{\"file\":\"7.opus\",\"codec\":\"opus\",\"from_ns\":1,"
			"\"to_ns\":2,\"bytes\":3,\"sha256\":\"" SHA "\","
			"\"step_ms\":100,\"peaks\":\"AAEC\"}");
		break;
	case ENTRY_GONE:
		entry.observation = 0;
		entry.ref = 8;
		set_body(&entry, "{\"file\":\"7.opus\",\"sha256\":\"" SHA "\"}");
		break;
	case ENTRY_LOUDNESS:
		set_body(&entry, "{\"from_ns\":1,\"step_ms\":100,\"levels\":\"AAEC\"}");
		break;
	default:
		break;
	}
	return entry;
}

static void assert_wrong(struct entry *entry, const char *field)
{
	struct error error = {""};

	assert_int_equal(entry_check(entry, &error), -EINVAL);
	if (!strstr(error.text, field)) {
		fail_msg("\"%s\" does not name %s", error.text, field);
	}
	entry_fini(entry);
}

static void facts_come_back_as_they_were_written(void **state)
{
	uint8_t levels[] = {0, 1, 2, 127, 128, 254, 255};
	struct entry entry = {.kind = ENTRY_SNIPPET};
	struct facts back,
		facts = {
			.boot_id = BOOT_ID,
			.id = "11111111-2222-4333-8444-555555555555",
			.version = "1.2",
			.box = "Räume \"7\"\n\\ü",
			.card = "seeed2micvoicec",
			.cause = "a reason",
			.file = "1-2.opus",
			.codec = "opus",
			.sha256 = SHA,
			.from_ns = INT64_MIN,
			.to_ns = INT64_MAX,
			.bytes = 77,
			.uncertainty_ns = 3,
			.rate_hz = 48000,
			.step_ms = INT_MAX,
			.trusted = true,
			.complete = true,
			.scheme = (char[]){"[scheme]\nname = \"x\"\t\n"},
			.levels = levels,
			.n_levels = sizeof(levels),
		};

	assert_int_equal(entry_set_facts(&entry, &facts), 0);
	assert_int_equal(entry_get_facts(&entry, &back), 0);
	assert_string_equal(back.boot_id, facts.boot_id);
	assert_string_equal(back.id, facts.id);
	assert_string_equal(back.version, facts.version);
	assert_string_equal(back.box, facts.box);
	assert_string_equal(back.card, facts.card);
	assert_string_equal(back.cause, facts.cause);
	assert_string_equal(back.file, facts.file);
	assert_string_equal(back.codec, facts.codec);
	assert_string_equal(back.sha256, facts.sha256);
	assert_string_equal(back.scheme, facts.scheme);
	assert_true(back.from_ns == facts.from_ns && back.to_ns == facts.to_ns);
	assert_int_equal(back.bytes, 77);
	assert_int_equal(back.uncertainty_ns, 3);
	assert_int_equal(back.rate_hz, 48000);
	assert_int_equal(back.step_ms, INT_MAX);
	assert_true(back.trusted && back.complete);
	assert_int_equal(back.n_levels, sizeof(levels));
	assert_memory_equal(back.levels, levels, sizeof(levels));
	facts_fini(&back);
	entry_fini(&entry);
}

static void a_body_is_compact_and_in_a_stable_order(void **state)
{
	uint8_t levels[] = {0, 1, 2};
	struct entry entry = {.kind = ENTRY_LOUDNESS};
	struct facts facts = {
		.levels = levels, .n_levels = 3, .step_ms = 100, .from_ns = 42, .cause = "x"};

	assert_int_equal(entry_set_facts(&entry, &facts), 0);
	assert_string_equal(
		entry.body, "{\"cause\":\"x\",\"from_ns\":42,\"step_ms\":100,\"levels\":\"AAEC\"}");
	entry.kind = ENTRY_SNIPPET;
	assert_int_equal(entry_set_facts(&entry, &facts), 0);
	assert_string_equal(
		entry.body, "{\"cause\":\"x\",\"from_ns\":42,\"step_ms\":100,\"peaks\":\"AAEC\"}");
	entry_fini(&entry);
}

static void what_is_not_said_makes_no_body(void **state)
{
	struct entry entry = {.kind = ENTRY_PRESS};
	struct facts facts = {0};

	set_body(&entry, "{\"cause\":\"old\"}");
	assert_int_equal(entry_set_facts(&entry, &facts), 0);
	assert_null(entry.body);
	assert_int_equal(entry_get_facts(&entry, &facts), 0);
	assert_string_equal(facts.cause, "");
	facts_fini(&facts);
}

static void text_that_is_not_utf8_is_made_harmless(void **state)
{
	struct entry entry = {.kind = ENTRY_MIC};
	struct facts facts = {.card = "caf\xe9 \xff"};

	assert_int_equal(entry_set_facts(&entry, &facts), 0);
	assert_string_equal(entry.body, "{\"card\":\"caf? ?\"}");
	entry_fini(&entry);
}

static void unknown_members_and_wrong_types_are_not_said(void **state)
{
	static const char *const bodies[] = {
		"{\"nobody\":[1,{\"x\":2}],\"from_ns\":\"5\",\"to_ns\":1.5,\"bytes\":null,"
		"\"trusted\":1,\"complete\":\"yes\",\"cause\":7,\"file\":{},\"scheme\":[],"
		"\"levels\":5,\"step_ms\":true}",
		"{\"step_ms\":2147483648,\"rate_hz\":-2147483649,\"levels\":\"!not base64\"}",
		"{\"levels\":\"AAE\",\"peaks\":\"AAEC\"}",
		"{\"levels\":\"\"}",
		"{\"sha256\":\"" SHA "0\",\"boot_id\":\"" BOOT_ID "0\"}",
		"{}",
	};
	struct facts facts, none = {0};
	size_t i;

	for (i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		struct entry entry = {.kind = ENTRY_LOUDNESS};

		set_body(&entry, bodies[i]);
		assert_int_equal(entry_get_facts(&entry, &facts), 0);
		assert_memory_equal(&facts, &none, sizeof(facts));
		facts_fini(&facts);
		entry_fini(&entry);
	}
}

static void a_body_that_is_no_object_is_refused(void **state)
{
	static const char *const bodies[] = {"", "[]", "7", "\"x\"", "null", "{", "{\"a\":NaN}",
		"{\"from_ns\":99999999999999999999}", "{\"from_ns\":1e999}", "{\"a\":1}x",
		"{\"cause\":\"a\\u0000b\"}", "{\"cause\":\"\xff\"}"};
	struct facts facts;
	size_t i;

	for (i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		struct entry entry = {.kind = ENTRY_GAP};

		set_body(&entry, bodies[i]);
		assert_int_equal(entry_get_facts(&entry, &facts), -EINVAL);
		entry_fini(&entry);
	}
}

static void deep_nesting_is_refused_not_followed(void **state)
{
	const size_t depth = 200000;
	struct entry entry = {.kind = ENTRY_GAP, .body = malloc(depth + 6)};
	struct facts facts;

	assert_non_null(entry.body);
	memcpy(entry.body, "{\"a\":", 5);
	memset(entry.body + 5, '[', depth);
	entry.body[depth + 5] = '\0';
	assert_int_equal(entry_get_facts(&entry, &facts), -EINVAL);
	entry_fini(&entry);
}

static void a_good_entry_of_each_kind_passes(void **state)
{
	int kind;

	for (kind = 1; kind < ENTRY_KINDS_END; kind++) {
		struct error error = {""};
		struct entry entry = good((enum entry_kind)kind);

		if (entry_check(&entry, &error) != 0) {
			fail_msg("%s", error.text);
		}
		entry_fini(&entry);
	}
}

static void a_wrong_column_is_named(void **state)
{
	struct entry entry;

	entry = good(ENTRY_PRESS);
	entry.seq = 0;
	assert_wrong(&entry, "seq");
	entry = good(ENTRY_BOOT);
	entry.seq = entry.boot = -1;
	assert_wrong(&entry, "seq");
	entry = good(ENTRY_BOOT);
	entry.boot = 8;
	assert_wrong(&entry, "boot");
	entry = good(ENTRY_PRESS);
	entry.boot = 9;
	assert_wrong(&entry, "boot");
	entry = good(ENTRY_PRESS);
	entry.t_ns = -1;
	assert_wrong(&entry, "t_ns");
	entry = good(ENTRY_PRESS);
	entry.t_ns = INT64_MAX;
	assert_wrong(&entry, "t_ns");
	entry = good(ENTRY_PRESS);
	entry.observation = 9;
	assert_wrong(&entry, "observation");
	entry = good(ENTRY_END);
	entry.observation = 0;
	assert_wrong(&entry, "observation");
	entry = good(ENTRY_START);
	entry.observation = 3;
	assert_wrong(&entry, "observation");
	entry = good(ENTRY_BOOT);
	entry.observation = 3;
	assert_wrong(&entry, "observation");
	entry = good(ENTRY_UNDO);
	entry.code[0] = 'x';
	assert_wrong(&entry, "code");
	entry = good(ENTRY_PRESS);
	entry.ref = 3;
	assert_wrong(&entry, "ref");
	entry = good(ENTRY_RELEASE);
	entry.ref = 9;
	assert_wrong(&entry, "ref");
	entry = good(ENTRY_RELEASE);
	entry.ref = 0;
	assert_wrong(&entry, "ref");
	entry = good(ENTRY_RELEASE);
	entry.value = 2;
	assert_wrong(&entry, "value");
	entry = good(ENTRY_MIC);
	entry.value = MIC_FULL + 1;
	assert_wrong(&entry, "value");
	entry = good(ENTRY_CLOCK);
	entry.value = -1;
	assert_wrong(&entry, "value");
	entry = good(ENTRY_PRESS);
	entry.kind = ENTRY_KINDS_END;
	assert_wrong(&entry, "kind");
	entry = good(ENTRY_PRESS);
	entry.kind = (enum entry_kind)0;
	assert_wrong(&entry, "kind");
}

static void a_code_is_a_short_lower_case_word(void **state)
{
	static const char *const wrong[] = {"", "Question", "a b", "a/b", "caf\xc3\xa9", "a\n"};
	struct entry entry;
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		entry = good(ENTRY_PRESS);
		(void)snprintf(entry.code, sizeof(entry.code), "%s", wrong[i]);
		assert_wrong(&entry, "code");
	}
	entry = good(ENTRY_PRESS);
	memset(entry.code, 'a', sizeof(entry.code)); /* no NUL */
	assert_wrong(&entry, "code");
	entry = good(ENTRY_PRESS);
	memset(entry.code, 'a', sizeof(entry.code) - 1);
	assert_int_equal(entry_check(&entry, NULL), 0);
}

static void a_wrong_fact_is_named(void **state)
{
	static const struct {
		enum entry_kind kind;
		const char *body, *field;
	} cases[] = {
		{ENTRY_BOOT, "{}", "boot_id"},
		{ENTRY_BOOT, "{\"boot_id\":\"0f5a3c1e+9d2b-4c6f-8a17-2b3c4d5e6f70\"}", "boot_id"},
		{ENTRY_BOOT, "{\"boot_id\":\"0f5a3c1e-9d2b-4c6f-8a17-2b3c4d5e6f7\"}", "boot_id"},
		{ENTRY_CLOCK, "{\"uncertainty_ns\":-1}", "uncertainty_ns"},
		{ENTRY_START, "{\"cause\":\"button\",\"scheme\":\"x\"}", "id"},
		{ENTRY_START, "{\"id\":\"" BOOT_ID "\",\"cause\":\"button\"}", "scheme"},
		{ENTRY_START, "{\"id\":\"" BOOT_ID "\",\"cause\":\"x\",\"scheme\":\"x\"}", "cause"},
		{ENTRY_END, "{\"cause\":\"bored\"}", "cause"},
		{ENTRY_MIC, "{\"rate_hz\":-1}", "rate_hz"},
		{ENTRY_GAP, "{\"cause\":\"x\",\"from_ns\":2,\"to_ns\":1}", "from_ns"},
		{ENTRY_GAP, "{\"from_ns\":1,\"to_ns\":2}", "cause"},
		{ENTRY_SNIPPET, "{}", "file"},
		{ENTRY_LOUDNESS, "{\"from_ns\":1,\"step_ms\":100}", "levels"},
		{ENTRY_LOUDNESS, "{\"from_ns\":1,\"levels\":\"AAEC\"}", "step_ms"},
		{ENTRY_LOUDNESS, "{\"from_ns\":-1,\"step_ms\":1,\"levels\":\"AAEC\"}", "from_ns"},
		{ENTRY_PRESS, "[]", "body"},
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct entry entry = good(cases[i].kind);

		set_body(&entry, cases[i].body);
		assert_wrong(&entry, cases[i].field);
	}
}

static void a_snippet_cannot_point_out_of_its_folder(void **state)
{
	static const char *const names[] = {"", "/etc/passwd", "../x", "..", ".", "a/b", ".hidden",
		"a\\\\b", "a\\nb", "a\\u007fb"};
	char body[512];
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct entry entry = good(ENTRY_SNIPPET);

		(void)snprintf(body, sizeof(body),
			"{\"file\":\"%s\",\"codec\":\"opus\",\"from_ns\":1,\"to_ns\":2,\"bytes\":3,"
			"\"sha256\":\"" SHA "\"}",
			names[i]);
		set_body(&entry, body);
		assert_wrong(&entry, "file");
	}
}

static void a_snippet_needs_all_of_its_facts(void **state)
{
	static const struct {
		const char *body, *field;
	} cases[] = {
		{"{\"file\":\"a\",\"from_ns\":1,\"to_ns\":2,\"bytes\":3,\"sha256\":\"" SHA "\"}",
			"codec"},
		{"{\"file\":\"a\",\"codec\":\"opus\",\"from_ns\":3,\"to_ns\":2,\"bytes\":3,"
		 "\"sha256\":\"" SHA "\"}",
			"from_ns"},
		{"{\"file\":\"a\",\"codec\":\"opus\",\"to_ns\":2,\"sha256\":\"" SHA "\"}", "bytes"},
		{"{\"file\":\"a\",\"codec\":\"opus\",\"to_ns\":2,\"bytes\":3,"
		 "\"sha256\":\"0123456789ABCDEF\"}",
			"sha256"},
		{"{\"file\":\"a\",\"codec\":\"opus\",\"to_ns\":2,\"bytes\":3,"
		 "\"sha256\":\"" SHA "\",\"peaks\":\"AAEC\"}",
			"step_ms"},
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct entry entry = good(ENTRY_SNIPPET);

		set_body(&entry, cases[i].body);
		assert_wrong(&entry, cases[i].field);
	}
}

static void what_left_the_box_is_named_with_its_hash(void **state)
{
	struct entry entry = good(ENTRY_GONE);

	set_body(&entry, "{\"file\":\"../7.opus\",\"sha256\":\"" SHA "\"}");
	assert_wrong(&entry, "file");
	entry = good(ENTRY_GONE);
	set_body(&entry, "{\"file\":\"7.opus\"}");
	assert_wrong(&entry, "sha256");
	entry = good(ENTRY_GONE);
	entry.ref = 0;
	assert_wrong(&entry, "ref");
}

static void names_are_for_people_and_stable(void **state)
{
	assert_string_equal(entry_kind_name(ENTRY_BOOT), "boot");
	assert_string_equal(entry_kind_name(ENTRY_FAULT), "fault");
	assert_string_equal(entry_kind_name(ENTRY_GONE), "gone");
	assert_string_equal(entry_kind_name(ENTRY_KINDS_END), "?");
	assert_string_equal(entry_kind_name((enum entry_kind) - 1), "?");
	assert_string_equal(entry_kind_name((enum entry_kind)0), "?");
	assert_string_equal(mic_state_name(MIC_OFF), "off");
	assert_string_equal(mic_state_name(MIC_FULL), "full");
	assert_string_equal(mic_state_name((enum mic_state)5), "?");
	assert_string_equal(mic_state_name((enum mic_state) - 1), "?");
}

static void a_list_takes_over_the_bodies(void **state)
{
	struct entries entries = {0};
	int i;

	for (i = 0; i < 1000; i++) {
		struct entry entry = {.seq = i + 1};

		set_body(&entry, "{}");
		assert_int_equal(entries_add(&entries, &entry), 0);
		assert_null(entry.body);
	}
	assert_int_equal(entries.n, 1000);
	assert_int_equal(entries.list[999].seq, 1000);
	assert_string_equal(entries.list[0].body, "{}");
	entries_fini(&entries);
	assert_int_equal(entries.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(facts_come_back_as_they_were_written),
		cmocka_unit_test(a_body_is_compact_and_in_a_stable_order),
		cmocka_unit_test(what_is_not_said_makes_no_body),
		cmocka_unit_test(text_that_is_not_utf8_is_made_harmless),
		cmocka_unit_test(unknown_members_and_wrong_types_are_not_said),
		cmocka_unit_test(a_body_that_is_no_object_is_refused),
		cmocka_unit_test(deep_nesting_is_refused_not_followed),
		cmocka_unit_test(a_good_entry_of_each_kind_passes),
		cmocka_unit_test(a_wrong_column_is_named),
		cmocka_unit_test(a_code_is_a_short_lower_case_word),
		cmocka_unit_test(a_wrong_fact_is_named),
		cmocka_unit_test(a_snippet_cannot_point_out_of_its_folder),
		cmocka_unit_test(a_snippet_needs_all_of_its_facts),
		cmocka_unit_test(what_left_the_box_is_named_with_its_hash),
		cmocka_unit_test(names_are_for_people_and_stable),
		cmocka_unit_test(a_list_takes_over_the_bodies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
