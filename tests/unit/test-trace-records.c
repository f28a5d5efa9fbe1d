/* SPDX-License-Identifier: MIT */
/*
 * Records: cut, damaged, in another place, of another program.
 */
#include "proto/trace.h"

#include <check.h>
#include <stdlib.h>

#include "tests/lib/run-suite.h"
#include "tests/unit/trace-raw.h"
#include "tests/unit/trace-schema.h"

static struct raw raw;

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

int main(void)
{
	Suite *s = suite_create("trace-records");
	TCase *t = tcase_create("records");

	tcase_set_timeout(t, 60); /* for valgrind */
	tcase_add_test(t, test_record_that_is_cut);
	tcase_add_test(t, test_lengths);
	tcase_add_test(t, test_bodies);
	tcase_add_test(t, test_flipped_bit_in_a_record);
	tcase_add_test(t, test_record_in_another_place);
	tcase_add_test(t, test_schema_of_another_program);
	tcase_add_test(t, test_fields_that_are_not_known_are_checked);
	suite_add_tcase(s, t);
	return run_suite(s);
}
