/* SPDX-License-Identifier: MIT */
/*
 * The log: one line on stderr per decided error, with what failed, on which object and origin.
 * Under a service manager that reads stderr ($JOURNAL_STREAM) lines carry the <N> priority prefix
 * of sd-daemon(3) instead of a word.
 */
#pragma once

#include <stdbool.h>
#include <syslog.h>

/* Highest priority number that is still printed: LOG_INFO by default, LOG_DEBUG shows all. */
void log_set_level(int level);
int log_level(void);

/* "error", "warning", "notice", "info", "debug": as in the configuration; "none" below those. */
const char *log_level_name(int level);
/* -1: there is no such one. */
int log_level_of(const char *name);

void log_line(int priority, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)	 log_line(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_notice(...)	 log_line(LOG_NOTICE, __VA_ARGS__)
#define log_info(...)	 log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...)                                    \
	do {                                              \
		if (log_level() >= LOG_DEBUG)             \
			log_line(LOG_DEBUG, __VA_ARGS__); \
	} while (0)
