/* SPDX-License-Identifier: MIT */
/*
 * Requests of a trace that has what belongs to it. Others: test-trace-strays.c.
 */
#include <errno.h>

#include "tests/lib/run-suite.h"
#include "tests/unit/trace-requests-fixture.h"

/* ---- life of an object ------------------------------------------------------------------- */

START_TEST(test_life)
{
	struct trace_object *object;

	feed_open(0, 7, "c");
	expect("begun open 0 v/c\n", 0);
	FEED(.kind = TRACE_COPEN, .msg = 0, .size = 8192);
	expect("ended open 0 v/c 0 after 10\n", 0);
	object = trace_requests_by_id(requests, 7);
	ck_assert_ptr_eq(object, trace_requests_object(requests, 0));
	ck_assert_uint_eq(trace_requests_objects(requests), 1);
	ck_assert(object->size_known && object->size == 8192);

	/* Two at once, answered in the other order; ids are used again behind their answers. */
	feed_read(0, 7);
	feed_read(1, 7);
	feed_complete(1, 7, 0);
	feed_complete(0, 7, -EINVAL);
	feed_read(0, 7);
	feed_complete(0, 7, 0);
	expect("begun read 0 v/c\nbegun read 1 v/c\n"
	       "ended read 1 v/c 0 after 10\nended read 0 v/c -22 after 30\n"
	       "begun read 0 v/c\nended read 0 v/c 0 after 10\n",
	       0);

	FEED(.kind = TRACE_CLOSE, .msg = 2, .id = 7);
	expect("closed 7 v/c\n", 0);
	ck_assert_ptr_eq(trace_requests_by_id(requests, 7), object);
	FEED(.kind = TRACE_RELEASE, .id = 7);
	expect("", 0);
	ck_assert_ptr_null(trace_requests_by_id(requests, 7));
}
END_TEST

START_TEST(test_request_that_is_never_answered)
{
	struct trace_requests_stats stats;

	feed_opened(1, "c");
	feed_read(3, 1);
	trace_requests_finish(requests);
	expect("begun read 3 v/c\nended read 3 v/c unanswered\n", 0);
	stats = trace_requests_stats(requests);
	ck_assert_uint_eq(stats.requests, 2);
	ck_assert_uint_eq(stats.unanswered, 1);
}
END_TEST

START_TEST(test_refused_open)
{
	feed_open(0, 1, "c");
	FEED(.kind = TRACE_COPEN, .msg = 0, .error = -ENOENT, .size = 77);
	FEED(.kind = TRACE_RELEASE, .id = 1);
	/* The kernel does not want it: a daemon that was restored answers twice. */
	feed_open(0, 2, "c");
	FEED(.kind = TRACE_COPEN, .msg = 0, .size = 77, .result = -EINVAL);
	expect("begun open 0 v/c\nended open 0 v/c -2 after 10\n"
	       "begun open 0 v/c\nended open 0 v/c -22 after 10\n",
	       0);
	ck_assert(!trace_requests_object(requests, 0)->size_known);
	ck_assert_uint_eq(trace_requests_object(requests, 0)->size, 0);
	/* Both is too much: the answer's error it is. */
	feed_open(0, 3, "c");
	FEED(.kind = TRACE_COPEN, .msg = 0, .error = -ENOENT, .result = -EIO);
	expect("begun open 0 v/c\nended open 0 v/c -2 after 10\n", 0);

	/* It was never open, so nothing closes it. */
	FEED(.kind = TRACE_CLOSE, .id = 2);
	expect("", 1);
	FEED(.kind = TRACE_RELEASE, .id = 2);
	expect("", 1);
}
END_TEST

START_TEST(test_reopen_is_the_same_object)
{
	feed_opened(1, "c");
	feed_opened(2, "other");
	feed_opened(9, "c");
	ck_assert_uint_eq(trace_requests_objects(requests), 2);
	ck_assert_ptr_eq(trace_requests_by_id(requests, 1), trace_requests_by_id(requests, 9));
	ck_assert_uint_eq(trace_requests_by_id(requests, 9)->index, 0);
	ck_assert_uint_eq(trace_requests_by_id(requests, 2)->index, 1);
	FEED(.kind = TRACE_CLOSE, .id = 1);
	feed_read(4, 9);
	expect("closed 1 v/c\nbegun read 4 v/c\n", 0);
	FEED(.kind = TRACE_RELEASE, .id = 9); /* without a CLOSE: the daemon let it go */
	expect("closed 9 v/c\n", 0);
	feed_complete(4, 9, -EINVAL);
	expect("ended read 4 v/c -22 after 20\n", 0);
}
END_TEST

START_TEST(test_keys_are_bytes)
{
	static const struct bytes keys[] = {
		{ (const uint8_t *)"a", 1 },   { (const uint8_t *)"ab", 2 },
		{ (const uint8_t *)"b", 1 },   { (const uint8_t *)"a\0", 2 },
		{ (const uint8_t *)"\0a", 2 }, { (const uint8_t *)"\0", 1 },
		{ (const uint8_t *)"", 0 },    { (const uint8_t *)"\xff", 1 },
	};
	const uint32_t n = sizeof(keys) / sizeof(keys[0]);

	for (uint32_t round = 0; round < 2; round++)
		for (uint32_t i = 0; i < n * n; i++) {
			struct trace_object *object;

			FEED(.kind = TRACE_OPEN, .id = round * 1000 + i, .msg = i,
			     .volume = keys[i / n], .cookie = keys[i % n]);
			object = trace_requests_by_id(requests, round * 1000 + i);
			ck_assert_uint_eq(object->index, i);
			ck_assert(bytes_equal(object->volume, keys[i / n]));
			ck_assert(bytes_equal(object->cookie, keys[i % n]));
		}
	ck_assert_uint_eq(trace_requests_objects(requests), n * n);
	trace_requests_finish(requests);
}
END_TEST

/* ---- what the engine says ---------------------------------------------------------------- */

START_TEST(test_objects_that_were_open_before)
{
	struct trace_object *object;

	FEED(.kind = TRACE_SOURCE, .source = 1, .text = bytes_str("images"));
	feed_object(40, "c");
	FEED(.kind = TRACE_HANDLE, .id = 3, .object = 40);
	FEED(.kind = TRACE_HANDLE, .id = 4, .object = 41);
	expect("", 1);
	feed_read(0, 3);
	feed_complete(0, 3, 0);
	FEED(.kind = TRACE_CLOSE, .id = 3);
	expect("begun read 0 v/c\nended read 0 v/c 0 after 10\nclosed 3 v/c\n", 1);

	object = trace_requests_by_number(requests, 40);
	ck_assert_ptr_eq(object, trace_requests_by_id(requests, 3));
	ck_assert_ptr_null(trace_requests_by_number(requests, 41));
	ck_assert_str_eq(object->source, "images");
	ck_assert_str_eq(object->locator, "file:x");
	ck_assert_str_eq(object->validator, "etag:1");
	ck_assert(object->size_known && object->size == 5000);
}
END_TEST

START_TEST(test_numbers_end)
{
	struct trace_object *object;

	feed_opened(1, "c");
	feed_object(1, "c");
	feed_object(2, "d");
	object = trace_requests_by_number(requests, 1);
	ck_assert_ptr_eq(object, trace_requests_by_id(requests, 1));
	ck_assert_ptr_null(object->source);

	/* All have closed it; it was opened again, and nothing is known of it this time. */
	FEED(.kind = TRACE_OBJECT, .object = 3, .volume = bytes_str("v"), .cookie = bytes_str("c"));
	ck_assert_ptr_null(trace_requests_by_number(requests, 1));
	ck_assert_ptr_eq(trace_requests_by_number(requests, 3), object);
	ck_assert_ptr_null(object->locator);
	ck_assert_ptr_null(object->validator);
	expect("", 0);

	/* A number of somebody else. */
	feed_object(2, "c");
	expect("", 1);
	ck_assert_ptr_eq(trace_requests_by_number(requests, 3), object);
	ck_assert_ptr_ne(trace_requests_by_number(requests, 2), object);
	feed_object(3, "c"); /* again the same */
	expect("", 1);
	ck_assert_str_eq(object->locator, "file:x");
}
END_TEST

START_TEST(test_work)
{
	feed_object(1, "c");
	FEED(.kind = TRACE_LOOK, .volume = bytes_str("v"), .cookie = bytes_str("c"));
	FEED(.kind = TRACE_LOOK, .volume = bytes_str("v"), .cookie = bytes_str("nobody"));
	FEED(.kind = TRACE_FETCH, .object = 1);
	FEED(.kind = TRACE_STORE, .object = 1);
	FEED(.kind = TRACE_STORE, .object = 2);
	expect("look v/c\nlook nothing\nfetch v/c\nstore v/c\nstore nothing\n", 0);
	ck_assert_uint_eq(trace_requests_objects(requests), 1);
}
END_TEST

/* ---- the whole --------------------------------------------------------------------------- */

START_TEST(test_stats)
{
	struct trace_requests_stats stats = trace_requests_stats(requests);

	ck_assert_uint_eq(stats.first, 0);
	ck_assert(!stats.complete);
	FEED(.kind = TRACE_START);
	FEED(.kind = TRACE_LOST, .count = 5);
	now -= 5;
	FEED(.kind = TRACE_FETCH);
	now -= 100;
	FEED(.kind = TRACE_LOST, .count = 6);
	stats = trace_requests_stats(requests);
	ck_assert_uint_eq(stats.first, now);
	ck_assert_uint_eq(stats.last, 1025);
	ck_assert_uint_eq(stats.lost, 11);
	ck_assert_uint_eq(stats.records, 4);
	ck_assert(!stats.complete);
	FEED(.kind = TRACE_END, .count = 4);
	stats = trace_requests_stats(requests);
	ck_assert(stats.complete);
	ck_assert_uint_eq(stats.strays, 0);
	FEED(.kind = TRACE_END, .count = 4);
	ck_assert_uint_eq(trace_requests_stats(requests).strays, 1);
}
END_TEST

START_TEST(test_no_callbacks)
{
	static const struct trace_requests_callbacks none;

	trace_requests_free(requests);
	ck_assert_int_eq(trace_requests_new(&requests, &none, NULL), 0);
	feed_opened(1, "c");
	feed_read(1, 1);
	feed_read(2, 1);
	feed_complete(2, 1, 0);
	FEED(.kind = TRACE_CLOSE, .id = 1);
	FEED(.kind = TRACE_FETCH);
	FEED(.kind = TRACE_LOOK);
	trace_requests_finish(requests);
	ck_assert_uint_eq(trace_requests_stats(requests).unanswered, 1);
	ck_assert_ptr_null(trace_requests_free(NULL));
}
END_TEST

START_TEST(test_limits)
{
	static const struct trace_requests_callbacks none;
	struct trace_record record = { .kind = TRACE_SOURCE };

	trace_requests_free(requests);
	ck_assert_int_eq(trace_requests_new(&requests, &none, NULL), 0);
	for (uint32_t i = 0; i < TRACE_SOURCES_MAX; i++)
		FEED(.kind = TRACE_SOURCE, .source = i, .text = bytes_str("s"));
	record.source = TRACE_SOURCES_MAX;
	ck_assert_int_eq(trace_requests_feed(requests, &record), -E2BIG);
	FEED(.kind = TRACE_SOURCE, .source = 5, .text = bytes_str("renamed"));

	for (uint32_t i = 0; i < TRACE_OUTSTANDING_MAX; i++)
		feed_read(i, 1);
	record = (struct trace_record){ .kind = TRACE_READ, .msg = TRACE_OUTSTANDING_MAX };
	ck_assert_int_eq(trace_requests_feed(requests, &record), -E2BIG);
	feed_complete(5, 1, 0);
	ck_assert_int_eq(trace_requests_feed(requests, &record), 0);
	trace_requests_finish(requests);
	ck_assert_uint_eq(trace_requests_stats(requests).unanswered, TRACE_OUTSTANDING_MAX);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("trace-requests");
	TCase *tcase = tcase_create("trace-requests");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60); /* for valgrind */
	tcase_add_test(tcase, test_life);
	tcase_add_test(tcase, test_request_that_is_never_answered);
	tcase_add_test(tcase, test_refused_open);
	tcase_add_test(tcase, test_reopen_is_the_same_object);
	tcase_add_test(tcase, test_keys_are_bytes);
	tcase_add_test(tcase, test_objects_that_were_open_before);
	tcase_add_test(tcase, test_numbers_end);
	tcase_add_test(tcase, test_work);
	tcase_add_test(tcase, test_stats);
	tcase_add_test(tcase, test_no_callbacks);
	tcase_add_test(tcase, test_limits);
	suite_add_tcase(s, tcase);

	return run_suite(s);
}
