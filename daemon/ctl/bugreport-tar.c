/* SPDX-License-Identifier: MIT */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/ctl/bugreport.h"

#define TOP "cachefilld-bugreport" /* the directory that it unpacks to */

struct report_tar {
	struct archive *archive;
	const char *path; /* borrowed */
	int fd;
	bool piped; /* to standard output */
};

static int complain(const struct report_tar *tar)
{
	return ctl_error("%s: %s", tar->path,
			 archive_error_string(tar->archive) ?: "out of memory");
}

int report_tar_begin(struct report_tar **ret, const char *path)
{
	struct report_tar *tar = calloc(1, sizeof(*tar));

	if (!tar)
		return ctl_error("out of memory");
	*tar = (struct report_tar){ .path = path, .piped = strcmp(path, "-") == 0 };
	if (tar->piped && isatty(STDOUT_FILENO)) {
		free(tar);
		return ctl_error("an archive is not written to a terminal");
	}
	tar->fd = tar->piped ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
			     : open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (tar->fd < 0) {
		ctl_error("%s: %s", path, strerror(errno));
		free(tar);
		return CTL_FAILED;
	}
	tar->archive = archive_write_new();
	if (!tar->archive || archive_write_set_format_pax_restricted(tar->archive) != ARCHIVE_OK ||
	    archive_write_open_fd(tar->archive, tar->fd) != ARCHIVE_OK) {
		ctl_error("out of memory");
		report_tar_end(tar, false);
		return CTL_FAILED;
	}
	*ret = tar;
	return CTL_OK;
}

int report_tar_add(struct report_tar *tar, const char *name, const char *data, size_t n)
{
	struct archive_entry *entry = archive_entry_new();
	char path[128];
	bool good;

	snprintf(path, sizeof(path), TOP "/%s", name);
	if (!entry)
		return ctl_error("out of memory");
	archive_entry_set_pathname(entry, path);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, 0600);
	archive_entry_set_size(entry, (la_int64_t)n);
	archive_entry_set_mtime(entry, time(NULL), 0);
	good = archive_write_header(tar->archive, entry) == ARCHIVE_OK &&
	       archive_write_data(tar->archive, data, n) == (la_ssize_t)n;
	archive_entry_free(entry);
	return good ? CTL_OK : complain(tar);
}

int report_tar_end(struct report_tar *tar, bool good)
{
	int status = good ? CTL_OK : CTL_FAILED;

	if (good && archive_write_close(tar->archive) != ARCHIVE_OK)
		status = complain(tar);
	archive_write_free(tar->archive);
	if (close(tar->fd) < 0 && status == CTL_OK)
		status = ctl_error("%s: %s", tar->path, strerror(errno));
	if (status != CTL_OK && !tar->piped)
		unlink(tar->path);
	free(tar);
	return status;
}
