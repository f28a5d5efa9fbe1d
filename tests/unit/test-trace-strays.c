/* SPDX-License-Identifier: MIT */
/*
 * Records that fit to no request, or to nothing, in any order.
 */
#include <errno.h>

#include "tests/lib/run-suite.h"
#include "tests/unit/trace-raw.h"
#include "tests/unit/trace-requests-fixture.h"

/* ---- what fits nothing ------------------------------------------------------------------- */

START_TEST(test_reads_of_ids_that_are_not_open)
{
	feed_read(0, 1);
	feed_complete(0, 1, 0);
	expect("begun read 0 nothing\nended read 0 nothing 0 after 10\n", 1);
	feed_open(1, 1, "c");
	feed_read(0, 1);
	expect("begun open 1 v/c\nbegun read 0 v/c\n", 2);
	FEED(.kind = TRACE_COPEN, .msg = 1);
	FEED(.kind = TRACE_CLOSE, .msg = 1, .id = 1);
	FEED(.kind = TRACE_CLOSE, .msg = 1, .id = 1);
	feed_read(2, 1);
	FEED(.kind = TRACE_RELEASE, .id = 1);
	FEED(.kind = TRACE_RELEASE, .id = 1);
	feed_read(3, 1);
	expect("ended open 1 v/c 0 after 20\nclosed 1 v/c\nbegun read 2 v/c\nbegun read 3 "
	       "nothing\n",
	       6);
	trace_requests_finish(requests);
	expect("ended read 0 v/c unanswered\nended read 2 v/c unanswered\n"
	       "ended read 3 nothing unanswered\n",
	       6);
}
END_TEST

START_TEST(test_answers_to_nothing)
{
	feed_opened(1, "c");
	feed_complete(5, 1, 0);
	FEED(.kind = TRACE_COPEN, .msg = 5);
	expect("", 2);
	feed_read(5, 1);
	feed_complete(5, 2, 0);		     /* another object */
	FEED(.kind = TRACE_COPEN, .msg = 5); /* it is no OPEN */
	expect("begun read 5 v/c\n", 4);
	feed_complete(5, 1, 0);
	feed_complete(5, 1, 0);
	expect("ended read 5 v/c 0 after 30\n", 5);
	feed_open(6, 2, "d");
	feed_complete(6, 2, 0);
	expect("begun open 6 v/d\n", 6);
	trace_requests_finish(requests);
	expect("ended open 6 v/d unanswered\n", 6);
}
END_TEST

START_TEST(test_message_id_that_is_used_too_early)
{
	feed_opened(1, "c");
	feed_read(5, 1);
	feed_open(5, 2, "d");
	expect("begun read 5 v/c\nended read 5 v/c unanswered\nbegun open 5 v/d\n", 1);
	ck_assert_uint_eq(trace_requests_stats(requests).unanswered, 1);
	FEED(.kind = TRACE_COPEN, .msg = 5);
	expect("ended open 5 v/d 0 after 10\n", 1);
}
END_TEST

/* A CLOSE takes no answer away from who waits, and ends what it names. */
START_TEST(test_message_id_of_a_close_that_is_used_too_early)
{
	feed_opened(1, "c");
	feed_opened(2, "d");
	feed_read(5, 1);
	FEED(.kind = TRACE_CLOSE, .msg = 5, .id = 2);
	expect("begun read 5 v/c\nclosed 2 v/d\n", 1);
	FEED(.kind = TRACE_CLOSE, .msg = 5, .id = 2); /* one record, however much is wrong */
	feed_complete(5, 1, 0);
	expect("ended read 5 v/c 0 after 30\n", 2);
	FEED(.kind = TRACE_CLOSE, .msg = 5, .id = 1);
	expect("closed 1 v/c\n", 2);
}
END_TEST

/* Whether messages that made no sense are still waited for is not known. */
START_TEST(test_close_with_the_message_id_of_a_bad_one)
{
	feed_opened(1, "c");
	FEED(.kind = TRACE_BAD, .msg = 5, .id = 1, .opcode = 2);
	FEED(.kind = TRACE_CLOSE, .msg = 5, .id = 1);
	expect("closed 1 v/c\n", 0);
}
END_TEST

START_TEST(test_object_id_that_is_used_too_early)
{
	feed_opened(1, "c");
	feed_open(5, 1, "d");
	expect("closed 1 v/c\nbegun open 5 v/d\n", 1);
	ck_assert_uint_eq(trace_requests_by_id(requests, 1)->index, 1);
	FEED(.kind = TRACE_COPEN, .msg = 5);
	FEED(.kind = TRACE_CLOSE, .id = 1);
	expect("ended open 5 v/d 0 after 10\nclosed 1 v/d\n", 1);
}
END_TEST

/* What came for its first meaning says nothing of the next one. */
START_TEST(test_answer_to_an_open_whose_id_was_given_again)
{
	feed_open(5, 1, "c");
	FEED(.kind = TRACE_RELEASE, .id = 1);
	feed_open(6, 1, "c");
	FEED(.kind = TRACE_COPEN, .msg = 5);
	FEED(.kind = TRACE_CLOSE, .id = 1);
	expect("begun open 5 v/c\nbegun open 6 v/c\nended open 5 v/c 0 after 30\n", 1);
	FEED(.kind = TRACE_COPEN, .msg = 6);
	FEED(.kind = TRACE_CLOSE, .id = 1);
	expect("ended open 6 v/c 0 after 30\nclosed 1 v/c\n", 1);
}
END_TEST

START_TEST(test_records_that_are_no_part_of_a_request)
{
	FEED(.kind = TRACE_START, .realtime = 1);
	FEED(.kind = TRACE_UNKNOWN);
	FEED(.kind = TRACE_COMMAND, .text = bytes_str("bind ondemand"));
	FEED(.kind = TRACE_RECEIVE, .result = -EMFILE);
	FEED(.kind = TRACE_KINDS);
	expect("", 0);
	ck_assert_uint_eq(trace_requests_stats(requests).records, 5);
}
END_TEST

START_TEST(test_messages_that_make_no_sense)
{
	feed_opened(1, "c");
	/* Refused, and its descriptor closed. */
	FEED(.kind = TRACE_BAD, .msg = 5, .id = 2, .opcode = 0);
	FEED(.kind = TRACE_COPEN, .msg = 5, .error = -EINVAL);
	ck_assert_ptr_null(trace_requests_by_id(requests, 2));
	FEED(.kind = TRACE_RELEASE, .id = 2);
	/* Completed; never answered; of an id that is open. */
	FEED(.kind = TRACE_BAD, .msg = 5, .id = 1, .opcode = 2);
	feed_complete(5, 1, 0);
	FEED(.kind = TRACE_BAD, .msg = 5, .id = 1, .opcode = 0);
	expect("", 0);
	feed_read(5, 1);
	FEED(.kind = TRACE_BAD, .msg = 5, .id = 1, .opcode = UINT32_MAX); /* not even an id */
	feed_complete(5, 1, 0);
	expect("begun read 5 v/c\nended read 5 v/c 0 after 20\n", 0);
	feed_read(5, 1);
	FEED(.kind = TRACE_BAD, .msg = 5, .id = 1, .opcode = 2);
	feed_complete(5, 1, 0);
	expect("begun read 5 v/c\nended read 5 v/c 0 after 20\n", 1);
	ck_assert_uint_eq(trace_requests_stats(requests).requests, 3);

	FEED(.kind = TRACE_BAD, .msg = 5, .id = 3, .opcode = 0);
	feed_complete(5, 1, 0); /* another id */
	feed_read(6, 3);
	expect("begun read 6 nothing\n", 3);
	trace_requests_finish(requests);
	expect("ended read 6 nothing unanswered\n", 3);
	ck_assert_uint_eq(trace_requests_stats(requests).unanswered, 1);
}
END_TEST

/* ---- any order --------------------------------------------------------------------------- */

#define MSGS 16
#define IDS  8

/* What must hold of each request, whatever comes. */
static struct {
	struct trace_request seen[MSGS]; /* as it was in begun() */
	bool waiting[MSGS];
	unsigned int begun, ended, answered;
	const struct trace_record *record; /* that is being fed; NULL: at the end */
} chaos;

static void chaos_begun(void *arg, struct trace_request *request)
{
	const struct trace_record *r = chaos.record;

	ck_assert(!chaos.waiting[request->msg]);
	ck_assert(r->kind == request->kind && r->msg == request->msg && r->id == request->id);
	ck_assert(request->begun == r->time && request->off == r->off && request->len == r->len);
	chaos.waiting[request->msg] = true;
	chaos.seen[request->msg] = *request;
	chaos.begun++;
}

static void chaos_ended(void *arg, struct trace_request *request)
{
	const struct trace_record *r = chaos.record;
	const struct trace_request *seen = &chaos.seen[request->msg];

	ck_assert(chaos.waiting[request->msg]);
	chaos.waiting[request->msg] = false;
	ck_assert(seen->kind == request->kind && seen->object == request->object &&
		  seen->id == request->id && seen->off == request->off &&
		  seen->len == request->len && seen->begun == request->begun);
	chaos.ended++;
	if (!request->answered) {
		ck_assert(!r || ((r->kind == TRACE_OPEN || r->kind == TRACE_READ) &&
				 r->msg == request->msg));
		return;
	}
	chaos.answered++;
	ck_assert_int_eq(r->kind, request->kind == TRACE_OPEN ? TRACE_COPEN : TRACE_COMPLETE);
	ck_assert_uint_eq(r->msg, request->msg);
	ck_assert_uint_eq(r->time, request->ended);
	ck_assert_int_le(request->error, 0);
}

START_TEST(test_any_order)
{
	static const struct trace_requests_callbacks chaotic = { .begun = chaos_begun,
								 .ended = chaos_ended };
	static const char *const names[] = { "a", "b", "c", "d" };
	struct random random = { .state = 11 };
	const char *means[IDS] = { NULL };
	struct trace_requests_stats stats;
	unsigned int n_waiting = 0;

	trace_requests_free(requests);
	ck_assert_int_eq(trace_requests_new(&requests, &chaotic, NULL), 0);
	for (int i = 0; i < 100000; i++) {
		struct trace_record record = random_record(&random, 0);
		const char *name = names[record.cookie.len % 4];
		struct trace_object *object;

		record.msg %= MSGS;
		record.id %= IDS;
		record.object %= 8;
		record.source %= 8;
		record.volume.len = 0;
		record.cookie = bytes_str(name);
		if (record.kind == TRACE_OPEN)
			means[record.id] = name;
		record.opcode %= 4;
		if (record.kind == TRACE_RELEASE)
			means[record.id] = NULL;
		object = trace_requests_by_number(requests, record.object);
		if (record.kind == TRACE_HANDLE && object)
			means[record.id] = names[object->cookie.data[0] - 'a'];

		chaos.record = &record;
		ck_assert_int_eq(trace_requests_feed(requests, &record), 0);
		for (uint32_t id = 0; id < IDS; id++) {
			object = trace_requests_by_id(requests, id);
			if (!object != !means[id] ||
			    (object && !bytes_equal(object->cookie, bytes_str(means[id]))))
				ck_abort_msg("record %d, id %u", i, id);
		}
	}
	ck_assert_uint_eq(trace_requests_objects(requests), 4);

	chaos.record = NULL;
	for (int i = 0; i < MSGS; i++)
		n_waiting += chaos.waiting[i];
	ck_assert_uint_eq(chaos.begun, chaos.ended + n_waiting);
	trace_requests_finish(requests);
	stats = trace_requests_stats(requests);
	ck_assert_uint_eq(chaos.begun, chaos.ended);
	ck_assert_uint_eq(stats.requests, chaos.begun);
	ck_assert_uint_eq(stats.unanswered, chaos.ended - chaos.answered);
	ck_assert_uint_gt(chaos.answered, 1000);
	ck_assert_uint_gt(stats.strays, 1000);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("trace-strays");
	TCase *tcase = tcase_create("trace-strays");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60); /* for valgrind */
	tcase_add_test(tcase, test_reads_of_ids_that_are_not_open);
	tcase_add_test(tcase, test_answers_to_nothing);
	tcase_add_test(tcase, test_message_id_that_is_used_too_early);
	tcase_add_test(tcase, test_message_id_of_a_close_that_is_used_too_early);
	tcase_add_test(tcase, test_close_with_the_message_id_of_a_bad_one);
	tcase_add_test(tcase, test_object_id_that_is_used_too_early);
	tcase_add_test(tcase, test_answer_to_an_open_whose_id_was_given_again);
	tcase_add_test(tcase, test_records_that_are_no_part_of_a_request);
	tcase_add_test(tcase, test_messages_that_make_no_sense);
	tcase_add_test(tcase, test_any_order);
	suite_add_tcase(s, tcase);

	return run_suite(s);
}
