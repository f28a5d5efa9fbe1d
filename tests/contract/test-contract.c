/* SPDX-License-Identifier: MIT */
/*
 * What fetcher.h promises, on every fetcher that was built in and on both back ends of the loop.
 * tests/lib/host.c watches what holds for each request: one done(), never from inside a call,
 * progress that only grows, errors with text. What is promised is in contract-*.c, one subject
 * each; here is what it is promised by.
 */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "tests/contract/contract-fixture.h"
#include "tests/lib/run-suite.h"

/* A row and a back end of the loop are one test case. */
#define FIXTURE(row)                                     \
	static void start_uring_##row(void)              \
	{                                                \
		contract_start(&kinds[row], LOOP_URING); \
	}                                                \
	static void start_poll_##row(void)               \
	{                                                \
		contract_start(&kinds[row], LOOP_POLL);  \
	}
FIXTURE(0)
FIXTURE(1)
FIXTURE(2)
FIXTURE(3)
FIXTURE(4)
FIXTURE(5)
FIXTURE(6)
FIXTURE(7)
FIXTURE(8)
FIXTURE(9)
FIXTURE(10)
FIXTURE(11)

static void (*const fixtures[][2])(void) = {
	{ start_uring_0, start_poll_0 },   { start_uring_1, start_poll_1 },
	{ start_uring_2, start_poll_2 },   { start_uring_3, start_poll_3 },
	{ start_uring_4, start_poll_4 },   { start_uring_5, start_poll_5 },
	{ start_uring_6, start_poll_6 },   { start_uring_7, start_poll_7 },
	{ start_uring_8, start_poll_8 },   { start_uring_9, start_poll_9 },
	{ start_uring_10, start_poll_10 }, { start_uring_11, start_poll_11 },
};

/* valgrind (3.19) has no openat2(2), without which the file fetcher opens nothing. */
static bool enabled(const struct kind *k)
{
	if (under_valgrind() && (strcmp(k->class, "file") == 0 || (k->decorator && !k->decorates)))
		return false;
	if (k->works && !k->works()) {
		printf("# %s: its server is not installed here\n", k->class);
		return false;
	}
	return kind_class(k) != NULL;
}

/* Nor does it see what the kernel writes by io_uring. */
static bool uring_works(void)
{
	struct loop *loop;

	if (under_valgrind() || loop_new(&loop, LOOP_URING) < 0)
		return false;
	loop_free(loop);
	return true;
}

static TCase *case_for(unsigned int row, int poll)
{
	static char names[sizeof(fixtures) / sizeof(fixtures[0]) * 2][32];
	static unsigned int n;
	TCase *tc;

	snprintf(names[n], sizeof(names[n]), "%s-%u-%s", kinds[row].class, row,
		 poll ? "poll" : "uring");
	tc = tcase_create(names[n++]);
	tcase_set_timeout(tc, 120);
	if (kinds[row].begin)
		tcase_add_unchecked_fixture(tc, kinds[row].begin, kinds[row].end);
	tcase_add_checked_fixture(tc, fixtures[row][poll], contract_stop);
	contract_look(tc);
	contract_read(tc);
	contract_cancel(tc);
	contract_identity(tc);
	contract_memory(tc);
	return tc;
}

int main(void)
{
	Suite *s = suite_create("contract");
	TCase *tc = tcase_create("registry");

	contract_registry(tc);
	suite_add_tcase(s, tc);
	for (unsigned int row = 0; row < n_kinds; row++)
		for (int poll = uring_works() ? 0 : 1; poll < 2 && enabled(&kinds[row]); poll++)
			suite_add_tcase(s, case_for(row, poll));
	return run_suite(s);
}
