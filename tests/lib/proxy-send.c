/* SPDX-License-Identifier: MIT */
#include "tests/lib/proxy-internal.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define DRAIN_MS  1
#define DRAIN_MAX 1000

/* Where the body breaks off, and what happens there. */
static void find_stop(struct proxy_connection *c, size_t body_at)
{
	static const struct {
		const char *kind;
		enum proxy_then then;
	} stops[] = { { "stall", PROXY_STALL },
		      { "trunc", PROXY_CLOSE },
		      { "midrst", PROXY_RESET } };

	for (size_t i = 0; i < sizeof(stops) / sizeof(stops[0]); i++) {
		size_t at = body_at + (size_t)http_fault_amount(&c->faults, stops[i].kind, 0);

		if (!http_fault_find(&c->faults, stops[i].kind) || at >= c->len)
			continue;
		c->stop = at;
		c->then = stops[i].then;
		return;
	}
}

void proxy_send(struct proxy_connection *c, struct proxy_answer *a)
{
	const struct http_fault *slow = http_fault_find(&c->faults, "slow");
	size_t head_len = strlen(a->head);

	c->out = malloc(head_len + a->len + 1);
	memcpy(c->out, a->head, head_len);
	memcpy(c->out + head_len, a->body, a->len);
	free(a->body);
	c->len = c->stop = head_len + a->len;
	c->sent = 0;
	c->then = a->close ? PROXY_CLOSE : PROXY_NEXT;
	c->piece = slow ? (size_t)http_fault_arg(slow, 0, 1000) : SIZE_MAX;
	c->piece_ms = slow ? (unsigned int)http_fault_arg(slow, 1, 10) : 0;
	find_stop(c, head_len);
	proxy_send_more(c);
}

/* Now: the peer gets an error, and nothing of what is still on its way. */
void proxy_reset(struct proxy_connection *c)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	proxy_connection_end(c);
}

/* What was sent must arrive before the reset throws it away. */
static void reset_when_drained(struct proxy_connection *c)
{
	int left = 0;

	ioctl(c->fd, SIOCOUTQ, &left);
	if (left == 0 || ++c->drained > DRAIN_MAX)
		proxy_reset(c);
	else
		proxy_sleep(c, DRAIN_MS, reset_when_drained);
}

static void arrive(struct proxy_connection *c)
{
	enum proxy_then then = c->then;

	if (then == PROXY_STALL)
		return;
	if (then == PROXY_RESET) {
		c->drained = 0;
		reset_when_drained(c);
		return;
	}
	free(c->out);
	c->out = NULL;
	if (then == PROXY_CLOSE)
		proxy_connection_end(c);
	else
		proxy_connection_next(c);
}

void proxy_send_more(struct proxy_connection *c)
{
	while (c->sent < c->stop) {
		size_t n = c->stop - c->sent < c->piece ? c->stop - c->sent : c->piece;
		ssize_t sent = proxy_transmit(c, c->out + c->sent, n);

		if (sent == -EAGAIN) {
			loop_watch_modify(&c->watch, POLLIN | POLLOUT);
			return;
		}
		if (sent <= 0) {
			proxy_connection_end(c);
			return;
		}
		c->sent += (size_t)sent;
		if (c->piece_ms && c->sent < c->stop) {
			loop_watch_modify(&c->watch, POLLIN);
			proxy_sleep(c, c->piece_ms, proxy_send_more);
			return;
		}
	}
	loop_watch_modify(&c->watch, POLLIN);
	arrive(c);
}

/* What stalls or creeps goes on; what has been broken stays so. */
void proxy_send_heal(struct proxy_connection *c)
{
	bool stalled = c->then == PROXY_STALL;

	if (!c->out || (!stalled && !c->piece_ms))
		return;
	c->piece = SIZE_MAX;
	c->piece_ms = 0;
	if (stalled) {
		c->stop = c->len;
		c->then = PROXY_NEXT;
		proxy_sleep(c, 0, proxy_send_more);
	}
}
