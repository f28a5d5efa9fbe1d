/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/mount-readahead.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "daemon/util/cleanup.h"

#define BDIS "/sys/class/bdi"

static void close_dirp(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static int set(uint64_t number, uint32_t kib)
{
	_cleanup_close_ int fd = -1;
	char path[64], text[16];
	int n = snprintf(text, sizeof(text), "%" PRIu32 "\n", kib);

	snprintf(path, sizeof(path), BDIS "/erofs-%" PRIu64 "/read_ahead_kb", number);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, (size_t)n) != n)
		return -errno;
	return 0;
}

/* All of ours above `before`: the highest of them in ret, or set when kib is not 0. */
static int walk(uint64_t before, uint32_t kib, uint64_t *ret)
{
	_cleanup_(close_dirp) DIR *dir = opendir(BDIS);
	struct dirent *entry;
	uint64_t number;
	int r = -ENOENT;

	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		if (sscanf(entry->d_name, "erofs-%" SCNu64, &number) != 1 || number <= before)
			continue;
		if (number > *ret)
			*ret = number;
		r = kib > 0 ? set(number, kib) : 0;
		if (r < 0)
			return r;
	}
	return r;
}

uint64_t mount_readahead_before(void)
{
	uint64_t highest = 0;

	walk(0, 0, &highest);
	return highest;
}

int mount_readahead_raise(uint64_t before, uint32_t kib)
{
	uint64_t highest = 0;

	return walk(before, kib, &highest);
}
