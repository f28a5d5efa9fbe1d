/* SPDX-License-Identifier: MIT */
/*
 * Headers that are none.
 */
#include "proto/trace.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/run-suite.h"
#include "tests/unit/trace-raw.h"
#include "tests/unit/trace-schema.h"

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

int main(void)
{
	Suite *s = suite_create("trace-header");
	TCase *t = tcase_create("header");

	tcase_set_timeout(t, 60); /* for valgrind */
	tcase_add_test(t, test_header_that_is_cut);
	tcase_add_test(t, test_flipped_bit_in_the_header);
	tcase_add_test(t, test_other_files);
	tcase_add_test(t, test_version_and_order);
	tcase_add_test(t, test_length_of_the_schema);
	tcase_add_test(t, test_schemas);
	tcase_add_test(t, test_fields_of_a_line_are_bounded);
	suite_add_tcase(s, t);
	return run_suite(s);
}
