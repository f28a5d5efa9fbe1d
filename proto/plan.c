/* SPDX-License-Identifier: MIT */
#include "proto/plan.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

/* What is left of a line. */
struct rest {
	const char *at, *end;
};

static bool take_char(struct rest *r, char c)
{
	if (r->at == r->end || *r->at != c)
		return false;
	r->at++;
	return true;
}

static bool take_number(struct rest *r, uint64_t *ret)
{
	const char *first = r->at;
	uint64_t value = 0;

	for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*r->at - '0'), &value))
			return false;
	*ret = value;
	return r->at > first;
}

static int hex_digit(char c)
{
	const char *digits = "0123456789ABCDEF", *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* One byte of a key, or -1. */
static int take_byte(struct rest *r)
{
	int high, low;

	if (r->at == r->end || *r->at <= ' ' || *r->at > '~' || *r->at == '/')
		return -1;
	if (*r->at != '%')
		return (uint8_t)*r->at++;
	if (r->end - r->at < 3)
		return -1;
	high = hex_digit(r->at[1]);
	low = hex_digit(r->at[2]);
	r->at += 3;
	return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* Up to the slash, or the end. */
static bool take_key(struct rest *r, uint8_t *buf, struct bytes *ret)
{
	size_t n = 0;

	while (r->at < r->end && *r->at != '/') {
		int byte = take_byte(r);

		if (byte < 0 || n == PLAN_KEY_MAX)
			return false;
		buf[n++] = (uint8_t)byte;
	}
	*ret = bytes_of(buf, n);
	return true;
}

static const char *parse_range(struct rest *r, struct plan_range *ret)
{
	uint64_t end;

	if (!take_number(r, &ret->off) || !take_char(r, '+') || !take_number(r, &ret->len) ||
	    !take_char(r, ' '))
		return "it does not begin with OFFSET+LENGTH and a blank";
	if (ret->len == 0)
		return "the range is empty";
	if (ret->len != PLAN_TO_THE_END && __builtin_add_overflow(ret->off, ret->len, &end))
		return "the range ends nowhere";
	if (!take_key(r, ret->keys, &ret->volume) || !take_char(r, '/') ||
	    !take_key(r, ret->keys + PLAN_KEY_MAX, &ret->cookie) || r->at < r->end ||
	    ret->cookie.len == 0)
		return "there is no VOLUME/COOKIE";
	return NULL;
}

enum plan_line plan_parse_line(const char *line, size_t n, struct plan_range *ret,
			       const char **ret_why)
{
	struct rest rest = { line, line + n };

	if (n == 0 || line[0] == '#')
		return PLAN_NOTHING;
	*ret_why = n > PLAN_LINE_MAX ? "it is too long" : parse_range(&rest, ret);
	return *ret_why ? PLAN_BAD : PLAN_RANGE;
}

void plan_write_key(FILE *out, struct bytes key)
{
	for (size_t i = 0; i < key.len; i++) {
		uint8_t c = key.data[i];

		if (c > ' ' && c < 0x7f && c != '%' && c != '/')
			fputc(c, out);
		else
			fprintf(out, "%%%02X", c);
	}
}

void plan_write_range(FILE *out, uint64_t off, uint64_t len, struct bytes volume,
		      struct bytes cookie)
{
	fprintf(out, "%" PRIu64 "+%" PRIu64 " ", off, len);
	plan_write_key(out, volume);
	fputc('/', out);
	plan_write_key(out, cookie);
	fputc('\n', out);
}
