/* SPDX-License-Identifier: MIT */
/*
 * Records that are fed, one after the other, and what is told of the requests that they make.
 */
#pragma once

#include <check.h>

#include "daemon/trace/requests.h"

extern struct trace_requests *requests;
extern uint64_t now;
extern char told[4096]; /* one line per callback */

void setup(void);
void teardown(void);

/* Each is 10 ns later than the one before. Assertions are slow, and there are many of these. */
#define FEED(...)                                              \
	do {                                                   \
		struct trace_record feed = { __VA_ARGS__ };    \
		feed.time = now += 10;                         \
		if (trace_requests_feed(requests, &feed) != 0) \
			ck_abort_msg("a record is refused");   \
	} while (0)

void feed_open(uint32_t msg, uint32_t id, const char *cookie);
void feed_opened(uint32_t id, const char *cookie);
void feed_read(uint32_t msg, uint32_t id);
void feed_complete(uint32_t msg, uint32_t id, int32_t result);
void feed_object(uint64_t number, const char *cookie);

/* What was told since the last call, and how many records fitted nothing since the beginning. */
void expect(const char *lines, uint64_t strays);
