/* SPDX-License-Identifier: MIT */
/*
 * The log: one line per decided error, with what failed, on which object and origin. Where stderr
 * is read by journald ($JOURNAL_STREAM) it is sent there as an entry with fields of its own; else
 * it is a line on stderr. Lines without an end are left out, and counted.
 */
#pragma once

#include <stdbool.h>
#include <syslog.h>

#include "daemon/util/bytes.h"

/* What a line is about, for who looks for that: borrowed, all may be missing. The text says it,
 * too.
 */
struct log_subject {
	struct bytes volume, cookie; /* OBJECT=VOLUME/COOKIE, VOLUME= */
	const char *origin;	     /* ORIGIN=, the name of the source */
	const char *image;	     /* IMAGE=, the name in the store */
};

/* Highest priority number that is still printed: LOG_INFO by default, LOG_DEBUG shows all. */
void log_set_level(int level);
int log_level(void);

/* "error", "warning", "notice", "info", "debug": as in the configuration; "none" below those. */
const char *log_level_name(int level);
/* -1: there is no such one. */
int log_level_of(const char *name);

void log_line(int priority, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

void log_about(int priority, const struct log_subject *subject, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#define log_error(...)	 log_line(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_notice(...)	 log_line(LOG_NOTICE, __VA_ARGS__)
#define log_info(...)	 log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...)                                    \
	do {                                              \
		if (log_level() >= LOG_DEBUG)             \
			log_line(LOG_DEBUG, __VA_ARGS__); \
	} while (0)
