/* SPDX-License-Identifier: MIT */
#include "tests/unit/trace-requests-fixture.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct trace_requests *requests;
uint64_t now;
char told[4096];

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

void setup(void)
{
	now = 1000;
	told[0] = '\0';
	ck_assert_int_eq(trace_requests_new(&requests, &callbacks, &now), 0);
}

void teardown(void)
{
	requests = trace_requests_free(requests);
	ck_assert_ptr_null(requests);
}

void feed_open(uint32_t msg, uint32_t id, const char *cookie)
{
	FEED(.kind = TRACE_OPEN, .msg = msg, .id = id, .volume = bytes_str("v"),
	     .cookie = bytes_str(cookie));
}

void feed_opened(uint32_t id, const char *cookie)
{
	feed_open(900, id, cookie);
	FEED(.kind = TRACE_COPEN, .msg = 900, .size = 8192);
	told[0] = '\0';
}

void feed_read(uint32_t msg, uint32_t id)
{
	FEED(.kind = TRACE_READ, .msg = msg, .id = id, .off = 4096, .len = 100);
}

void feed_complete(uint32_t msg, uint32_t id, int32_t result)
{
	FEED(.kind = TRACE_COMPLETE, .msg = msg, .id = id, .result = result);
}

void feed_object(uint64_t number, const char *cookie)
{
	FEED(.kind = TRACE_OBJECT, .object = number, .source = 1, .size = 5000,
	     .volume = bytes_str("v"), .cookie = bytes_str(cookie), .locator = bytes_str("file:x"),
	     .validator = bytes_str("etag:1"));
}

void expect(const char *lines, uint64_t strays)
{
	ck_assert_str_eq(told, lines);
	ck_assert_uint_eq(trace_requests_stats(requests).strays, strays);
	told[0] = '\0';
}
