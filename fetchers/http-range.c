/* SPDX-License-Identifier: MIT */
#include "fetchers/http-range.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

char *http_range_print(char buf[HTTP_RANGE_MAX], uint64_t off, uint64_t len)
{
	assert(len >= 1 && off <= UINT64_MAX - len);
	snprintf(buf, HTTP_RANGE_MAX, "bytes=%" PRIu64 "-%" PRIu64, off, off + len - 1);
	return buf;
}

bool http_number_parse(uint64_t *ret, const char *text, size_t len)
{
	uint64_t n = 0;

	if (len == 0)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		if (__builtin_mul_overflow(n, (uint64_t)10, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(text[i] - '0'), &n))
			return false;
	}
	*ret = n;
	return true;
}

/* FIRST-LAST, of len bytes. */
static bool parse_span(struct http_range *range, const char *text, size_t len)
{
	const char *dash = memchr(text, '-', len);

	return dash && http_number_parse(&range->first, text, (size_t)(dash - text)) &&
	       http_number_parse(&range->last, dash + 1, (size_t)(text + len - dash - 1)) &&
	       range->first <= range->last;
}

enum http_range_verdict http_range_parse(struct http_range *ret, const char *text, size_t len)
{
	static const char unit[] = "bytes ";
	struct http_range range = { .total_known = true };
	const char *end = text + len, *slash;
	bool unsatisfied;

	/* Range units are case-insensitive: 14.1. */
	if (len < sizeof(unit) || strncasecmp(text, unit, sizeof(unit) - 1) != 0)
		return HTTP_RANGE_BAD;
	text += sizeof(unit) - 1;
	slash = memchr(text, '/', (size_t)(end - text));
	if (!slash)
		return HTTP_RANGE_BAD;
	unsatisfied = slash - text == 1 && *text == '*';
	if (!unsatisfied && !parse_span(&range, text, (size_t)(slash - text)))
		return HTTP_RANGE_BAD;

	slash++;
	if (!unsatisfied && end - slash == 1 && *slash == '*')
		range.total_known = false;
	else if (!http_number_parse(&range.total, slash, (size_t)(end - slash)))
		return HTTP_RANGE_BAD;
	if (!unsatisfied && range.total_known && range.last >= range.total)
		return HTTP_RANGE_BAD;
	*ret = range;
	return unsatisfied ? HTTP_RANGE_UNSATISFIED : HTTP_RANGE_OK;
}
