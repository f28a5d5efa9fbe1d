/* SPDX-License-Identifier: MIT */
#include "daemon/util/bytes.h"

#include <assert.h>
#include <stdio.h>

char *bytes_print(struct bytes b, char *buf, size_t n)
{
	size_t at = 0;

	assert(n >= 4);
	for (size_t i = 0; i < b.len; i++) {
		uint8_t c = b.data[i];
		bool plain = c > ' ' && c < 0x7f && c != '\\';
		size_t need = plain ? 1 : 4;

		/* Room stays for the mark of a cut, or for the terminator behind the last byte. */
		if (at + need + (i + 1 < b.len ? 3 : 0) >= n) {
			at = at > n - 4 ? n - 4 : at;
			memcpy(buf + at, "...", 4);
			return buf;
		}
		if (plain)
			buf[at] = (char)c;
		else
			snprintf(buf + at, 5, "\\x%02x", c);
		at += need;
	}
	buf[at] = '\0';
	return buf;
}
