/* SPDX-License-Identifier: MIT */
#include "tests/lib/tar-make.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 512 };

void tar_make_raw(struct tar_make *tar, const void *bytes, size_t len)
{
	while (tar->len + len > tar->room) {
		tar->room = tar->room ? tar->room * 2 : 64 << 10;
		tar->bytes = realloc(tar->bytes, tar->room);
	}
	if (bytes)
		memcpy(tar->bytes + tar->len, bytes, len);
	else
		memset(tar->bytes + tar->len, 'x', len);
	tar->len += len;
}

static void pad(struct tar_make *tar)
{
	static const uint8_t zeros[BLOCK];

	tar_make_raw(tar, zeros, (BLOCK - tar->len % BLOCK) % BLOCK);
}

void tar_make_checksum(struct tar_make *tar, size_t header_at)
{
	uint8_t *h = tar->bytes + header_at;
	unsigned int sum = 0;

	memset(h + 148, ' ', 8);
	for (size_t i = 0; i < BLOCK; i++)
		sum += h[i];
	snprintf((char *)h + 148, 8, "%06o", sum);
}

void tar_make_header(struct tar_make *tar, struct tar_make_entry e)
{
	char h[BLOCK + 16] = "";
	size_t at = tar->len;

	strncpy(h, e.name, 100);
	sprintf(h + 100, "%07o", e.mode ? e.mode : 0644);
	sprintf(h + 108, "%07o", e.uid);
	sprintf(h + 116, "%07o", e.gid);
	sprintf(h + 124, "%011llo", (unsigned long long)e.size);
	sprintf(h + 136, "%011llo", (unsigned long long)e.mtime);
	h[156] = e.type ? e.type : '0';
	if (e.link)
		strncpy(h + 157, e.link, 100);
	memcpy(h + 257, "ustar\00000", 8);
	tar_make_raw(tar, h, BLOCK);
	tar_make_checksum(tar, at);
}

void tar_make_add(struct tar_make *tar, struct tar_make_entry entry)
{
	tar_make_header(tar, entry);
	tar_make_raw(tar, entry.data, entry.size);
	pad(tar);
}

void tar_make_pax(struct tar_make *tar, const char *const *records, const size_t *lens, size_t n)
{
	struct tar_make text = { 0 };

	for (size_t i = 0; i < n; i++) {
		size_t len = lens ? lens[i] : strlen(records[i]), total = len + 3;
		char number[24];

		/* Its own digits count. */
		while ((size_t)sprintf(number, "%zu", total) + len + 2 != total)
			total = strlen(number) + len + 2;
		tar_make_raw(&text, number, strlen(number));
		tar_make_raw(&text, " ", 1);
		tar_make_raw(&text, records[i], len);
		tar_make_raw(&text, "\n", 1);
	}
	tar_make_add(tar, (struct tar_make_entry){ .name = "PaxHeaders/x",
						   .type = 'x',
						   .data = (const char *)text.bytes,
						   .size = text.len });
	free(text.bytes);
}

void tar_make_end(struct tar_make *tar)
{
	static const uint8_t zeros[2 * BLOCK];

	tar_make_raw(tar, zeros, sizeof(zeros));
}

void tar_make_free(struct tar_make *tar)
{
	free(tar->bytes);
	*tar = (struct tar_make){ 0 };
}
