/* SPDX-License-Identifier: MIT */
#include "daemon/frontend/discard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "daemon/util/cleanup.h"
#include "daemon/util/log.h"
#include "proto/cachename.h"

/* 6.1 makes cache files with mode 0, which their owner may change but, without capabilities, not
 * write to. */
static int set_stale_attribute(const char *path)
{
	if (setxattr(path, CACHENAME_XATTR, "", 1, 0) == 0)
		return 0;
	if (errno != EACCES || chmod(path, 0600) < 0 ||
	    setxattr(path, CACHENAME_XATTR, "", 1, 0) < 0)
		return -errno;
	return 0;
}

/*
 * A file whose attribute has the wrong length is stale: the kernel leaves it aside and starts an
 * empty one (cachefiles_check_auxdata()). It looks only after our copen, so this is in time; an
 * unlink is not, since the file is open already.
 */
int discard_cached(int cache_dir_fd, struct bytes volume, struct bytes cookie)
{
	char path[CACHENAME_PATH_MAX], proc[CACHENAME_PATH_MAX + 32];
	_cleanup_close_ int fd = -1;
	int err = cachename_path(volume, cookie, path);

	if (err < 0)
		return err;
	if (cache_dir_fd < 0)
		return -EBADF;
	fd = openat(cache_dir_fd, path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	err = set_stale_attribute(proc);
	if (err == 0)
		log_about(LOG_INFO, &(struct log_subject){ .volume = volume, .cookie = cookie },
			  "%s: cached bytes of unknown or older origin are dropped", path);
	return err;
}
