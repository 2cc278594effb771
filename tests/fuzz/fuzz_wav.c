/* Sound as a box sends it, turned into WAV: whatever comes, an answer of its size. */
#include "app/server/wav.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libopusfile 0.12 forgets the tags of a chained link whose head is broken. */
const char *__lsan_default_suppressions(void)
{
	return "leak:libopusfile";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("sound", MFD_CLOEXEC);
	unsigned char *wav;
	size_t n;

	if (fd < 0) {
		return 0;
	}
	if (write(fd, data, size) == (ssize_t)size &&
		wav_decode(fd, (off_t)size, &wav, &n) == 0) {
		if (n < 44 + 2 || (n - 44) / 2 > (size_t)WAV_SECONDS_MOST * WAV_RATE_HZ) {
			abort();
		}
		free(wav);
	}
	(void)close(fd);
	return 0;
}
