/* SPDX-License-Identifier: MIT */
#include "daemon/util/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_int max_level = LOG_INFO; /* other threads log, too */

void log_set_level(int level)
{
	max_level = level;
}

int log_level(void)
{
	return max_level;
}

static const char *const level_names[] = {
	[LOG_ERR] = "error", [LOG_WARNING] = "warning", [LOG_NOTICE] = "notice",
	[LOG_INFO] = "info", [LOG_DEBUG] = "debug",
};

const char *log_level_name(int level)
{
	return level < LOG_ERR ? "none" : level_names[level > LOG_DEBUG ? LOG_DEBUG : level];
}

int log_level_of(const char *name)
{
	for (int level = LOG_ERR; level <= LOG_DEBUG; level++)
		if (strcmp(level_names[level], name) == 0)
			return level;
	return -1;
}

static const char *priority_word(int priority)
{
	switch (priority) {
	case LOG_WARNING:
		return "warning: ";
	case LOG_NOTICE:
	case LOG_INFO:
		return "";
	case LOG_DEBUG:
		return "debug: ";
	default:
		return "error: ";
	}
}

/* Keys and server answers end up in lines: no control byte may reach a terminal. */
static void blank_controls(char *s)
{
	for (; *s; s++)
		if ((uint8_t)*s < ' ' || *s == 0x7f)
			*s = ' ';
}

void log_line(int priority, const char *fmt, ...)
{
	char line[2048];
	char head[32];
	va_list ap;

	if (priority > max_level)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	blank_controls(line);
	if (getenv("JOURNAL_STREAM"))
		snprintf(head, sizeof(head), "<%d>", priority);
	else
		snprintf(head, sizeof(head), "%.15s: %s", program_invocation_short_name,
			 priority_word(priority));
	/* One write per line, so that lines of several processes on one pipe do not mix. */
	dprintf(STDERR_FILENO, "%s%s\n", head, line);
}
