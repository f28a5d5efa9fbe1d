/* SPDX-License-Identifier: MIT */
/*
 * One source at several origins: bytes of what may be another object are never taken, and an
 * identity says whose it is.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/run-suite.h"
#include "tests/unit/alternatives-fixture.h"

START_TEST(without_trust_nobody_else_is_asked)
{
	struct watched w;

	break_down(A, -ECONNREFUSED);
	ck_assert_int_eq(look(&w), -ECONNREFUSED);
	ck_assert_int_eq(read_some(&w, 0, 4096), -ECONNREFUSED);
	ck_assert_uint_eq(contacts(B) + contacts(C), 0);
}
END_TEST

START_TEST(what_is_named_by_its_content_needs_no_trust)
{
	struct watched w;

	break_down(A, -ECONNREFUSED);
	ck_assert_int_eq(look(&w), 0);
	ck_assert_int_eq(read_some(&w, 0, 4096), 0);
}
END_TEST

START_TEST(another_size_is_another_object)
{
	struct watched w;

	fake_replace(fakes[B], origins[B], SIZE + 1, "b2");
	break_down(A, -ECONNREFUSED);
	break_down(C, -ECONNREFUSED);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(read_some(&w, 0, 4096), -ECONNREFUSED);
	/* It is not asked about that object any more. */
	ck_assert_uint_eq(origins[B]->reads, 0);
	ck_assert_int_eq(health(B)->state, HEALTH_WORKS);
}
END_TEST

START_TEST(digests_have_to_be_equal)
{
	struct watched w;

	fetcher->ops->detach(object);
	origins[A]->validator = "digest:1";
	origins[B]->validator = "digest:2";
	origins[C]->validator = "digest:1";
	attach("digest:1");
	break_down(A, -ECONNREFUSED);
	ck_assert_int_eq(read_some(&w, 0, 4096), 0);
	ck_assert_uint_eq(origins[B]->reads, 0);
	ck_assert_uint_eq(origins[C]->reads, 1);
	/* They are the same everywhere. */
	ck_assert_int_eq(look(&w), 0);
	ck_assert_str_eq(w.look.identity.validator, "digest:2");
}
END_TEST

/* Equal in size, and replaced while it is read there: its own validator tells. */
START_TEST(an_alternative_that_changes_is_left)
{
	struct watched w;

	break_down(A, -ECONNREFUSED);
	break_down(C, -ECONNREFUSED);
	origins[B]->step = 4096;
	origins[B]->step_time = NSEC_PER_MSEC;
	start_read(&w, 0, 100000);
	while (w.progress < 50000)
		loop_turn(loop);
	fake_replace(fakes[B], origins[B], SIZE, "b2");
	ck_assert_int_eq(end_read(&w), -ECONNREFUSED);
	ck_assert_uint_lt(w.progress, 100000);
	ck_assert_int_eq(read_some(&w, 50000, 4096), -ECONNREFUSED);
}
END_TEST

/* ---- identities of alternatives --------------------------------------------------------- */

START_TEST(an_identity_knows_whose_it_is)
{
	struct watched w;
	char validator[FETCH_VALIDATOR_MAX];

	break_down(A, -ECONNREFUSED);
	ck_assert_int_eq(look(&w), 0);
	strcpy(validator, w.look.identity.validator);
	fetcher->ops->detach(object);
	attach(validator);
	ck_assert_int_eq(read_some(&w, 0, 4096), 0);
	ck_assert_uint_eq(origins[B]->looks, 1); /* pinned, not looked at again */
	heal(A);
	pass(HEALTH_AVOIDED);
	ck_assert_int_eq(read_some(&w, 4096, 4096), 0);
	ck_assert_uint_eq(origins[B]->reads, 1);
	/* The source itself says that the object is another one now. */
	fetcher->ops->detach(object);
	fake_replace(fakes[A], origins[A], SIZE + 4096, "v2");
	attach(validator);
	ck_assert_int_eq(read_some(&w, 8192, 4096), -ESTALE);
}
END_TEST

START_TEST(an_identity_outlives_its_origin)
{
	struct watched w;

	fetcher->ops->detach(object);
	attach("via:00000000;gone");
	ck_assert_int_eq(read_some(&w, 0, 4096), 0);
	ck_assert_uint_eq(origins[A]->looks, 1);
	ck_assert_uint_eq(origins[A]->reads, 1);
}
END_TEST

/* "Has it changed?" is no question for somebody who does not know what it was. */
START_TEST(only_who_knows_says_whether_it_changed)
{
	struct watched w;
	char validator[FETCH_VALIDATOR_MAX];

	break_down(A, -ECONNREFUSED);
	ck_assert_int_eq(look_again(&w, "v1"), -ECONNREFUSED);
	ck_assert_uint_eq(contacts(B) + contacts(C), 0);
	ck_assert_int_eq(look(&w), 0);
	strcpy(validator, w.look.identity.validator);
	ck_assert_int_eq(look_again(&w, validator), 0);
	ck_assert_str_eq(w.look.identity.validator, validator);
	break_down(B, -ECONNREFUSED);
	ck_assert_int_eq(look_again(&w, validator), -ECONNREFUSED);
	ck_assert_uint_eq(contacts(C), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("alternatives-identity");
	TCase *tc = trusted_case(s);

	tcase_add_test(tc, another_size_is_another_object);
	tcase_add_test(tc, digests_have_to_be_equal);
	tcase_add_test(tc, an_alternative_that_changes_is_left);
	tcase_add_test(tc, an_identity_knows_whose_it_is);
	tcase_add_test(tc, an_identity_outlives_its_origin);
	tcase_add_test(tc, only_who_knows_says_whether_it_changed);
	tc = untrusted_case(s);
	tcase_add_test(tc, without_trust_nobody_else_is_asked);
	tc = named_case(s);
	tcase_add_test(tc, what_is_named_by_its_content_needs_no_trust);
	return run_suite(s);
}
