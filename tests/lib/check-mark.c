/* SPDX-License-Identifier: MIT */
/*
 * libcheck writes down each assertion that holds, with a system call, to know where a test was that
 * died. Linked with --wrap, it does so where a test comes for the first time, which is the same but
 * in loops, where most assertions of all tests are.
 */
#include <check.h>
#include <stdint.h>

void __real__mark_point(const char *file, int line);
void __wrap__mark_point(const char *file, int line) __attribute__((weak)); /* check-abort.c */

static uint8_t seen[4096];

void __wrap__mark_point(const char *file, int line)
{
	size_t i = ((uintptr_t)file / 16 * 31 + (size_t)line) % sizeof(seen);

	if (seen[i])
		return;
	seen[i] = 1;
	__real__mark_point(file, line);
}
