/* SPDX-License-Identifier: MIT */
/*
 * Runs the same tests on each back end of the loop: one test case per back end, whose fixture
 * makes the loop `loop` and frees it, which asserts that the test left nothing behind.
 */
#pragma once

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/loop/loop.h"
#include "tests/lib/run-suite.h"

typedef void add_tests_fn(TCase *tcase, enum loop_backend which);

static struct loop *loop;
static enum loop_backend backend;

static void setup(enum loop_backend which)
{
	backend = which;
	ck_assert_int_eq(loop_new(&loop, which), 0);
}

static void setup_uring(void)
{
	setup(LOOP_URING);
}

static void setup_poll(void)
{
	setup(LOOP_POLL);
}

static void setup_virtual(void)
{
	setup(LOOP_VIRTUAL);
}

static void teardown(void)
{
	loop = loop_free(loop);
	ck_assert_ptr_null(loop);
}

/*
 * valgrind (3.19) does not see what the kernel writes by io_uring: false alarms about each read. It
 * is known by its preload.
 */
static const char *why_no_uring(void)
{
	struct loop *probe;
	int r;

	if (under_valgrind())
		return "not under valgrind";
	r = loop_new(&probe, LOOP_URING);
	if (r < 0)
		return strerror(-r);
	loop_free(probe);
	return NULL;
}

START_TEST(test_skipped)
{
	ck_assert_ptr_nonnull(why_no_uring());
}
END_TEST

/* The name of a test case is part of its TAP line, where "# SKIP" is understood. */
static void add_uring(Suite *suite, add_tests_fn *add_tests)
{
	const char *why_not = why_no_uring();
	static char name[100];
	TCase *tcase;

	if (!why_not) {
		tcase = tcase_create("uring");
		tcase_add_checked_fixture(tcase, setup_uring, teardown);
		add_tests(tcase, LOOP_URING);
	} else {
		snprintf(name, sizeof(name), "uring # SKIP no io_uring: %s", why_not);
		tcase = tcase_create(name);
		tcase_add_test(tcase, test_skipped);
	}
	suite_add_tcase(suite, tcase);
}

static void add_other(Suite *suite, const char *name, enum loop_backend which,
		      add_tests_fn *add_tests)
{
	TCase *tcase = tcase_create(name);

	tcase_add_checked_fixture(tcase, which == LOOP_POLL ? setup_poll : setup_virtual, teardown);
	add_tests(tcase, which);
	suite_add_tcase(suite, tcase);
}

static int run_on_backends(const char *name, add_tests_fn *add_tests)
{
	Suite *suite = suite_create(name);
	SRunner *runner = srunner_create(suite);
	int failed;

	add_uring(suite, add_tests);
	add_other(suite, "poll", LOOP_POLL, add_tests);
	add_other(suite, "virtual", LOOP_VIRTUAL, add_tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static inline void turn(void)
{
	ck_assert_int_eq(loop_turn(loop), 0);
}
