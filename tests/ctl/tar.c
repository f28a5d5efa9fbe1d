/* SPDX-License-Identifier: MIT */
#include "tests/ctl/tar.h"

#include <assert.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 512

/* POSIX.1-2017, pax, "ustar Interchange Format". */
struct header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100];
	char magic[6], version[2], uname[32], gname[32], major[8], minor[8], prefix[155], pad[12];
};

static void put_blocks(FILE *f, const char *data, size_t n)
{
	static const char zeroes[BLOCK];

	ck_assert_uint_eq(fwrite(data, 1, n, f), n);
	if (n % BLOCK)
		ck_assert_uint_eq(fwrite(zeroes, 1, BLOCK - n % BLOCK, f), BLOCK - n % BLOCK);
}

static_assert(sizeof(struct header) == BLOCK, "a header is a block");

/* As many octal digits as there is room for, and a NUL. */
static void put_number(char *field, size_t n, unsigned long value)
{
	field[--n] = '\0';
	while (n-- > 0) {
		field[n] = (char)('0' + value % 8);
		value /= 8;
	}
}

static void put_text(char *field, size_t n, const char *text)
{
	ck_assert_uint_le(strlen(text), n);
	memcpy(field, text, strlen(text));
}

static void put_header(FILE *f, const struct tar_entry *e, size_t size)
{
	struct header h = { .magic = "ustar", .version = "00", .type = e->type };
	unsigned long sum = 0;

	put_text(h.name, sizeof(h.name), e->name);
	if (e->text && (e->type == '1' || e->type == '2'))
		put_text(h.link, sizeof(h.link), e->text);
	put_number(h.mode, sizeof(h.mode), e->mode ? e->mode : e->type == '5' ? 0755 : 0644);
	put_number(h.uid, sizeof(h.uid), e->uid);
	put_number(h.gid, sizeof(h.gid), e->gid);
	put_number(h.size, sizeof(h.size), size);
	put_number(h.mtime, sizeof(h.mtime), (unsigned long)e->mtime);
	put_number(h.major, sizeof(h.major), e->major);
	put_number(h.minor, sizeof(h.minor), e->minor);
	memset(h.sum, ' ', sizeof(h.sum));
	for (size_t i = 0; i < sizeof(h); i++)
		sum += ((unsigned char *)&h)[i];
	put_number(h.sum, sizeof(h.sum), sum);
	put_blocks(f, (const char *)&h, sizeof(h));
}

/* "LEN NAME=VALUE\n", where LEN counts itself. */
static void put_pax(FILE *f, const char *pax)
{
	char text[8192];
	size_t len = strlen(pax) + 3, again;

	do {
		again = len;
		len = (size_t)snprintf(text, sizeof(text), "%zu %s\n", len, pax);
	} while (len != again);
	put_header(f, &(struct tar_entry){ "pax", 'x' }, len);
	put_blocks(f, text, len);
}

void tar_add(FILE *f, const struct tar_entry *e)
{
	size_t size = e->type == '0' && e->text ? strlen(e->text) : 0;

	if (e->pax)
		put_pax(f, e->pax);
	put_header(f, e, size);
	put_blocks(f, e->text, size);
}

void tar_end(FILE *f)
{
	static const char zeroes[2 * BLOCK];

	put_blocks(f, zeroes, sizeof(zeroes));
}

void tar_write(const char *path, const struct tar_entry *entries, size_t n)
{
	FILE *f = fopen(path, "we");

	ck_assert_ptr_nonnull(f);
	for (size_t i = 0; i < n; i++)
		tar_add(f, &entries[i]);
	tar_end(f);
	ck_assert_int_eq(fclose(f), 0);
}
