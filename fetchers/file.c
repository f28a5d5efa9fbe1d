/* SPDX-License-Identifier: MIT */
/*
 * Files below one local directory: cachefill-file(5). The reference implementation of fetcher.h.
 *
 * Opening may touch the disk and is done in place; reading is tried from the page cache first and
 * goes through the loop where that has not got everything.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "daemon/util/cleanup.h"
#include "fetchers/common.h"
#include "fetchers/file-open.h"

#define FILE_OP_MAX ((size_t)1 << 30) /* of loop_pread() */

struct file_fetcher {
	struct fetcher base;
	struct loop *loop;
	struct fetch_refusals refusals;
	char *root; /* owned; absolute, with its last slash */
};

struct file_object {
	struct fetch_object base;
	struct fetch_identity identity;
	struct file_stamp stamp; /* of fd */
	char *locator;		 /* owned */
	int fd;			 /* owned; -1 until the first read */
};

/* Bytes [off, off + len) of fd into buf, for a look (its head) or for a read. */
struct file_request {
	struct file_fetcher *file;
	struct fetch_look *look; /* one of these two */
	struct fetch_read *read;
	struct file_stamp stamp; /* what fd must still be */
	const char *locator;
	char *error; /* of look or read */
	struct loop_op op;
	struct loop_deferred deferred; /* the end, where it is known from inside the call */
	uint8_t *buf;
	uint64_t off;
	size_t len, filled;
	int fd, own_fd; /* own_fd: to be closed with the request, or -1 */
	int err;
	bool waiting; /* op is in the loop */
};

/* ---- requests --------------------------------------------------------------------------- */

static void request_done(struct file_request *r)
{
	struct fetch_look *look = r->look;
	struct fetch_read *read = r->read;
	int err = r->err;

	close_fdp(&r->own_fd);
	free(r);
	if (look)
		look->done(look, err);
	else
		read->done(read, err);
}

static void request_run_deferred(struct loop_deferred *deferred)
{
	request_done(container_of(deferred, struct file_request, deferred));
}

/* The end of a request, from inside the call that started it. */
static void request_defer(struct file_request *r, int err)
{
	r->err = err;
	loop_defer(r->file->loop, &r->deferred);
}

/*
 * Bytes have arrived; are they of the identity that we promised? A write changes the time before
 * it changes the bytes, so that looking afterwards is enough.
 */
static int request_check(struct file_request *r)
{
	struct file_stamp now;
	struct stat st;

	if (fstat(r->fd, &st) < 0) {
		int err = file_verdict(errno);

		fetch_error(r->error, r->locator, "%s", strerror(errno));
		return err;
	}
	now = file_stamp_of(&st);
	if (file_stamp_equal(&now, &r->stamp))
		return 0;
	fetch_error(r->error, r->locator, "the file has changed");
	return -ESTALE;
}

static void request_continue(struct file_request *r)
{
	size_t rest = r->len - r->filled;

	r->waiting = true;
	loop_pread(r->file->loop, &r->op, r->fd, r->buf + r->filled,
		   rest < FILE_OP_MAX ? rest : FILE_OP_MAX, r->off + r->filled);
}

static void request_read_done(struct loop_op *op, int res)
{
	struct file_request *r = container_of(op, struct file_request, op);

	r->waiting = false;
	if (res > 0) {
		r->err = request_check(r);
		r->filled += r->err == 0 ? (size_t)res : 0;
	} else {
		/* 0: the end, although the size says that there is more. */
		r->err = res == 0 ? -EIO : file_verdict(-res);
		fetch_error(r->error, r->locator, "%s",
			    res == 0 ? "ends before its size" : strerror(-res));
		if (res == 0 && request_check(r) == -ESTALE)
			r->err = -ESTALE;
	}
	if (r->err < 0 || r->filled == r->len) {
		request_done(r);
		return;
	}
	request_continue(r);
	if (r->read && r->read->progress)
		r->read->progress(r->read, r->filled);
}

static void request_start(struct file_request *r)
{
	struct iovec iov = { .iov_base = r->buf, .iov_len = r->len };
	ssize_t n = r->len > 0 ? preadv2(r->fd, &iov, 1, (off_t)r->off, RWF_NOWAIT) : 0;

	if (n > 0)
		r->filled = (size_t)n;
	if (r->filled == r->len)
		request_defer(r, request_check(r));
	else
		request_continue(r);
}

static void request_cancel(struct file_request *r)
{
	if (r->waiting)
		loop_op_cancel(r->file->loop, &r->op);
}

/* ---- the contract ----------------------------------------------------------------------- */

static void file_look(struct fetcher *fetcher, struct fetch_look *look)
{
	struct file_fetcher *file = container_of(fetcher, struct file_fetcher, base);
	struct file_request *r = malloc(sizeof(*r));
	struct file_stamp stamp = { 0 };
	int fd;

	if (!r) {
		fetch_refuse_look(&file->refusals, look);
		return;
	}
	fd = file_open_below(file->root, look->locator, &stamp, look->error);
	*r = (struct file_request){
		.file = file,
		.look = look,
		.stamp = stamp,
		.locator = look->locator,
		.error = look->error,
		.op.done = request_read_done,
		.deferred.run = request_run_deferred,
		.buf = look->head,
		.fd = fd,
		.own_fd = fd,
	};
	look->fetcher_private = r;
	if (fd < 0) {
		request_defer(r, fd);
		return;
	}
	look->identity = file_identity_of(&stamp);
	r->len =
		look->head_len < look->identity.size ? look->head_len : (size_t)look->identity.size;
	look->head_filled = r->len;
	request_start(r);
}

static void file_cancel_look(struct fetcher *fetcher, struct fetch_look *look)
{
	struct file_fetcher *file = container_of(fetcher, struct file_fetcher, base);

	if (!fetch_refused_look(&file->refusals, look))
		request_cancel(look->fetcher_private);
}

static int file_attach(struct fetcher *fetcher, struct fetch_object **ret, const char *locator,
		       const struct fetch_identity *identity)
{
	struct file_fetcher *file = container_of(fetcher, struct file_fetcher, base);
	_cleanup_free_ char *below = NULL;
	struct file_object *object;
	int r = file_path_below(&below, file->root, locator);

	if (r < 0)
		return r == -ENOMEM ? r : -EINVAL;
	if (strncmp(identity->validator, "mtime:", 6) != 0)
		return -EINVAL;
	object = malloc(sizeof(*object));
	if (!object)
		return -ENOMEM;
	*object = (struct file_object){ .base.fetcher = fetcher, .identity = *identity, .fd = -1 };
	object->locator = strdup(locator);
	if (!object->locator) {
		free(object);
		return -ENOMEM;
	}
	*ret = &object->base;
	return 0;
}

static void file_detach(struct fetch_object *base)
{
	struct file_object *object = container_of(base, struct file_object, base);

	close_fdp(&object->fd);
	free(object->locator);
	free(object);
}

/* The file at the locator, if it is the one that was attached. */
static int object_open(struct file_fetcher *file, struct file_object *object, char *error)
{
	struct fetch_identity identity;
	int fd = file_open_below(file->root, object->locator, &object->stamp, error);

	if (fd < 0)
		return fd;
	identity = file_identity_of(&object->stamp);
	if (identity.size != object->identity.size ||
	    strcmp(identity.validator, object->identity.validator) != 0) {
		close(fd);
		fetch_error(error, object->locator, "the file has changed");
		return -ESTALE;
	}
	object->fd = fd;
	return 0;
}

static void file_read(struct fetch_object *base, struct fetch_read *read)
{
	struct file_object *object = container_of(base, struct file_object, base);
	struct file_fetcher *file = container_of(base->fetcher, struct file_fetcher, base);
	struct file_request *r = malloc(sizeof(*r));
	int err = 0;

	assert(read->len >= 1 && read->off + read->len <= object->identity.size);
	if (!r) {
		fetch_refuse_read(&file->refusals, read);
		return;
	}
	if (object->fd < 0)
		err = object_open(file, object, read->error);
	*r = (struct file_request){
		.file = file,
		.read = read,
		.stamp = object->stamp,
		.locator = object->locator,
		.error = read->error,
		.op.done = request_read_done,
		.deferred.run = request_run_deferred,
		.buf = read->buf,
		.off = read->off,
		.len = read->len,
		.fd = object->fd,
		.own_fd = -1,
	};
	read->fetcher_private = r;
	if (err < 0)
		request_defer(r, err);
	else
		request_start(r);
}

static void file_cancel_read(struct fetch_object *base, struct fetch_read *read)
{
	struct file_fetcher *file = container_of(base->fetcher, struct file_fetcher, base);

	if (!fetch_refused_read(&file->refusals, read))
		request_cancel(read->fetcher_private);
}

static void file_free(struct fetcher *fetcher)
{
	struct file_fetcher *file = container_of(fetcher, struct file_fetcher, base);

	free(file->root);
	free(file);
}

static const struct fetcher_ops file_ops = {
	.look = file_look,
	.cancel_look = file_cancel_look,
	.attach = file_attach,
	.detach = file_detach,
	.read = file_read,
	.cancel_read = file_cancel_read,
	.free = file_free,
};

static int file_create(struct fetcher **ret, struct loop *loop, const char *template,
		       const struct fetcher_param *params, char *error)
{
	_cleanup_free_ char *root = NULL;
	struct file_fetcher *file;
	int r = file_root_of(&root, template, error);

	if (r == -EINVAL || (r == 0 && !loop))
		return r;
	file = r == 0 ? malloc(sizeof(*file)) : NULL;
	if (!file) {
		fetch_error(error, template, "no memory");
		return -ENOMEM;
	}
	*file = (struct file_fetcher){ .base.ops = &file_ops, .loop = loop };
	file->root = steal(&root);
	fetch_refusals_init(&file->refusals, loop);
	*ret = &file->base;
	return 0;
}

const struct fetcher_class file_fetcher_class = {
	.name = "file",
	.schemes = (const char *const[]){ "file", NULL },
	.keys = (const struct fetcher_key[]){ { NULL, NULL } },
	.create = file_create,
};
