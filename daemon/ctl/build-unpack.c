/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/build-unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/ctl/build-whiteout.h"
#include "daemon/ctl/ctl.h"
#include "daemon/ctl/interrupt.h"
#include "daemon/util/bytes.h"
#include "daemon/util/cleanup.h"

#define PIECE (256u << 10)

static const int disk_flags = ARCHIVE_EXTRACT_OWNER | ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_TIME |
			      ARCHIVE_EXTRACT_ACL | ARCHIVE_EXTRACT_XATTR | ARCHIVE_EXTRACT_SPARSE |
			      ARCHIVE_EXTRACT_SECURE_SYMLINKS | ARCHIVE_EXTRACT_SECURE_NODOTDOT |
			      ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS;

struct unpacking {
	const struct build_unpack *unpack;
	struct archive *tar, *disk; /* owned */
	struct build_whiteouts whiteouts;
	char path[PATH_MAX]; /* of the entry, clean: no "./" in front, no "/" at the end */
	bool has_top;	     /* it is mentioned */
	time_t newest;	     /* modification of anything */
	uint64_t offset;
	uint8_t buf[PIECE];
};

__attribute__((format(printf, 2, 3))) static int fail(const struct unpacking *u, const char *fmt,
						      ...)
{
	char path[160], why[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	if (!u->path[0])
		return ctl_error("%s: %s", u->unpack->name, why);
	bytes_print(bytes_str(u->path), path, sizeof(path));
	return ctl_error("%s: %s: %s", u->unpack->name, path, why);
}

static int fail_archive(const struct unpacking *u, struct archive *archive)
{
	const char *why = archive_error_string(archive) ?: "it cannot be read";
	int err = archive_errno(archive);

	/* Not all of its sentences say what the system has said. */
	if (err <= 0 || strstr(why, strerror(err)))
		return fail(u, "%s", why);
	return fail(u, "%s: %s", why, strerror(err));
}

/* ---- names ------------------------------------------------------------------------------ */

/* A name that stays below the directory, without what means nothing. False: it is none. */
static bool clean(const char *name, char ret[PATH_MAX])
{
	size_t len = 0;

	if (*name == '/')
		return false;
	while (*name) {
		size_t n = strcspn(name, "/");

		if (n == 2 && name[0] == '.' && name[1] == '.')
			return false;
		if (n > 0 && !(n == 1 && name[0] == '.')) {
			if (len + n + 2 > PATH_MAX)
				return false;
			if (len > 0)
				ret[len++] = '/';
			memcpy(ret + len, name, n);
			len += n;
		}
		name += n + (name[n] == '/');
	}
	ret[len] = '\0';
	return true;
}

static size_t longest(const char *name)
{
	size_t n, ret = 0;

	for (; *name; name += n + (name[n] == '/')) {
		n = strcspn(name, "/");
		ret = n > ret ? n : ret;
	}
	return ret;
}

/* The name as the archive has it is of interest only where it is refused. */
static int take_names(struct unpacking *u, struct archive_entry *entry)
{
	const char *name = archive_entry_pathname(entry), *link = archive_entry_hardlink(entry);
	char target[PATH_MAX];

	snprintf(u->path, sizeof(u->path), "%s", name ? name : "?");
	if (!name)
		return fail(u, "its name cannot be read");
	if (strlen(name) + strlen(u->unpack->dir) + 2 > PATH_MAX || longest(name) > NAME_MAX)
		return fail(u, "its name is too long");
	if (!clean(name, u->path))
		return fail(u, "its name leads out of the layer");
	archive_entry_set_pathname(entry, u->path[0] ? u->path : ".");
	if (!link)
		return CTL_OK;
	if (!clean(link, target) || !target[0])
		return fail(u, "it is a hard link that leads out of the layer");
	archive_entry_set_hardlink(entry, target);
	return CTL_OK;
}

/* ---- entries ---------------------------------------------------------------------------- */

/*
 * What is in trusted.* means something to this host, such as where overlayfs goes on to look: that
 * is not for an archive to say.
 */
static int drop_trusted(struct unpacking *u, struct archive_entry *entry)
{
	struct archive_entry *all;
	const char *name;
	const void *value;
	size_t n;

	if (archive_entry_xattr_count(entry) == 0)
		return CTL_OK;
	all = archive_entry_clone(entry);
	if (!all)
		return fail(u, "%s", strerror(ENOMEM));
	archive_entry_xattr_clear(entry);
	archive_entry_xattr_reset(all);
	while (archive_entry_xattr_next(all, &name, &value, &n) == ARCHIVE_OK)
		if (strncmp(name, "trusted.", strlen("trusted.")) != 0)
			archive_entry_xattr_add_entry(entry, name, value, n);
	archive_entry_free(all);
	return CTL_OK;
}

static int write_header(struct unpacking *u, struct archive_entry *entry)
{
	/* A warning is about something that could not be set: it would be missing in the image. */
	return archive_write_header(u->disk, entry) == ARCHIVE_OK ? CTL_OK
								  : fail_archive(u, u->disk);
}

/* A directory that the archive does not mention, at path: it is that of a layer below. */
static int make_directory(struct unpacking *u, const char *path, time_t mtime)
{
	const struct build_dir *below = build_dirs_find(u->unpack->dirs, path);
	struct build_dir dir = { .mode = 0755, .mtime.tv_sec = mtime };
	struct archive_entry *entry = archive_entry_new();
	int status;

	if (!entry)
		return fail(u, "%s", strerror(ENOMEM));
	if (below)
		dir = *below;
	archive_entry_set_pathname(entry, path);
	archive_entry_set_filetype(entry, AE_IFDIR);
	archive_entry_set_perm(entry, dir.mode);
	archive_entry_set_uid(entry, dir.uid);
	archive_entry_set_gid(entry, dir.gid);
	archive_entry_set_mtime(entry, dir.mtime.tv_sec, dir.mtime.tv_nsec);
	status = write_header(u, entry);
	archive_entry_free(entry);
	if (status == CTL_OK && build_dirs_put(u->unpack->dirs, path, &dir) < 0)
		return fail(u, "%s", strerror(ENOMEM));
	return status;
}

/* libarchive would make them too, but with the time of today. */
static int make_parents(struct unpacking *u, time_t mtime)
{
	char *slash = strrchr(u->path, '/');
	struct stat st;
	int r;

	if (!slash)
		return CTL_OK;
	*slash = '\0';
	r = lstat(u->path, &st);
	*slash = '/';
	if (r == 0)
		return CTL_OK;
	for (slash = strchr(u->path, '/'); slash; slash = strchr(slash + 1, '/')) {
		int status = CTL_OK;

		*slash = '\0';
		if (lstat(u->path, &st) < 0)
			status = make_directory(u, u->path, mtime);
		*slash = '/';
		if (status != CTL_OK)
			return status;
	}
	return CTL_OK;
}

/* libarchive sets the times of a directory that comes twice in another order. */
static int note_directory(struct unpacking *u, struct archive_entry *entry, time_t mtime)
{
	struct build_dir dir = { .mode = archive_entry_perm(entry),
				 .uid = (uid_t)archive_entry_uid(entry),
				 .gid = (gid_t)archive_entry_gid(entry),
				 .mtime = { mtime, archive_entry_mtime_nsec(entry) } };

	if (archive_entry_filetype(entry) != AE_IFDIR)
		return CTL_OK;
	u->has_top = u->has_top || !u->path[0];
	return build_dirs_put(u->unpack->dirs, u->path, &dir) < 0 ? fail(u, "%s", strerror(ENOMEM))
								  : CTL_OK;
}

static int copy_data(struct unpacking *u)
{
	const void *block;
	size_t len;
	la_int64_t off;
	int r;

	while ((r = archive_read_data_block(u->tar, &block, &len, &off)) == ARCHIVE_OK) {
		if (interrupt_pending())
			return CTL_FAILED;
		if (archive_write_data_block(u->disk, block, len, off) < ARCHIVE_OK)
			return fail_archive(u, u->disk);
	}
	return r == ARCHIVE_EOF ? CTL_OK : fail_archive(u, u->tar);
}

static int take_whiteout(struct unpacking *u, enum build_whiteout kind, time_t mtime)
{
	switch (kind) {
	case BUILD_WHITEOUT:
		return make_parents(u, mtime);
	case BUILD_BAD_WHITEOUT:
		return fail(u, "it is a whiteout of nothing");
	case BUILD_NO_MEMORY:
		return fail(u, "%s", strerror(ENOMEM));
	default:
		return CTL_OK;
	}
}

static int take_entry(struct unpacking *u, struct archive_entry *entry)
{
	time_t mtime = archive_entry_mtime_is_set(entry) ? archive_entry_mtime(entry) : 0;
	enum build_whiteout kind;
	struct stat st;

	if (take_names(u, entry) != CTL_OK)
		return CTL_FAILED;
	/* tar(1) writes that for a file that it was told of twice. */
	if (archive_entry_hardlink(entry) && strcmp(archive_entry_hardlink(entry), u->path) == 0 &&
	    lstat(u->path, &st) == 0)
		return CTL_OK;
	kind = build_whiteouts_take(&u->whiteouts, u->path);
	if (kind != BUILD_NO_WHITEOUT)
		return take_whiteout(u, kind, mtime);
	if (!u->path[0] && archive_entry_filetype(entry) != AE_IFDIR)
		return fail(u, "the top of the layer is no directory");
	if (mtime > u->newest)
		u->newest = mtime;
	if (note_directory(u, entry, mtime) != CTL_OK || drop_trusted(u, entry) != CTL_OK ||
	    make_parents(u, mtime) != CTL_OK || write_header(u, entry) != CTL_OK)
		return CTL_FAILED;
	if (archive_entry_size(entry) > 0 && copy_data(u) != CTL_OK)
		return CTL_FAILED;
	return archive_write_finish_entry(u->disk) == ARCHIVE_OK ? CTL_OK
								 : fail_archive(u, u->disk);
}

/* ---- the archive ------------------------------------------------------------------------ */

static la_ssize_t read_piece(struct archive *tar, void *arg, const void **ret)
{
	struct unpacking *u = arg;
	uint64_t left = u->unpack->size - u->offset;
	ssize_t n =
		pread(u->unpack->fd, u->buf, left < PIECE ? (size_t)left : PIECE, (off_t)u->offset);

	if (n < 0) {
		archive_set_error(tar, errno, "%s", strerror(errno));
		return -1;
	}
	u->offset += (uint64_t)n;
	progress_update(u->unpack->progress, u->offset);
	*ret = u->buf;
	return n;
}

static int take_entries(struct unpacking *u)
{
	struct archive_entry *entry;
	int r, status = CTL_OK;

	while (status == CTL_OK && !interrupt_pending()) {
		u->path[0] = '\0';
		r = archive_read_next_header(u->tar, &entry);
		if (r == ARCHIVE_EOF)
			return CTL_OK;
		/* A warning: something about a name, which we look at ourselves. */
		if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
			return fail_archive(u, u->tar);
		status = take_entry(u, entry);
	}
	return CTL_FAILED;
}

/* The top was there before; where nobody mentions it, it is that of the layers below. */
static int note_top(struct unpacking *u)
{
	const struct build_dir *below = build_dirs_find(u->unpack->dirs, "");
	struct build_dir top = { .mode = 0755, .mtime.tv_sec = u->newest };

	if (u->has_top)
		return CTL_OK;
	if (below)
		top = *below;
	if (chown(".", top.uid, top.gid) < 0)
		return fail(u, "%s", strerror(errno));
	return build_dirs_put(u->unpack->dirs, "", &top) < 0 ? fail(u, "%s", strerror(ENOMEM))
							     : CTL_OK;
}

static int finish(struct unpacking *u)
{
	const char *path = "";
	int r = build_whiteouts_apply(&u->whiteouts, AT_FDCWD, &path);

	if (r < 0) {
		snprintf(u->path, sizeof(u->path), "%s", path);
		return fail(u, "its whiteout cannot be made: %s%s", strerror(-r),
			    r == -EPERM || r == -EOPNOTSUPP
				    ? "; --tmp-dir has to be on a file system such as ext4 or xfs"
				    : "");
	}
	u->path[0] = '\0';
	if (archive_write_close(u->disk) != ARCHIVE_OK)
		return fail_archive(u, u->disk);
	if (note_top(u) != CTL_OK)
		return CTL_FAILED;
	r = build_dirs_apply(u->unpack->dirs, AT_FDCWD);
	return r < 0 ? fail(u, "%s", strerror(-r)) : CTL_OK;
}

static int open_archive(struct unpacking *u)
{
	u->tar = archive_read_new();
	u->disk = archive_write_disk_new();
	if (!u->tar || !u->disk)
		return fail(u, "%s", strerror(ENOMEM));
	/* These alone: there are filters that are programs. */
	archive_read_support_filter_gzip(u->tar);
	archive_read_support_filter_zstd(u->tar);
	archive_read_support_format_tar(u->tar);
	archive_read_support_format_empty(u->tar);
	archive_write_disk_set_options(u->disk, disk_flags);
	return archive_read_open(u->tar, u, NULL, read_piece, NULL) == ARCHIVE_OK
		       ? CTL_OK
		       : fail_archive(u, u->tar);
}

/* libarchive knows no directory but the current one. */
int build_unpack(const struct build_unpack *unpack)
{
	_cleanup_close_ int before = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct unpacking *u = calloc(1, sizeof(*u));
	int status;

	if (!u)
		return ctl_error("%s", strerror(ENOMEM));
	u->unpack = unpack;
	build_dirs_begin(unpack->dirs);
	if (before < 0 || chdir(unpack->dir) < 0) {
		free(u);
		return ctl_error("%s: %s", unpack->dir, strerror(errno));
	}
	status = open_archive(u);
	if (status == CTL_OK)
		status = take_entries(u);
	if (status == CTL_OK)
		status = finish(u);
	archive_read_free(u->tar);
	archive_write_free(u->disk);
	build_whiteouts_end(&u->whiteouts);
	free(u);
	if (fchdir(before) < 0)
		return ctl_error("%s", strerror(errno));
	return status;
}
