/* SPDX-License-Identifier: MIT */
#pragma once

#include <check.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* Runs a command of sh(1), which has to succeed. */
__attribute__((format(printf, 1, 2))) static inline void sh(const char *fmt, ...)
{
	char command[4096];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	ck_assert_int_lt(n, (int)sizeof(command));
	ck_assert_msg(system(command) == 0, "failed: %s", command);
}

/* Whether there is such a program. */
static inline bool have(const char *program)
{
	char command[64];

	snprintf(command, sizeof(command), "command -v %s > /dev/null", program);
	return system(command) == 0;
}
