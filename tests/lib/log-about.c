/* SPDX-License-Identifier: MIT */
#include "tests/lib/log-about.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/util/log.h"

static char told[16384], asked[sizeof(told)];

static void add(const char *name, const char *value)
{
	size_t n = strlen(told);

	if (value && *value)
		snprintf(told + n, sizeof(told) - n, "%s%s ", name, value);
}

void __wrap_log_about(int priority, const struct log_subject *subject, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

void __wrap_log_about(int priority, const struct log_subject *subject, const char *fmt, ...)
{
	char volume[512], cookie[512];
	size_t n;
	va_list ap;

	add("ORIGIN=", subject->origin);
	add("VOLUME=", bytes_print(subject->volume, volume, sizeof(volume)));
	add("COOKIE=", bytes_print(subject->cookie, cookie, sizeof(cookie)));
	add("IMAGE=", subject->image);
	n = strlen(told);
	va_start(ap, fmt);
	vsnprintf(told + n, sizeof(told) - n, fmt, ap);
	va_end(ap);
	n = strlen(told);
	snprintf(told + n, sizeof(told) - n, "\n");
}

const char *log_about_told(void)
{
	memcpy(asked, told, sizeof(asked));
	told[0] = '\0';
	return asked;
}
