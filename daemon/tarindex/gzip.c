/* SPDX-License-Identifier: MIT */
#include "daemon/tarindex/gzip.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>
#include <zlib.h>

#include "daemon/tarindex/output.h"
#include "daemon/util/checked.h"
#include "daemon/util/cleanup.h"
#include "proto/gzindex.h"

/* Output between two points: on average half of it is inflated for nothing by who reads a little.
 */
#define SPAN ((uint64_t)1 << 20)

struct gzip {
	int (*sink)(void *arg, const void *bytes, size_t len);
	void *arg;
	int windows_fd;
	z_stream z;		      /* owned */
	bool between;		      /* at the end of a member: another one may follow */
	bool padding;		      /* zeros behind the last one */
	uint64_t in, out, last_point; /* last_point: its out */
	uint64_t windows;	      /* bytes in windows_fd */
	uint8_t *points, *sums;	      /* owned */
	uint64_t n_points, n_sums;
	uint8_t window[GZINDEX_WINDOW], deflated[2 * GZINDEX_WINDOW];
	uint8_t block[GZINDEX_BLOCK]; /* of output, filled up to out % GZINDEX_BLOCK */
};

/* Room for one more of size bytes in an array that has n; it doubles at powers of two. */
static uint8_t *more(uint8_t **array, uint64_t n, size_t size)
{
	if ((n & (n - 1)) == 0) {
		uint8_t *p = realloc(*array, (n ? n * 2 : 1) * size);

		if (!p)
			return NULL;
		*array = p;
	}
	return *array + n * size;
}

static int add_point(struct gzip *gz, const struct gzindex_point *point)
{
	uint8_t *to = more(&gz->points, gz->n_points, GZINDEX_POINT);

	if (!to)
		return -ENOMEM;
	gzindex_encode_point(to, point);
	gz->n_points++;
	gz->last_point = point->out;
	return 0;
}

int gzip_new(struct gzip **ret, int (*sink)(void *arg, const void *bytes, size_t len), void *arg,
	     int windows_fd)
{
	_cleanup_(gzip_freep) struct gzip *gz = calloc(1, sizeof(*gz));

	if (!gz || inflateInit2(&gz->z, 31) != Z_OK)
		return -ENOMEM;
	gz->sink = sink;
	gz->arg = arg;
	gz->windows_fd = windows_fd;
	if (add_point(gz, &(struct gzindex_point){ .in = 0 }) < 0)
		return -ENOMEM;
	*ret = steal(&gz);
	return 0;
}

struct gzip *gzip_free(struct gzip *gz)
{
	if (gz) {
		inflateEnd(&gz->z);
		free(gz->points);
		free(gz->sums);
	}
	free(gz);
	return NULL;
}

static int write_all(int fd, const void *bytes, size_t len)
{
	const char *from = bytes;

	while (len > 0) {
		ssize_t n = write(fd, from, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		from += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static int deflate_window(struct gzip *gz, uint32_t *ret_len)
{
	z_stream z = { .next_in = gz->window,
		       .avail_in = sizeof(gz->window),
		       .next_out = gz->deflated,
		       .avail_out = sizeof(gz->deflated) };
	int r;

	if (deflateInit2(&z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	r = deflate(&z, Z_FINISH);
	*ret_len = (uint32_t)z.total_out;
	deflateEnd(&z);
	return r == Z_STREAM_END ? 0 : -ENOMEM;
}

/* Between two blocks of a member. */
static int add_window_point(struct gzip *gz)
{
	struct gzindex_point point = {
		.in = gz->in,
		.out = gz->out,
		.window_at = gz->windows, /* from the beginning of windows, for now */
		.bits = gz->z.data_type & 7,
	};
	uInt len = sizeof(gz->window);
	int r;

	if (inflateGetDictionary(&gz->z, gz->window, &len) != Z_OK)
		return -ENOMEM;
	/* Of a member that has just begun there is less, and the next point is as good. */
	if (len < sizeof(gz->window))
		return 0;
	r = deflate_window(gz, &point.window_len);
	if (r == 0)
		r = write_all(gz->windows_fd, gz->deflated, point.window_len);
	if (r < 0)
		return r;
	point.window_hash = XXH3_64bits(gz->window, sizeof(gz->window));
	gz->windows += point.window_len;
	return add_point(gz, &point);
}

static int end_block(struct gzip *gz, size_t len)
{
	uint8_t *to = more(&gz->sums, gz->n_sums, 8);

	if (!to)
		return -ENOMEM;
	gzindex_encode_sum(to, XXH3_64bits(gz->block, len));
	gz->n_sums++;
	return 0;
}

/* One call of inflate(): to the end of a block of deflate, of our block, or of the input. */
static int step(struct gzip *gz)
{
	size_t begin = gz->out % GZINDEX_BLOCK, n;
	uInt avail = gz->z.avail_in;
	int status, r = 0;

	gz->z.next_out = gz->block + begin;
	gz->z.avail_out = (uInt)(GZINDEX_BLOCK - begin);
	status = inflate(&gz->z, Z_BLOCK);
	if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR)
		return status == Z_MEM_ERROR ? -ENOMEM : -EBADMSG;
	n = GZINDEX_BLOCK - begin - gz->z.avail_out;
	gz->in += avail - gz->z.avail_in;
	gz->out += n;
	if (n > 0)
		r = gz->sink(gz->arg, gz->block + begin, n);
	if (r == 0 && n > 0 && gz->out % GZINDEX_BLOCK == 0)
		r = end_block(gz, GZINDEX_BLOCK);
	if (r < 0)
		return r;
	if (status == Z_STREAM_END) {
		gz->between = true;
		return 0;
	}
	if ((gz->z.data_type & 128) && !(gz->z.data_type & 64) && gz->out - gz->last_point >= SPAN)
		r = add_window_point(gz);
	return r;
}

/* Behind a member: another one, or zeros to the end. */
static int begin_member(struct gzip *gz)
{
	if (*gz->z.next_in == 0 || gz->padding) {
		gz->padding = true;
		if (*gz->z.next_in != 0)
			return -EBADMSG;
		gz->z.next_in++;
		gz->z.avail_in--;
		gz->in++;
		return 0;
	}
	gz->between = false;
	if (inflateReset(&gz->z) != Z_OK)
		return -ENOMEM;
	/* Free of charge: no window. */
	return gz->out - gz->last_point >= SPAN
		       ? add_point(gz, &(struct gzindex_point){ .in = gz->in, .out = gz->out })
		       : 0;
}

int gzip_write(struct gzip *gz, const void *bytes, size_t len)
{
	const uint8_t *from = bytes;
	int r = 0;

	while (len > 0 && r == 0) {
		uInt n = (uInt)min_u64(len, 1 << 30);

		gz->z.next_in = (Bytef *)from;
		gz->z.avail_in = n;
		while (r == 0 && gz->z.avail_in > 0)
			r = gz->between ? begin_member(gz) : step(gz);
		/* The output may have ended exactly where our block did. */
		while (r == 0 && !gz->between && gz->z.avail_out == 0)
			r = step(gz);
		from += n;
		len -= n;
	}
	return r;
}

/* Windows come last: where they lie is known now. */
static void move_windows(struct gzip *gz, uint64_t by)
{
	struct gzindex index = { .points = gz->points };

	for (uint64_t i = 0; i < gz->n_points; i++) {
		struct gzindex_point point = gzindex_point(&index, i);

		point.window_at += point.window_len > 0 ? by : 0;
		gzindex_encode_point(gz->points + i * GZINDEX_POINT, &point);
	}
}

static int copy_windows(struct gzip *gz, struct output *out)
{
	for (uint64_t at = 0; at < gz->windows;) {
		ssize_t n = pread(gz->windows_fd, gz->block, sizeof(gz->block), (off_t)at);
		int r;

		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		r = output_write(out, gz->block, (size_t)n);
		if (r < 0)
			return r;
		at += (uint64_t)n;
	}
	return 0;
}

static int write_index(struct gzip *gz, const char *validator, struct output *out)
{
	struct gzindex index = {
		.inner_size = gz->in,
		.size = gz->out,
		.validator = validator,
		.n_points = gz->n_points,
		.n_sums = gz->n_sums,
		.points = gz->points,
		.sums = gz->sums,
	};
	uint8_t header[GZINDEX_HEADER];
	int r;

	move_windows(gz, GZINDEX_HEADER + gz->n_points * GZINDEX_POINT + gz->n_sums * 8);
	gzindex_encode_header(header, &index);
	r = output_write(out, header, sizeof(header));
	if (r == 0)
		r = output_write(out, gz->points, gz->n_points * GZINDEX_POINT);
	if (r == 0)
		r = output_write(out, gz->sums, gz->n_sums * 8);
	return r == 0 ? copy_windows(gz, out) : r;
}

int gzip_finish(struct gzip *gz, const char *validator, int index_fd, struct gzip_result *ret)
{
	size_t rest = gz->out % GZINDEX_BLOCK;
	struct output out;
	int r;

	assert(strlen(validator) < GZINDEX_VALIDATOR_MAX);
	if (!gz->between)
		return -EBADMSG;
	r = rest > 0 ? end_block(gz, rest) : 0;
	if (r == 0)
		r = output_begin(&out, index_fd);
	if (r < 0)
		return r;
	r = write_index(gz, validator, &out);
	if (r == 0)
		r = output_finish(&out, ret->index_sha256);
	ret->in = gz->in;
	ret->out = gz->out;
	ret->index_size = out.size;
	ret->n_points = gz->n_points;
	output_end(&out);
	return r;
}
