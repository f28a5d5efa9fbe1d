/* SPDX-License-Identifier: MIT */
#include "daemon/replay/cachefiles.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/util/checked.h"
#include "daemon/util/cleanup.h"

/* Descriptors that belong to others: origins, the loop, the trace. */
#define RESERVED 128

/* More than that is no machine's work; each costs two descriptors. */
#define FILES_MAX 65536

TAILQ_HEAD(file_list, cachefile);

struct cachefiles {
	char *dir; /* owned */
	struct file_list idle, all;
	unsigned int n, max;
	void (*ended)(void *, struct cachefile *);
	void *arg;
};

/* ---- files without a name ---------------------------------------------------------------- */

static int make_named(const char *dir)
{
	_cleanup_free_ char *path = NULL;
	int fd;

	if (asprintf(&path, "%s/cachefill-replay-XXXXXX", dir) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	unlink(path);
	return fd;
}

static int make_file(const char *dir)
{
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0)
		return fd;
	if (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)
		return make_named(dir);
	return -errno;
}

/* Where holes cannot be told from zeros the engine would take everything as present. */
static int probe(const char *dir, char *error)
{
	static const char block[CACHE_BLOCK];
	off_t at = 16 * CACHE_BLOCK;
	_cleanup_close_ int fd = make_file(dir);
	int err = fd < 0 ? fd : 0;

	if (err == 0 && pwrite(fd, block, sizeof(block), at) != (ssize_t)sizeof(block))
		err = errno ? -errno : -EIO;
	if (err < 0)
		snprintf(error, CATALOG_ERROR_MAX, "cannot make cache files in %.200s: %s", dir,
			 strerror(-err));
	else if (lseek(fd, 0, SEEK_DATA) != at || lseek(fd, 0, SEEK_HOLE) != 0)
		snprintf(error, CATALOG_ERROR_MAX,
			 "cannot make cache files in %.200s: its file system does not tell where "
			 "the holes of a file are",
			 dir);
	else
		return 0;
	return err < 0 ? err : -EOPNOTSUPP;
}

static unsigned int files_max(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur < 2 * RESERVED)
		return RESERVED / 2;
	return (unsigned int)min_u64((limit.rlim_cur - RESERVED) / 2, FILES_MAX);
}

int cachefiles_new(struct cachefiles **ret, const char *dir, char *error)
{
	struct cachefiles *files;
	int err = probe(dir, error);

	if (err < 0)
		return err;
	files = calloc(1, sizeof(*files));
	if (files)
		files->dir = strdup(dir);
	if (!files || !files->dir) {
		free(files);
		snprintf(error, CATALOG_ERROR_MAX, "out of memory");
		return -ENOMEM;
	}
	TAILQ_INIT(&files->idle);
	TAILQ_INIT(&files->all);
	files->max = files_max();
	*ret = files;
	return 0;
}

static void file_end(struct cachefiles *files, struct cachefile *file)
{
	if (files->ended)
		files->ended(files->arg, file);
	if (file->users == 0)
		TAILQ_REMOVE(&files->idle, file, link);
	TAILQ_REMOVE(&files->all, file, all);
	if (file->object->file == file)
		file->object->file = NULL;
	close(file->fd);
	free(file);
	files->n--;
}

struct cachefiles *cachefiles_free(struct cachefiles *files)
{
	struct cachefile *file;

	if (!files)
		return NULL;
	while ((file = TAILQ_FIRST(&files->all)))
		file_end(files, file);
	free(files->dir);
	free(files);
	return NULL;
}

void cachefiles_on_end(struct cachefiles *files, void (*ended)(void *, struct cachefile *),
		       void *arg)
{
	files->ended = ended;
	files->arg = arg;
}

static int file_make(struct cachefiles *files, struct catalog_object *object,
		     const struct catalog_version *version)
{
	_cleanup_close_ int fd = -1;
	struct cachefile *file;

	if (files->n >= files->max) {
		if (TAILQ_EMPTY(&files->idle))
			return -EMFILE;
		file_end(files, TAILQ_FIRST(&files->idle));
	}
	fd = make_file(files->dir);
	if (fd < 0)
		return fd;
	/* Whole blocks, as the kernel makes it: the last one is written whole. */
	if (version->size > OBJECT_SIZE_MAX ||
	    ftruncate(fd, (off_t)round_up_u64(version->size, CACHE_BLOCK)) < 0)
		return version->size > OBJECT_SIZE_MAX || errno == EINVAL ? -EFBIG : -errno;
	file = calloc(1, sizeof(*file));
	if (!file)
		return -ENOMEM;
	*file = (struct cachefile){
		.object = object,
		.fd = steal_fd(&fd),
		.size = version->size,
		.seed = version->seed,
		.compressed = version->compressed,
	};
	TAILQ_INSERT_TAIL(&files->idle, file, link);
	TAILQ_INSERT_TAIL(&files->all, file, all);
	object->file = file;
	files->n++;
	return 0;
}

int cachefile_get(struct cachefiles *files, struct catalog_object *object,
		  const struct catalog_version *version, struct cachefile **ret)
{
	struct cachefile *file = object->file;
	int err;

	if (file && file->users == 0 &&
	    (file->size != version->size || file->seed != version->seed))
		file_end(files, file);
	err = object->file ? 0 : file_make(files, object, version);
	if (err < 0)
		return err;
	file = object->file;
	if (file->users++ == 0)
		TAILQ_REMOVE(&files->idle, file, link);
	*ret = file;
	return 0;
}

void cachefile_put(struct cachefiles *files, struct cachefile *file)
{
	if (--file->users > 0)
		return;
	TAILQ_INSERT_TAIL(&files->idle, file, link);
	if (file->object->file != file)
		file_end(files, file); /* replaced meanwhile */
}

/* ---- what is in them --------------------------------------------------------------------- */

bool cachefile_present(const struct cachefile *file, uint64_t off, uint64_t len)
{
	uint64_t end, from = round_down_u64(off, CACHE_BLOCK);
	off_t hole;

	if (len == 0 || off >= file->size || !add_u64(off, len, &end))
		return false;
	end = round_up_u64(min_u64(end, file->size), CACHE_BLOCK);
	hole = lseek(file->fd, (off_t)from, SEEK_HOLE);
	return hole >= 0 && (uint64_t)hole >= end;
}

bool cachefile_data(const struct cachefile *file, uint64_t from, uint64_t *ret_from,
		    uint64_t *ret_to)
{
	off_t data = lseek(file->fd, (off_t)from, SEEK_DATA);
	off_t hole = data < 0 ? -1 : lseek(file->fd, data, SEEK_HOLE);

	if (hole < 0)
		return false;
	*ret_from = (uint64_t)data;
	*ret_to = (uint64_t)hole;
	return true;
}

uint64_t cachefile_beyond(const struct cachefile *file)
{
	uint64_t end = round_up_u64(file->size, CACHE_BLOCK);
	struct stat st;

	if (fstat(file->fd, &st) < 0 || (uint64_t)st.st_size <= end)
		return 0;
	return (uint64_t)st.st_size - end;
}
