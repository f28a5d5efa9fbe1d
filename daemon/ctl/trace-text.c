/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/trace-text.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/ctl/ctl.h"
#include "daemon/util/cleanup.h"

int trace_text_take(struct trace_text *text, int opt)
{
	switch (opt) {
	case 'o':
		text->path = optarg;
		return CTL_OK;
	case TRACE_TEXT_FORCE:
		text->force = true;
		return CTL_OK;
	default:
		return -1;
	}
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

static int write_file(const struct trace_text *text, const char *data, size_t len)
{
	int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (text->force ? O_TRUNC : O_EXCL);
	_cleanup_close_ int fd = open(text->path, flags, 0666);
	struct stat st;
	bool is_file;
	int r;

	if (fd < 0 && errno == EEXIST)
		return ctl_error("%s: it exists; --force replaces it", text->path);
	if (fd < 0)
		return ctl_error("%s: %s", text->path, strerror(errno));
	is_file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	r = write_all(fd, data, len);
	if (r == 0 && close(steal_fd(&fd)) < 0)
		r = -errno;
	if (r == 0)
		return CTL_OK;
	if (is_file) /* nothing that was there before, such as a device */
		unlink(text->path);
	return ctl_error("%s: %s", text->path, strerror(-r));
}

int trace_text_write(const struct trace_text *text, const char *data, size_t len)
{
	if (text->path && strcmp(text->path, "-") != 0)
		return write_file(text, data, len);
	fwrite(data, 1, len, stdout); /* what fails is told at the end of the program */
	return CTL_OK;
}
