/*
 * Any bytes as a scheme, up to the first NUL: refused with an explanation, or
 * taken; what is taken then codes presses made of the bytes behind the NUL.
 */
#include "app/scheme/coding.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool right)
{
	if (!right) {
		abort();
	}
}

static void press(const struct scheme *scheme, const uint8_t *data, size_t size)
{
	struct coding *coding = coding_new(scheme);
	const struct coded *events;
	int64_t t_ns = 0, last;
	size_t n;

	check(coding);
	for (size_t i = 0; i + 1 < size; i += 2) {
		const char *code = scheme->codes[data[i] % scheme->n_codes].name;

		t_ns += (int64_t)data[i + 1] * 10000000;
		switch (data[i] >> 6) {
		case 0:
			check(coding_press(coding, code, t_ns, (int64_t)i + 1) == 0);
			break;
		case 1:
			coding_release(coding, (int64_t)i + 1 - data[i + 1] % 8, t_ns);
			break;
		case 2:
			last = coding_last(coding);
			coding_undo(coding, last);
			check(last == 0 || coding_last(coding) != last);
			break;
		default:
			coding_advance(coding, t_ns);
		}
	}
	coding_finish(coding, t_ns);
	events = coding_events(coding, &n);
	for (size_t i = 0; i < n; i++) {
		check(events[i].end_ns >= events[i].t_ns);
		check(events[i].span || events[i].end_ns == events[i].t_ns);
		check(i == 0 || events[i].t_ns >= events[i - 1].t_ns);
	}
	coding_free(coding);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct scheme scheme;
	struct error error = {""};
	size_t n = strnlen((const char *)data, size);
	char *text = malloc(n + 1);

	check(text);
	memcpy(text, data, n);
	text[n] = '\0';
	if (scheme_parse(text, "fuzz", &scheme, &error) != 0) {
		check(strncmp(error.text, "fuzz:", 5) == 0);
	} else {
		check(scheme.n_codes > 0);
		press(&scheme, data + n, size - n);
	}
	free(text);
	return 0;
}
