/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/build-out.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/ctl/ctl.h"
#include "daemon/ctl/layout.h"
#include "daemon/ctl/tree.h"
#include "daemon/util/cleanup.h"

/* Beside a plain image: where it is looked for, cachefill-verify(5). NULL: it has been said. */
static char *tree_place(const struct build_out *o)
{
	char *place;

	if (asprintf(&place, "%s.verity", o->place) >= 0)
		return place;
	ctl_error("%s", strerror(ENOMEM));
	return NULL;
}

static int check_tree_place(const struct build_out *o)
{
	_cleanup_free_ char *place = tree_place(o);
	struct stat st;

	if (!place)
		return CTL_FAILED;
	if (lstat(place, &st) < 0)
		return errno == ENOENT ? CTL_OK : ctl_error("%s: %s", place, strerror(errno));
	if (o->force && S_ISREG(st.st_mode))
		return CTL_OK;
	return ctl_error("%s: it exists%s", place,
			 o->force ? ", and is no regular file" : "; --force replaces it");
}

/* What may be replaced is what we make: a regular file, or a layout. */
static int check_place(const struct build_out *o)
{
	_cleanup_free_ char *version = NULL;
	struct stat st;

	if (lstat(o->place, &st) < 0)
		return errno == ENOENT ? CTL_OK : ctl_error("%s: %s", o->place, strerror(errno));
	if (!o->force)
		return ctl_error("%s: it exists; --force replaces it", o->name);
	if (o->plain)
		return S_ISREG(st.st_mode)
			       ? CTL_OK
			       : ctl_error("%s: it is no regular file, and is not replaced",
					   o->name);
	if (asprintf(&version, "%s/oci-layout", o->place) < 0) {
		version = NULL;
		return ctl_error("%s", strerror(ENOMEM));
	}
	return S_ISDIR(st.st_mode) && access(version, F_OK) == 0
		       ? CTL_OK
		       : ctl_error("%s: it is no OCI layout, and is not replaced", o->name);
}

/* "/real/directory/name", where the directory exists and the name may not. */
int build_out_find(struct build_out *o)
{
	_cleanup_free_ char *copy = strdup(o->name), *parent = NULL;
	size_t n = strlen(o->name);
	char *slash;

	if (!copy)
		return ctl_error("%s", strerror(ENOMEM));
	while (n > 1 && copy[n - 1] == '/')
		copy[--n] = '\0';
	slash = strrchr(copy, '/');
	if (slash)
		*slash = '\0';
	parent = realpath(slash ? (slash == copy ? "/" : copy) : ".", NULL);
	if (!parent)
		return ctl_error("%s: %s", o->name, strerror(errno));
	if (asprintf(&o->place, "%s/%s", strcmp(parent, "/") == 0 ? "" : parent,
		     slash ? slash + 1 : copy) < 0) {
		o->place = NULL;
		return ctl_error("%s", strerror(ENOMEM));
	}
	n = strlen(o->place);
	o->plain = n > 6 && strcmp(o->place + n - 6, ".erofs") == 0;
	if (o->plain && o->verity && check_tree_place(o) != CTL_OK)
		return CTL_FAILED;
	return check_place(o);
}

/* Beside its place, so that it can get there in one step. */
int build_out_begin(struct build_out *o)
{
	if (asprintf(&o->unfinished, "%s.XXXXXX", o->place) < 0) {
		o->unfinished = NULL;
		return ctl_error("%s", strerror(ENOMEM));
	}
	if (!mkdtemp(o->unfinished)) {
		free(o->unfinished);
		o->unfinished = NULL;
		return ctl_error("%s: %s", o->name, strerror(errno));
	}
	return o->plain ? CTL_OK : layout_create(o->unfinished);
}

static int put(const struct build_out *o, const char *made, const char *place, mode_t mode)
{
	unsigned int flags = RENAME_NOREPLACE;
	struct stat st;

	if (o->force && lstat(place, &st) == 0)
		flags = RENAME_EXCHANGE;
	/* What is left of the old one, or nothing, goes with `unfinished`. */
	if (chmod(made, mode) == 0 && renameat2(AT_FDCWD, made, AT_FDCWD, place, flags) == 0)
		return CTL_OK;
	/* Not every file system has flags; there was nothing in the place when it was chosen. */
	if (errno == EINVAL && flags == RENAME_NOREPLACE && rename(made, place) == 0)
		return CTL_OK;
	return ctl_error("%s: %s", place, strerror(errno));
}

int build_out_finish(struct build_out *o, const char *made, mode_t mode)
{
	return put(o, made, o->place, mode);
}

int build_out_finish_tree(struct build_out *o, const char *made)
{
	_cleanup_free_ char *place = tree_place(o);

	return place ? put(o, made, place, 0644) : CTL_FAILED;
}

int build_out_end(struct build_out *o)
{
	int r = o->unfinished ? tree_remove(o->unfinished) : 0;

	if (r < 0)
		ctl_error("%s: it cannot be removed: %s", o->unfinished, strerror(-r));
	free(o->place);
	free(o->unfinished);
	return r < 0 ? CTL_FAILED : CTL_OK;
}
