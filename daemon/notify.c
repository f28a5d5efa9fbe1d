/* SPDX-License-Identifier: MIT */
#include "daemon/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/util/cleanup.h"

/* A service manager that is busy with something else; nobody is served meanwhile. */
#define BARRIER_MS 5000

static int make_address(struct sockaddr_un *to, socklen_t *ret_len)
{
	const char *name = getenv("NOTIFY_SOCKET");
	size_t n;

	if (!name)
		return -EPIPE;
	n = strlen(name);
	if ((name[0] != '/' && name[0] != '@') || n < 2 || n >= sizeof(to->sun_path))
		return -EINVAL;
	*to = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(to->sun_path, name, n);
	/* An abstract name begins with a NUL and is as long as it is: no terminator counts. */
	if (name[0] == '@')
		to->sun_path[0] = '\0';
	*ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
	return 0;
}

/* fd: -1, or what goes with it. */
static int send_text(const char *text, int fd)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = "";
	struct iovec iov = { .iov_base = (void *)text, .iov_len = strlen(text) };
	struct sockaddr_un to;
	struct msghdr msg = { .msg_name = &to, .msg_iov = &iov, .msg_iovlen = 1 };
	_cleanup_close_ int s = -1;
	int r = make_address(&to, &msg.msg_namelen);

	if (r < 0)
		return r;
	if (fd >= 0) {
		struct cmsghdr *c = (struct cmsghdr *)control;

		*c = (struct cmsghdr){
			.cmsg_len = CMSG_LEN(sizeof(int)),
			.cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS,
		};
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
	}
	s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s < 0)
		return -errno;
	return sendmsg(s, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int notify_text(const char *text)
{
	return send_text(text, -1);
}

int notify_ready(int fd)
{
	static const char line[] = "READY=1\n";
	_cleanup_close_ int own = fd;
	int r = notify_text("READY=1");

	if (r == -EPIPE)
		r = 0;
	if (own >= 0 && write(own, line, strlen(line)) < 0 && r == 0)
		r = -errno;
	return r;
}

int notify_alive(void)
{
	int r = notify_text("WATCHDOG=1");

	return r == -EPIPE ? 0 : r;
}

int notify_stopping(void)
{
	int r = notify_text("STOPPING=1");

	return r == -EPIPE ? 0 : r;
}

/* ---- the store ---------------------------------------------------------------------------- */

/* Whoever is told closes this descriptor when he has done all that he was told before. */
static int wait_until_done(void)
{
	_cleanup_close_ int here = -1, there = -1;
	struct pollfd p;
	int fds[2], r;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	here = fds[0];
	there = fds[1];
	r = send_text("BARRIER=1", there);
	if (r < 0)
		return r;
	close(steal_fd(&there));
	p = (struct pollfd){ .fd = here };
	do
		r = poll(&p, 1, BARRIER_MS);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	return r == 0 ? -ETIMEDOUT : 0;
}

int notify_store(int fd, const char *name)
{
	char text[320];
	int r;

	/* Without FDPOLL=0 it would be watched for being hung up, which it never is. */
	snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%s\nFDPOLL=0", name);
	r = send_text(text, fd);
	return r < 0 ? r : wait_until_done();
}

int notify_unstore(const char *name)
{
	char text[320];
	int r;

	snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%s", name);
	r = notify_text(text);
	return r < 0 ? r : wait_until_done();
}
