/* SPDX-License-Identifier: MIT */
#include "daemon/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/util/cleanup.h"

static int send_text(const char *text)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	const char *name = getenv("NOTIFY_SOCKET");
	_cleanup_close_ int fd = -1;
	size_t n;

	if (!name)
		return 0;
	n = strlen(name);
	if ((name[0] != '/' && name[0] != '@') || n < 2 || n >= sizeof(to.sun_path))
		return -EINVAL;
	memcpy(to.sun_path, name, n);
	/* An abstract name begins with a NUL and is as long as it is: no terminator counts. */
	if (name[0] == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&to,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0)
		return -errno;
	return 0;
}

int notify_ready(int fd)
{
	static const char line[] = "READY=1\n";
	_cleanup_close_ int own = fd;
	int r = send_text("READY=1");

	if (own >= 0 && write(own, line, strlen(line)) < 0 && r == 0)
		r = -errno;
	return r;
}

int notify_stopping(void)
{
	return send_text("STOPPING=1");
}
