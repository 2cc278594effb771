/* The pure parts of sync: waiting, networks, batches, the walk, what is said. */
#include "app/base/file.h"
#include "app/sync/batch.h"
#include "app/sync/network.h"
#include "app/sync/notes.h"
#include "app/sync/patience.h"
#include "app/sync/progress.h"
#include "app/sync/said.h"
#include "app/sync/survey.h"
#include "app/sync/transport.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SHA "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define JOURNAL "0f5a3c1e-9d2b-4c6f-8a17-2b3c4d5e6f70"

/* --- waiting --- */

static uint32_t highest(uint32_t below)
{
	return below - 1;
}

static uint32_t lowest(uint32_t below)
{
	return 0;
}

static void waits_double_up_to_a_cap_and_are_spread_down_to_nothing(void **state)
{
	static const int64_t most_ms[] = {1000, 2000, 4000, 8000, 16000, 32000, 64000};
	struct patience patience;
	int64_t wait_ms;

	patience_init(&patience, INT64_C(10000000), highest);
	for (size_t i = 0; i < 7; i++) {
		assert_true(patience_failed(&patience, -1, &wait_ms));
		assert_int_equal(wait_ms, most_ms[i] - 1);
	}
	assert_false(patience_failed(&patience, -1, &wait_ms));
	patience_worked(&patience);
	assert_true(patience_failed(&patience, -1, &wait_ms));
	assert_int_equal(wait_ms, 999);
	patience_init(&patience, 0, lowest);
	assert_true(patience_failed(&patience, -1, &wait_ms));
	assert_int_equal(wait_ms, 0);
}

static void what_the_server_asks_for_is_waited_for_and_not_less(void **state)
{
	struct patience patience;
	int64_t wait_ms;

	patience_init(&patience, 30000, lowest);
	assert_true(patience_failed(&patience, 20, &wait_ms));
	assert_int_equal(wait_ms, 20000);
	assert_false(patience_failed(&patience, 20, &wait_ms)); /* 10 s are left */
	assert_true(patience_failed(&patience, 9, &wait_ms));
	patience_init(&patience, 30000, highest);
	assert_true(patience_failed(&patience, 20, &wait_ms));
	assert_in_range(wait_ms, 20001, 21000);
	assert_false(patience_failed(&patience, INT64_MAX, &wait_ms));
}

static void a_run_waits_no_longer_than_its_budget_in_sum(void **state)
{
	struct patience patience;
	int64_t wait_ms, sum_ms = 0;

	patience_init(&patience, 5000, highest);
	while (patience_failed(&patience, -1, &wait_ms)) {
		sum_ms += wait_ms;
	}
	assert_in_range(sum_ms, 1, 5000);
}

/* --- networks --- */

static void the_network_decides_by_a_table(void **state)
{
	static const struct {
		struct network_seen seen;
		const char *ssids;
		bool metered_ok;
		enum network_verdict verdict;
	} table[] = {
		{{false, NETWORK_OTHER, false, ""}, "", true, NETWORK_DOWN},
		{{true, NETWORK_WIRELESS, false, "school"}, "", false, NETWORK_GO},
		{{true, NETWORK_OTHER, false, ""}, "", false, NETWORK_GO},
		{{true, NETWORK_WIRELESS, true, "phone"}, "", false, NETWORK_METERED},
		{{true, NETWORK_WIRELESS, true, "phone"}, "", true, NETWORK_GO},
		{{true, NETWORK_WIRELESS, true, "phone"}, "phone", false, NETWORK_METERED},
		{{true, NETWORK_WIRELESS, false, "school"}, "school", false, NETWORK_GO},
		{{true, NETWORK_WIRELESS, false, "two words"}, "a,  two words ,b", false,
			NETWORK_GO},
		{{true, NETWORK_WIRELESS, false, "scho"}, "school", false, NETWORK_NOT_LISTED},
		{{true, NETWORK_WIRELESS, false, "school2"}, "school", false, NETWORK_NOT_LISTED},
		{{true, NETWORK_WIRELESS, false, "School"}, "school", false, NETWORK_NOT_LISTED},
		{{true, NETWORK_WIRELESS, false, ""}, "school", false, NETWORK_NOT_LISTED},
		{{true, NETWORK_OTHER, false, ""}, "school", false, NETWORK_NOT_LISTED},
		{{true, NETWORK_OTHER, false, ""}, " , ", false, NETWORK_GO},
		{{true, NETWORK_WIRELESS, false, ""}, ",,", false, NETWORK_GO},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		enum network_verdict verdict =
			network_decide(&table[i].seen, table[i].ssids, table[i].metered_ok);

		if (verdict != table[i].verdict) {
			fail_msg("row %zu: %d", i, (int)verdict);
		}
		assert_true(strlen(network_words(verdict)) > 10);
	}
}

/* --- batches --- */

static struct entry press(int64_t seq)
{
	return (struct entry){.seq = seq,
		.boot = 1,
		.t_ns = 77,
		.kind = ENTRY_PRESS,
		.observation = 2,
		.code = "questioning"};
}

static void a_line_says_what_is_not_zero(void **state)
{
	struct entry entries[] = {press(3), {.seq = 4, .boot = 4, .kind = ENTRY_BOOT}};
	struct batch batch;

	entries[1].body = (char[]){"{ \"boot_id\" : \"x\\ny\",\n \"n\":1}"};
	assert_int_equal(batch_make(entries, 2, 500, 100000, &batch, NULL), 0);
	assert_string_equal(batch.text,
		"{\"seq\":3,\"boot\":1,\"t_ns\":77,\"kind\":\"press\",\"observation\":2,"
		"\"code\":\"questioning\"}\n"
		"{\"seq\":4,\"boot\":4,\"kind\":\"boot\",\"body\":{\"boot_id\":\"x\\ny\",\"n\":1}}"
		"\n");
	assert_int_equal(batch.lines, 2);
	assert_int_equal(batch.bytes, strlen(batch.text));
	assert_int_equal(batch.last, 4);
	batch_fini(&batch);
}

static void a_batch_keeps_to_lines_and_bytes_but_holds_at_least_one(void **state)
{
	struct entry entries[10];
	struct batch batch;
	size_t line;

	for (size_t i = 0; i < 10; i++) {
		entries[i] = press((int64_t)i + 1);
	}
	assert_int_equal(batch_make(entries, 10, 4, 100000, &batch, NULL), 0);
	assert_int_equal(batch.lines, 4);
	assert_int_equal(batch.last, 4);
	line = batch.bytes / 4;
	batch_fini(&batch);
	assert_int_equal(batch_make(entries, 10, 500, 3 * line, &batch, NULL), 0);
	assert_int_equal(batch.lines, 3);
	assert_int_equal(batch.bytes, 3 * line);
	batch_fini(&batch);
	assert_int_equal(batch_make(entries, 10, 500, 3 * line - 1, &batch, NULL), 0);
	assert_int_equal(batch.lines, 2);
	batch_fini(&batch);
	assert_int_equal(batch_make(entries, 10, 500, 1, &batch, NULL), 0);
	assert_int_equal(batch.lines, 1);
	batch_fini(&batch);
}

static void a_broken_entry_is_named_and_what_comes_before_it_goes(void **state)
{
	struct entry entries[] = {press(5), press(6)};
	struct error error = {""};
	struct batch batch;

	entries[1].body = (char[]){"[1]"};
	assert_int_equal(batch_make(entries, 2, 500, 100000, &batch, &error), 0);
	assert_int_equal(batch.last, 5);
	batch_fini(&batch);
	assert_int_equal(batch_make(&entries[1], 1, 500, 100000, &batch, &error), -EINVAL);
	assert_non_null(strstr(error.text, "entry 6"));
}

/* --- the walk --- */

static void take(struct survey *survey, enum entry_kind kind, int64_t ref, const char *code,
	int64_t value, const struct facts *facts)
{
	struct entry entry = {.seq = survey->last + 1,
		.boot = kind == ENTRY_BOOT ? survey->last + 1 : 1,
		.t_ns = 5,
		.kind = kind,
		.ref = ref,
		.value = value};

	(void)snprintf(entry.code, sizeof(entry.code), "%s", code);
	if (facts) {
		assert_int_equal(entry_set_facts(&entry, facts), 0);
	}
	assert_int_equal(survey_take(survey, &entry), 0);
	entry_fini(&entry);
}

static void the_walk_knows_snippets_that_are_here_and_faults_that_last(void **state)
{
	struct facts boot = {.boot_id = JOURNAL};
	struct facts snippet = {
		.file = "a.opus", .codec = "opus", .to_ns = 2, .bytes = 9, .sha256 = SHA};
	struct facts way_out = snippet, gone = {.file = "a.opus", .sha256 = SHA};
	struct facts cause = {.cause = "unplugged"};
	struct survey survey = {0};

	(void)snprintf(way_out.file, sizeof(way_out.file), "../x");
	take(&survey, ENTRY_BOOT, 0, "", 0, &boot);
	take(&survey, ENTRY_FAULT, 0, "old", 1, &cause);
	take(&survey, ENTRY_BOOT, 0, "", 0, &boot);
	take(&survey, ENTRY_SNIPPET, 0, "", 0, &snippet);
	take(&survey, ENTRY_SNIPPET, 0, "", 0, &way_out);
	take(&survey, ENTRY_SNIPPET, 0, "", 0, &snippet);
	take(&survey, ENTRY_FAULT, 0, "buttons", 1, &cause);
	take(&survey, ENTRY_FAULT, 0, "lamps", 1, &cause);
	take(&survey, ENTRY_FAULT, 0, "buttons", 0, NULL);
	take(&survey, ENTRY_GONE, 4, "", 0, &gone);
	take(&survey, ENTRY_GONE, 4, "", 0, &gone);
	take(&survey, ENTRY_START, 0, "", 0, NULL);
	assert_true(survey.open);
	take(&survey, ENTRY_END, 0, "", 0, NULL);
	assert_false(survey.open);
	assert_int_equal(survey.last, 13);
	assert_int_equal(survey.n, 2);
	assert_true(survey.snippets[0].gone);
	assert_null(survey_snippet(&survey, 4));
	assert_int_equal(survey_snippet(&survey, 6)->bytes, 9);
	assert_int_equal(survey.told.n_faults, 1);
	assert_string_equal(survey.told.faults[0].code, "lamps");
	assert_string_equal(survey.told.faults[0].cause, "unplugged");
	survey_fini(&survey);
}

/* --- what is said --- */

static int read_box(const char *body, struct said_box *box, struct error *error)
{
	return said_box(body, strlen(body), box, error);
}

static void what_the_server_says_of_a_box_is_read(void **state)
{
	struct said_box box;

	assert_int_equal(read_box("{\"box\":{\"id\":\"i\",\"name\":\"n\\u0007\"},\"kept\":7,"
				  "\"time_ns\":8,\"config\":\"e\",\"snippets\":{\"missing\":[2,5],"
				  "\"withdrawn\":[9]},"
				  "\"new\":[{}]}",
				 &box, NULL),
		0);
	assert_string_equal(box.name, "n?");
	assert_int_equal(box.kept, 7);
	assert_int_equal(box.n_missing, 2);
	assert_int_equal(box.missing[1], 5);
	assert_int_equal(box.n_withdrawn, 1);
	assert_int_equal(box.withdrawn[0], 9);
}

static void an_answer_of_another_version_is_told_from_one_that_was_cut(void **state)
{
	static const struct {
		const char *body;
		int result;
		const char *names;
	} table[] = {
		{"", -EBADMSG, "not JSON"},
		{"{\"kept\":7", -EBADMSG, "not JSON"},
		{"<html>", -EBADMSG, "not JSON"},
		{"[]", -EPROTO, "object"},
		{"{}", -EPROTO, "lacks id"},
		{"{\"box\":{\"id\":\"i\"},\"time_ns\":8,\"snippets\":{\"missing\":[]}}", -EPROTO,
			"lacks kept"},
		{"{\"box\":{\"id\":\"i\"},\"kept\":-1,\"time_ns\":8}", -EPROTO, "strange kept"},
		{"{\"box\":{\"id\":\"i\"},\"kept\":1.5,\"time_ns\":8}", -EPROTO, "strange kept"},
		{"{\"box\":{\"id\":\"i\"},\"kept\":1,\"time_ns\":8}", -EPROTO, "snippets.missing"},
		{"{\"box\":{\"id\":\"i\"},\"kept\":1,\"time_ns\":8,\"snippets\":{\"missing\":[5,2]}"
		 "}",
			-EPROTO, "snippets.missing"},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct error error = {""};
		struct said_box box;

		assert_int_equal(read_box(table[i].body, &box, &error), table[i].result);
		if (!strstr(error.text, table[i].names)) {
			fail_msg("row %zu: \"%s\"", i, error.text);
		}
	}
}

static void a_rule_of_days_is_taken_only_whole_and_in_range(void **state)
{
	static const struct {
		const char *body;
		int result, days;
	} table[] = {
		{"{}", 0, -1},
		{"{\"scheme\":null,\"retention\":{\"days_on_box\":0}}", 0, 0},
		{"{\"retention\":{\"days_on_box\":14}}", 0, 14},
		{"{\"retention\":{\"days_on_box\":null}}", 0, -1},
		{"{\"retention\":{\"days_on_box\":-1}}", -EPROTO, 0},
		{"{\"retention\":{\"days_on_box\":3651}}", -EPROTO, 0},
		{"{\"retention\":{\"days_on_box\":\"0\"}}", -EPROTO, 0},
		{"{\"scheme\":5}", -EPROTO, 0},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct said_config config;
		int r = said_config(table[i].body, strlen(table[i].body), &config, NULL);

		assert_int_equal(r, table[i].result);
		if (r == 0) {
			assert_int_equal(config.days_on_box, table[i].days);
			assert_null(config.scheme);
		}
	}
}

static void refusals_are_counted_and_the_first_are_kept(void **state)
{
	char body[4096] = "{\"kept\":3,\"refused\":[";
	struct said_kept kept;

	for (int i = 0; i < 20; i++) {
		size_t n = strlen(body);

		(void)snprintf(body + n, sizeof(body) - n, "%s{\"seq\":%d,\"reason\":\"hole\"}",
			i ? "," : "", i + 4);
	}
	(void)strncat(body, "]}", sizeof(body) - strlen(body) - 1);
	assert_int_equal(said_kept(body, strlen(body), &kept, NULL), 0);
	assert_int_equal(kept.n_refused, 20);
	assert_int_equal(kept.refused[15].seq, 19);
	assert_string_equal(kept.refused[0].reason, "hole");
}

static void a_token_of_another_form_is_refused(void **state)
{
	struct said_pair pair;
	static const char good[] = "{\"box\":\"1-2\",\"token\":\"" SHA "\",\"server\":\"s\"}";
	static const char bad[] = "{\"box\":\"1-2\",\"token\":\"0123\",\"server\":\"s\"}";
	static const char line[] = "{\"box\":\"1\\n[x]\",\"token\":\"" SHA "\"}";

	assert_int_equal(said_pair(good, strlen(good), &pair, NULL), 0);
	assert_string_equal(pair.token, SHA);
	assert_int_equal(said_pair(bad, strlen(bad), &pair, NULL), -EPROTO);
	assert_int_equal(said_pair(line, strlen(line), &pair, NULL), -EPROTO);
}

static void a_header_counts_only_if_it_is_sound_and_of_this_server(void **state)
{
	static const struct {
		const char *line, *location;
	} table[] = {
		{"Location: /api/v1/uploads/1\r\n", "/api/v1/uploads/1"},
		{"LOCATION:http://127.0.0.1:9/api/v1/x  \r\n", "/api/v1/x"},
		{"Location: http://127.0.0.1:99/api/v1/x\r\n", ""},
		{"Location: http://evil/api\r\n", ""},
		{"Location: //evil/api\r\n", ""},
		{"Location: api\r\n", ""},
		{"Location: /a b\r\n", ""},
		{"Location: \r\n", ""},
		{"Locations: /api\r\n", ""},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct answer answer = {.upload_offset = -1};

		answer_header(&answer, table[i].line, strlen(table[i].line), "http://127.0.0.1:9");
		assert_string_equal(answer.location, table[i].location);
	}
	struct answer answer = {.upload_offset = -1};
	answer_header(&answer, "Upload-Offset: 12\r\n", 19, "");
	assert_int_equal(answer.upload_offset, 12);
	answer_header(&answer, "Upload-Offset: 99999999999999999999\r\n", 37, "");
	assert_int_equal(answer.upload_offset, -1);
	answer_header(&answer, "Chalkbox-Server: 1\r\n", 20, "");
	assert_string_equal(answer.version, "1");
	answer_header(&answer, "HTTP/1.1 200 OK\r\n", 17, ""); /* the one before was interim */
	assert_string_equal(answer.version, "");
}

/* --- notes --- */

static char dir[] = "/tmp/test_sync.XXXXXX";

static int set_up(void **state)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	static const char *const names[] = {"upload", "config", "confirmed", "last"};

	for (size_t i = 0; i < 4; i++) {
		(void)!file_remove(dir, names[i]);
	}
	return rmdir(dir);
}

static void days_count_from_when_the_server_had_it_all(void **state)
{
	assert_int_equal(notes_confirmed(dir, JOURNAL, 1000), 0);
	assert_int_equal(notes_keep_confirmed(dir, JOURNAL, 100, 10), 0);
	assert_int_equal(notes_keep_confirmed(dir, JOURNAL, 150, 10), 0); /* known: since 100 */
	assert_int_equal(notes_keep_confirmed(dir, JOURNAL, 200, 20), 0);
	assert_int_equal(notes_confirmed(dir, JOURNAL, 99), 0);
	assert_int_equal(notes_confirmed(dir, JOURNAL, 100), 10);
	assert_int_equal(notes_confirmed(dir, JOURNAL, 199), 10);
	assert_int_equal(notes_confirmed(dir, JOURNAL, 200), 20);
	assert_int_equal(notes_confirmed(dir, "another", 200), 0);
	assert_int_equal(
		file_replace(dir, "confirmed", JOURNAL " 5 7\n" JOURNAL " 6 99", 83, 0600), 0);
	assert_int_equal(notes_confirmed(dir, JOURNAL, 200), 7); /* half a line is none */
}

static void many_confirmations_stay_few_and_never_say_too_much(void **state)
{
	(void)!file_remove(dir, "confirmed");
	for (int64_t i = 1; i <= 450; i++) {
		assert_int_equal(notes_keep_confirmed(dir, JOURNAL, i, i), 0);
		assert_true(notes_confirmed(dir, JOURNAL, i / 2) <= i / 2);
	}
	(void)!file_remove(dir, "confirmed");
}

static void an_upload_and_a_configuration_are_remembered(void **state)
{
	struct notes_upload upload = {
		.journal = JOURNAL, .seq = 7, .sha256 = SHA, .location = "/api/v1/uploads/x"};
	struct notes_upload back;
	char etag[SAID_ETAG_CHARS];
	int days;

	assert_int_equal(notes_upload(dir, &back), -ENOENT);
	assert_int_equal(notes_keep_upload(dir, &upload), 0);
	assert_int_equal(notes_upload(dir, &back), 0);
	assert_int_equal(back.seq, 7);
	assert_string_equal(back.location, upload.location);
	assert_int_equal(file_replace(dir, "upload", "what", 4, 0600), 0);
	assert_int_equal(notes_upload(dir, &back), -ENOENT);

	notes_config(dir, etag, &days);
	assert_string_equal(etag, "");
	assert_int_equal(days, -1);
	assert_int_equal(notes_keep_config(dir, "\"a b\"", 14), 0);
	notes_config(dir, etag, &days);
	assert_string_equal(etag, "\"a b\"");
	assert_int_equal(days, 14);
	assert_int_equal(file_replace(dir, "config", "0", 1, 0600), 0);
	notes_config(dir, etag, &days);
	assert_int_equal(days, -1);
}

/* --- the bar --- */

static void the_bar_fits_its_columns_and_is_full_in_the_end(void **state)
{
	struct progress progress = {.total = 40, .total_bytes = 9800000, .done = 12};
	char text[240];

	progress.done_bytes = 3000000;
	progress.part_bytes = 100000;
	progress_bar(&progress, 7600 * NS_PER_MS, 79, text, sizeof(text));
	assert_string_equal(text,
		"[#########---------------------] 12/40 snippets, 3.1 MB of 9.8 MB, 407.9 kB/s");
	for (int columns = 0; columns < 120; columns++) {
		progress_bar(&progress, NS_PER_S, columns, text, sizeof(text));
		assert_true(strlen(text) <= (size_t)columns);
	}
	progress.done_bytes = 9800000;
	progress_bar(&progress, NS_PER_S, 110, text, sizeof(text));
	assert_null(strchr(text, '-'));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waits_double_up_to_a_cap_and_are_spread_down_to_nothing),
		cmocka_unit_test(what_the_server_asks_for_is_waited_for_and_not_less),
		cmocka_unit_test(a_run_waits_no_longer_than_its_budget_in_sum),
		cmocka_unit_test(the_network_decides_by_a_table),
		cmocka_unit_test(a_line_says_what_is_not_zero),
		cmocka_unit_test(a_batch_keeps_to_lines_and_bytes_but_holds_at_least_one),
		cmocka_unit_test(a_broken_entry_is_named_and_what_comes_before_it_goes),
		cmocka_unit_test(the_walk_knows_snippets_that_are_here_and_faults_that_last),
		cmocka_unit_test(what_the_server_says_of_a_box_is_read),
		cmocka_unit_test(an_answer_of_another_version_is_told_from_one_that_was_cut),
		cmocka_unit_test(a_rule_of_days_is_taken_only_whole_and_in_range),
		cmocka_unit_test(refusals_are_counted_and_the_first_are_kept),
		cmocka_unit_test(a_token_of_another_form_is_refused),
		cmocka_unit_test(a_header_counts_only_if_it_is_sound_and_of_this_server),
		cmocka_unit_test(days_count_from_when_the_server_had_it_all),
		cmocka_unit_test(many_confirmations_stay_few_and_never_say_too_much),
		cmocka_unit_test(an_upload_and_a_configuration_are_remembered),
		cmocka_unit_test(the_bar_fits_its_columns_and_is_full_in_the_end),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
