/* SPDX-License-Identifier: MIT */
#include "daemon/trace/outcome.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "tests/lib/run-suite.h"

#define K  1024ull
#define MS 1000000ull

/* One object of 1 MiB, open as id 1, number 7; and the verdicts in the order in which they come. */
struct fixture {
	struct trace_outcomes *outcomes;
	struct trace_judged judged[16];
	struct trace_request request[16];
	size_t n;
};

static int keep(void *arg, const struct trace_judged *judged)
{
	struct fixture *f = arg;

	ck_assert_uint_lt(f->n, 16);
	f->judged[f->n] = *judged;
	f->request[f->n++] = *judged->request;
	return 0;
}

static void feed(struct fixture *f, const struct trace_record *record)
{
	ck_assert_int_eq(trace_outcomes_feed(f->outcomes, record), 0);
}

#define FEED(f, ...) feed(f, &(struct trace_record){ __VA_ARGS__ })

static void finish(struct fixture *f)
{
	ck_assert_int_eq(trace_outcomes_finish(f->outcomes), 0);
	trace_outcomes_free(f->outcomes);
}

static void setup(struct fixture *f)
{
	static const struct trace_outcomes_callbacks callbacks = { .judged = keep };

	f->n = 0;
	ck_assert_int_eq(trace_outcomes_new(&f->outcomes, &callbacks, f, NULL), 0);
	FEED(f, .kind = TRACE_OBJECT, .object = 7, .size = 1024 * K, .volume = bytes_str("v"),
	     .cookie = bytes_str("c"));
	FEED(f, .kind = TRACE_HANDLE, .id = 1, .object = 7);
}

static void read_at(struct fixture *f, uint64_t ms, uint32_t msg, uint64_t off, uint64_t len)
{
	FEED(f, .kind = TRACE_READ, .time = ms * MS, .msg = msg, .id = 1, .off = off, .len = len);
}

static void complete_at(struct fixture *f, uint64_t ms, uint32_t msg)
{
	FEED(f, .kind = TRACE_COMPLETE, .time = ms * MS, .msg = msg, .id = 1);
}

static void store_at(struct fixture *f, uint64_t ms, uint64_t took, uint64_t off, uint64_t len)
{
	FEED(f, .kind = TRACE_STORE, .time = ms * MS, .object = 7, .took = took * MS, .off = off,
	     .len = len);
}

static void fetch_at(struct fixture *f, uint64_t ms, uint64_t queued, uint64_t took, uint64_t off,
		     uint64_t len, int error)
{
	FEED(f, .kind = TRACE_FETCH, .time = ms * MS, .object = 7, .queued = queued * MS,
	     .took = took * MS, .off = off, .len = len, .got = error ? 0 : len, .error = error);
}

static void expect(const struct fixture *f, size_t i, enum trace_outcome outcome, int error)
{
	ck_assert_uint_lt(i, f->n);
	ck_assert_str_eq(trace_outcome_name(f->judged[i].outcome), trace_outcome_name(outcome));
	ck_assert_int_eq(f->judged[i].error, error);
}

START_TEST(test_hit_and_wait)
{
	struct fixture f;

	setup(&f);
	read_at(&f, 10, 1, 0, 4 * K); /* cached before the trace */
	complete_at(&f, 11, 1);
	read_at(&f, 20, 1, 64 * K, 4 * K);
	fetch_at(&f, 26, 2, 4, 64 * K, 4 * K, 0);
	store_at(&f, 28, 2, 64 * K, 4 * K);
	complete_at(&f, 30, 1);
	read_at(&f, 40, 1, 64 * K, 4 * K);
	fetch_at(&f, 41, 0, 1, 512 * K, 4 * K, 0); /* of other bytes */
	complete_at(&f, 42, 1);
	finish(&f);

	ck_assert_uint_eq(f.n, 3);
	expect(&f, 0, TRACE_HIT, 0);
	expect(&f, 1, TRACE_WAITED, 0);
	ck_assert_uint_eq(f.judged[1].queued, 2 * MS);
	ck_assert_uint_eq(f.judged[1].origin, 4 * MS);
	ck_assert_uint_eq(f.judged[1].storing, 2 * MS);
	expect(&f, 2, TRACE_HIT, 0);
	ck_assert_uint_eq(f.judged[2].origin, 0);
}
END_TEST

START_TEST(test_answer_before_the_end_of_a_long_fetch)
{
	struct fixture f;

	setup(&f);
	read_at(&f, 10, 1, 0, 4 * K);
	store_at(&f, 14, 1, 0, 64 * K);
	complete_at(&f, 15, 1);
	read_at(&f, 16, 1, 32 * K, 4 * K); /* has come already, although the fetch goes on */
	complete_at(&f, 17, 1);
	fetch_at(&f, 30, 0, 20, 0, 1024 * K, 0);
	finish(&f);

	expect(&f, 0, TRACE_WAITED, 0);
	ck_assert_uint_eq(f.judged[0].storing, 1 * MS);
	ck_assert_uint_eq(f.judged[0].origin, 4 * MS);
	expect(&f, 1, TRACE_HIT, 0);
}
END_TEST

START_TEST(test_failed_fetch_fails_whom_it_leaves_without_bytes)
{
	struct fixture f;

	setup(&f);
	read_at(&f, 10, 1, 0, 4 * K);
	read_at(&f, 10, 2, 64 * K, 4 * K);
	store_at(&f, 12, 1, 0, 64 * K);
	fetch_at(&f, 14, 0, 4, 0, 128 * K, -EIO);
	complete_at(&f, 15, 1);
	complete_at(&f, 16, 2);
	finish(&f);

	expect(&f, 0, TRACE_WAITED, 0);
	expect(&f, 1, TRACE_FAILED, -EIO);
}
END_TEST

START_TEST(test_fetch_that_is_tried_again)
{
	struct fixture f;

	setup(&f);
	read_at(&f, 10, 1, 0, 4 * K);
	fetch_at(&f, 14, 0, 4, 0, 4 * K, -ECONNRESET);
	fetch_at(&f, 20, 0, 4, 0, 4 * K, 0);
	store_at(&f, 21, 1, 0, 4 * K);
	complete_at(&f, 22, 1);
	finish(&f);

	expect(&f, 0, TRACE_WAITED, 0);
	ck_assert_uint_eq(f.judged[0].origin, 8 * MS);
}
END_TEST

START_TEST(test_answer_at_the_deadline)
{
	struct fixture f;

	setup(&f);
	read_at(&f, 10, 1, 0, 4 * K);
	complete_at(&f, 30, 1);
	fetch_at(&f, 50, 1, 39, 0, 4 * K, 0);
	store_at(&f, 51, 1, 0, 4 * K);
	finish(&f);

	expect(&f, 0, TRACE_FAILED, -ETIMEDOUT);
	ck_assert_uint_eq(f.judged[0].origin, 19 * MS);
	ck_assert_uint_eq(f.judged[0].queued, 1 * MS);
}
END_TEST

START_TEST(test_fetch_after_the_answer_says_nothing_about_it)
{
	struct fixture f;

	setup(&f);
	read_at(&f, 10, 1, 0, 4 * K);
	complete_at(&f, 11, 1);
	fetch_at(&f, 50, 1, 20, 0, 4 * K, 0); /* dropped meanwhile, asked again */
	finish(&f);
	expect(&f, 0, TRACE_HIT, 0);
}
END_TEST

START_TEST(test_records_that_are_written_late)
{
	struct fixture f;

	setup(&f);
	read_at(&f, 10, 1, 0, 4 * K);
	complete_at(&f, 20, 1);
	store_at(&f, 19, 1, 0, 4 * K);
	fetch_at(&f, 18, 0, 8, 0, 4 * K, 0);
	finish(&f);
	expect(&f, 0, TRACE_WAITED, 0);
	ck_assert_uint_eq(f.judged[0].storing, 1 * MS);
}
END_TEST

START_TEST(test_store_that_is_written_late_of_a_fetch_that_goes_on)
{
	struct fixture f;

	setup(&f);
	read_at(&f, 10, 1, 0, 4 * K);
	complete_at(&f, 20, 1);
	store_at(&f, 19, 1, 0, 4 * K);
	fetch_at(&f, 30, 0, 20, 0, 64 * K, 0);
	finish(&f);
	expect(&f, 0, TRACE_WAITED, 0);
	ck_assert_uint_eq(f.judged[0].origin, 9 * MS);
}
END_TEST

START_TEST(test_opens)
{
	struct fixture f;
	struct bytes v = bytes_str("v"), c = bytes_str("c"), d = bytes_str("d");

	setup(&f);
	FEED(&f, .kind = TRACE_OPEN, .time = 10 * MS, .msg = 1, .id = 2, .volume = v, .cookie = c);
	FEED(&f, .kind = TRACE_COPEN, .time = 11 * MS, .msg = 1, .size = 1024 * K);
	FEED(&f, .kind = TRACE_OPEN, .time = 20 * MS, .msg = 1, .id = 3, .volume = v, .cookie = d);
	FEED(&f, .kind = TRACE_LOOK, .time = 25 * MS, .took = 4 * MS, .volume = v, .cookie = d,
	     .size = 5);
	FEED(&f, .kind = TRACE_COPEN, .time = 26 * MS, .msg = 1, .size = 5);
	FEED(&f, .kind = TRACE_OPEN, .time = 30 * MS, .msg = 1, .id = 4, .volume = v, .cookie = d);
	FEED(&f, .kind = TRACE_COPEN, .time = 31 * MS, .msg = 1, .error = -ENOENT);
	FEED(&f, .kind = TRACE_OPEN, .time = 40 * MS, .msg = 1, .id = 5, .volume = v, .cookie = d);
	FEED(&f, .kind = TRACE_READ, .time = 50 * MS, .msg = 2, .id = 99, .len = 4 * K);
	FEED(&f, .kind = TRACE_COMPLETE, .time = 51 * MS, .msg = 2, .id = 99);
	finish(&f);

	expect(&f, 0, TRACE_HIT, 0);
	expect(&f, 1, TRACE_WAITED, 0);
	ck_assert_uint_eq(f.judged[1].origin, 4 * MS);
	expect(&f, 2, TRACE_FAILED, -ENOENT);
	expect(&f, 3, TRACE_UNANSWERED, 0);
	expect(&f, 4, TRACE_UNCLEAR, 0);
}
END_TEST

/* ---- bounds ------------------------------------------------------------------------------ */

static int count(void *arg, const struct trace_judged *judged)
{
	size_t *n = arg;

	n[judged->outcome]++;
	return 0;
}

START_TEST(test_many_outstanding_requests)
{
	static const struct trace_outcomes_callbacks callbacks = { .judged = count };
	size_t n[TRACE_OUTCOMES] = { 0 };
	struct intervals_budget budget = { .max = 1000 };
	struct fixture f;

	setup(&f);
	finish(&f);
	ck_assert_int_eq(trace_outcomes_new(&f.outcomes, &callbacks, n, &budget), 0);
	FEED(&f, .kind = TRACE_OBJECT, .object = 7, .size = INT64_MAX, .volume = bytes_str("v"),
	     .cookie = bytes_str("c"));
	FEED(&f, .kind = TRACE_HANDLE, .id = 1, .object = 7);
	for (uint32_t i = 0; i < 3000; i++)
		read_at(&f, i, i, i * 1024 * K, UINT64_MAX);
	fetch_at(&f, 3000, 0, UINT64_MAX / MS, INT64_MAX, UINT64_MAX, 0);
	for (uint32_t i = 0; i < 2000; i++)
		complete_at(&f, 3000 + i, i);
	finish(&f);
	ck_assert_uint_eq(n[TRACE_UNANSWERED], 1000);
	ck_assert_uint_eq(n[TRACE_HIT], 2000);
	ck_assert_uint_eq(budget.used, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("outcome");
	TCase *t = tcase_create("outcome");

	tcase_set_timeout(t, 0);
	tcase_add_test(t, test_hit_and_wait);
	tcase_add_test(t, test_answer_before_the_end_of_a_long_fetch);
	tcase_add_test(t, test_failed_fetch_fails_whom_it_leaves_without_bytes);
	tcase_add_test(t, test_fetch_that_is_tried_again);
	tcase_add_test(t, test_answer_at_the_deadline);
	tcase_add_test(t, test_fetch_after_the_answer_says_nothing_about_it);
	tcase_add_test(t, test_records_that_are_written_late);
	tcase_add_test(t, test_store_that_is_written_late_of_a_fetch_that_goes_on);
	tcase_add_test(t, test_opens);
	tcase_add_test(t, test_many_outstanding_requests);
	suite_add_tcase(s, t);
	return run_suite(s);
}
