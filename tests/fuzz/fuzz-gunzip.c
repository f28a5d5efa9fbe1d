/* SPDX-License-Identifier: MIT */
/*
 * Either the table of an index, or a gzip file that is indexed and then read by its index. The
 * reader is given bytes that are one bit off, too: what it gives out is right all the same.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/tarindex/gzip.h"
#include "fetchers/gunzip-cursor.h"
#include "tests/fuzz/fuzz.h"

#define PLAIN_MAX ((size_t)4 << 20)

struct plain {
	uint8_t *bytes;
	size_t n;
};

static int sink(void *arg, const void *bytes, size_t len)
{
	struct plain *plain = arg;

	if (len > PLAIN_MAX - plain->n)
		return -EFBIG;
	memcpy(plain->bytes + plain->n, bytes, len);
	plain->n += len;
	return 0;
}

static void read_all(const struct gzindex *index, const struct plain *plain, const uint8_t *data,
		     size_t n)
{
	struct gzindex_point first = gzindex_point(index, 0);
	struct gunzip_cursor *c;
	size_t used, at = 0;

	FUZZ_CHECK(gunzip_cursor_new(&c, &first, NULL) == 0);
	while (c->out < index->size) {
		uint64_t out = c->out;

		if (gunzip_cursor_step(c, index, data + at, n - at, &used) < 0)
			break;
		at += used;
		FUZZ_CHECK(at <= n && c->in == at);
		if (c->checked) {
			uint64_t block = gunzip_cursor_block(c);

			FUZZ_CHECK(memcmp(c->block, plain->bytes + block, c->out - block) == 0);
		}
		if (used == 0 && c->out == out)
			break;
	}
	gunzip_cursor_free(c);
}

static void judge(int fd, const struct plain *plain, const uint8_t *data, size_t n)
{
	off_t size = lseek(fd, 0, SEEK_END);
	uint8_t *file = malloc((size_t)size), *wrong = malloc(n);
	uint64_t table;
	struct gzindex index;

	FUZZ_CHECK(file && wrong && pread(fd, file, (size_t)size, 0) == size);
	table = gzindex_table_size(bytes_of(file, (size_t)size));
	FUZZ_CHECK(table > 0 && table <= (uint64_t)size);
	FUZZ_CHECK(gzindex_parse(&index, bytes_of(file, table)) == GZINDEX_OK);
	FUZZ_CHECK(index.size == plain->n && index.inner_size == n);
	read_all(&index, plain, data, n);
	memcpy(wrong, data, n);
	wrong[n / 2] ^= 4;
	read_all(&index, plain, wrong, n);
	free(wrong);
	free(file);
}

static void parse(const uint8_t *data, size_t n)
{
	uint64_t table = gzindex_table_size(bytes_of(data, n));
	struct gzindex index;

	if (table == 0 || table > n || gzindex_parse(&index, bytes_of(data, table)) != GZINDEX_OK)
		return;
	for (uint64_t i = 0; i < index.n_points; i++) {
		struct gzindex_point p = gzindex_point(&index, i);

		FUZZ_CHECK(p.in <= index.inner_size && p.out <= index.size && p.bits < 8);
		FUZZ_CHECK(gzindex_find(&index, p.out) == i);
	}
	FUZZ_CHECK(gzindex_find(&index, index.size) == index.n_points - 1);
	if (index.n_sums > 0)
		gzindex_sum(&index, index.n_sums - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	int windows = memfd_create("windows", MFD_CLOEXEC), fd = memfd_create("index", MFD_CLOEXEC);
	struct plain plain = { .bytes = malloc(PLAIN_MAX) };
	struct gzip_result result;
	struct gzip *gzip;
	int r;

	parse(data, n);
	FUZZ_CHECK(plain.bytes && gzip_new(&gzip, sink, &plain, windows) == 0);
	r = gzip_write(gzip, data, n);
	if (r == 0)
		r = gzip_finish(gzip, "v", fd, &result);
	FUZZ_CHECK(r == 0 || r == -EBADMSG || r == -EFBIG);
	if (r == 0)
		judge(fd, &plain, data, n);
	gzip_free(gzip);
	free(plain.bytes);
	close(windows);
	close(fd);
	return 0;
}
