/* SPDX-License-Identifier: MIT */
#include "daemon/kernel/holder.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/util/bytes.h"
#include "daemon/util/cleanup.h"

static void closedirp(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* The device: its number, and its name without directories, which may differ in a container. */
struct wanted {
	dev_t number; /* 0: there is none */
	const char *name;
};

/*
 * An object's descriptor has no number to compare, only the name the kernel gave it. What has
 * another name than the device is not touched: it may lie on a mount that answers nobody, and
 * fstatat(2) would wait for it. To read the name of a descriptor asks no file system.
 */
static bool is_device_or_object(int fds, const char *name, const struct wanted *wanted)
{
	static const char object[] = "anon_inode:[cachefiles]";
	char target[PATH_MAX];
	ssize_t n = readlinkat(fds, name, target, sizeof(target) - 1);
	const char *last;
	struct stat st;

	if (n < 0)
		return false;
	target[n] = '\0';
	if (strcmp(target, object) == 0)
		return true;
	last = strrchr(target, '/');
	return wanted->number && last && strcmp(last + 1, wanted->name) == 0 &&
	       fstatat(fds, name, &st, 0) == 0 && S_ISCHR(st.st_mode) &&
	       st.st_rdev == wanted->number;
}

static bool process_holds(int proc, const char *pid, const struct wanted *wanted)
{
	_cleanup_(closedirp) DIR *fds = NULL;
	char path[NAME_MAX + 8];
	struct dirent *entry;
	int fd;

	snprintf(path, sizeof(path), "%s/fd", pid);
	fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return false;
	fds = fdopendir(fd);
	if (!fds) {
		close(fd);
		return false;
	}
	while ((entry = readdir(fds)))
		if (isdigit((unsigned char)entry->d_name[0]) &&
		    is_device_or_object(fd, entry->d_name, wanted))
			return true;
	return false;
}

/* A process names itself: any byte may come. */
static void read_comm(int proc, const char *pid, char *comm, size_t n)
{
	_cleanup_close_ int fd = -1;
	char path[NAME_MAX + 8], raw[64];
	ssize_t len = 0;

	snprintf(path, sizeof(path), "%s/comm", pid);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		len = read(fd, raw, sizeof(raw));
	if (len > 0 && raw[len - 1] == '\n')
		len--;
	bytes_print(bytes_of(raw, len > 0 ? (size_t)len : 0), comm, n);
}

unsigned int holder_list(const char *device, char *text, size_t n)
{
	_cleanup_(closedirp) DIR *proc = opendir("/proc");
	unsigned int found = 0;
	struct dirent *entry;
	size_t at = 0;
	struct wanted wanted = { .name = strrchr(device, '/') ? strrchr(device, '/') + 1 : device };
	struct stat st;

	text[0] = 0;
	if (stat(device, &st) == 0 && S_ISCHR(st.st_mode))
		wanted.number = st.st_rdev;
	while (proc && (entry = readdir(proc))) {
		char comm[64], one[128];
		size_t len;

		if (!isdigit((unsigned char)entry->d_name[0]) ||
		    !process_holds(dirfd(proc), entry->d_name, &wanted))
			continue;
		read_comm(dirfd(proc), entry->d_name, comm, sizeof(comm));
		len = (size_t)snprintf(one, sizeof(one), "%s%.20s (%s)", found++ ? ", " : "",
				       entry->d_name, comm);
		/* Once it is full, nothing shorter squeezes in behind the mark. */
		if (at + len + sizeof(", ...") <= n) {
			memcpy(text + at, one, len + 1);
			at += len;
		} else if (at < n) {
			snprintf(text + at, n - at, ", ...");
			at = n;
		}
	}
	return found;
}
