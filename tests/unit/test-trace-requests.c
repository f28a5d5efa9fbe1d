/* SPDX-License-Identifier: MIT */
#include "daemon/trace/requests.h"

#include <check.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/run-suite.h"
#include "tests/unit/trace-raw.h"

/* ---- what is told ------------------------------------------------------------------------ */

static struct trace_requests *requests;
static uint64_t now;
static char told[4096]; /* one line per callback */

static void __attribute__((format(printf, 1, 2))) tell(const char *fmt, ...)
{
	size_t used = strlen(told);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(told + used, sizeof(told) - used, fmt, ap);
	va_end(ap);
}

static void tell_object(const struct trace_object *object)
{
	if (object)
		tell(" %.*s/%.*s", (int)object->volume.len, (const char *)object->volume.data,
		     (int)object->cookie.len, (const char *)object->cookie.data);
	else
		tell(" nothing");
}

static void on_begun(void *arg, struct trace_request *request)
{
	ck_assert_ptr_eq(arg, &now);
	ck_assert(!request->answered);
	ck_assert_uint_eq(request->begun, now);
	tell("begun %s %u", trace_kind_name(request->kind), request->msg);
	tell_object(request->object);
	tell("\n");
	request->data = malloc(1); /* a leak unless ended() comes */
}

static void on_ended(void *arg, struct trace_request *request)
{
	free(request->data);
	tell("ended %s %u", trace_kind_name(request->kind), request->msg);
	tell_object(request->object);
	if (request->answered)
		tell(" %d after %d\n", request->error, (int)(request->ended - request->begun));
	else
		tell(" unanswered\n");
}

static void on_closed(void *arg, struct trace_object *object, uint32_t id, uint64_t time)
{
	ck_assert_uint_eq(time, now);
	tell("closed %u", id);
	tell_object(object);
	tell("\n");
}

static void on_worked(void *arg, struct trace_object *object, const struct trace_record *record)
{
	tell("%s", trace_kind_name(record->kind));
	tell_object(object);
	tell("\n");
}

static const struct trace_requests_callbacks callbacks = {
	.begun = on_begun,
	.ended = on_ended,
	.closed = on_closed,
	.worked = on_worked,
};

static void setup(void)
{
	now = 1000;
	told[0] = '\0';
	ck_assert_int_eq(trace_requests_new(&requests, &callbacks, &now), 0);
}

static void teardown(void)
{
	requests = trace_requests_free(requests);
	ck_assert_ptr_null(requests);
}

/* ---- records ----------------------------------------------------------------------------- */

/* Each is 10 ns later than the one before. Assertions are slow, and there are many of these. */
#define FEED(...)                                              \
	do {                                                   \
		struct trace_record feed = { __VA_ARGS__ };    \
		feed.time = now += 10;                         \
		if (trace_requests_feed(requests, &feed) != 0) \
			ck_abort_msg("a record is refused");   \
	} while (0)

static void feed_open(uint32_t msg, uint32_t id, const char *cookie)
{
	FEED(.kind = TRACE_OPEN, .msg = msg, .id = id, .volume = bytes_str("v"),
	     .cookie = bytes_str(cookie));
}

static void feed_opened(uint32_t id, const char *cookie)
{
	feed_open(900, id, cookie);
	FEED(.kind = TRACE_COPEN, .msg = 900, .size = 8192);
	told[0] = '\0';
}

static void feed_read(uint32_t msg, uint32_t id)
{
	FEED(.kind = TRACE_READ, .msg = msg, .id = id, .off = 4096, .len = 100);
}

static void feed_complete(uint32_t msg, uint32_t id, int32_t result)
{
	FEED(.kind = TRACE_COMPLETE, .msg = msg, .id = id, .result = result);
}

static void feed_object(uint64_t number, const char *cookie)
{
	FEED(.kind = TRACE_OBJECT, .object = number, .source = 1, .size = 5000,
	     .volume = bytes_str("v"), .cookie = bytes_str(cookie), .locator = bytes_str("file:x"),
	     .validator = bytes_str("etag:1"));
}

static void expect(const char *lines, uint64_t strays)
{
	ck_assert_str_eq(told, lines);
	ck_assert_uint_eq(trace_requests_stats(requests).strays, strays);
	told[0] = '\0';
}

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
	FEED(.kind = TRACE_CLOSE, .id = 1);
	FEED(.kind = TRACE_CLOSE, .id = 1);
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
	tcase_add_test(tcase, test_reads_of_ids_that_are_not_open);
	tcase_add_test(tcase, test_answers_to_nothing);
	tcase_add_test(tcase, test_message_id_that_is_used_too_early);
	tcase_add_test(tcase, test_object_id_that_is_used_too_early);
	tcase_add_test(tcase, test_records_that_are_no_part_of_a_request);
	tcase_add_test(tcase, test_messages_that_make_no_sense);
	tcase_add_test(tcase, test_stats);
	tcase_add_test(tcase, test_no_callbacks);
	tcase_add_test(tcase, test_limits);
	tcase_add_test(tcase, test_any_order);
	suite_add_tcase(s, tcase);

	return run_suite(s);
}
