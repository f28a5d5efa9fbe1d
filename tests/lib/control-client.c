/* SPDX-License-Identifier: MIT */
#include "tests/lib/control-client.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/util/cleanup.h"

int control_client_connect(struct control *control, struct loop *loop)
{
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
			 0);
	ck_assert_int_eq(control_adopt(control, fds[1]), 0);
	return fds[0];
}

void control_client_send(int fd, const void *bytes, size_t n)
{
	ck_assert_int_eq(send(fd, bytes, n, MSG_NOSIGNAL), (int)n);
}

/* How long the answer is, as far as its head says; SIZE_MAX: not known yet. */
static size_t whole_length(const char *text)
{
	const char *end = strstr(text, "\r\n\r\n");
	const char *length = strcasestr(text, "content-length:");

	if (!end)
		return SIZE_MAX;
	return (size_t)(end + 4 - text) +
	       (length && length < end ? strtoul(length + 15, NULL, 10) : 0);
}

void control_client_receive(int fd, struct loop *loop, struct client_answer *ret)
{
	_cleanup_free_ char *text = calloc(1, 1 << 20);
	size_t len = 0, head;

	*ret = (struct client_answer){ 0 };
	while (len < whole_length(text)) {
		ssize_t n = recv(fd, text + len, (1 << 20) - 1 - len, 0);

		if (n == 0 || (n < 0 && errno != EAGAIN))
			break;
		if (n > 0)
			len += (size_t)n;
		else
			ck_assert_int_eq(loop_turn(loop), 0);
	}
	if (len < whole_length(text))
		return;
	head = (size_t)(strstr(text, "\r\n\r\n") + 4 - text);
	ck_assert_int_eq(sscanf(text, "HTTP/1.1 %d", &ret->status), 1);
	snprintf(ret->head, sizeof(ret->head), "%.*s", (int)head, text);
	ret->len = len - head;
	ret->body = strndup(text + head, ret->len);
	ret->json = json_loads(ret->body, 0, NULL);
}

void control_client_ask(struct control *control, struct loop *loop, const char *method,
			const char *uri, const char *body, struct client_answer *ret)
{
	int fd = control_client_connect(control, loop);
	_cleanup_free_ char *text = NULL;
	int n;

	if (body)
		n = asprintf(&text, "%s %s HTTP/1.1\r\nHost: c\r\nContent-Length: %zu\r\n\r\n%s",
			     method, uri, strlen(body), body);
	else
		n = asprintf(&text, "%s %s HTTP/1.1\r\nHost: c\r\n\r\n", method, uri);
	ck_assert_int_gt(n, 0);
	control_client_send(fd, text, (size_t)n);
	control_client_receive(fd, loop, ret);
	close(fd);
}

void control_client_end(struct client_answer *answer)
{
	json_decref(answer->json);
	free(answer->body);
	*answer = (struct client_answer){ 0 };
}
