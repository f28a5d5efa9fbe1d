/* SPDX-License-Identifier: MIT */
/* One source at several origins: who fails is avoided, probed and used again. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/log-about.h"
#include "tests/lib/run-suite.h"
#include "tests/unit/alternatives-fixture.h"

static void break_a(void)
{
	struct watched w;

	break_down(A, -ECONNREFUSED);
	for (int i = 0; i < HEALTH_FAILURES; i++)
		ck_assert_int_eq(read_some(&w, 0, 4096), 0);
	ck_assert_int_eq(health(A)->state, HEALTH_AVOIDED_NOW);
	ck_assert_uint_eq(health(A)->failures, HEALTH_FAILURES);
	ck_assert_uint_eq(health(A)->avoided_until, loop_now(loop) + HEALTH_AVOIDED);
}

START_TEST(who_fails_is_avoided_and_probed_and_used_again)
{
	struct watched w;
	unsigned int before;

	break_a();
	before = contacts(A);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(read_some(&w, 0, 4096), 0);
	ck_assert_uint_eq(contacts(A), before);
	/* One probe fails: twice as long. */
	pass(HEALTH_AVOIDED);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(read_some(&w, 0, 4096), 0);
	ck_assert_uint_eq(contacts(A), before + 1);
	ck_assert_uint_eq(health(A)->avoided_until, loop_now(loop) + 2 * HEALTH_AVOIDED);
	/* One succeeds. */
	heal(A);
	pass(2 * HEALTH_AVOIDED);
	before = contacts(B);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(read_some(&w, 0, 4096), 0);
	ck_assert_uint_eq(contacts(B), before);
	ck_assert_int_eq(health(A)->state, HEALTH_WORKS);
	ck_assert_uint_eq(health(A)->failures, 0);
}
END_TEST

START_TEST(the_log_says_whose_origin_it_is)
{
	struct watched w;
	const char *told;

	fetcher->source = "images";
	break_a();
	told = log_about_told();
	ck_assert_ptr_nonnull(strstr(told, "ORIGIN=images "));
	ck_assert_ptr_nonnull(strstr(told, "is avoided for "));
	heal(A);
	pass(HEALTH_AVOIDED);
	ck_assert_int_eq(read_some(&w, 0, 4096), 0);
	ck_assert_str_eq(log_about_told(), "ORIGIN=images a:/ works again\n");
}
END_TEST

START_TEST(one_probe_at_a_time)
{
	struct watched crowd[8];
	unsigned int before;

	break_a();
	heal(A);
	origins[A]->delay = NSEC_PER_SEC;
	pass(HEALTH_AVOIDED);
	before = contacts(A);
	for (int i = 0; i < 8; i++)
		start_read(&crowd[i], 0, 4096);
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(end_read(&crowd[i]), 0);
	ck_assert_uint_eq(contacts(A), before + 1);
	ck_assert_int_eq(health(A)->state, HEALTH_WORKS);
}
END_TEST

START_TEST(a_probe_that_is_canceled_is_none)
{
	struct watched w;

	break_a();
	heal(A);
	origins[A]->delay = NSEC_PER_SEC;
	pass(HEALTH_AVOIDED);
	start_read(&w, 0, 4096);
	ck_assert_int_eq(health(A)->state, HEALTH_PROBED);
	fetcher->ops->cancel_read(object, &w.read);
	ck_assert_int_eq(end_read(&w), -ECANCELED);
	start_read(&w, 0, 4096);
	ck_assert_int_eq(health(A)->state, HEALTH_PROBED);
	ck_assert_int_eq(end_read(&w), 0);
	ck_assert_int_eq(health(A)->state, HEALTH_WORKS);
}
END_TEST

START_TEST(an_origin_is_avoided_for_at_most_so_long)
{
	struct watched w;

	break_a();
	for (int i = 0; i < 10; i++) {
		pass(HEALTH_AVOIDED_MAX);
		ck_assert_int_eq(read_some(&w, 0, 4096), 0);
	}
	ck_assert_uint_eq(health(A)->avoided_until, loop_now(loop) + HEALTH_AVOIDED_MAX);
}
END_TEST

START_TEST(an_origin_that_wants_to_be_left_alone_is)
{
	struct watched w;

	break_down(A, -EAGAIN);
	origins[A]->retry_after = 100 * NSEC_PER_SEC;
	ck_assert_int_eq(read_some(&w, 0, 4096), 0);
	ck_assert_uint_eq(health(A)->avoided_until, loop_now(loop) + 100 * NSEC_PER_SEC);
	pass(90 * NSEC_PER_SEC);
	ck_assert_int_eq(read_some(&w, 0, 4096), 0);
	ck_assert_uint_eq(contacts(A), 1);
}
END_TEST

START_TEST(what_is_ours_is_no_fault_of_an_origin)
{
	static const int errors[] = { -EMFILE, -ENOMEM };
	struct watched w;

	break_down(A, errors[_i]);
	for (int i = 0; i < 2 * HEALTH_FAILURES; i++)
		ck_assert_int_eq(look(&w), errors[_i]);
	ck_assert_uint_eq(contacts(B), 0);
	ck_assert_int_eq(health(A)->state, HEALTH_WORKS);
	ck_assert_uint_eq(health(A)->failed, 0);
}
END_TEST

/* The one that may be asked again first is asked, and that one alone. */
START_TEST(where_all_are_avoided_the_least_bad_is_asked)
{
	struct watched w;
	unsigned int before[N];

	for (int i = 0; i < N; i++)
		break_down(i, -ECONNREFUSED);
	for (int i = 0; i < HEALTH_FAILURES; i++) {
		ck_assert_int_eq(look(&w), -ECONNREFUSED);
		pass(NSEC_PER_MSEC);
	}
	for (int i = 0; i < N; i++) {
		ck_assert_int_eq(health(i)->state, HEALTH_AVOIDED_NOW);
		before[i] = contacts(i);
	}
	ck_assert_int_eq(look(&w), -ECONNREFUSED);
	ck_assert_uint_eq(contacts(A), before[A] + 1);
	ck_assert_uint_eq(contacts(B), before[B]);
	ck_assert_uint_eq(contacts(C), before[C]);
	heal(A);
	ck_assert_int_eq(look(&w), 0);
	ck_assert_int_eq(health(A)->state, HEALTH_WORKS);
}
END_TEST

START_TEST(times_are_measured)
{
	struct watched w;

	origins[A]->look_delay = 20 * NSEC_PER_MSEC;
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(look(&w), 0);
	ck_assert_uint_eq(health(A)->rtt, 20 * NSEC_PER_MSEC);
	ck_assert_uint_eq(health(A)->bandwidth, 0);
	origins[A]->delay = 100 * NSEC_PER_MSEC;
	ck_assert_int_eq(read_some(&w, 0, 100000), 0);
	ck_assert_uint_eq(health(A)->bandwidth, 1000000);
	ck_assert_uint_eq(health(A)->rtt, 30 * NSEC_PER_MSEC);
	ck_assert_uint_eq(health(A)->requests, 6);
	ck_assert_uint_eq(health(A)->failed, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("alternatives-health");
	TCase *tc = trusted_case(s);

	tcase_add_test(tc, who_fails_is_avoided_and_probed_and_used_again);
	tcase_add_test(tc, the_log_says_whose_origin_it_is);
	tcase_add_test(tc, one_probe_at_a_time);
	tcase_add_test(tc, a_probe_that_is_canceled_is_none);
	tcase_add_test(tc, an_origin_is_avoided_for_at_most_so_long);
	tcase_add_test(tc, an_origin_that_wants_to_be_left_alone_is);
	tcase_add_loop_test(tc, what_is_ours_is_no_fault_of_an_origin, 0, 2);
	tcase_add_test(tc, where_all_are_avoided_the_least_bad_is_asked);
	tcase_add_test(tc, times_are_measured);
	return run_suite(s);
}
