/* SPDX-License-Identifier: MIT */
#include "fetchers/http-answer.h"
#include "fetchers/http-range.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/run-suite.h"

static enum http_range_verdict parse(struct http_range *range, const char *text)
{
	/* A copy without terminator, for tools that watch the ends of memory. */
	size_t len = strlen(text);
	char *copy = malloc(len ? len : 1);
	enum http_range_verdict v;

	memcpy(copy, text, len);
	v = http_range_parse(range, copy, len);
	free(copy);
	return v;
}

START_TEST(print)
{
	char buf[HTTP_RANGE_MAX];

	ck_assert_str_eq(http_range_print(buf, 0, 1), "bytes=0-0");
	ck_assert_str_eq(http_range_print(buf, 4096, 4096), "bytes=4096-8191");
	ck_assert_str_eq(http_range_print(buf, UINT64_MAX - 1, 1),
			 "bytes=18446744073709551614-18446744073709551614");
}
END_TEST

static const struct {
	const char *text;
	uint64_t first, last, total;
	bool total_known;
} good[] = {
	{ "bytes 0-0/1", 0, 0, 1, true },
	{ "bytes 42-1233/1234", 42, 1233, 1234, true },
	{ "BYTES 00-07/0010", 0, 7, 10, true },
	{ "bytes 42-1233/*", 42, 1233, 0, false },
	{ "bytes 0-18446744073709551614/18446744073709551615", 0, UINT64_MAX - 1, UINT64_MAX,
	  true },
};

START_TEST(parse_good)
{
	struct http_range r;

	ck_assert_int_eq(parse(&r, good[_i].text), HTTP_RANGE_OK);
	ck_assert_uint_eq(r.first, good[_i].first);
	ck_assert_uint_eq(r.last, good[_i].last);
	ck_assert(r.total_known == good[_i].total_known);
	if (r.total_known)
		ck_assert_uint_eq(r.total, good[_i].total);
}
END_TEST

START_TEST(parse_unsatisfied)
{
	struct http_range r;

	ck_assert_int_eq(parse(&r, "bytes */0"), HTTP_RANGE_UNSATISFIED);
	ck_assert_uint_eq(r.total, 0);
	ck_assert_int_eq(parse(&r, "bytes */1234"), HTTP_RANGE_UNSATISFIED);
	ck_assert_uint_eq(r.total, 1234);
}
END_TEST

static const char *const bad[] = {
	"",
	"bytes",
	"bytes ",
	"bytes /",
	"bytes 0-0",
	"bytes 0-0/",
	"bytes -0/1",
	"bytes 0-/1",
	"bytes 0-0/0",
	"bytes 0-1/1",
	"bytes 5-4/10",
	"bytes */*",
	"bytes */",
	"bytes *-*/3",
	"bytes=0-0/1",
	"bytes  0-0/1",
	"bytes 0-0/1 ",
	"bytes 0 - 0/1",
	"bytes +0-0/1",
	"bytes 0x0-0/1",
	"bytes 0-0/1/1",
	"bytes 0-0-0/1",
	"bytes 0-0/18446744073709551616",
	"bytes 0-0/99999999999999999999999999",
	"items 0-0/1",
};

START_TEST(parse_bad)
{
	struct http_range r = { .first = 7 };

	ck_assert_msg(parse(&r, bad[_i]) == HTTP_RANGE_BAD, "'%s' was taken", bad[_i]);
	ck_assert_uint_eq(r.first, 7);
}
END_TEST

/* What is asked for comes back when a server echoes it. */
START_TEST(round_trip)
{
	uint64_t seed = 0x9e3779b97f4a7c15;

	for (int i = 0; i < 10000; i++) {
		char buf[HTTP_RANGE_MAX], answer[3 * HTTP_RANGE_MAX];
		uint64_t off, len;
		struct http_range r;

		seed = seed * 6364136223846793005 + 1442695040888963407;
		off = seed >> (seed % 63 + 1);
		len = (seed >> 20) % 1000000 + 1;
		http_range_print(buf, off, len);
		snprintf(answer, sizeof(answer), "bytes %s/%" PRIu64, buf + strlen("bytes="),
			 off + len);
		ck_assert_int_eq(parse(&r, answer), HTTP_RANGE_OK);
		ck_assert_uint_eq(r.first, off);
		ck_assert_uint_eq(r.last - r.first + 1, len);
	}
}
END_TEST

START_TEST(numbers)
{
	uint64_t n = 7;

	ck_assert(!http_number_parse(&n, "", 0));
	ck_assert(!http_number_parse(&n, "-1", 2));
	ck_assert(!http_number_parse(&n, "1 ", 2));
	ck_assert(!http_number_parse(&n, "18446744073709551616", 20));
	ck_assert_uint_eq(n, 7);
	ck_assert(http_number_parse(&n, "18446744073709551615", 20));
	ck_assert_uint_eq(n, UINT64_MAX);
	ck_assert(http_number_parse(&n, "12", 1));
	ck_assert_uint_eq(n, 1);
}
END_TEST

/* ---- Retry-After -------------------------------------------------------------------------- */

#define NOW 784111777 /* Sun, 06 Nov 1994 08:49:37 GMT */

static const struct {
	const char *wait, *date;
	uint64_t seconds;
} waits[] = {
	{ "Retry-After: 120", "", 120 },
	{ "retry-after:0", "", 0 },
	{ "Retry-After: 99999999999", "", HTTP_WAIT_MAX },
	{ "Retry-After: -1", "", 0 },
	{ "Retry-After: soon", "", 0 },
	{ "Retry-After: 1.5", "", 0 },
	{ "Retry-After: Sun, 06 Nov 1994 08:50:37 GMT", "", 60 },
	{ "Retry-After: Sunday, 06-Nov-94 08:50:37 GMT", "", 60 },
	{ "Retry-After: Sun Nov  6 08:50:37 1994", "", 60 },
	{ "Retry-After: Sun, 06 Nov 1994 08:50:37 GMT+1", "", 0 },
	{ "Retry-After: Sun, 06 Nov 1994 07:49:37 GMT", "", 0 }, /* it is over */
	{ "Retry-After: Fri, 31 Dec 1999 23:59:59 GMT", "", HTTP_WAIT_MAX },
	/* By the clock of the server, which is fast. */
	{ "Retry-After: Sun, 06 Nov 1994 18:50:37 GMT", "Date: Sun, 06 Nov 1994 18:50:07 GMT", 30 },
	{ "Retry-After: 7", "Date: Sun, 06 Nov 1994 18:50:07 GMT", 7 },
	{ "X-Retry-After: 7", "", 0 },
};

START_TEST(wait)
{
	struct http_answer answer = { 0 };
	const char *const lines[] = { "HTTP/1.1 503 No", waits[_i].date, waits[_i].wait, "" };

	for (size_t i = 0; i < 4; i++)
		if (i == 3 || *lines[i])
			http_answer_line(&answer, lines[i], strlen(lines[i]));
	ck_assert(answer.complete);
	ck_assert_uint_eq(http_answer_wait(&answer, NOW), waits[_i].seconds);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("http-range");
	TCase *tc = tcase_create("text");

	tcase_add_test(tc, print);
	tcase_add_loop_test(tc, parse_good, 0, sizeof(good) / sizeof(good[0]));
	tcase_add_test(tc, parse_unsatisfied);
	tcase_add_loop_test(tc, parse_bad, 0, sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(tc, round_trip);
	tcase_add_test(tc, numbers);
	tcase_add_loop_test(tc, wait, 0, sizeof(waits) / sizeof(waits[0]));
	suite_add_tcase(s, tc);
	return run_suite(s);
}
