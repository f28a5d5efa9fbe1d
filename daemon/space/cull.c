/* SPDX-License-Identifier: MIT */
#include "daemon/space/cull.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/util/cleanup.h"
#include "proto/cachefiles.h"
#include "proto/cachename.h"

#define BLOCK 512 /* of st_blocks */

/* One step down: not through a symbolic link, not onto another file system. */
static int step_down(int at, const char *name, int *ret)
{
	_cleanup_close_ int fd = openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat above, st;

	if (fd < 0)
		return errno == ENOTDIR || errno == ELOOP ? -EXDEV : -errno;
	if (fstat(at, &above) < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (above.st_dev != st.st_dev)
		return -EXDEV;
	*ret = steal_fd(&fd);
	return 0;
}

/* Splits "cache/I<volume>/@xx/<object>", each part as the kernel makes it. */
static bool split(char path[CACHENAME_PATH_MAX], char *parts[4])
{
	uint8_t key[CACHENAME_MAX];
	char *save = NULL;
	int n = 0;

	for (char *p = strtok_r(path, "/", &save); p; p = strtok_r(NULL, "/", &save)) {
		if (n == 4)
			return false;
		parts[n++] = p;
	}
	return n == 4 && strcmp(parts[0], "cache") == 0 && parts[1][0] == 'I' &&
	       parts[2][0] == '@' && strlen(parts[2]) == 3 && cachename_decode(parts[3], key) >= 0;
}

/* In the directory, and back to where we were. */
static int command_in(struct port *port, int dir, int (*format)(char *buf, const char *name),
		      const char *name)
{
	_cleanup_close_ int back = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char text[CF_COMMAND_MAX];
	int n = format(text, name);
	int err;

	if (n < 0)
		return n;
	if (back < 0 || fchdir(dir) < 0)
		return -errno;
	err = port->ops->command(port, text, (size_t)n);
	/* Nothing that could fail for a directory that is open; a thread in the cache would do no
	 * harm either, as all of this names its directory. */
	(void)!fchdir(back);
	return err;
}

static int command_on(struct port *port, int dir_fd, const char *path,
		      int (*format)(char *buf, const char *name), uint64_t *ret_bytes)
{
	_cleanup_close_ int store = -1, volume = -1, fanout = -1, file = -1;
	char copy[CACHENAME_PATH_MAX], *parts[4];
	struct stat st;
	int err;

	if (strlen(path) >= sizeof(copy))
		return -EINVAL;
	strcpy(copy, path);
	if (!split(copy, parts))
		return -EINVAL;
	err = step_down(dir_fd, parts[0], &store);
	if (err == 0)
		err = step_down(store, parts[1], &volume);
	if (err == 0)
		err = step_down(volume, parts[2], &fanout);
	if (err < 0)
		return err;
	/*
	 * Held until the command is over: so the kernel only unlinks the name while it holds the
	 * mutex that `copen` needs as well. What takes long, freeing the blocks of a large file,
	 * comes when we let go of it.
	 */
	file = openat(fanout, parts[3], O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (file < 0 || fstat(file, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	err = command_in(port, fanout, format, parts[3]);
	if (err == 0)
		*ret_bytes = (uint64_t)st.st_blocks * BLOCK;
	return err;
}

int cull_object(struct port *port, int dir_fd, const char *path, uint64_t *ret_bytes)
{
	return command_on(port, dir_fd, path, cf_format_cull, ret_bytes);
}

int cull_would(struct port *port, int dir_fd, const char *path, uint64_t *ret_bytes)
{
	return command_on(port, dir_fd, path, cf_format_inuse, ret_bytes);
}

static int command_on_volume(struct port *port, int dir_fd, const char *volume,
			     int (*format)(char *buf, const char *name))
{
	_cleanup_close_ int store = -1, there = -1;
	int err;

	if (volume[0] != 'I' || strchr(volume, '/'))
		return -EINVAL;
	err = step_down(dir_fd, "cache", &store);
	if (err == 0)
		err = step_down(store, volume, &there);
	return err < 0 ? err : command_in(port, store, format, volume);
}

int cull_volume(struct port *port, int dir_fd, const char *volume)
{
	return command_on_volume(port, dir_fd, volume, cf_format_cull);
}

int cull_would_volume(struct port *port, int dir_fd, const char *volume)
{
	return command_on_volume(port, dir_fd, volume, cf_format_inuse);
}
