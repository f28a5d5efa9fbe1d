/* SPDX-License-Identifier: MIT */
#include "daemon/util/bytes.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static bool is_plain(uint8_t c)
{
	return c > ' ' && c < 0x7f && c != '\\';
}

char *bytes_print(struct bytes b, char *buf, size_t n)
{
	size_t whole = 0, at = 0;
	bool fits;

	assert(n >= 4);
	for (size_t i = 0; i < b.len; i++)
		whole += is_plain(b.data[i]) ? 1 : 4;
	fits = whole < n;

	for (size_t i = 0; i < b.len; i++) {
		uint8_t c = b.data[i];

		if (!fits && at + (is_plain(c) ? 1 : 4) + 3 >= n)
			break;
		if (is_plain(c))
			buf[at++] = (char)c;
		else
			at += (size_t)snprintf(buf + at, 5, "\\x%02x", c);
	}
	memcpy(buf + at, fits ? "" : "...", fits ? 1 : 4);
	return buf;
}

/* \xNN: what it stands for; -EINVAL. */
static int parse_escape(const char *text)
{
	char digits[3] = { 0 };

	if (text[1] != 'x' || !isxdigit((uint8_t)text[2]) || !isxdigit((uint8_t)text[3]))
		return -EINVAL;
	digits[0] = text[2];
	digits[1] = text[3];
	return (int)strtoul(digits, NULL, 16);
}

int bytes_parse(const char *text, uint8_t *buf, size_t n, size_t *ret_len)
{
	size_t len = 0;

	while (*text) {
		int c = *text == '\\' ? parse_escape(text) : (uint8_t)*text;

		if (c < 0 || (*text != '\\' && !is_plain((uint8_t)c)))
			return -EINVAL;
		if (len == n)
			return -E2BIG;
		text += *text == '\\' ? 4 : 1;
		buf[len++] = (uint8_t)c;
	}
	*ret_len = len;
	return 0;
}
