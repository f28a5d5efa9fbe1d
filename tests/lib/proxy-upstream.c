/* SPDX-License-Identifier: MIT */
#include "tests/lib/proxy-internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/util/cleanup.h"

#define PATIENCE_S 30
#define ANSWER_MAX ((size_t)4 << 20) /* what is longer is cut off there */

/* ---- fields ----------------------------------------------------------------------------- */

/* The beginning of its line. */
static char *field_line(const char *head, const char *name)
{
	size_t n = strlen(name);
	const char *at = head;

	while ((at = strstr(at, "\r\n"))) {
		at += 2;
		if (strncasecmp(at, name, n) == 0 && at[n] == ':')
			return (char *)at;
	}
	return NULL;
}

const char *proxy_field(const char *head, const char *name, size_t *ret_len)
{
	const char *line = field_line(head, name);

	if (!line)
		return NULL;
	line += strlen(name) + 1;
	line += strspn(line, " \t");
	*ret_len = strcspn(line, "\r\n");
	return line;
}

void proxy_field_set(char head[PROXY_HEAD_MAX], const char *name, const char *value)
{
	char *line = field_line(head, name), *end;
	char text[512];
	size_t n = 0;

	if (value)
		n = (size_t)snprintf(text, sizeof(text), "%s: %s\r\n", name, value);
	if (!line)
		line = strstr(head, "\r\n\r\n") + 2;
	end = value && strncasecmp(line, name, strlen(name)) != 0 ? line : strstr(line, "\r\n") + 2;
	if (!value && strncasecmp(line, name, strlen(name)) != 0)
		return;
	if (n >= sizeof(text) || strlen(head) + n >= PROXY_HEAD_MAX)
		return;
	memmove(line + n, end, strlen(end) + 1);
	memcpy(line, text, n);
}

long long proxy_field_number(const char *head, const char *name, int n, long long otherwise)
{
	size_t len;
	const char *at = proxy_field(head, name, &len), *end = at ? at + len : NULL;

	for (; at && at < end; n--) {
		char *rest;
		long long number;

		at += strcspn(at, "0123456789\r");
		if (at >= end)
			break;
		number = strtoll(at, &rest, 10);
		if (n == 0)
			return number;
		at = rest;
	}
	return otherwise;
}

/* ---- the real server ------------------------------------------------------------------------ */

static int dial(uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval patience = { .tv_sec = PATIENCE_S };
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&in, sizeof(in)) < 0)
		return -errno;
	return steal_fd(&fd);
}

/* All until the end, or as much as anybody wants. */
static int receive_all(int fd, char **ret, size_t *ret_len)
{
	size_t room = 1 << 16, len = 0;
	_cleanup_free_ char *buf = malloc(room);

	for (;;) {
		ssize_t n;

		if (buf && room - len < 1 << 15) {
			char *more = realloc(buf, room *= 2);

			if (!more)
				return -ENOMEM;
			buf = more;
		}
		if (!buf)
			return -ENOMEM;
		n = recv(fd, buf + len, room - len - 1, 0);
		if (n < 0)
			return -errno;
		len += (size_t)n;
		if (n == 0 || len > ANSWER_MAX)
			break;
	}
	buf[len] = '\0';
	*ret = steal(&buf);
	*ret_len = len;
	return 0;
}

static int split(struct proxy_answer *ret, char *all, size_t len)
{
	char *body = memmem(all, len, "\r\n\r\n", 4);
	size_t head_len = body ? (size_t)(body + 4 - all) : 0;

	if (!body || head_len >= sizeof(ret->head))
		return -EPROTO;
	memcpy(ret->head, all, head_len);
	ret->head[head_len] = '\0';
	ret->len = len - head_len;
	ret->body = malloc(ret->len + 1);
	if (!ret->body)
		return -ENOMEM;
	memcpy(ret->body, all + head_len, ret->len);
	return 0;
}

static void change_request(char head[PROXY_HEAD_MAX], const struct http_faults *faults)
{
	long long first = proxy_field_number(head, "Range", 0, 0);
	long long last = proxy_field_number(head, "Range", 1, -1);
	long less = http_fault_amount(faults, "short", 1);
	char range[64];

	if (less && last - less >= first) {
		snprintf(range, sizeof(range), "bytes=%lld-%lld", first, last - less);
		proxy_field_set(head, "Range", range);
	}
	if (http_fault_find(faults, "norange"))
		proxy_field_set(head, "Range", NULL);
	if (http_fault_find(faults, "noif")) {
		proxy_field_set(head, "If-Match", NULL);
		proxy_field_set(head, "If-Range", NULL);
		proxy_field_set(head, "If-Unmodified-Since", NULL);
	}
	proxy_field_set(head, "Connection", "close");
}

int proxy_ask(const struct proxy *proxy, const struct http_faults *faults, const char *request,
	      struct proxy_answer *ret)
{
	_cleanup_close_ int fd = dial(proxy->options.upstream);
	_cleanup_free_ char *all = NULL;
	char head[PROXY_HEAD_MAX];
	size_t len = 0;
	int err;

	if (fd < 0)
		return fd;
	snprintf(head, sizeof(head), "%s", request);
	change_request(head, faults);
	if (send(fd, head, strlen(head), MSG_NOSIGNAL) != (ssize_t)strlen(head))
		return -EIO;
	err = receive_all(fd, &all, &len);
	if (err == 0)
		err = split(ret, all, len);
	if (err < 0)
		return err;
	proxy_field_set(ret->head, "Connection", NULL);
	ret->close = len > ANSWER_MAX;
	return err;
}
