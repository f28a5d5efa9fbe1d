/* SPDX-License-Identifier: MIT */
#include "daemon/images/follow.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "daemon/util/cleanup.h"
#include "daemon/util/log.h"

struct images_follow {
	char *dir, *path;      /* owned */
	struct images *images; /* owned; NULL: none, or not yet */
	struct stat opened;    /* the file that images is of */
	struct stat refused;   /* the file that was no good, as it was then, ... */
	int err;	       /* ... and how */
};

static void followp(struct images_follow **follow)
{
	images_follow_free(*follow);
}

struct images_follow *images_follow_free(struct images_follow *f)
{
	if (!f)
		return NULL;
	images_close(f->images);
	free(f->path);
	free(f->dir);
	free(f);
	return NULL;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool unchanged(const struct stat *a, const struct stat *b)
{
	return same_file(a, b) && a->st_size == b->st_size &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static int open_file(struct images_follow *f, const struct stat *st)
{
	bool again = unchanged(st, &f->refused);
	char error[IMAGES_ERROR_MAX];
	int err;

	if (again && f->err == -EUCLEAN)
		return -ENOENT;
	err = images_open(&f->images, f->dir, IMAGES_READ, error);
	if (err == 0) {
		f->opened = *st;
		f->refused = (struct stat){ 0 };
	}
	if (err == 0 || err == -ENOENT || err == -ENOMEM)
		return err;
	if (!again || f->err != err)
		log_error("images: %s; no image can be opened until that is mended", error);
	f->refused = *st;
	f->err = err;
	return -ENOENT;
}

/* The file of this moment; an inode that we have open cannot be another file's meanwhile. */
static int follow(struct images_follow *f)
{
	struct stat st;
	int r = stat(f->path, &st);

	if (f->images && (r < 0 || !same_file(&st, &f->opened)))
		f->images = images_close(f->images);
	if (r < 0)
		return -ENOENT;
	return f->images ? 0 : open_file(f, &st);
}

int images_follow_new(struct images_follow **ret, const char *dir)
{
	_cleanup_(followp) struct images_follow *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->dir = strdup(dir);
	if (!f->dir || asprintf(&f->path, "%s/images.db", dir) < 0) {
		f->path = NULL;
		return -ENOMEM;
	}
	/* With many images it takes a while to check a store; nobody waits yet. */
	(void)follow(f);
	*ret = steal(&f);
	return 0;
}

int images_follow_recall(struct images_follow *f, const char *name, char ret[IMAGES_HINT_MAX])
{
	int err = follow(f);

	if (err == 0)
		err = images_recall(f->images, name, ret);
	if (err == -EIO)
		f->images = images_close(f->images);
	return err < 0 ? -ENOENT : 0;
}

int images_follow_find(struct images_follow *f, struct bytes cookie, struct images_object *ret)
{
	int err = follow(f);

	if (err < 0)
		return err;
	err = images_find(f->images, cookie, ret);
	if (err != -EIO)
		return err;
	/* It has been logged. Whether the file is damaged is found out when it is opened again. */
	f->images = images_close(f->images);
	return -ENOENT;
}

char *images_follow_name_of(struct images_follow *f, struct bytes cookie)
{
	return follow(f) == 0 ? images_name_of(f->images, cookie) : NULL;
}

int images_follow_list(struct images_follow *f, int64_t after, size_t limit,
		       images_visit_summary *visit, void *to)
{
	int err = follow(f);

	if (err == 0)
		err = images_list(f->images, after, limit, visit, to);
	if (err == -EIO)
		f->images = images_close(f->images);
	return err;
}
