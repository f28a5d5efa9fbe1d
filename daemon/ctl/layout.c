/* SPDX-License-Identifier: MIT */
/* Digests, and what both reading and writing of layouts need. */
#include "daemon/ctl/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/ctl/ctl.h"
#include "daemon/ctl/interrupt.h"
#include "daemon/util/cleanup.h"
#include "daemon/util/sha256.h"

#define PIECE (256u << 10)

void layout_descriptor_end(struct layout_descriptor *d)
{
	free(d->media_type);
	d->media_type = NULL;
}

bool layout_digest_good(const char *text)
{
	return strncmp(text, "sha256:", 7) == 0 && strlen(text) == 7 + 64 &&
	       strspn(text + 7, "0123456789abcdef") == 64;
}

char *layout_path(const char *dir, const char *digest)
{
	char *path = NULL;

	return asprintf(&path, "%s/blobs/sha256/%s", dir, digest + strlen("sha256:")) < 0 ? NULL
											  : path;
}

static void print_digest(struct sha256 *sha, char ret[LAYOUT_DIGEST_MAX])
{
	memcpy(ret, "sha256:", 7);
	sha256_hex(sha, ret + 7);
}

int layout_digest_text(const char *text, size_t len, char ret[LAYOUT_DIGEST_MAX])
{
	_cleanup_(sha256_freep) struct sha256 *sha = NULL;
	int r = sha256_new(&sha);

	if (r < 0)
		return r;
	sha256_update(sha, text, len);
	print_digest(sha, ret);
	return 0;
}

int layout_digest_fd(int fd, struct progress *progress, char ret[LAYOUT_DIGEST_MAX],
		     uint64_t *ret_size)
{
	_cleanup_(sha256_freep) struct sha256 *sha = NULL;
	_cleanup_free_ char *buf = malloc(PIECE);
	uint64_t at = 0;
	ssize_t n;
	int r = buf ? sha256_new(&sha) : -ENOMEM;

	if (r < 0)
		return r;
	while ((n = pread(fd, buf, PIECE, (off_t)at)) > 0) {
		if (interrupt_pending())
			return -EINTR;
		sha256_update(sha, buf, (size_t)n);
		at += (uint64_t)n;
		if (progress)
			progress_update(progress, at);
	}
	if (n < 0)
		return -errno;
	print_digest(sha, ret);
	*ret_size = at;
	return 0;
}

/* ---- writing ---------------------------------------------------------------------------- */

static int write_text(const char *dir, const char *name, const char *text, size_t len)
{
	_cleanup_free_ char *path = NULL;
	FILE *f;
	bool failed;

	if (asprintf(&path, "%s/%s", dir, name) < 0) {
		path = NULL;
		return ctl_error("%s", strerror(ENOMEM));
	}
	f = fopen(path, "wxe");
	if (!f)
		return ctl_error("%s: %s", path, strerror(errno));
	failed = fwrite(text, 1, len, f) != len;
	if (fclose(f) != 0 || failed)
		return ctl_error("%s: %s", path, strerror(errno));
	return CTL_OK;
}

int layout_create(const char *dir)
{
	static const char *const names[] = { "blobs", "blobs/sha256" };
	static const char version[] = "{\"imageLayoutVersion\":\"1.0.0\"}";

	for (size_t i = 0; i < 2; i++) {
		_cleanup_free_ char *path = NULL;

		if (asprintf(&path, "%s/%s", dir, names[i]) < 0 || mkdir(path, 0755) < 0)
			return ctl_error("%s/%s: %s", dir, names[i], strerror(errno));
	}
	return write_text(dir, "oci-layout", version, strlen(version));
}

int layout_adopt(const char *dir, const char *file, struct progress *progress,
		 struct layout_descriptor *ret)
{
	_cleanup_close_ int fd = open(file, O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *path = NULL;
	int r = fd < 0 ? -errno : layout_digest_fd(fd, progress, ret->digest, &ret->size);

	if (r == -EINTR)
		return CTL_FAILED;
	if (r < 0)
		return ctl_error("%s: %s", file, strerror(-r));
	path = layout_path(dir, ret->digest);
	if (!path || fchmod(fd, 0644) < 0 || rename(file, path) < 0)
		return ctl_error("%s: %s", path ? path : dir, strerror(errno));
	return CTL_OK;
}

int layout_add_text(const char *dir, const char *text, size_t len, struct layout_descriptor *ret)
{
	_cleanup_free_ char *path = NULL;
	int r = layout_digest_text(text, len, ret->digest);

	if (r < 0)
		return ctl_error("%s", strerror(-r));
	ret->size = len;
	path = layout_path(dir, ret->digest);
	if (!path)
		return ctl_error("%s", strerror(ENOMEM));
	if (access(path, F_OK) == 0)
		return CTL_OK;
	return write_text(dir, path + strlen(dir) + 1, text, len);
}

int layout_finish(const char *dir, const char *index, size_t len)
{
	return write_text(dir, "index.json", index, len);
}
