/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/build-dirs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/util/cleanup.h"
#include "daemon/util/table.h"

struct entry {
	UT_hash_handle hh;
	struct build_dir dir;
	unsigned int layer;
	char path[];
};

struct build_dirs {
	struct entry *entries;
	unsigned int layer;
};

int build_dirs_new(struct build_dirs **ret)
{
	struct build_dirs *dirs = calloc(1, sizeof(*dirs));

	if (!dirs)
		return -ENOMEM;
	*ret = dirs;
	return 0;
}

struct build_dirs *build_dirs_free(struct build_dirs *dirs)
{
	struct entry *entry, *next;

	if (!dirs)
		return NULL;
	HASH_ITER(hh, dirs->entries, entry, next) {
		HASH_DEL(dirs->entries, entry);
		free(entry);
	}
	free(dirs);
	return NULL;
}

void build_dirs_begin(struct build_dirs *dirs)
{
	dirs->layer++;
}

static struct entry *find(const struct build_dirs *dirs, const char *path)
{
	struct entry *entry = NULL;

	HASH_FIND(hh, dirs->entries, path, strlen(path), entry);
	return entry;
}

int build_dirs_put(struct build_dirs *dirs, const char *path, const struct build_dir *dir)
{
	struct entry *entry = find(dirs, path);
	size_t len = strlen(path);

	if (!entry) {
		entry = calloc(1, sizeof(*entry) + len + 1);
		if (!entry)
			return -ENOMEM;
		memcpy(entry->path, path, len + 1);
		HASH_ADD(hh, dirs->entries, path, len, entry);
		if (!table_has(entry)) {
			free(entry);
			return -ENOMEM;
		}
	}
	entry->dir = *dir;
	entry->layer = dirs->layer;
	return 0;
}

const struct build_dir *build_dirs_find(const struct build_dirs *dirs, const char *path)
{
	struct entry *entry = dirs ? find(dirs, path) : NULL;

	return entry ? &entry->dir : NULL;
}

int build_open_below(int top, const char *path)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};
	int fd = (int)syscall(SYS_openat2, top, *path ? path : ".", &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

static int apply(const struct entry *entry, int top)
{
	const struct timespec times[] = { entry->dir.mtime, entry->dir.mtime };
	_cleanup_close_ int fd = build_open_below(top, entry->path);

	/* Something else took its place later. */
	if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP)
		return 0;
	if (fd < 0)
		return fd;
	return fchmod(fd, entry->dir.mode) < 0 || futimens(fd, times) < 0 ? -errno : 0;
}

int build_dirs_apply(const struct build_dirs *dirs, int top)
{
	struct entry *entry, *next;
	int r = 0;

	HASH_ITER(hh, dirs->entries, entry, next) {
		if (r == 0 && entry->layer == dirs->layer)
			r = apply(entry, top);
	}
	return r;
}
