/* Words for the journal of the system, one place for all event handlers. */
#ifndef FIRMWARE_REPORT_H
#define FIRMWARE_REPORT_H

#include "firmware/recorder.h"

#include <stdbool.h>
#include <stdint.h>
#include <syslog.h>

/*
 * A line on stderr with its priority (LOG_ERR ... LOG_NOTICE) in front, as
 * sd-daemon(3) has it. Ids only: no names, nothing heard.
 */
void report(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A fault that came or went: a line, and an entry. @cause is for people. */
void report_fault(struct recorder *recorder, int64_t now_ns, const char *name, bool raised,
	const char *cause);

#endif
