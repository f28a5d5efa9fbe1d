/* SPDX-License-Identifier: MIT */
#include "daemon/util/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/util/log-journal.h"
#include "daemon/util/log-limit.h"

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

/* ---- lines -------------------------------------------------------------------------------- */

/* A line for people, where journald cannot be reached with the prefix that it knows. */
static void put_line(int priority, bool journal, const char *line)
{
	char head[32];

	if (journal)
		snprintf(head, sizeof(head), "<%d>", priority);
	else
		snprintf(head, sizeof(head), "%.15s: %s", program_invocation_short_name,
			 priority_word(priority));
	/* One write per line, so that lines of several processes on one pipe do not mix. */
	dprintf(STDERR_FILENO, "%s%s\n", head, line);
}

static void put(int priority, const struct log_subject *subject, const char *line)
{
	bool journal = log_journal_is_stream(getenv("JOURNAL_STREAM"), STDERR_FILENO);

	if (!journal || log_journal_send(LOG_JOURNAL_SOCKET, priority, line, subject) < 0)
		put_line(priority, journal, line);
}

/* What was asked for request by request is not limited. */
static bool may_speak(int priority)
{
	static struct log_limit limit;
	unsigned int left_out = 0;
	struct timespec now;
	char line[64];
	bool may;

	if (priority >= LOG_DEBUG)
		return true;
	clock_gettime(CLOCK_MONOTONIC, &now);
	may = log_limit_take(&limit, (uint64_t)now.tv_sec, &left_out);
	if (left_out > 0) {
		snprintf(line, sizeof(line), "%u lines were left out", left_out);
		put(LOG_WARNING, NULL, line);
	}
	return may;
}

__attribute__((format(printf, 3, 0))) static void
log_va(int priority, const struct log_subject *subject, const char *fmt, va_list ap)
{
	char line[2048];

	if (priority > max_level || !may_speak(priority))
		return;
	vsnprintf(line, sizeof(line), fmt, ap);
	blank_controls(line);
	put(priority, subject, line);
}

void log_line(int priority, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_va(priority, NULL, fmt, ap);
	va_end(ap);
}

void log_about(int priority, const struct log_subject *subject, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_va(priority, subject, fmt, ap);
	va_end(ap);
}
