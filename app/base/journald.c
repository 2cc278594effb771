#include "app/base/journald.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

bool journald_reads(int fd)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(fd, &st) == 0 &&
		st.st_dev == device && st.st_ino == inode;
}

const char *journald_priority(int priority)
{
	static const char *const texts[] = {"<0>", "<1>", "<2>", "<3>", "<4>", "<5>", "<6>", "<7>"};

	return journald_reads(STDERR_FILENO) ? texts[priority & 7] : "";
}
