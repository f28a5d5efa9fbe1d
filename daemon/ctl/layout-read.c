/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/ctl/ctl.h"
#include "daemon/ctl/layout.h"
#include "daemon/util/cleanup.h"

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key)) ?: "";
}

/* A regular file as a whole, terminated. -EFBIG: more than max. */
static int read_file(int fd, size_t max, char **ret, size_t *ret_len)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0, size;
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_size < 0 || (uint64_t)st.st_size > max)
		return -EFBIG;
	size = (size_t)st.st_size;
	text = malloc(size + 1);
	if (!text)
		return -ENOMEM;
	while (len < size && (n = read(fd, text + len, size - len)) > 0)
		len += (size_t)n;
	if (len < size)
		return -EIO;
	text[len] = '\0';
	*ret = steal(&text);
	*ret_len = len;
	return 0;
}

/* ---- blobs ------------------------------------------------------------------------------ */

int layout_open_blob(const char *dir, const struct layout_descriptor *d, int *ret_fd)
{
	_cleanup_free_ char *path = layout_path(dir, d->digest);
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (!path)
		return ctl_error("%s", strerror(ENOMEM));
	/* A fifo would wait for somebody. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		return ctl_error("%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return ctl_error("%s: it is no regular file", path);
	if ((uint64_t)st.st_size != d->size)
		return ctl_error("%s: it has %" PRIu64 " bytes, and its manifest says %" PRIu64,
				 path, (uint64_t)st.st_size, d->size);
	*ret_fd = steal_fd(&fd);
	return CTL_OK;
}

int layout_read_text(const char *dir, const struct layout_descriptor *d, char **ret)
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *text = NULL;
	char digest[LAYOUT_DIGEST_MAX];
	size_t len = 0;
	int status = layout_open_blob(dir, d, &fd), r;

	if (status != CTL_OK)
		return status;
	r = read_file(fd, LAYOUT_TEXT_MAX, &text, &len);
	if (r == 0)
		r = layout_digest_text(text, len, digest);
	if (r < 0)
		return ctl_error("%s: blob %s: %s", dir, d->digest, strerror(-r));
	if (strcmp(digest, d->digest) != 0)
		return ctl_error("%s: blob %s is not what its digest says", dir, d->digest);
	*ret = steal(&text);
	return CTL_OK;
}

/* ---- the index -------------------------------------------------------------------------- */

static int take_descriptor(const char *dir, const json_t *descriptor, struct layout_descriptor *ret)
{
	const char *digest = text_of(descriptor, "digest");
	const json_t *size = json_object_get(descriptor, "size");

	if (!layout_digest_good(digest))
		return ctl_error("%s/index.json: '%.80s' is no digest by sha256", dir, digest);
	if (!json_is_integer(size) || json_integer_value(size) < 0)
		return ctl_error("%s/index.json: a descriptor without a size", dir);
	*ret = (struct layout_descriptor){
		.size = (uint64_t)json_integer_value(size),
		.media_type = strdup(text_of(descriptor, "mediaType")),
	};
	strcpy(ret->digest, digest);
	return ret->media_type ? CTL_OK : ctl_error("%s", strerror(ENOMEM));
}

/* The one of that tag, or the only one. */
static int choose(struct layout *l, const json_t *index)
{
	const json_t *manifests = json_object_get(index, "manifests"), *entry, *found = NULL;
	size_t i, n = json_array_size(manifests);

	json_array_foreach(manifests, i, entry)
	{
		const json_t *notes = json_object_get(entry, "annotations");

		if (!l->tag[0] ? n > 1 : strcmp(text_of(notes, LAYOUT_REF_NAME), l->tag) != 0)
			continue;
		if (found)
			return ctl_error("%s: several images have the tag '%s'", l->dir, l->tag);
		found = entry;
	}
	if (found)
		return take_descriptor(l->dir, found, &l->top);
	if (n == 0)
		return ctl_error("%s: there is no image in it", l->dir);
	if (l->tag[0])
		return ctl_error("%s: no image has the tag '%s'", l->dir, l->tag);
	return ctl_error("%s: there are %zu images in it: name one as " LAYOUT_PREFIX "%s:TAG",
			 l->dir, n, l->dir);
}

static int read_index(struct layout *l)
{
	_cleanup_free_ char *path = NULL, *text = NULL;
	_cleanup_close_ int fd = -1;
	json_t *index;
	size_t len = 0;
	int r, status;

	if (asprintf(&path, "%s/index.json", l->dir) < 0) {
		path = NULL;
		return ctl_error("%s", strerror(ENOMEM));
	}
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	r = fd < 0 ? -errno : read_file(fd, LAYOUT_TEXT_MAX, &text, &len);
	if (r == -ENOENT)
		return ctl_error("%s: it is no OCI layout: there is no index.json in it", l->dir);
	if (r < 0)
		return ctl_error("%s: %s", path, strerror(-r));
	index = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	if (json_is_object(index))
		status = choose(l, index);
	else
		status = ctl_error("%s: it is no JSON", path);
	json_decref(index);
	return status;
}

/* ---- references ------------------------------------------------------------------------- */

/* A directory may have a colon in its name: what is there counts. */
static int split(struct layout *l, const char *ref)
{
	const char *colon = strrchr(ref, ':');
	struct stat st;
	bool whole = !colon || strchr(colon, '/') || stat(ref, &st) == 0;

	l->dir = whole ? strdup(ref) : strndup(ref, (size_t)(colon - ref));
	l->tag = strdup(whole ? "" : colon + 1);
	return l->dir && l->tag ? CTL_OK : ctl_error("%s", strerror(ENOMEM));
}

int layout_open(struct layout *ret, const char *ref)
{
	struct layout l = { 0 };
	int status;

	if (strncmp(ref, LAYOUT_PREFIX, strlen(LAYOUT_PREFIX)) == 0)
		ref += strlen(LAYOUT_PREFIX);
	status = split(&l, ref);
	if (status == CTL_OK)
		status = read_index(&l);
	if (status == CTL_OK)
		*ret = l;
	else
		layout_close(&l);
	return status;
}

void layout_close(struct layout *l)
{
	free(l->dir);
	free(l->tag);
	layout_descriptor_end(&l->top);
	*l = (struct layout){ 0 };
}
