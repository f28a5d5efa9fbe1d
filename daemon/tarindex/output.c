/* SPDX-License-Identifier: MIT */
#include "daemon/tarindex/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/util/checked.h"

#define OUTPUT_BUFFER ((size_t)256 << 10)

static int flush(struct output *out)
{
	size_t at = 0;

	sha256_update(out->sha, out->buf, out->filled);
	while (at < out->filled) {
		ssize_t n = write(out->fd, out->buf + at, out->filled - at);

		if (n < 0 && errno != EINTR)
			return -errno;
		at += n > 0 ? (size_t)n : 0;
	}
	out->filled = 0;
	return 0;
}

int output_write(struct output *out, const void *bytes, size_t len)
{
	const uint8_t *from = bytes;

	out->size += len;
	while (len > 0) {
		size_t n = min_u64(len, OUTPUT_BUFFER - out->filled);
		int r;

		memcpy(out->buf + out->filled, from, n);
		out->filled += n;
		from += n;
		len -= n;
		r = out->filled == OUTPUT_BUFFER ? flush(out) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

static int sink_write(struct image_sink *sink, const void *bytes, size_t len)
{
	return output_write((struct output *)sink, bytes, len);
}

int output_begin(struct output *out, int fd)
{
	*out = (struct output){ .sink.write = sink_write, .fd = fd };
	out->buf = malloc(OUTPUT_BUFFER);
	if (out->buf && sha256_new(&out->sha) == 0)
		return 0;
	free(out->buf);
	return -ENOMEM;
}

int output_finish(struct output *out, char hex[static SHA256_HEX])
{
	int r = flush(out);

	if (r == 0)
		sha256_hex(out->sha, hex);
	return r;
}

void output_end(struct output *out)
{
	sha256_free(out->sha);
	free(out->buf);
}
