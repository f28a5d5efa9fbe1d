/* SPDX-License-Identifier: MIT */
/*
 * Servers that a test starts as processes of their own, on loopback.
 */
#pragma once

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* A port that was free a moment ago: somebody else may take it before the server does. */
static inline unsigned int server_free_port(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	close(fd);
	return ntohs(in.sin_port);
}

/* Waits until somebody listens there; false: the process has ended, most likely since somebody else
 * has the port by now. What never starts fails the test. */
static inline bool server_listens(pid_t pid, unsigned int port)
{
	static unsigned int ended;
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	for (;;) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		int r = connect(fd, (struct sockaddr *)&in, sizeof(in));

		close(fd);
		if (r == 0)
			return true;
		if (waitpid(pid, NULL, WNOHANG) == pid) {
			ck_assert_msg(++ended < 20, "a server ends each time that it is started");
			return false;
		}
		usleep(5000);
	}
}
