/* SPDX-License-Identifier: MIT */
#include "daemon/util/bytes.h"

#include <assert.h>
#include <stdio.h>

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
