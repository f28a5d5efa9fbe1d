/* SPDX-License-Identifier: MIT */
/*
 * The daemon against the emulated kernel, on a disk: programs of tests/lib/program.h that chance
 * has written, the same ones each time. tests/fuzz/fuzz-engine.c looks for worse ones.
 */
#include <check.h>
#include <stdio.h>

#include "tests/lib/program.h"
#include "tests/lib/run-suite.h"

#define RUNS 48

/* xorshift64*: the same everywhere for one seed. */
static uint8_t next_byte(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (uint8_t)(*state * 0x2545f4914f6cdd1d >> 56);
}

START_TEST(any_order_of_things)
{
	const struct program_options options = { .on_disk = true };
	uint64_t state = (uint64_t)_i * 0x9e3779b97f4a7c15 + 1;
	uint8_t bytes[400];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = next_byte(&state);
	program_run(bytes, sizeof(bytes), &options);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_set_timeout(tcase, 300);
	tcase_add_loop_test(tcase, any_order_of_things, 0, RUNS);
}

int main(void)
{
	Suite *suite = suite_create("frontend-random");
	TCase *tcase = tcase_create("frontend-random");

	add_tests(tcase);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
