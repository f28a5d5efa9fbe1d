/* SPDX-License-Identifier: MIT */
/*
 * Indexes of gzip files, and reading by them at any place. The whole fetcher: tests/contract.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/tarindex/gzip.h"
#include "fetchers/gunzip-cursor.h"
#include "tests/lib/run-suite.h"

#define SIZE ((size_t)5 << 20)

static uint8_t plain[SIZE], packed[2 * SIZE], *file;
static size_t n_packed, n_file, n_sunk;
static struct gzindex gz;
static struct gzip_result result;

/* Words of a small dictionary: matches of all lengths and distances, blocks that end within bytes.
 */
static void make_text(size_t size)
{
	static char words[512][12];

	srand(1);
	for (int i = 0; i < 512; i++)
		for (int j = 0; j < 11; j++)
			words[i][j] = (char)('a' + rand() % 26);
	for (size_t at = 0; at < size;) {
		const char *word = words[rand() % 512];
		size_t len = 1 + (size_t)rand() % 11;

		if (rand() % 9 == 0)
			plain[at++] = (uint8_t)rand();
		for (size_t i = 0; i < len && at < size; i++)
			plain[at++] = (uint8_t)word[i];
	}
}

static void pack(const uint8_t *from, size_t len, int level, int strategy)
{
	z_stream z = { .next_in = (Bytef *)from,
		       .avail_in = (uInt)len,
		       .next_out = packed + n_packed,
		       .avail_out = (uInt)(sizeof(packed) - n_packed) };

	ck_assert_int_eq(deflateInit2(&z, level, Z_DEFLATED, 31, 8, strategy), Z_OK);
	ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	n_packed = sizeof(packed) - z.avail_out;
}

static int sink(void *arg, const void *bytes, size_t len)
{
	ck_assert(n_sunk + len <= SIZE && memcmp(plain + n_sunk, bytes, len) == 0);
	n_sunk += len;
	return 0;
}

/* Given in pieces of `step` bytes. */
static int make_index(size_t step)
{
	int windows = memfd_create("windows", MFD_CLOEXEC), fd = memfd_create("index", MFD_CLOEXEC);
	struct gzip *gzip;
	int r = 0;

	n_sunk = 0;
	free(file);
	file = NULL;
	ck_assert_int_eq(gzip_new(&gzip, sink, NULL, windows), 0);
	for (size_t at = 0; at < n_packed && r == 0; at += step)
		r = gzip_write(gzip, packed + at, n_packed - at < step ? n_packed - at : step);
	if (r == 0)
		r = gzip_finish(gzip, "etag:x", fd, &result);
	gzip_free(gzip);
	if (r == 0) {
		struct bytes head;

		n_file = result.index_size;
		file = malloc(n_file);
		ck_assert_int_eq(pread(fd, file, n_file, 0), (ssize_t)n_file);
		head = bytes_of(file, gzindex_table_size(bytes_of(file, n_file)));
		ck_assert_int_eq(gzindex_parse(&gz, head), GZINDEX_OK);
		ck_assert_uint_eq(gz.inner_size, n_packed);
		ck_assert_str_eq(gz.validator, "etag:x");
	}
	close(windows);
	close(fd);
	return r;
}

static struct gunzip_cursor *cursor_before(uint64_t out)
{
	struct gzindex_point p = gzindex_point(&gz, gzindex_find(&gz, out));
	uint8_t window[GZINDEX_WINDOW];
	struct gunzip_cursor *c;

	ck_assert_uint_le(p.out, out);
	if (p.window_len > 0) {
		ck_assert_uint_le(p.window_at + p.window_len, n_file);
		ck_assert_int_eq(gunzip_window(window, &p, file + p.window_at), 0);
		ck_assert_int_eq(memcmp(window, plain + p.out - sizeof(window), sizeof(window)), 0);
	}
	ck_assert_int_eq(gunzip_cursor_new(&c, &p, p.window_len > 0 ? window : NULL), 0);
	return c;
}

/* Steps until the block is there; the error of a step. */
static int read_block(struct gunzip_cursor *c, uint64_t block)
{
	while (!(c->checked && gunzip_cursor_block(c) == block)) {
		size_t len = 1 + (size_t)rand() % 20000, used;
		uint64_t in = c->in, out = c->out;
		int r;

		len = n_packed - in < len ? n_packed - in : len;
		r = gunzip_cursor_step(c, &gz, packed + in, len, &used);
		if (r < 0)
			return r;
		ck_assert_uint_eq(c->in, in + used);
		if (c->checked)
			ck_assert_int_eq(memcmp(c->block, plain + gunzip_cursor_block(c),
						c->out - gunzip_cursor_block(c)),
					 0);
		if (used == 0 && c->out == out)
			return -ENODATA;
	}
	return 0;
}

static void read_everywhere(int n)
{
	/* It is the same at each place. */
	n = under_valgrind() ? n / 10 : n;
	for (int i = 0; i < n; i++) {
		uint64_t block = (uint64_t)rand() % gz.n_sums * GZINDEX_BLOCK;
		struct gunzip_cursor *c = cursor_before(block);

		ck_assert_int_eq(read_block(c, block), 0);
		/* And on, as who reads a stream does. */
		for (int more = 0; more < 3 && c->out < gz.size; more++)
			ck_assert_int_eq(read_block(c, gunzip_cursor_block(c) + GZINDEX_BLOCK), 0);
		gunzip_cursor_free(c);
	}
}

static const struct {
	int level, strategy;
} packings[] = {
	{ 1, Z_DEFAULT_STRATEGY }, { 6, Z_DEFAULT_STRATEGY },
	{ 9, Z_DEFAULT_STRATEGY }, { 6, Z_FIXED },
	{ 6, Z_HUFFMAN_ONLY },	   { 0, Z_DEFAULT_STRATEGY },
};

START_TEST(one_member)
{
	unsigned int with_bits = 0;

	make_text(SIZE);
	n_packed = 0;
	pack(plain, SIZE, packings[_i].level, packings[_i].strategy);
	ck_assert_int_eq(make_index(100000), 0);
	ck_assert_uint_eq(n_sunk, SIZE);
	ck_assert_uint_ge(gz.n_points, SIZE / (3 << 20));
	for (uint64_t i = 0; i < gz.n_points; i++)
		with_bits += gzindex_point(&gz, i).bits > 0;
	if (packings[_i].level > 0)
		ck_assert_uint_gt(with_bits, 0);
	read_everywhere(20);
}
END_TEST

START_TEST(many_members)
{
	make_text(SIZE);
	n_packed = 0;
	for (size_t at = 0; at < SIZE;) {
		size_t len = (size_t)rand() % 700000;

		len = len < SIZE - at ? len : SIZE - at;
		pack(plain + at, len, rand() % 10, Z_DEFAULT_STRATEGY);
		at += len;
	}
	ck_assert_int_eq(make_index(4097), 0);
	ck_assert_uint_eq(n_sunk, SIZE);
	read_everywhere(20);
	/* zeros behind it, as tapes have them */
	memset(packed + n_packed, 0, 10000);
	n_packed += 10000;
	ck_assert_int_eq(make_index(777), 0);
	read_everywhere(10);
}
END_TEST

START_TEST(any_steps_make_the_same)
{
	char first[SHA256_HEX];

	make_text(2 << 20);
	n_packed = 0;
	pack(plain, 2 << 20, 6, Z_DEFAULT_STRATEGY);
	ck_assert_int_eq(make_index(n_packed), 0);
	memcpy(first, result.index_sha256, sizeof(first));
	ck_assert_int_eq(make_index(1), 0);
	ck_assert_str_eq(result.index_sha256, first);
}
END_TEST

START_TEST(nothing_in_it)
{
	n_packed = 0;
	pack(plain, 0, 6, Z_DEFAULT_STRATEGY);
	ck_assert_int_eq(make_index(5), 0);
	ck_assert_uint_eq(gz.size, 0);
	ck_assert_uint_eq(gz.n_points, 1);
}
END_TEST

/* Of a file that is being indexed everything is checked. */
START_TEST(damage_is_not_indexed)
{
	size_t whole;

	make_text(1 << 20);
	n_packed = 0;
	pack(plain, 1 << 20, 6, Z_DEFAULT_STRATEGY);
	whole = n_packed;
	packed[whole - 6] ^= 1; /* the sum of the whole */
	ck_assert_int_eq(make_index(1000), -EBADMSG);
	packed[whole - 6] ^= 1;
	packed[whole - 1] ^= 1; /* its length */
	ck_assert_int_eq(make_index(1000), -EBADMSG);
	packed[whole - 1] ^= 1;
	for (size_t cut = 1; cut < whole; cut += whole / 9) {
		n_packed = whole - cut;
		ck_assert_int_eq(make_index(1000), -EBADMSG);
	}
	n_packed = whole;
	packed[n_packed++] = 'x'; /* something else behind it */
	ck_assert_int_eq(make_index(1000), -EBADMSG);
	n_packed = 0;
	ck_assert_int_eq(make_index(1000), -EBADMSG);
}
END_TEST

/* An origin that sends other bytes: an error, or the right bytes all the same; read_block() looks.
 */
START_TEST(damage_is_noticed)
{
	int noticed = 0;

	make_text(3 << 20);
	n_packed = 0;
	pack(plain, 3 << 20, 6, Z_DEFAULT_STRATEGY);
	ck_assert_int_eq(make_index(n_packed), 0);
	for (int i = 0; i < 60; i++) {
		uint64_t block = (uint64_t)rand() % gz.n_sums * GZINDEX_BLOCK;
		struct gunzip_cursor *c = cursor_before(block);
		size_t at = c->in + (size_t)rand() % (n_packed - c->in);
		uint8_t bit = (uint8_t)(1 << rand() % 8);
		int r;

		packed[at] ^= bit;
		r = read_block(c, block);
		ck_assert(r == 0 || r == -EPROTO || r == -ENODATA);
		noticed += r < 0;
		packed[at] ^= bit;
		gunzip_cursor_free(c);
	}
	ck_assert_int_gt(noticed, 5);
}
END_TEST

START_TEST(damaged_windows)
{
	uint8_t window[GZINDEX_WINDOW];
	struct gzindex_point p;

	make_text(3 << 20);
	n_packed = 0;
	pack(plain, 3 << 20, 6, Z_DEFAULT_STRATEGY);
	ck_assert_int_eq(make_index(n_packed), 0);
	p = gzindex_point(&gz, 1);
	ck_assert_uint_gt(p.window_len, 0);
	ck_assert_int_eq(gunzip_window(window, &p, file + p.window_at), 0);
	for (size_t i = 0; i < p.window_len; i += p.window_len / 50) {
		file[p.window_at + i] ^= 0x10;
		ck_assert_int_eq(gunzip_window(window, &p, file + p.window_at), -EPROTO);
		file[p.window_at + i] ^= 0x10;
	}
}
END_TEST

START_TEST(damaged_tables)
{
	size_t len;
	struct gzindex other;

	make_text(3 << 20);
	n_packed = 0;
	pack(plain, 3 << 20, 6, Z_DEFAULT_STRATEGY);
	ck_assert_int_eq(make_index(n_packed), 0);
	len = gzindex_table_size(bytes_of(file, n_file));
	for (size_t i = 0; i < len; i++) {
		file[i] ^= 0x40;
		ck_assert_int_ne(gzindex_parse(&other, bytes_of(file, len)), GZINDEX_OK);
		file[i] ^= 0x40;
	}
	ck_assert_int_eq(gzindex_parse(&other, bytes_of(file, len - 1)), GZINDEX_DAMAGED);
	ck_assert_int_eq(gzindex_parse(&other, bytes_of(file, 7)), GZINDEX_NO_INDEX);
	ck_assert_uint_eq(gzindex_table_size(bytes_of(file, 100)), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("gunzip");
	TCase *tc = tcase_create("gunzip");

	tcase_set_timeout(tc, 100);
	tcase_add_loop_test(tc, one_member, 0, (int)(sizeof(packings) / sizeof(packings[0])));
	tcase_add_test(tc, many_members);
	tcase_add_test(tc, any_steps_make_the_same);
	tcase_add_test(tc, nothing_in_it);
	tcase_add_test(tc, damage_is_not_indexed);
	tcase_add_test(tc, damage_is_noticed);
	tcase_add_test(tc, damaged_windows);
	tcase_add_test(tc, damaged_tables);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
