/* SPDX-License-Identifier: MIT */
#include "fetchers/index-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/util/checked.h"
#include "daemon/util/cleanup.h"

#define PIECE ((size_t)256 << 10) /* hashed within a turn of the loop */

static void finish(struct index_file *f, int err)
{
	sha256_free(f->sha);
	free(f->piece);
	f->sha = NULL;
	f->piece = NULL;
	if (err < 0) {
		close_fdp(&f->fd);
		f->fd = -1;
		free(f->kept);
		f->kept = NULL;
	}
	f->done(f, err);
}

static void run_deferred(struct loop_deferred *deferred)
{
	struct index_file *f = container_of(deferred, struct index_file, deferred);

	finish(f, f->err);
}

static int fail(struct index_file *f, int err, const char *why)
{
	f->why = why;
	return err;
}

static int fail_errno(struct index_file *f, int error)
{
	int err = error == ENOENT || error == ENOTDIR			? -ENOENT
		  : error == EACCES || error == EPERM || error == ELOOP ? -EACCES
		  : error == EMFILE || error == ENFILE			? -EMFILE
		  : error == ENOMEM					? -ENOMEM
									: -EIO;

	return fail(f, err, strerror(error));
}

/* The first piece is there: how much of it all shall stay? */
static int allocate_kept(struct index_file *f, size_t n)
{
	f->n_kept = (size_t)min_u64(f->keep(bytes_of(f->piece, n), f->size), f->size);
	f->kept = malloc(f->n_kept + 1);
	return f->kept ? 0 : fail(f, -ENOMEM, "no memory");
}

static void read_more(struct index_file *f)
{
	loop_pread(f->loop, &f->op, f->fd, f->piece, min_u64(PIECE, f->size - f->at), f->at);
}

static void read_done(struct loop_op *op, int res)
{
	struct index_file *f = container_of(op, struct index_file, op);
	int err = f->canceled ? fail(f, -ECANCELED, "canceled")
		  : res < 0   ? fail_errno(f, -res)
		  : res == 0  ? fail(f, -EPROTO, "the index ends before its size")
			      : 0;

	if (err == 0 && f->at == 0)
		err = allocate_kept(f, (size_t)res);
	if (err < 0) {
		finish(f, err);
		return;
	}
	sha256_update(f->sha, f->piece, (size_t)res);
	if (f->at < f->n_kept)
		memcpy(f->kept + f->at, f->piece, min_u64((uint64_t)res, f->n_kept - f->at));
	f->at += (uint64_t)res;
	if (f->at < f->size) {
		read_more(f);
		return;
	}
	sha256_hex(f->sha, f->sha256);
	finish(f, 0);
}

static int begin(struct index_file *f, const char *path)
{
	struct stat st;

	f->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (f->fd < 0 || fstat(f->fd, &st) < 0)
		return fail_errno(f, errno);
	if (!S_ISREG(st.st_mode))
		return fail(f, -EACCES, "the index is not a regular file");
	if (st.st_size == 0 || (uint64_t)st.st_size > f->size_max)
		return fail(f, -EPROTO, "the index has a size that none has");
	f->size = (uint64_t)st.st_size;
	f->piece = malloc(PIECE);
	if (!f->piece || sha256_new(&f->sha) < 0)
		return fail(f, -ENOMEM, "no memory");
	return 0;
}

void index_file_load(struct index_file *f, const char *path)
{
	f->fd = -1;
	f->kept = NULL;
	f->piece = NULL;
	f->sha = NULL;
	f->at = 0;
	f->canceled = false;
	f->op.done = read_done;
	f->deferred.run = run_deferred;
	f->err = begin(f, path);
	if (f->err < 0)
		loop_defer(f->loop, &f->deferred);
	else
		read_more(f);
}

void index_file_cancel(struct index_file *f)
{
	f->canceled = true;
	loop_op_cancel(f->loop, &f->op);
}
