/* Where what a program prints goes. */
#ifndef BASE_JOURNALD_H
#define BASE_JOURNALD_H

#include <stdbool.h>

/*
 * Whether @fd is the system's journal, by systemd's JOURNAL_STREAM (systemd.exec(5)):
 * the device and inode of the one that a service was given, which what it starts
 * inherits, and may have exchanged for a terminal or a file.
 */
bool journald_reads(int fd);

#endif
