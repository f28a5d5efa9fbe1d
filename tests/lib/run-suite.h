/* SPDX-License-Identifier: MIT */
/*
 * The end of every main() of a test binary.
 */
#pragma once

#include <check.h>
#include <stdlib.h>

/* Runs a suite, which it frees; an exit status. */
static inline int run_suite(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
