/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/build-verity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/ctl/ctl.h"
#include "daemon/ctl/interrupt.h"
#include "daemon/ctl/progress.h"
#include "daemon/util/cleanup.h"
#include "proto/fsverity-make.h"

#define PIECE ((size_t)1 << 20)

static int write_at(int fd, const void *bytes, size_t len, uint64_t off)
{
	ssize_t n = pwrite(fd, bytes, len, (off_t)off);

	return n == (ssize_t)len ? 0 : n < 0 ? -errno : -ENOSPC;
}

static int put_block(void *arg, uint64_t number, const void *block)
{
	const int *fd = arg;

	return write_at(*fd, block, FSVERITY_BLOCK, FSVERITY_DESCRIPTOR + number * FSVERITY_BLOCK);
}

/* All that was asked for, but at the end of the file; or a negative errno. */
static ssize_t read_piece(int fd, void *buf, uint64_t off)
{
	size_t len = 0;
	ssize_t n = 1;

	while (len < PIECE && n > 0) {
		n = pread(fd, (char *)buf + len, PIECE - len, (off_t)(off + len));
		if (n < 0)
			return -errno;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

static int read_all(int fd, uint64_t size, struct fsverity_maker *maker, struct progress *progress)
{
	_cleanup_free_ char *buf = malloc(PIECE);

	if (!buf)
		return -ENOMEM;
	for (uint64_t at = 0; at < size;) {
		ssize_t n = interrupt_pending() ? -EINTR : read_piece(fd, buf, at);
		int err = n > 0 && (uint64_t)n <= size - at
				  ? fsverity_maker_add(maker, buf, (size_t)n)
				  : (n < 0 ? (int)n : -EIO);

		if (err < 0)
			return err;
		at += (uint64_t)n;
		progress_update(progress, at);
	}
	return 0;
}

static int make(int in, int out, uint64_t size, struct progress *progress,
		char ret_digest[static FSVERITY_DIGEST_TEXT])
{
	_cleanup_(fsverity_maker_freep) struct fsverity_maker *maker = NULL;
	uint8_t descriptor[FSVERITY_DESCRIPTOR], digest[FSVERITY_HASH];
	int err = fsverity_maker_new(&maker, size, put_block, &out);

	if (err == 0)
		err = read_all(in, size, maker, progress);
	if (err == 0)
		err = fsverity_maker_finish(maker, descriptor, digest);
	if (err == 0)
		err = write_at(out, descriptor, sizeof(descriptor), 0);
	if (err == 0)
		fsverity_digest_print(digest, ret_digest);
	return err;
}

int build_verity(const char *file, const char *out, const char *what, bool json,
		 char ret_digest[static FSVERITY_DIGEST_TEXT])
{
	_cleanup_close_ int in = open(file, O_RDONLY | O_CLOEXEC), to = -1;
	struct progress progress;
	struct stat st;
	int err;

	if (in < 0 || fstat(in, &st) < 0)
		return ctl_error("%s: %s", file, strerror(errno));
	to = open(out, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (to < 0)
		return ctl_error("%s: %s", out, strerror(errno));
	progress_begin(&progress, what, (uint64_t)st.st_size, json);
	err = make(in, to, (uint64_t)st.st_size, &progress, ret_digest);
	progress_end(&progress);
	if (err == -EINTR)
		return CTL_FAILED;
	return err < 0 ? ctl_error("%s: %s", out, strerror(-err)) : CTL_OK;
}
