/* SPDX-License-Identifier: MIT */
/*
 * The end of every main() of a test binary, and its early end where the machine lacks something.
 */
#pragma once

#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of tests/lib/temporary.h. A suite that writes nothing need not link it. */
void temporary_begin(void) __attribute__((weak));

/* Runs a suite, which it frees; an exit status. */
static inline int run_suite(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	if (temporary_begin)
		temporary_begin();
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Instead of making a suite; an exit status. */
static inline int skip_all(const char *why)
{
	printf("1..0 # SKIP %s\n", why);
	return EXIT_SUCCESS;
}

/* valgrind puts a library of its own in front. */
static inline bool under_valgrind(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload && strstr(preload, "vgpreload");
}

/* What watches each access costs a multiple. */
#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define BUILT_WITH_SANITIZERS true
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) && !defined(BUILT_WITH_SANITIZERS)
#define BUILT_WITH_SANITIZERS true
#endif
#ifndef BUILT_WITH_SANITIZERS
#define BUILT_WITH_SANITIZERS false
#endif
