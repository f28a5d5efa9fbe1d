/* SPDX-License-Identifier: MIT */
/*
 * The value of a Content-Range field.
 */
#include <inttypes.h>
#include <string.h>

#include "fetchers/http-range.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct http_range range = { .first = 1 }, again;
	char text[4 * HTTP_RANGE_MAX];
	int len;

	switch (http_range_parse(&range, (const char *)data, n)) {
	case HTTP_RANGE_BAD:
		FUZZ_CHECK(range.first == 1 && range.last == 0);
		return 0;
	case HTTP_RANGE_UNSATISFIED:
		return 0;
	case HTTP_RANGE_OK:
		break;
	}
	FUZZ_CHECK(range.first <= range.last);
	FUZZ_CHECK(!range.total_known || range.last < range.total);

	/* Written down and read again it is the same. */
	len = snprintf(text, sizeof(text), "bytes %" PRIu64 "-%" PRIu64 "/", range.first,
		       range.last);
	if (range.total_known)
		len += snprintf(text + len, sizeof(text) - (size_t)len, "%" PRIu64, range.total);
	else
		text[len++] = '*';
	FUZZ_CHECK(http_range_parse(&again, text, (size_t)len) == HTTP_RANGE_OK);
	FUZZ_CHECK(again.first == range.first && again.last == range.last);
	FUZZ_CHECK(again.total_known == range.total_known && again.total == range.total);
	return 0;
}
