/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a trace: once as they are, and once with right checksums, which no mutation would
 * hit. What is decoded borrows from the bytes, is the same when they come in two pieces, and
 * survives being written again; the join of requests ends what it begins.
 */
#include <stdbool.h>
#include <string.h>
#include <xxhash.h>

#include "daemon/trace/requests.h"
#include "proto/trace.h"
#include "tests/fuzz/fuzz.h"

/* ---- right checksums --------------------------------------------------------------------- */

static void put_le(uint8_t *p, uint64_t v, size_t size)
{
	for (size_t i = 0; i < size; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

/* Writes them as far as lengths make sense. */
static void repair(uint8_t *data, size_t n)
{
	uint32_t schema;
	size_t at;

	if (n < 28)
		return;
	memcpy(&schema, data + 16, sizeof(schema));
	if (schema > n - 28)
		return;
	at = 20 + schema;
	put_le(data + at, XXH3_64bits(data, at), 8);
	for (at += 8; at < n;) {
		size_t body = at, len = 0;

		do {
			if (body == n || body - at > 2)
				return;
			len |= (size_t)(data[body] & 0x7f) << 7 * (body - at);
		} while (data[body++] & 0x80);
		len += body - at;
		if (n - at < len + 4)
			return;
		put_le(data + at + len, XXH3_64bits_withSeed(data + at, len, at), 4);
		at += len + 4;
	}
}

/* ---- records ----------------------------------------------------------------------------- */

struct inside {
	const uint8_t *data;
	size_t n;
};

static void check_inside(void *arg, const char *name, enum trace_type type, const void *value)
{
	const struct inside *inside = arg;
	const struct bytes *b = value;

	FUZZ_CHECK(*name && type < TRACE_TYPES);
	if ((type == TRACE_TEXT || type == TRACE_KEY) && b->data)
		FUZZ_CHECK(b->data >= inside->data && b->len <= inside->n &&
			   b->data + b->len <= inside->data + inside->n);
}

struct comparison {
	const struct trace_record *a, *b;
};

static void check_same(void *arg, const char *name, enum trace_type type, const void *value)
{
	const struct comparison *c = arg;
	const void *other = (const char *)c->b + ((const char *)value - (const char *)c->a);

	if (type == TRACE_TEXT || type == TRACE_KEY)
		FUZZ_CHECK(bytes_equal(*(const struct bytes *)value, *(const struct bytes *)other));
	else
		FUZZ_CHECK(memcmp(value, other, type == TRACE_U64 ? 8 : 4) == 0);
}

static void check_written_again(const struct trace_record *record)
{
	static uint8_t header[TRACE_HEADER_MAX], buf[TRACE_RECORD_MAX];
	static struct trace_decoder fresh;
	struct trace_encoder encoder = { 0 };
	struct trace_decoder decoder;
	struct trace_record again;
	size_t n, used;

	n = trace_encode_header(&encoder, header, sizeof(header));
	if (fresh.off == 0)
		FUZZ_CHECK(trace_decode_header(&fresh, header, n, &used) == TRACE_OK);
	n = trace_encode(&encoder, buf, sizeof(buf), record);
	if (record->kind == TRACE_UNKNOWN) {
		FUZZ_CHECK(n == 0);
		return;
	}
	if (n == 0)
		return; /* the fields of ours that it lacked have made it too long */
	decoder = fresh;
	FUZZ_CHECK(trace_decode(&decoder, buf, n, &used, &again) == TRACE_OK && used == n);
	FUZZ_CHECK(again.kind == record->kind && again.time == record->time);
	trace_each_field(record, check_same, &(struct comparison){ record, &again });
}

/* ---- the join ---------------------------------------------------------------------------- */

static uint64_t n_begun, n_ended;

static void on_begun(void *arg, struct trace_request *request)
{
	n_begun++;
	request->data = malloc(1);
}

static void on_ended(void *arg, struct trace_request *request)
{
	n_ended++;
	free(request->data);
}

static const struct trace_requests_callbacks callbacks = { .begun = on_begun, .ended = on_ended };

static void finish(struct trace_requests *requests)
{
	struct trace_requests_stats stats;

	trace_requests_finish(requests);
	stats = trace_requests_stats(requests);
	FUZZ_CHECK(n_begun == n_ended && stats.requests == n_begun);
	FUZZ_CHECK(stats.unanswered <= stats.requests && stats.first <= stats.last);
	for (size_t i = 0; i < trace_requests_objects(requests); i++)
		FUZZ_CHECK(trace_requests_object(requests, i)->index == i);
	trace_requests_free(requests);
}

/* ---- the whole --------------------------------------------------------------------------- */

/* A checker sees the first byte that is read past these. */
static uint8_t *copy_of(const uint8_t *data, size_t n)
{
	uint8_t *copy = calloc(1, n ? n : 1);

	FUZZ_CHECK(copy);
	if (n > 0)
		memcpy(copy, data, n);
	return copy;
}

/* With fewer bytes, either more are wanted, or the verdict is the same. */
static void check_piece(struct trace_decoder decoder, const uint8_t *data, size_t n,
			enum trace_verdict whole, size_t whole_used)
{
	uint8_t *piece = copy_of(data, n);
	enum trace_verdict verdict;
	struct trace_record record;
	size_t used = 0;

	if (decoder.off == 0)
		verdict = trace_decode_header(&decoder, piece, n, &used);
	else
		verdict = trace_decode(&decoder, piece, n, &used, &record);
	FUZZ_CHECK(verdict == TRACE_MORE || verdict == whole);
	FUZZ_CHECK(verdict != TRACE_OK || used == whole_used);
	FUZZ_CHECK(verdict == TRACE_MORE || n >= 1);
	free(piece);
}

/* Returns how long the first part is that can be decoded. */
static size_t decode(const uint8_t *data, size_t n)
{
	struct trace_decoder decoder = { 0 }, before = decoder;
	struct trace_requests *requests;
	struct inside inside = { data, n };
	struct trace_record record;
	const size_t cut = n > 0 ? XXH3_64bits(data, n) % n : 0;
	enum trace_verdict verdict;
	size_t used = 0, off = 0;

	n_begun = n_ended = 0;
	FUZZ_CHECK(trace_requests_new(&requests, &callbacks, NULL) == 0);
	verdict = trace_decode_header(&decoder, data, n, &used);
	for (;;) {
		FUZZ_CHECK(*trace_verdict_text(verdict));
		check_piece(before, data + off, cut > off ? cut - off : (n - off) / 2, verdict,
			    used);
		if (verdict != TRACE_OK)
			break;
		FUZZ_CHECK(used > 0 && used <= n - off);
		off += used;
		FUZZ_CHECK(decoder.off == off);

		before = decoder;
		verdict = trace_decode(&decoder, data + off, n - off, &used, &record);
		if (verdict != TRACE_OK)
			continue;
		FUZZ_CHECK(*record.name && record.time == decoder.time);
		trace_each_field(&record, check_inside, &inside);
		check_written_again(&record);
		FUZZ_CHECK(trace_requests_feed(requests, &record) <= 0);
	}
	FUZZ_CHECK(verdict != TRACE_MORE || off == 0 || n - off < TRACE_RECORD_MAX);
	FUZZ_CHECK(off == 0 || memcmp(&decoder, &before, sizeof(before)) == 0);
	finish(requests);
	return off;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	uint8_t *copy = copy_of(data, n);
	size_t first = decode(copy, n), second;

	repair(copy, n);
	second = decode(copy, n);
	FUZZ_CHECK(second >= first);
	free(copy);
	return 0;
}
