/* SPDX-License-Identifier: MIT */
#include "proto/trace.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/run-suite.h"
#include "tests/unit/trace-raw.h"

static struct raw raw;

/* In memory of exactly its size, where a checker sees the first byte that is read past it. */
static enum trace_verdict decode_header(const void *data, size_t n)
{
	struct trace_decoder decoder;
	uint8_t *copy = malloc(n ? n : 1);
	enum trace_verdict verdict;
	size_t used = 0;

	memcpy(copy, data, n);
	verdict = trace_decode_header(&decoder, copy, n, &used);
	ck_assert(verdict != TRACE_OK || (used <= n && decoder.off == used));
	free(copy);
	return verdict;
}

/* Decodes all of `raw` and returns the first verdict that is not TRACE_OK, TRACE_MORE at its end.
 */
static enum trace_verdict decode_all(size_t *ret_records)
{
	struct trace_decoder decoder;
	struct trace_record record;
	size_t used, off, n = 0;
	enum trace_verdict verdict = trace_decode_header(&decoder, raw.data, raw.len, &used);

	for (off = used; verdict == TRACE_OK; off += used, n++)
		verdict = trace_decode(&decoder, raw.data + off, raw.len - off, &used, &record);
	*ret_records = n > 0 ? n - 1 : 0;
	return verdict;
}

/* ---- what is written --------------------------------------------------------------------- */

/* The schema is the contract with every reader: a change here has to be one that they survive. */
static const char our_schema[] =
	"1 start realtime:u64 program:text kernel:text\n"
	"2 source source:u32 name:text locator:text\n"
	"3 object object:u64 source:u32 size:u64 flags:u32 volume:key cookie:key locator:text "
	"validator:text\n"
	"4 handle id:u32 object:u64\n"
	"5 open msg:u32 id:u32 flags:u32 volume:key cookie:key\n"
	"6 read msg:u32 id:u32 off:u64 len:u64\n"
	"7 close msg:u32 id:u32\n"
	"8 bad msg:u32 id:u32 opcode:u32 len:u64\n"
	"9 receive result:s32\n"
	"10 copen msg:u32 size:u64 error:s32 result:s32\n"
	"11 complete msg:u32 id:u32 result:s32\n"
	"12 command text:text result:s32\n"
	"13 release id:u32\n"
	"14 look source:u32 volume:key cookie:key size:u64 took:u64 error:s32\n"
	"15 fetch object:u64 off:u64 len:u64 got:u64 class:u32 queued:u64 took:u64 error:s32\n"
	"16 store object:u64 off:u64 len:u64 took:u64 error:s32\n"
	"17 lost count:u64\n"
	"18 end count:u64\n";

START_TEST(test_header)
{
	struct trace_encoder encoder = { 0 };
	struct trace_decoder decoder;
	uint8_t buf[TRACE_HEADER_MAX];
	size_t n = trace_encode_header(&encoder, buf, sizeof(buf)), used = 0;

	raw_schema(&raw, our_schema);
	ck_assert_uint_eq(n, raw.len);
	ck_assert_mem_eq(buf, raw.data, n);
	ck_assert_uint_eq(encoder.off, n);
	ck_assert_int_eq(trace_decode_header(&decoder, buf, sizeof(buf), &used), TRACE_OK);
	ck_assert_uint_eq(used, n);
	ck_assert_uint_eq(decoder.version, 1);
	ck_assert_uint_eq(decoder.off, n);
}
END_TEST

/* Each member under its name, so that a field cannot be one and be called another. */
static void field_is_there(void *arg, const char *name, enum trace_type type, const void *value)
{
	const struct trace_record *r = arg;
	const struct {
		const char *name;
		const void *member;
	} members[] = {
		{ "msg", &r->msg },
		{ "id", &r->id },
		{ "flags", &r->flags },
		{ "opcode", &r->opcode },
		{ "source", &r->source },
		{ "class", &r->class },
		{ "object", &r->object },
		{ "off", &r->off },
		{ "len", &r->len },
		{ "got", &r->got },
		{ "size", &r->size },
		{ "queued", &r->queued },
		{ "took", &r->took },
		{ "count", &r->count },
		{ "realtime", &r->realtime },
		{ "error", &r->error },
		{ "result", &r->result },
		{ "volume", &r->volume },
		{ "cookie", &r->cookie },
		{ "locator", &r->locator },
		{ "validator", &r->validator },
		{ "program", &r->program },
		{ "kernel", &r->kernel },
		{ "text", &r->text },
		{ "name", &r->text },
	};

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (strcmp(members[i].name, name) == 0) {
			ck_assert_ptr_eq(members[i].member, value);
			return;
		}
	ck_abort_msg("field %s", name);
}

START_TEST(test_fields_are_the_members_of_their_name)
{
	for (int kind = 0; kind < TRACE_KINDS; kind++) {
		struct trace_record record = { .kind = kind };

		trace_each_field(&record, field_is_there, &record);
	}
}
END_TEST

/* The example of cachefill-trace(5), which tests/lint compares with the same bytes in a file. */
START_TEST(test_example_of_the_manual)
{
	static const uint8_t example[] = {
		0x89, 0x43, 0x46, 0x54, 0x0d, 0x0a, 0x1a, 0x0a, 0x01, 0x00, 0x00, 0x00, 0x04,
		0x03, 0x02, 0x01, 0x26, 0x00, 0x00, 0x00, 0x36, 0x20, 0x72, 0x65, 0x61, 0x64,
		0x20, 0x6d, 0x73, 0x67, 0x3a, 0x75, 0x33, 0x32, 0x20, 0x69, 0x64, 0x3a, 0x75,
		0x33, 0x32, 0x20, 0x6f, 0x66, 0x66, 0x3a, 0x75, 0x36, 0x34, 0x20, 0x6c, 0x65,
		0x6e, 0x3a, 0x75, 0x36, 0x34, 0x0a, 0x3a, 0x7d, 0x28, 0xa7, 0x54, 0xf2, 0xf6,
		0x2a, 0x0e, 0x06, 0x80, 0x94, 0xeb, 0xdc, 0x03, 0x05, 0x02, 0x80, 0x80, 0x40,
		0x80, 0x80, 0x08, 0xce, 0x24, 0x4f, 0x4a,
	};
	const struct trace_record read = {
		.kind = TRACE_READ,
		.time = 500000000,
		.msg = 5,
		.id = 2,
		.off = 1 << 20,
		.len = 128 << 10,
	};
	struct trace_decoder decoder;
	struct trace_record record;
	struct trace_encoder encoder = { 0 };
	uint8_t buf[100];
	size_t off, used;

	ck_assert_int_eq(trace_decode_header(&decoder, example, sizeof(example), &off), TRACE_OK);
	ck_assert_uint_eq(off, 66);
	ck_assert_int_eq(
		trace_decode(&decoder, example + off, sizeof(example) - off, &used, &record),
		TRACE_OK);
	ck_assert_uint_eq(off + used, sizeof(example));
	ck_assert(records_equal(&record, &read));

	encoder.off = off;
	ck_assert_uint_eq(trace_encode(&encoder, buf, sizeof(buf), &read), used);
	ck_assert_mem_eq(buf, example + off, used);
}
END_TEST

START_TEST(test_round_trip)
{
	struct random random = { .state = 20 };
	struct trace_encoder encoder = { 0 };
	struct trace_decoder decoder;
	uint64_t time = 0;
	size_t used;
	unsigned int seen[TRACE_KINDS] = { 0 };

	raw.len = trace_encode_header(&encoder, raw.data, sizeof(raw.data));
	ck_assert_int_eq(trace_decode_header(&decoder, raw.data, raw.len, &used), TRACE_OK);
	for (int i = 0; i < 20000; i++) {
		struct trace_record record = random_record(&random, time), back;
		uint8_t buf[TRACE_RECORD_MAX];
		size_t n = trace_encode(&encoder, buf, sizeof(buf), &record);

		ck_assert_uint_gt(n, 0);
		memset(&back, 0xa5, sizeof(back));
		ck_assert_int_eq(trace_decode(&decoder, buf, n, &used, &back), TRACE_OK);
		ck_assert_uint_eq(used, n);
		ck_assert(records_equal(&record, &back));
		ck_assert_str_eq(back.name, trace_kind_name(record.kind));
		ck_assert_uint_eq(decoder.off, encoder.off);
		time = record.time;
		seen[record.kind]++;
	}
	for (int kind = 1; kind < TRACE_KINDS; kind++)
		ck_assert_uint_gt(seen[kind], 0);
}
END_TEST

START_TEST(test_record_that_does_not_fit_changes_nothing)
{
	struct trace_encoder encoder = { .time = 7, .off = 1000 }, before = encoder;
	struct trace_record record = { .kind = TRACE_OPEN,
				       .time = 9,
				       .volume = bytes_str("erofs,v"),
				       .cookie = bytes_str("cookie") };
	uint8_t buf[TRACE_RECORD_MAX], untouched[TRACE_RECORD_MAX];
	size_t n = trace_encode(&encoder, buf, sizeof(buf), &record);

	ck_assert_uint_gt(n, 0);
	memset(untouched, 0x5a, sizeof(untouched));
	for (size_t room = 0; room < n; room++) {
		memset(buf, 0x5a, sizeof(buf));
		encoder = before;
		ck_assert_uint_eq(trace_encode(&encoder, buf, room, &record), 0);
		ck_assert_mem_eq(&encoder, &before, sizeof(before));
		ck_assert_mem_eq(buf, untouched, sizeof(buf));
	}
	ck_assert_uint_eq(trace_encode(&encoder, buf, n, &record), n);
}
END_TEST

START_TEST(test_longest_record)
{
	static uint8_t key[TRACE_RECORD_MAX * 2], buf[TRACE_RECORD_MAX * 2];
	struct trace_encoder encoder = { 0 };
	struct trace_decoder decoder;
	struct trace_record record = { .kind = TRACE_COMMAND }, back;
	size_t n, used, len = 0;

	raw.len = trace_encode_header(&encoder, raw.data, sizeof(raw.data));
	ck_assert_int_eq(trace_decode_header(&decoder, raw.data, raw.len, &used), TRACE_OK);
	do {
		struct trace_encoder try = encoder;

		record.text = bytes_of(key, ++len);
		n = trace_encode(&try, buf, sizeof(buf), &record);
	} while (n > 0);
	ck_assert_uint_eq(encoder.off, raw.len);
	record.text.len = len - 1;
	n = trace_encode(&encoder, buf, sizeof(buf), &record);
	ck_assert_uint_eq(n, TRACE_RECORD_MAX);
	ck_assert_int_eq(trace_decode(&decoder, buf, n, &used, &back), TRACE_OK);
	ck_assert(records_equal(&record, &back));

	record.text.len = SIZE_MAX;
	ck_assert_uint_eq(trace_encode(&encoder, buf, sizeof(buf), &record), 0);
	record = (struct trace_record){ .kind = TRACE_UNKNOWN };
	ck_assert_uint_eq(trace_encode(&encoder, buf, sizeof(buf), &record), 0);
	record.kind = TRACE_KINDS;
	ck_assert_uint_eq(trace_encode(&encoder, buf, sizeof(buf), &record), 0);
}
END_TEST

/* ---- headers that are none --------------------------------------------------------------- */

START_TEST(test_header_that_is_cut)
{
	raw_schema(&raw, our_schema);
	for (size_t n = 0; n < raw.len; n++)
		ck_assert_int_eq(decode_header(raw.data, n), TRACE_MORE);
	ck_assert_int_eq(decode_header(raw.data, raw.len), TRACE_OK);
	ck_assert_int_eq(decode_header(raw.data, raw.len + 1), TRACE_OK);
}
END_TEST

START_TEST(test_flipped_bit_in_the_header)
{
	raw_schema(&raw, our_schema);
	for (size_t bit = 0; bit < raw.len * 8; bit++) {
		enum trace_verdict verdict;

		raw.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		verdict = decode_header(raw.data, raw.len);
		ck_assert_int_ne(verdict, TRACE_OK);
		ck_assert(verdict != TRACE_MORE || bit / 8 < 20); /* in the length of the schema */
		raw.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}
END_TEST

START_TEST(test_other_files)
{
	static const struct {
		const char *data;
		size_t n;
		enum trace_verdict verdict;
	} rows[] = {
		{ "", 0, TRACE_MORE },
		{ "\x89", 1, TRACE_MORE },
		{ "\x88", 1, TRACE_MORE },
		{ "#!/bin/sh\n", 10, TRACE_NOT_A_TRACE },
		{ "\x89PNG\r\n\x1a\n", 8, TRACE_NOT_A_TRACE },
		{ "\0\0\0\0\0\0\0\0\0\0", 10, TRACE_NOT_A_TRACE },
		{ "hey", 3, TRACE_MORE },
		{ "heyC", 4, TRACE_MORE },
		{ "heyCF", 5, TRACE_MORE },
		{ "heyCg", 5, TRACE_NOT_A_TRACE },
		{ "hey!", 4, TRACE_NOT_A_TRACE },
		{ "CFT", 3, TRACE_MANGLED },
		/* seven bits; LF for CR LF; CR LF for LF; no CR; U+0089 or U+FFFD in UTF-8 */
		{ "\x09"
		  "CFT\r\n\x1a\n",
		  8, TRACE_MANGLED },
		{ "\x89"
		  "CFT\n\x1a\n\1",
		  8, TRACE_MANGLED },
		{ "\x89"
		  "CFT\r\r\n\x1a\r\n",
		  10, TRACE_MANGLED },
		{ "\x89"
		  "CFT\r\r\x1a\r",
		  8, TRACE_MANGLED },
		{ "\xc2\x89"
		  "CFT\r\n\x1a\n",
		  9, TRACE_MANGLED },
		{ "\xef\xbf\xbd"
		  "CFT\r\n\x1a\n",
		  11, TRACE_MANGLED },
		{ "CFT\r\n\x1a\n\1", 8, TRACE_MANGLED },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ck_assert_msg(decode_header(rows[i].data, rows[i].n) == rows[i].verdict, "row %zu",
			      i);
}
END_TEST

START_TEST(test_version_and_order)
{
	raw_header(&raw, 2, 0x01020304, our_schema);
	ck_assert_int_eq(decode_header(raw.data, raw.len), TRACE_BAD_VERSION);
	raw_header(&raw, 0, 0x01020304, our_schema);
	ck_assert_int_eq(decode_header(raw.data, raw.len), TRACE_BAD_VERSION);
	/* All numbers the other way round, the version, too. */
	raw_header(&raw, 0x01000000, 0x04030201, our_schema);
	ck_assert_int_eq(decode_header(raw.data, raw.len), TRACE_BAD_ORDER);
	raw_header(&raw, 1, 0x02010403, our_schema);
	ck_assert_int_eq(decode_header(raw.data, raw.len), TRACE_BAD_CHECKSUM);
}
END_TEST

/* A length that no memory has is refused before anybody waits for the bytes. */
START_TEST(test_length_of_the_schema)
{
	static char schema[TRACE_HEADER_LIMIT];

	raw_schema(&raw, "");
	ck_assert_int_eq(decode_header(raw.data, raw.len), TRACE_OK);
	memset(raw.data + 16, 0xff, 4);
	ck_assert_int_eq(decode_header(raw.data, 20), TRACE_BAD_SCHEMA);

	memset(schema, 'x', TRACE_HEADER_LIMIT - 28);
	raw_schema(&raw, schema);
	ck_assert_uint_eq(raw.len, TRACE_HEADER_LIMIT);
	ck_assert_int_eq(decode_header(raw.data, 20), TRACE_MORE);
	schema[TRACE_HEADER_LIMIT - 28] = 'x';
	raw_schema(&raw, schema);
	ck_assert_int_eq(decode_header(raw.data, 20), TRACE_BAD_SCHEMA);
}
END_TEST

START_TEST(test_schemas)
{
	static const struct {
		const char *schema;
		bool good;
	} rows[] = {
		{ "", true },
		{ "0 read\n", true },
		{ "63 read\n", true },
		{ "64 read\n", false },
		{ "18446744073709551617 read\n", false },
		{ "-1 read\n", false },
		{ " 1 read\n", false },
		{ "read\n", false },
		{ "1\n", false },
		{ "1 \n", false },
		{ "1 read", false },
		{ "1 read \n", false },
		{ "1  read\n", false },
		{ "1 read\n\n", false },
		{ "1 read\r\n", false },
		{ "1 Read\n", false },
		{ "1 r\x1b[31m\n", false },
		{ "1 new-kind_2 a:u32\n", true },
		{ "1 a234567890123456789012345678901\n", true },
		{ "1 a2345678901234567890123456789012\n", false },
		{ "1 read msg:u32 later:key\n", true },
		{ "1 read msg\n", false },
		{ "1 read msg:\n", false },
		{ "1 read :u32\n", false },
		{ "1 read msg:u32,id:u32\n", false },
		{ "1 read later:f64\n", false },  /* could not be passed over */
		{ "1 read msg:u64\n", false },	  /* not the field of ours */
		{ "1 read volume:text\n", true }, /* a read of ours has none */
		{ "1 open volume:text\n", false },
		{ "1 read msg:u32 msg:u32\n", false },
		{ "1 read\n2 read\n", false },
		{ "1 read\n1 open\n", false },
		{ "1 new\n1 newer\n", false },
		{ "1 unknown\n", true },
		{ "2 read\n1 open\n", true },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		raw_schema(&raw, rows[i].schema);
		ck_assert_msg(decode_header(raw.data, raw.len) ==
				      (rows[i].good ? TRACE_OK : TRACE_BAD_SCHEMA),
			      "%s", rows[i].schema);
	}
}
END_TEST

START_TEST(test_fields_of_a_line_are_bounded)
{
	char schema[1000] = "1 new", *end = schema + 5;

	for (int i = 0; i < TRACE_SCHEMA_FIELDS; i++)
		end += sprintf(end, " f%d:u32", i);
	strcpy(end, "\n");
	raw_schema(&raw, schema);
	ck_assert_int_eq(decode_header(raw.data, raw.len), TRACE_OK);
	strcpy(end, " more:u32\n");
	raw_schema(&raw, schema);
	ck_assert_int_eq(decode_header(raw.data, raw.len), TRACE_BAD_SCHEMA);
}
END_TEST

/* ---- records ----------------------------------------------------------------------------- */

#define A_READ "\x06\x02\x03\x04\x05\x06" /* kind, 1 ns later, msg 3, id 4, off 5, len 6 */

START_TEST(test_record_that_is_cut)
{
	struct trace_decoder decoder, before;
	struct trace_record record;
	size_t header, used;

	raw_schema(&raw, our_schema);
	header = raw.len;
	raw_record(&raw, A_READ, 6);
	ck_assert_int_eq(trace_decode_header(&decoder, raw.data, raw.len, &used), TRACE_OK);
	for (size_t n = 0; n < raw.len - header; n++) {
		uint8_t *copy = malloc(n + 1);

		before = decoder;
		memcpy(copy, raw.data + header, n);
		ck_assert_int_eq(trace_decode(&decoder, copy, n, &used, &record), TRACE_MORE);
		ck_assert_mem_eq(&decoder, &before, sizeof(before));
		free(copy);
	}
	ck_assert_int_eq(
		trace_decode(&decoder, raw.data + header, raw.len - header, &used, &record),
		TRACE_OK);
	ck_assert_int_eq(record.kind, TRACE_READ);
	ck_assert_uint_eq(record.time, 1);
	ck_assert_uint_eq(record.msg, 3);
	ck_assert_uint_eq(record.id, 4);
	ck_assert_uint_eq(record.off, 5);
	ck_assert_uint_eq(record.len, 6);
}
END_TEST

/* The verdict on one record of these bytes behind the header; what fails moves nothing. */
static enum trace_verdict decode_bytes(const void *data, size_t n)
{
	struct trace_decoder decoder, before;
	struct trace_record record;
	enum trace_verdict verdict;
	uint8_t *copy = malloc(n + 1);
	size_t used;

	raw_schema(&raw, our_schema);
	ck_assert_int_eq(trace_decode_header(&decoder, raw.data, raw.len, &used), TRACE_OK);
	before = decoder;
	memcpy(copy, data, n);
	verdict = trace_decode(&decoder, copy, n, &used, &record);
	if (verdict != TRACE_OK)
		ck_assert_mem_eq(&decoder, &before, sizeof(before));
	free(copy);
	return verdict;
}

START_TEST(test_lengths)
{
	static const struct {
		const char *data;
		size_t n;
		enum trace_verdict verdict;
	} rows[] = {
		{ "\x00", 1, TRACE_BAD_LENGTH },
		{ "\x80\x00", 2, TRACE_BAD_LENGTH },
		{ "\x01", 1, TRACE_MORE },
		{ "\x80", 1, TRACE_MORE },
		{ "\xff", 1, TRACE_MORE },
		{ "\xff\xff", 2, TRACE_MORE },
		{ "\xf9\x7f", 2, TRACE_MORE },		 /* 16377: with its frame 16383 */
		{ "\xfa\x7f", 2, TRACE_MORE },		 /* 16378: the longest */
		{ "\xfb\x7f", 2, TRACE_BAD_LENGTH },	 /* 16379 */
		{ "\xfa\xff\x00", 3, TRACE_BAD_LENGTH }, /* 16378 in three bytes: one too long */
		{ "\xff\xff\xff\x01", 4, TRACE_BAD_LENGTH },
		{ "\x80\x80\x80\x80\x80\x80\x80\x80\x80", 9, TRACE_MORE },
		{ "\x81\x80\x80\x80\x80\x80\x80\x80\x80\x00", 10, TRACE_MORE },
		{ "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80", 10, TRACE_BAD_LENGTH },
		{ "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10, TRACE_BAD_LENGTH },
		{ "\x81\x80\x80\x80\x80\x80\x80\x80\x80\x02", 10, TRACE_BAD_LENGTH },
		{ "\x01\x06\0\0\0\0", 6, TRACE_BAD_CHECKSUM },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ck_assert_msg(decode_bytes(rows[i].data, rows[i].n) == rows[i].verdict, "row %zu",
			      i);
}
END_TEST

/* The verdict on a body that has the right checksum. */
static enum trace_verdict decode_body(const char *schema, const void *body, size_t n)
{
	struct trace_decoder decoder;
	struct trace_record record;
	enum trace_verdict verdict;
	uint8_t *copy;
	size_t used;

	raw_schema(&raw, schema);
	raw_record(&raw, body, n);
	ck_assert_int_eq(trace_decode_header(&decoder, raw.data, raw.len, &used), TRACE_OK);
	n = raw.len - used;
	copy = malloc(n);
	memcpy(copy, raw.data + used, n);
	verdict = trace_decode(&decoder, copy, n, &used, &record);
	ck_assert(verdict != TRACE_OK || used == n);
	free(copy);
	return verdict;
}

START_TEST(test_bodies)
{
	static const struct {
		const char *body;
		size_t n;
		bool good;
	} rows[] = {
		{ A_READ, 6, true },
		{ A_READ, 5, false },
		{ A_READ "\0", 7, false },
		{ "\x06", 1, false },
		{ "\x00\x00", 2, false }, /* no such kind in the schema */
		{ "\x13\x00\x00", 3, false },
		{ "\x40\x00\x00", 3, false },
		{ "\x41\x00\x00", 3, false },
		{ "\x7f\x00\x00", 3, false },
		{ "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00\x00", 12, false },
		{ "\x0d\x00\xff\xff\xff\xff\x0f", 7, true },  /* release, id 2^32 - 1 */
		{ "\x0d\x00\x80\x80\x80\x80\x10", 7, false }, /* 2^32 */
		{ "\x09\x00\xff\xff\xff\xff\x0f", 7, true },  /* receive, -2^31 */
		{ "\x09\x00\x80\x80\x80\x80\x10", 7, false }, /* 2^31 */
		{ "\x12\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12, true },
		{ "\x12\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 12, false },
		{ "\x12\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00", 13, false },
		{ "\x12\x00\xff", 3, false },
		{ "\x92\x80\x00\x80\x00\x85\x80\x80\x00", 9, true }, /* longer than need be */
		{ "\x0c\x00\x03"
		  "abc\x00",
		  7, true }, /* command */
		{ "\x0c\x00\x04"
		  "abc\x00",
		  7, false },
		{ "\x0c\x00\x05"
		  "abc\x00",
		  7, false },
		{ "\x0c\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
		  "abc\x00",
		  16, false },
		{ "\x0c\x00\x00\x00", 4, true },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ck_assert_msg(decode_body(our_schema, rows[i].body, rows[i].n) ==
				      (rows[i].good ? TRACE_OK : TRACE_BAD_RECORD),
			      "row %zu", i);
}
END_TEST

/* Small records of several kinds behind a header; returns how many. */
static size_t some_records(void)
{
	static const struct trace_record records[] = {
		{ .kind = TRACE_START,
		  .time = 1000,
		  .realtime = 5,
		  .program = { (const uint8_t *)"p", 1 } },
		{ .kind = TRACE_OPEN,
		  .time = 2000,
		  .id = 1,
		  .volume = { (const uint8_t *)"v", 1 },
		  .cookie = { (const uint8_t *)"c", 1 } },
		{ .kind = TRACE_COPEN, .time = 300, .size = 8192 },
		{ .kind = TRACE_READ, .time = 1 << 20, .msg = 1, .id = 1, .len = 4096 },
		{ .kind = TRACE_FETCH, .time = 1 << 21, .object = 1, .error = -5 },
		{ .kind = TRACE_END, .time = 1 << 21, .count = 5 },
	};
	const size_t n = sizeof(records) / sizeof(records[0]);
	struct trace_encoder encoder = { 0 };

	raw.len = trace_encode_header(&encoder, raw.data, sizeof(raw.data));
	for (size_t i = 0; i < n; i++)
		raw.len += trace_encode(&encoder, raw.data + raw.len, sizeof(raw.data) - raw.len,
					&records[i]);
	return n;
}

/* What is read in front of the damage is what was written; the damage itself is seen. */
START_TEST(test_flipped_bit_in_a_record)
{
	size_t n = some_records(), header, records;
	struct trace_decoder decoder;

	ck_assert_int_eq(decode_all(&records), TRACE_MORE);
	ck_assert_uint_eq(records, n);
	ck_assert_int_eq(trace_decode_header(&decoder, raw.data, raw.len, &header), TRACE_OK);
	for (size_t bit = header * 8; bit < raw.len * 8; bit++) {
		raw.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		decode_all(&records);
		ck_assert_uint_lt(records, n);
		raw.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}
END_TEST

START_TEST(test_record_in_another_place)
{
	size_t start, records;

	raw_schema(&raw, our_schema);
	start = raw.len;
	raw_record(&raw, A_READ, 6);
	ck_assert_int_eq(decode_all(&records), TRACE_MORE);
	ck_assert_uint_eq(records, 1);
	/* The same bytes once more. */
	raw_bytes(&raw, raw.data + start, raw.len - start);
	ck_assert_int_eq(decode_all(&records), TRACE_BAD_CHECKSUM);
	ck_assert_uint_eq(records, 1);
}
END_TEST

START_TEST(test_schema_of_another_program)
{
	/* Kinds under other numbers, fields in another order, more of them and fewer. */
	static const char schema[] = "9 surprise words:text n:u64\n"
				     "60 read extra:key len:u64 hint:s32 msg:u32 note:text\n"
				     "0 end\n";
	struct trace_decoder decoder;
	struct trace_record record;
	size_t used, off;

	raw_schema(&raw, schema);
	raw_record(&raw,
		   "\x3c\x02\x03"
		   "abc\x80\x20\x01\x07\x02hi",
		   13);
	raw_record(&raw, "\x09\x14\x05hello\x63", 9);
	raw_record(&raw, "\x00\x03", 2);
	ck_assert_int_eq(trace_decode_header(&decoder, raw.data, raw.len, &off), TRACE_OK);

	memset(&record, 0xa5, sizeof(record));
	ck_assert_int_eq(trace_decode(&decoder, raw.data + off, raw.len - off, &used, &record),
			 TRACE_OK);
	ck_assert(records_equal(
		&record,
		&(struct trace_record){ .kind = TRACE_READ, .time = 1, .len = 4096, .msg = 7 }));
	ck_assert_str_eq(record.name, "read");

	off += used;
	ck_assert_int_eq(trace_decode(&decoder, raw.data + off, raw.len - off, &used, &record),
			 TRACE_OK);
	ck_assert(records_equal(&record,
				&(struct trace_record){ .kind = TRACE_UNKNOWN, .time = 11 }));
	ck_assert_str_eq(record.name, "surprise");

	off += used;
	ck_assert_int_eq(trace_decode(&decoder, raw.data + off, raw.len - off, &used, &record),
			 TRACE_OK);
	ck_assert(records_equal(&record, &(struct trace_record){ .kind = TRACE_END, .time = 9 }));
	ck_assert_int_eq(
		trace_decode(&decoder, raw.data + off + used, raw.len - off - used, &used, &record),
		TRACE_MORE);
}
END_TEST

START_TEST(test_fields_that_are_not_known_are_checked)
{
	static const char schema[] = "1 new a:u32 b:s32 c:text\n";

	ck_assert_int_eq(decode_body(schema, "\1\0\1\1\1x", 6), TRACE_OK);
	ck_assert_int_eq(decode_body(schema, "\1\0\x80\x80\x80\x80\x10\1\1x", 10),
			 TRACE_BAD_RECORD);
	ck_assert_int_eq(decode_body(schema, "\1\0\1\x80\x80\x80\x80\x10\1x", 10),
			 TRACE_BAD_RECORD);
	ck_assert_int_eq(decode_body(schema, "\1\0\1\1\2x", 6), TRACE_BAD_RECORD);
	ck_assert_int_eq(decode_body(schema, "\1\0\1\1\1x\1", 7), TRACE_BAD_RECORD);
}
END_TEST

/* ---- words ------------------------------------------------------------------------------- */

START_TEST(test_names)
{
	ck_assert_str_eq(trace_kind_name(TRACE_READ), "read");
	ck_assert_str_eq(trace_kind_name(TRACE_UNKNOWN), "unknown");
	ck_assert_str_eq(trace_kind_name(TRACE_KINDS), "unknown");
	ck_assert_str_eq(trace_kind_name((enum trace_kind) - 1), "unknown");
	ck_assert_str_eq(trace_class_name(0), "demand");
	ck_assert_str_eq(trace_class_name(1), "read-ahead");
	ck_assert_str_eq(trace_class_name(2), "background");
	ck_assert_str_eq(trace_class_name(3), "unknown");
	ck_assert_str_eq(trace_class_name(UINT32_MAX), "unknown");
}
END_TEST

START_TEST(test_verdicts_have_sentences_of_their_own)
{
	for (int a = 0; a <= TRACE_BAD_RECORD; a++)
		for (int b = 0; b < a; b++)
			ck_assert_str_ne(trace_verdict_text(a), trace_verdict_text(b));
	ck_assert_str_ne(trace_verdict_text(TRACE_BAD_RECORD),
			 trace_verdict_text(TRACE_BAD_RECORD + 1));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("trace");
	TCase *writing = tcase_create("writing");
	TCase *header = tcase_create("header");
	TCase *records = tcase_create("records");

	tcase_set_timeout(writing, 60); /* for valgrind */
	tcase_add_test(writing, test_header);
	tcase_add_test(writing, test_fields_are_the_members_of_their_name);
	tcase_add_test(writing, test_example_of_the_manual);
	tcase_add_test(writing, test_round_trip);
	tcase_add_test(writing, test_record_that_does_not_fit_changes_nothing);
	tcase_add_test(writing, test_longest_record);
	suite_add_tcase(s, writing);

	tcase_set_timeout(header, 60);
	tcase_add_test(header, test_header_that_is_cut);
	tcase_add_test(header, test_flipped_bit_in_the_header);
	tcase_add_test(header, test_other_files);
	tcase_add_test(header, test_version_and_order);
	tcase_add_test(header, test_length_of_the_schema);
	tcase_add_test(header, test_schemas);
	tcase_add_test(header, test_fields_of_a_line_are_bounded);
	suite_add_tcase(s, header);

	tcase_set_timeout(records, 60);
	tcase_add_test(records, test_record_that_is_cut);
	tcase_add_test(records, test_lengths);
	tcase_add_test(records, test_bodies);
	tcase_add_test(records, test_flipped_bit_in_a_record);
	tcase_add_test(records, test_record_in_another_place);
	tcase_add_test(records, test_schema_of_another_program);
	tcase_add_test(records, test_fields_that_are_not_known_are_checked);
	tcase_add_test(records, test_names);
	tcase_add_test(records, test_verdicts_have_sentences_of_their_own);
	suite_add_tcase(s, records);

	return run_suite(s);
}
