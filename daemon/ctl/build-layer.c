/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/ctl/build-unpack.h"
#include "daemon/ctl/build.h"
#include "daemon/ctl/interrupt.h"
#include "daemon/ctl/tree.h"
#include "daemon/util/cleanup.h"

/* "unpack 2/3": what is said while it lasts. */
static void describe(const struct build *b, size_t number, const char *verb, char *buf, size_t n)
{
	if (b->n_layers == 1)
		snprintf(buf, n, "%s", verb);
	else
		snprintf(buf, n, "%s %zu/%zu", verb, number + 1, b->n_layers);
}

static char *below_work(const struct build *b, const char *name)
{
	char *path = NULL;

	if (asprintf(&path, "%s/%s", b->work, name) < 0) {
		ctl_error("%s", strerror(ENOMEM));
		return NULL;
	}
	return path;
}

/* ---- from an origin --------------------------------------------------------------------- */

struct fetching {
	int fd;
	uint64_t done;
	struct progress progress;
};

static int take_bytes(void *arg, const void *bytes, size_t len)
{
	struct fetching *f = arg;
	const char *at = bytes;

	f->done += len;
	while (len > 0) {
		ssize_t n = write(f->fd, at, len);

		if (n < 0)
			return -errno;
		at += n;
		len -= (size_t)n;
	}
	progress_update(&f->progress, f->done);
	return 0;
}

static int fetch(struct build *b, size_t number, const char *path)
{
	const struct build_layer *l = &b->layers[number];
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	struct fetching f = { .fd = fd };
	char error[CONTEXT_ERROR_MAX] = "", what[64];
	int r;

	if (fd < 0)
		return ctl_error("%s: %s", path, strerror(errno));
	describe(b, number, "fetch", what, sizeof(what));
	progress_begin(&f.progress, what, l->identity.size, b->mkfs.json);
	r = context_stream(b->context, l->locator, &l->identity, take_bytes, &f, error);
	progress_end(&f.progress);
	if (r < 0)
		return error[0] ? ctl_error("%s", error) : ctl_error("%s: %s", path, strerror(-r));
	return CTL_OK;
}

/* ---- archives --------------------------------------------------------------------------- */

static int open_archive(struct build *b, size_t number, const char *path, int *ret_fd,
			uint64_t *ret_size)
{
	const struct build_layer *l = &b->layers[number];
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	char digest[LAYOUT_DIGEST_MAX], what[64];
	struct progress progress;
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return ctl_error("%s: %s", path, strerror(errno));
	*ret_size = (uint64_t)st.st_size;
	if (l->digest[0]) {
		describe(b, number, "check", what, sizeof(what));
		progress_begin(&progress, what, *ret_size, b->mkfs.json);
		r = layout_digest_fd(fd, &progress, digest, ret_size);
		progress_end(&progress);
		if (r == -EINTR)
			return CTL_FAILED;
		if (r < 0)
			return ctl_error("%s: %s", path, strerror(-r));
		if (strcmp(digest, l->digest) != 0)
			return ctl_error("layer %s is not what its digest says", l->digest);
	}
	*ret_fd = steal_fd(&fd);
	return CTL_OK;
}

static int unpack(struct build *b, size_t number, const char *archive, const char *dir)
{
	_cleanup_close_ int fd = -1;
	struct progress progress;
	struct build_unpack u = {
		.name = b->layers[number].name, .dir = dir, .dirs = b->dirs, .progress = &progress
	};
	char what[64];
	int status = open_archive(b, number, archive, &fd, &u.size);

	if (status != CTL_OK)
		return status;
	if (mkdir(dir, 0700) < 0 || chmod(dir, 0755) < 0)
		return ctl_error("%s: %s", dir, strerror(errno));
	u.fd = fd;
	describe(b, number, "unpack", what, sizeof(what));
	progress_begin(&progress, what, u.size, b->mkfs.json);
	status = build_unpack(&u);
	progress_end(&progress);
	return status;
}

/* All that it needs goes again before the next one, in any case at the end of the build. */
static int layer_of_archive(struct build *b, size_t number, const char *out, const char *what)
{
	struct build_layer *l = &b->layers[number];
	_cleanup_free_ char *root = below_work(b, "root"), *fetched = below_work(b, "archive");
	int status = root && fetched ? CTL_OK : CTL_FAILED, r;

	if (status == CTL_OK && !l->archive)
		status = fetch(b, number, fetched);
	if (status == CTL_OK)
		status = unpack(b, number, l->archive ? l->archive : fetched, root);
	if (status == CTL_OK)
		status = build_mkfs(&b->mkfs, root, out, what);
	if (status != CTL_OK)
		return status;
	if (!l->archive)
		unlink(fetched);
	r = tree_remove(root);
	return r < 0 ? ctl_error("%s: %s", root, strerror(-r)) : CTL_OK;
}

int build_layer(struct build *b, size_t number, const char *out)
{
	const struct build_layer *l = &b->layers[number];
	_cleanup_close_ int fd = open(out, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	char what[64];

	if (fd < 0)
		return ctl_error("%s: %s", out, strerror(errno));
	describe(b, number, "build", what, sizeof(what));
	return l->dir ? build_mkfs(&b->mkfs, l->dir, out, what)
		      : layer_of_archive(b, number, out, what);
}
