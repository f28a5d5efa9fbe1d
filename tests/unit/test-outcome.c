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

static void expect(const struct fixture *f, size_t i, enum trace_outcome outcome, int error)
{
	ck_assert_uint_lt(i, f->n);
	ck_assert_str_eq(trace_outcome_name(f->judged[i].outcome), trace_outcome_name(outcome));
	ck_assert_int_eq(f->judged[i].error, error);
}

/* ---- READs ------------------------------------------------------------------------------- */

/* Times in ms, offsets and lengths in KiB. */
#define READ(at, m, o, l)                                                                          \
	{                                                                                          \
		.kind = TRACE_READ, .time = at * MS, .msg = m, .id = 1, .off = o * K, .len = l * K \
	}
#define DONE(at, m)                                                        \
	{                                                                  \
		.kind = TRACE_COMPLETE, .time = at * MS, .msg = m, .id = 1 \
	}
#define STORE(at, t, o, l)                                                                       \
	{                                                                                        \
		.kind = TRACE_STORE, .time = at * MS, .object = 7, .took = t * MS, .off = o * K, \
		.len = l * K                                                                     \
	}
#define FETCH(at, q, t, o, l, e)                                                             \
	{                                                                                    \
		.kind = TRACE_FETCH, .time = at * MS, .object = 7, .queued = q * MS,         \
		.took = t * MS, .off = o * K, .len = l * K, .got = e ? 0 : l * K, .error = e \
	}

static const struct {
	const char *what;
	struct trace_record records[9];
	struct judged {
		enum trace_outcome outcome;
		int error;
		uint64_t queued, origin, storing; /* ms */
	} judged[3];
	size_t n;
} reads[] = {
	{ "cached before the trace, not cached, cached by the one before",
	  { READ(10, 1, 0, 4), DONE(11, 1), READ(20, 1, 64, 4), FETCH(26, 2, 4, 64, 4, 0),
	    STORE(28, 2, 64, 4), DONE(30, 1), READ(40, 1, 64, 4),
	    FETCH(41, 0, 1, 512, 4, 0) /* of other bytes */, DONE(42, 1) },
	  { { TRACE_HIT }, { TRACE_WAITED, 0, 2, 4, 2 }, { TRACE_HIT } },
	  3 },
	{ "answered before the end of a long fetch, and what has come of it is read again",
	  { READ(10, 1, 0, 4), STORE(14, 1, 0, 64), DONE(15, 1), READ(16, 1, 32, 4), DONE(17, 1),
	    FETCH(30, 0, 20, 0, 1024, 0) },
	  { { TRACE_WAITED, 0, 0, 4, 1 }, { TRACE_HIT, 0, 0, 1, 0 } },
	  2 },
	{ "a failed fetch fails whom it leaves without bytes",
	  { READ(10, 1, 0, 4), READ(10, 2, 64, 4), STORE(12, 1, 0, 64),
	    FETCH(14, 0, 4, 0, 128, -EIO), DONE(15, 1), DONE(16, 2) },
	  { { TRACE_WAITED, 0, 0, 3, 1 }, { TRACE_FAILED, -EIO, 0, 4, 0 } },
	  2 },
	{ "a fetch that is tried again",
	  { READ(10, 1, 0, 4), FETCH(14, 0, 4, 0, 4, -ECONNRESET), FETCH(20, 0, 4, 0, 4, 0),
	    STORE(21, 1, 0, 4), DONE(22, 1) },
	  { { TRACE_WAITED, 0, 0, 8, 1 } },
	  1 },
	{ "answered at the deadline",
	  { READ(10, 1, 0, 4), DONE(30, 1), FETCH(50, 1, 39, 0, 4, 0), STORE(51, 1, 0, 4) },
	  { { TRACE_FAILED, -ETIMEDOUT, 1, 19, 0 } },
	  1 },
	{ "dropped after the answer, and asked for again",
	  { READ(10, 1, 0, 4), DONE(11, 1), FETCH(50, 1, 20, 0, 4, 0) },
	  { { TRACE_HIT } },
	  1 },
	{ "records that are written late",
	  { READ(10, 1, 0, 4), DONE(20, 1), STORE(19, 1, 0, 4), FETCH(18, 0, 8, 0, 4, 0) },
	  { { TRACE_WAITED, 0, 0, 8, 1 } },
	  1 },
	{ "a store that is written late of a fetch that goes on",
	  { READ(10, 1, 0, 4), DONE(20, 1), STORE(19, 1, 0, 4), FETCH(30, 0, 20, 0, 64, 0) },
	  { { TRACE_WAITED, 0, 0, 9, 1 } },
	  1 },
};

START_TEST(test_reads)
{
	struct fixture f;

	setup(&f);
	for (const struct trace_record *record = reads[_i].records; record->kind; record++)
		feed(&f, record);
	finish(&f);

	ck_assert_msg(f.n == reads[_i].n, "%s: %zu judged", reads[_i].what, f.n);
	for (size_t i = 0; i < f.n; i++) {
		const struct trace_judged *is = &f.judged[i];
		const struct judged *want = &reads[_i].judged[i];

		ck_assert_msg(is->outcome == want->outcome && is->error == want->error &&
				      is->queued == want->queued * MS &&
				      is->origin == want->origin * MS &&
				      is->storing == want->storing * MS,
			      "%s: READ %zu %s, %d, after %ju + %ju + %ju ns", reads[_i].what,
			      i + 1, trace_outcome_name(is->outcome), is->error,
			      (uintmax_t)is->queued, (uintmax_t)is->origin, (uintmax_t)is->storing);
	}
}
END_TEST

/* ---- OPENs ------------------------------------------------------------------------------- */

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
		FEED(&f, .kind = TRACE_READ, .time = i * MS, .msg = i, .id = 1, .off = i * 1024 * K,
		     .len = UINT64_MAX);
	FEED(&f, .kind = TRACE_FETCH, .time = 3000 * MS, .object = 7, .took = UINT64_MAX / MS * MS,
	     .off = INT64_MAX, .len = UINT64_MAX, .got = UINT64_MAX);
	for (uint32_t i = 0; i < 2000; i++)
		FEED(&f, .kind = TRACE_COMPLETE, .time = (3000 + i) * MS, .msg = i, .id = 1);
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
	tcase_add_loop_test(t, test_reads, 0, sizeof(reads) / sizeof(reads[0]));
	tcase_add_test(t, test_opens);
	tcase_add_test(t, test_many_outstanding_requests);
	suite_add_tcase(s, t);
	return run_suite(s);
}
