/* SPDX-License-Identifier: MIT */
#include "proto/trace.h"

#include <check.h>

#include "tests/lib/run-suite.h"
#include "tests/unit/trace-raw.h"
#include "tests/unit/trace-schema.h"

static struct raw raw;

/* ---- what is written --------------------------------------------------------------------- */

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

/* ---- words ------------------------------------------------------------------------------- */

START_TEST(test_names)
{
	ck_assert_str_eq(trace_kind_name(TRACE_READ), "read");
	ck_assert_str_eq(trace_kind_name(TRACE_UNKNOWN), "unknown");
	ck_assert_str_eq(trace_kind_name(TRACE_KINDS), "unknown");
	ck_assert_str_eq(trace_kind_name((enum trace_kind) - 1), "unknown");
	ck_assert_str_eq(trace_class_name(0), "demand");
	ck_assert_str_eq(trace_class_name(1), "read-ahead");
	ck_assert_str_eq(trace_class_name(2), "prefetch");
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
	TCase *t = tcase_create("writing");

	tcase_set_timeout(t, 60); /* for valgrind */
	tcase_add_test(t, test_header);
	tcase_add_test(t, test_fields_are_the_members_of_their_name);
	tcase_add_test(t, test_example_of_the_manual);
	tcase_add_test(t, test_round_trip);
	tcase_add_test(t, test_record_that_does_not_fit_changes_nothing);
	tcase_add_test(t, test_longest_record);
	tcase_add_test(t, test_names);
	tcase_add_test(t, test_verdicts_have_sentences_of_their_own);
	suite_add_tcase(s, t);
	return run_suite(s);
}
