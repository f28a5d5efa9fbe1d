/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/mount-run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "daemon/ctl/ctl.h"
#include "daemon/util/cleanup.h"

enum { ID_MAX = 40 };

static void close_dirp(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* Its hash: a path does not fit into a file name. */
static void id_of(const char *dir, char *ret)
{
	XXH128_hash_t h = XXH3_128bits(dir, strlen(dir));

	snprintf(ret, ID_MAX, "%016" PRIx64 "%016" PRIx64, (uint64_t)h.high64, (uint64_t)h.low64);
}

__attribute__((format(printf, 2, 3))) static int print_path(char *ret, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(ret, PATH_MAX, fmt, ap);
	va_end(ap);
	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

/* ---- the directory ------------------------------------------------------------------------ */

static int make_dir(const char *parent, const char *name, mode_t mode)
{
	char path[PATH_MAX];
	int r = print_path(path, "%s/%s", parent, name);

	if (r == 0 && mkdir(path, mode) != 0 && errno != EEXIST)
		r = -errno;
	return r;
}

/* Layers are seen by root alone: who may read an image is decided where it is mounted. */
static int make_tree(struct mount_run *run)
{
	char path[PATH_MAX];
	int r = make_dir(run->dir, "layers", 0700);

	if (r == 0)
		r = make_dir(run->dir, "mounts", 0700);
	if (r == 0)
		r = print_path(path, "%s/lock", run->dir);
	if (r < 0)
		return r;
	run->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	return run->lock < 0 ? -errno : 0;
}

int mount_run_open(struct mount_run *ret, const char *dir)
{
	struct mount_run run = { .lock = -1 };
	int r = 0;

	if (mkdir(dir, 0755) != 0 && errno != EEXIST)
		return -errno;
	run.dir = realpath(dir, NULL);
	if (!run.dir)
		return -errno;
	r = make_tree(&run);
	if (r < 0)
		mount_run_close(&run);
	else
		*ret = run;
	return r;
}

void mount_run_close(struct mount_run *run)
{
	if (run->lock >= 0)
		close(run->lock);
	free(run->dir);
	*run = (struct mount_run){ .lock = -1 };
}

int mount_run_layer(const struct mount_run *run, const char *cookie, char *ret)
{
	return print_path(ret, "%s/layers/%s", run->dir, cookie);
}

int mount_run_private(const struct mount_run *run, const char *dir, const char *name, char *ret)
{
	char id[ID_MAX];

	id_of(dir, id);
	return print_path(ret, "%s/mounts/%s.d%s%s", run->dir, id, *name ? "/" : "", name);
}

/* ---- locks -------------------------------------------------------------------------------- */

/* One byte each, somewhere in the first 2^62: a collision makes two wait that need not. */
static struct flock range_of(enum mount_lock kind, const char *name)
{
	struct flock range = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };

	if (kind != MOUNT_LOCK_RECORDS)
		range.l_start =
			1 +
			(off_t)(XXH3_64bits_withSeed(name, strlen(name), (XXH64_hash_t)kind) >> 2);
	return range;
}

int mount_run_lock(const struct mount_run *run, enum mount_lock kind, const char *name, bool try)
{
	struct flock range = range_of(kind, name);

	if (fcntl(run->lock, try ? F_OFD_SETLK : F_OFD_SETLKW, &range) == 0)
		return 0;
	return errno == EACCES ? -EAGAIN : -errno;
}

void mount_run_unlock(const struct mount_run *run, enum mount_lock kind, const char *name)
{
	struct flock range = range_of(kind, name);

	range.l_type = F_UNLCK;
	fcntl(run->lock, F_OFD_SETLK, &range);
}

/* ---- records ------------------------------------------------------------------------------ */

static int write_all(int fd, const char *text, size_t n)
{
	while (n > 0) {
		ssize_t wrote = write(fd, text, n);

		if (wrote < 0 && errno != EINTR)
			return -errno;
		if (wrote > 0) {
			text += wrote;
			n -= (size_t)wrote;
		}
	}
	return 0;
}

static int record_path(const struct mount_run *run, const char *dir, const char *tail, char *ret)
{
	char id[ID_MAX];

	id_of(dir, id);
	return print_path(ret, "%s/mounts/%s%s", run->dir, id, tail);
}

int mount_run_put(const struct mount_run *run, const struct mount_record *record)
{
	char path[PATH_MAX], temporary[PATH_MAX];
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int fd = -1;
	int r = mount_record_format(record, &text);

	if (r == 0)
		r = record_path(run, record->dir, ".json", path);
	if (r == 0)
		r = record_path(run, record->dir, ".new", temporary);
	if (r < 0)
		return r;
	/* Whoever was killed here has left one; the directory is locked by us now. */
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	r = write_all(fd, text, strlen(text));
	if (r == 0 && rename(temporary, path) != 0)
		r = -errno;
	if (r < 0)
		unlink(temporary);
	return r;
}

static int read_record(const char *path, struct mount_record **ret)
{
	_cleanup_free_ char *text = malloc(MOUNT_RECORD_TEXT_MAX + 1);
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char error[256];
	size_t n = 0;
	ssize_t got;
	int r;

	if (!text)
		return -ENOMEM;
	if (fd < 0)
		return -errno;
	while ((got = read(fd, text + n, MOUNT_RECORD_TEXT_MAX + 1 - n)) > 0)
		n += (size_t)got;
	if (got < 0)
		return -errno;
	r = mount_record_parse(ret, text, n, error, sizeof(error));
	if (r == -EINVAL) {
		ctl_error("%s is damaged: %s; what it describes has to be unmounted by hand, and "
			  "the file removed",
			  path, error);
		return -EUCLEAN;
	}
	return r;
}

int mount_run_get(const struct mount_run *run, const char *dir, struct mount_record **ret)
{
	struct mount_record *record;
	char path[PATH_MAX];
	int r = record_path(run, dir, ".json", path);

	if (r == 0)
		r = read_record(path, &record);
	if (r < 0)
		return r;
	if (strcmp(record->dir, dir) != 0) { /* somebody has copied it */
		mount_record_free(record);
		return -ENOENT;
	}
	*ret = record;
	return 0;
}

int mount_run_remove(const struct mount_run *run, const char *dir)
{
	char path[PATH_MAX];
	int r = record_path(run, dir, ".new", path);

	if (r == 0) {
		unlink(path);
		r = record_path(run, dir, ".json", path);
	}
	if (r == 0 && unlink(path) != 0 && errno != ENOENT)
		r = -errno;
	return r;
}

/* ---- all of them -------------------------------------------------------------------------- */

static int add_record(struct mount_records *records, const char *path)
{
	struct mount_record **list, *record;
	int r = read_record(path, &record);

	/* Gone in the meantime; or told. */
	if (r < 0)
		return r == -ENOENT || r == -EUCLEAN ? 0 : r;
	list = reallocarray(records->list, records->n + 1, sizeof(*list));
	if (!list) {
		mount_record_free(record);
		return -ENOMEM;
	}
	records->list = list;
	list[records->n++] = record;
	return 0;
}

static int by_dir(const void *a, const void *b)
{
	return strcmp((*(struct mount_record *const *)a)->dir,
		      (*(struct mount_record *const *)b)->dir);
}

int mount_run_list(const struct mount_run *run, struct mount_records *ret)
{
	struct mount_records records = { 0 };
	_cleanup_(close_dirp) DIR *dir = NULL;
	char path[PATH_MAX];
	struct dirent *entry;
	int r = print_path(path, "%s/mounts", run->dir);

	if (r < 0)
		return r;
	dir = opendir(path);
	if (!dir)
		return -errno;
	while (r == 0 && (entry = readdir(dir))) {
		size_t n = strlen(entry->d_name);

		if (n < 5 || strcmp(entry->d_name + n - 5, ".json") != 0)
			continue;
		r = print_path(path, "%s/mounts/%s", run->dir, entry->d_name);
		if (r == 0)
			r = add_record(&records, path);
	}
	if (r < 0) {
		mount_records_end(&records);
		return r;
	}
	if (records.n > 0)
		qsort(records.list, records.n, sizeof(*records.list), by_dir);
	*ret = records;
	return 0;
}

void mount_records_end(struct mount_records *records)
{
	for (size_t i = 0; i < records->n; i++)
		mount_record_free(records->list[i]);
	free(records->list);
	*records = (struct mount_records){ 0 };
}

bool mount_records_use_layer(const struct mount_records *records, const char *cookie,
			     const char *except)
{
	for (size_t i = 0; i < records->n; i++)
		if (!(except && strcmp(records->list[i]->dir, except) == 0) &&
		    mount_record_uses(records->list[i], cookie))
			return true;
	return false;
}

const struct mount_record *mount_records_find_image(const struct mount_records *records,
						    const char *state_dir, const char *image,
						    const char *except)
{
	for (size_t i = 0; i < records->n; i++) {
		const struct mount_record *record = records->list[i];

		if (!(except && strcmp(record->dir, except) == 0) &&
		    strcmp(record->image, image) == 0 && strcmp(record->state_dir, state_dir) == 0)
			return record;
	}
	return NULL;
}

uint64_t mount_namespace(void)
{
	struct stat st;

	return stat("/proc/self/ns/mnt", &st) == 0 ? st.st_ino : 0;
}
