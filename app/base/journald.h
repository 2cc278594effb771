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

/*
 * What a line on standard error begins with, so that the journal knows how much it
 * matters: "<3>" for LOG_ERR and so on (sd-daemon(3)). "" where a person reads it.
 */
const char *journald_priority(int priority);

#endif
