/* Any bytes as a press script: steps in order, or an explanation with its line. */
#include "app/cli/pressscript.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct pressscript script = {0};
	struct error error = {""};
	int r = pressscript_parse((const char *)bytes, n, "fuzz", &script, &error);

	if (r != 0) {
		if (r != -EINVAL || strncmp(error.text, "fuzz:", 5) != 0 || script.list != NULL) {
			abort();
		}
		return 0;
	}
	for (size_t i = 0; i < script.n; i++) {
		if (script.list[i].t_ns < 0 || script.list[i].line[0] == '\0' ||
			(i > 0 &&
				(script.list[i].t_ns < script.list[i - 1].t_ns ||
					script.list[i].number <= script.list[i - 1].number))) {
			abort();
		}
	}
	pressscript_fini(&script);
	return 0;
}
