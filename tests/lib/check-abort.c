/* SPDX-License-Identifier: MIT */
/*
 * Instead of libcheck's runner, for programs linked with --wrap of these two: an assertion that
 * does not hold is said on stderr and aborts the process, which a fuzzer takes for a find.
 */
#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void __wrap__mark_point(const char *file, int line);
void __wrap__ck_assert_failed(const char *file, int line, const char *expr, const char *msg, ...)
	__attribute__((noreturn, format(printf, 4, 5)));

void __wrap__mark_point(const char *file, int line)
{
}

void __wrap__ck_assert_failed(const char *file, int line, const char *expr, const char *msg, ...)
{
	va_list ap;

	fprintf(stderr, "%s:%d: %s: ", file, line, expr);
	va_start(ap, msg);
	if (msg)
		vfprintf(stderr, msg, ap);
	va_end(ap);
	fputc('\n', stderr);
	abort();
}
