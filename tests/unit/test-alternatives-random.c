/* SPDX-License-Identifier: MIT */
/*
 * One source at several origins that fail by chance, one of which has another object: whatever
 * comes is right.
 */
#include <check.h>
#include <stdlib.h>

#include "tests/lib/run-suite.h"
#include "tests/unit/alternatives-fixture.h"

static uint64_t state;

static uint64_t draw(uint64_t n)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (state >> 33) % n;
}

static void change(struct fake_origin *o)
{
	o->look_error = draw(4) ? 0 : failures[draw(FAILURES)];
	o->read_error = draw(2) ? 0 : failures[draw(FAILURES)];
	o->fail_always = draw(3) == 0;
	o->fail_at = draw(SIZE);
	o->step = draw(2) ? 1 + draw(30000) : 0;
	o->step_time = draw(3 * NSEC_PER_MSEC);
	o->delay = draw(20 * NSEC_PER_MSEC);
	o->look_delay = draw(20 * NSEC_PER_MSEC);
}

/* end_read() compares each byte with those of the first origin; one of the others has more. */
START_TEST(chance_mixes_nothing)
{
	static struct watched crowd[6];
	unsigned int complete = 0;

	state = (uint64_t)_i;
	fake_replace(fakes[B], origins[B], SIZE + 1 + draw(4096), "b2");
	for (int round = 0; round < 40; round++) {
		for (int i = 0; i < N; i++)
			change(origins[i]);
		for (int i = 0; i < 6; i++) {
			uint64_t off = draw(SIZE - 1);

			start_read(&crowd[i], off, 1 + draw(SIZE - off - 1));
			if (draw(10) == 0)
				fetcher->ops->cancel_read(object, &crowd[i].read);
		}
		for (int i = 0; i < 6; i++)
			complete += end_read(&crowd[i]) == 0;
		pass(draw(NSEC_PER_SEC));
	}
	ck_assert_uint_ge(complete, 60);
	ck_assert_uint_eq(origins[B]->reads, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("alternatives-random");
	TCase *tc = trusted_case(s);

	tcase_add_loop_test(tc, chance_mixes_nothing, 0, 10);
	return run_suite(s);
}
