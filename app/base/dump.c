#include "app/base/dump.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

void dump_nothing(void)
{
	const struct rlimit none = {0, 0};
	int filter_fd = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);

	if (filter_fd >= 0) {
		(void)!write(filter_fd, "0", 1);
		(void)close(filter_fd);
	}
	(void)setrlimit(RLIMIT_CORE, &none);
}
