/* SPDX-License-Identifier: MIT */
/*
 * One source at several origins: who is asked, and who is asked where that one fails, has not got
 * it or sent what was wrong.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/run-suite.h"
#include "tests/unit/alternatives-fixture.h"

START_TEST(the_first_is_asked_while_it_works)
{
	struct watched w;

	ck_assert_int_eq(look(&w), 0);
	ck_assert_str_eq(w.look.identity.validator, "v1");
	ck_assert_int_eq(read_some(&w, 4096, 100000), 0);
	ck_assert_uint_eq(contacts(A), 2);
	ck_assert_uint_eq(contacts(B) + contacts(C), 0);
}
END_TEST

START_TEST(where_it_fails_the_next_one_is_asked)
{
	struct watched w;

	break_down(A, failures[_i]);
	break_down(B, failures[_i]);
	ck_assert_int_eq(look(&w), 0);
	ck_assert_uint_eq(w.look.identity.size, SIZE);
	ck_assert_int_eq(strncmp(w.look.identity.validator, "via:", 4), 0);
	ck_assert_str_eq(strchr(w.look.identity.validator, ';'), ";c1");
	ck_assert_int_eq(read_some(&w, 4096, 100000), 0);
}
END_TEST

START_TEST(what_the_first_says_of_an_object_counts)
{
	static const int final[] = { -ENOENT, -EACCES, -ESTALE };
	struct watched w;

	break_down(A, final[_i]);
	ck_assert_int_eq(look(&w), final[_i]);
	ck_assert_int_eq(read_some(&w, 0, 4096), final[_i]);
	ck_assert_uint_eq(contacts(B) + contacts(C), 0);
	ck_assert_int_eq(health(A)->state, HEALTH_WORKS);
}
END_TEST

START_TEST(what_others_do_not_have_says_nothing)
{
	struct watched w;

	break_down(A, -ECONNREFUSED);
	break_down(B, -ENOENT);
	break_down(C, -EACCES);
	ck_assert_int_eq(look(&w), -ECONNREFUSED);
	ck_assert_str_eq(w.look.error, "the script says so; b:/x/: Input/output error; "
				       "c:/: Input/output error");
	ck_assert_int_eq(read_some(&w, 0, 4096), -ECONNREFUSED);
	/* One that may pass is more than one that may not. */
	break_down(A, -EPROTO);
	break_down(C, -EAGAIN);
	ck_assert_int_eq(look(&w), -EAGAIN);
}
END_TEST

START_TEST(a_read_goes_on_at_the_next_one)
{
	struct watched w;

	origins[A]->read_error = -ECONNRESET;
	origins[A]->fail_at = 300000;
	ck_assert_int_eq(read_some(&w, 100000, 800000), 0);
	ck_assert_uint_eq(origins[B]->bytes_asked, 600000);
	ck_assert_uint_eq(contacts(C), 0);
	/* And again, where its object is known already. */
	ck_assert_int_eq(read_some(&w, 200000, 200000), 0);
	ck_assert_uint_eq(origins[B]->looks, 1);
	ck_assert_uint_eq(origins[B]->bytes_asked, 700000);
}
END_TEST

START_TEST(what_was_wrong_comes_from_another)
{
	struct watched w;

	ck_assert_int_eq(read_some(&w, 0, 4096), 0);
	ck_assert_uint_eq(origins[A]->reads, 1);
	start_elsewhere(&w, 0, 4096);
	ck_assert_int_eq(end_read(&w), 0);
	ck_assert_uint_eq(origins[A]->reads, 1);
	ck_assert_uint_eq(origins[B]->reads, 1);
	/* The same again where nobody else has it. */
	break_down(B, -ECONNRESET);
	break_down(C, -ECONNRESET);
	ck_assert_int_eq(read_some(&w, 0, 4096), 0);
	start_elsewhere(&w, 0, 4096);
	ck_assert_int_eq(end_read(&w), 0);
	ck_assert_uint_eq(origins[A]->reads, 3);
}
END_TEST

START_TEST(what_was_wrong_is_looked_at_elsewhere)
{
	struct watched w;

	/* Nobody is known to have answered. */
	ck_assert_int_eq(look_elsewhere(&w), 0);
	ck_assert_uint_eq(origins[A]->looks, 1);
	ck_assert_int_eq(look_elsewhere(&w), 0);
	ck_assert_uint_eq(origins[A]->looks, 1);
	ck_assert_uint_eq(origins[B]->looks, 1);
	ck_assert_int_eq(strncmp(w.look.identity.validator, "via:", 4), 0);
	/* The source itself again, unless that is not to be had. */
	ck_assert_int_eq(look_elsewhere(&w), 0);
	ck_assert_uint_eq(origins[A]->looks, 2);
	break_down(B, -ECONNRESET);
	break_down(C, -ECONNRESET);
	ck_assert_int_eq(look_elsewhere(&w), 0);
	ck_assert_uint_eq(origins[A]->looks, 3);
	ck_assert_str_eq(w.look.identity.validator, "v1");
}
END_TEST

/* What only one may be asked for has nobody else. */
START_TEST(without_trust_nothing_is_elsewhere)
{
	struct watched w;

	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(look_elsewhere(&w), 0);
	ck_assert_uint_eq(origins[A]->looks, 2);
	ck_assert_uint_eq(contacts(B) + contacts(C), 0);
}
END_TEST

START_TEST(nobody_is_asked_after_the_deadline)
{
	struct watched w;

	break_down(A, -ETIMEDOUT);
	origins[A]->delay = 5 * NSEC_PER_SEC;
	start_read(&w, 0, 4096);
	w.read.deadline = loop_now(loop) + 4 * NSEC_PER_SEC;
	ck_assert_int_eq(end_read(&w), -ETIMEDOUT);
	ck_assert_uint_eq(contacts(B), 0);
}
END_TEST

START_TEST(canceled_wherever_it_is)
{
	struct watched w;

	origins[A]->delay = origins[A]->look_delay = 10 * NSEC_PER_MSEC;
	origins[B]->delay = origins[B]->look_delay = 10 * NSEC_PER_MSEC;
	break_down(A, -ECONNRESET);
	for (uint64_t after = 0; after < 40; after += 4) {
		int err;

		start_read(&w, 0, 4096);
		pass(after * NSEC_PER_MSEC);
		if (!w.done)
			fetcher->ops->cancel_read(object, &w.read);
		if (!w.done)
			fetcher->ops->cancel_read(object, &w.read);
		err = end_read(&w);
		ck_assert(err == -ECANCELED || err == 0);
		start_look(&w, NULL);
		pass(after / 2 * NSEC_PER_MSEC);
		if (!w.done)
			fetcher->ops->cancel_look(fetcher, &w.look);
		err = wait_for(&w);
		ck_assert(err == -ECANCELED || err == 0);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("alternatives");
	TCase *tc = trusted_case(s);

	tcase_add_test(tc, the_first_is_asked_while_it_works);
	tcase_add_loop_test(tc, where_it_fails_the_next_one_is_asked, 0, FAILURES);
	tcase_add_loop_test(tc, what_the_first_says_of_an_object_counts, 0, 3);
	tcase_add_test(tc, what_others_do_not_have_says_nothing);
	tcase_add_test(tc, a_read_goes_on_at_the_next_one);
	tcase_add_test(tc, what_was_wrong_comes_from_another);
	tcase_add_test(tc, what_was_wrong_is_looked_at_elsewhere);
	tcase_add_test(tc, nobody_is_asked_after_the_deadline);
	tcase_add_test(tc, canceled_wherever_it_is);
	tc = untrusted_case(s);
	tcase_add_test(tc, without_trust_nothing_is_elsewhere);
	return run_suite(s);
}
