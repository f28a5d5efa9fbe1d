/* SPDX-License-Identifier: MIT */
#include "daemon/util/log-journal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "daemon/util/cleanup.h"

bool log_journal_is_stream(const char *stream, int fd)
{
	unsigned long long device, inode;
	struct stat st;
	int end = 0;

	return stream && sscanf(stream, "%llu:%llu%n", &device, &inode, &end) == 2 &&
	       stream[end] == '\0' && fstat(fd, &st) == 0 && st.st_dev == device &&
	       st.st_ino == inode;
}

/* What is not printable would be taken for the next field. */
static void put(FILE *file, const char *name, const char *value)
{
	char printed[1024];

	if (value && *value)
		fprintf(file, "%s=%s\n", name,
			bytes_print(bytes_str(value), printed, sizeof(printed)));
}

static void put_subject(FILE *file, const struct log_subject *subject)
{
	char volume[1024], cookie[1024];

	if (subject->cookie.len > 0) {
		bytes_print(subject->volume, volume, sizeof(volume));
		bytes_print(subject->cookie, cookie, sizeof(cookie));
		fprintf(file, "OBJECT=%s/%s\nVOLUME=%s\n", volume, cookie, volume);
	}
	put(file, "ORIGIN", subject->origin);
	put(file, "IMAGE", subject->image);
}

int log_journal_send(const char *path, int priority, const char *message,
		     const struct log_subject *subject)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char entry[10240];
	FILE *file;
	long n;

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	file = fmemopen(entry, sizeof(entry), "w");
	if (!file)
		return -errno;
	fprintf(file, "MESSAGE=%s\nPRIORITY=%d\nSYSLOG_IDENTIFIER=%s\n", message, priority,
		program_invocation_short_name);
	if (subject)
		put_subject(file, subject);
	n = ftell(file);
	fclose(file);
	if (sendto(fd, entry, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL,
		   (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return 0;
}
