/* SPDX-License-Identifier: MIT */
/*
 * Writes a trace of any length that no kernel has seen:
 *
 *	make-trace OUT REQUESTS [OBJECTS [SIZE_KIB [READERS [RANDOM_PERCENT]]]]
 *
 * Readers take turns; each has one READ outstanding, of 4 KiB at random places or 64 KiB where it
 * reads on. It is the same for the same arguments.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/replay/pattern.h"
#include "daemon/trace/file.h"

#define READERS_MAX 1024
#define US	    ((uint64_t)1000)
#define BLOCK	    ((uint64_t)4096)

struct reader {
	uint64_t at;	/* where it reads on */
	uint64_t until; /* its READ is answered then */
	uint32_t object;
	bool asks;
};

static struct trace_writer *writer;
static uint64_t now = US * US, n_records, seed;
static uint32_t n_objects = 64, n_readers = 8, random_percent = 50;
static uint64_t n_requests, size = 4096 * 1024;
static struct reader readers[READERS_MAX];

static uint64_t any(uint64_t below)
{
	return pattern_word(1, seed++) % below;
}

static void put(struct trace_record record)
{
	char error[TRACE_ERROR_MAX];

	record.time = now;
	if (trace_writer_put(writer, &record, error) < 0) {
		fprintf(stderr, "%s\n", error);
		exit(1);
	}
	n_records++;
}

static void open_object(uint32_t i)
{
	char cookie[32];
	struct bytes volume = bytes_str("erofs,bench"), key;

	snprintf(cookie, sizeof(cookie), "object-%" PRIu32, i);
	key = bytes_str(cookie);
	put((struct trace_record){
		.kind = TRACE_OPEN, .msg = i, .id = i + 1, .volume = volume, .cookie = key });
	now += 100 * US;
	put((struct trace_record){ .kind = TRACE_OBJECT,
				   .object = i + 1,
				   .size = size,
				   .volume = volume,
				   .cookie = key,
				   .locator = bytes_str("http://origin/object"),
				   .validator = bytes_str("etag:1") });
	put((struct trace_record){ .kind = TRACE_COPEN, .msg = i, .size = size });
}

static void ask(uint32_t i)
{
	struct reader *r = &readers[i];
	bool jump = any(100) < random_percent;
	uint64_t len = jump ? BLOCK : 16 * BLOCK;

	if (jump || r->at + len > size) {
		r->object = (uint32_t)any(n_objects);
		r->at = any((size - len) / BLOCK + 1) * BLOCK;
	}
	put((struct trace_record){ .kind = TRACE_READ,
				   .msg = n_objects + i,
				   .id = r->object + 1,
				   .off = r->at,
				   .len = len });
	r->at += len;
	r->until = now + (100 + any(900)) * US;
	r->asks = true;
}

static void answer(uint32_t i)
{
	put((struct trace_record){
		.kind = TRACE_COMPLETE, .msg = n_objects + i, .id = readers[i].object + 1 });
	readers[i].asks = false;
}

static void write_all(void)
{
	uint64_t asked = n_objects;

	put((struct trace_record){ .kind = TRACE_START,
				   .program = bytes_str("make-trace"),
				   .kernel = bytes_str("none") });
	put((struct trace_record){ .kind = TRACE_SOURCE,
				   .text = bytes_str("origin"),
				   .locator = bytes_str("http://origin/{cookie}") });
	for (uint32_t i = 0; i < n_objects; i++)
		open_object(i);
	while (asked < n_requests) {
		for (uint32_t i = 0; i < n_readers; i++) {
			if (readers[i].asks && readers[i].until <= now)
				answer(i);
			if (!readers[i].asks && asked < n_requests) {
				ask(i);
				asked++;
			}
		}
		now += 50 * US;
	}
	for (uint32_t i = 0; i < n_readers; i++)
		if (readers[i].asks)
			answer(i);
	put((struct trace_record){ .kind = TRACE_END, .count = n_records });
}

int main(int argc, char **argv)
{
	char error[TRACE_ERROR_MAX];

	if (argc < 3) {
		fprintf(stderr, "make-trace OUT REQUESTS [OBJECTS [SIZE_KIB [READERS "
				"[RANDOM_PERCENT]]]]\n");
		return 2;
	}
	n_requests = strtoull(argv[2], NULL, 10);
	if (argc > 3)
		n_objects = (uint32_t)strtoul(argv[3], NULL, 10);
	if (argc > 4)
		size = strtoull(argv[4], NULL, 10) * 1024;
	if (argc > 5)
		n_readers = (uint32_t)strtoul(argv[5], NULL, 10);
	if (argc > 6)
		random_percent = (uint32_t)strtoul(argv[6], NULL, 10);
	if (n_objects == 0 || n_readers == 0 || n_readers > READERS_MAX || size < 16 * BLOCK ||
	    size % BLOCK) {
		fprintf(stderr, "make-trace: these numbers do not go together\n");
		return 2;
	}
	if (trace_writer_new(&writer, argv[1], error) < 0) {
		fprintf(stderr, "%s\n", error);
		return 1;
	}
	write_all();
	if (trace_writer_finish(writer, error) < 0) {
		fprintf(stderr, "%s\n", error);
		return 1;
	}
	return 0;
}
