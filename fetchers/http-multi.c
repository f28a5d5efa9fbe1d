/* SPDX-License-Identifier: MIT */
#include "fetchers/http-multi.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

/*
 * libcurl calls socket_changed() and timeout_changed() from inside most functions that it is given
 * a handle in, also from curl_multi_cleanup(); they only note what to wait for. It expects
 * level-triggered reports, as watches are.
 */
struct http_multi {
	CURLM *curl;
	struct loop *loop;
	struct loop_timer timer;
	struct loop_deferred timer_retry; /* there was no memory to arm the timer */
	void (*finished)(CURL *easy, CURLcode code);
};

struct http_socket {
	struct http_multi *multi;
	struct loop_watch watch;
	curl_socket_t fd;
};

/* The messages of a turn; a handle must be removed before it can be used again. */
static void collect_finished(struct http_multi *multi)
{
	const CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(multi->curl, &left))) {
		CURL *easy = msg->easy_handle;
		CURLcode code = msg->data.result;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_multi_remove_handle(multi->curl, easy); /* frees msg */
		multi->finished(easy, code);
	}
}

static void act(struct http_multi *multi, curl_socket_t fd, int events)
{
	int running;

	curl_multi_socket_action(multi->curl, fd, events, &running);
	collect_finished(multi);
}

static void socket_ready(struct loop_watch *watch, uint32_t events)
{
	struct http_socket *s = container_of(watch, struct http_socket, watch);
	int mask = 0;

	if (events & (POLLIN | POLLHUP))
		mask |= CURL_CSELECT_IN;
	if (events & POLLOUT)
		mask |= CURL_CSELECT_OUT;
	if (events & (POLLERR | POLLNVAL))
		mask |= CURL_CSELECT_ERR;
	act(s->multi, s->fd, mask); /* may free s */
}

static void timer_fired(struct loop_timer *timer)
{
	act(container_of(timer, struct http_multi, timer), CURL_SOCKET_TIMEOUT, 0);
}

static void timer_retry(struct loop_deferred *deferred)
{
	act(container_of(deferred, struct http_multi, timer_retry), CURL_SOCKET_TIMEOUT, 0);
}

static int timeout_changed(CURLM *curl, long timeout_ms, void *userp)
{
	struct http_multi *multi = userp;
	uint64_t when;

	if (timeout_ms < 0) {
		loop_timer_cancel(&multi->timer);
		return 0;
	}
	when = loop_now(multi->loop) + (uint64_t)timeout_ms * NSEC_PER_MSEC;
	if (loop_timer_set(multi->loop, &multi->timer, when) < 0)
		loop_defer(multi->loop, &multi->timer_retry);
	return 0;
}

static struct http_socket *socket_new(struct http_multi *multi, curl_socket_t fd, uint32_t events)
{
	struct http_socket *s = malloc(sizeof(*s));

	if (!s)
		return NULL;
	*s = (struct http_socket){ .multi = multi, .watch.ready = socket_ready, .fd = fd };
	if (loop_watch_add(multi->loop, &s->watch, fd, events) < 0) {
		free(s);
		return NULL;
	}
	curl_multi_assign(multi->curl, fd, s);
	return s;
}

/*
 * Never returns -1: that would end all transfers of this multi handle, present and future. A
 * socket that could not be watched for want of memory is one that stalls.
 */
static int socket_changed(CURL *easy, curl_socket_t fd, int what, void *userp, void *socketp)
{
	struct http_multi *multi = userp;
	struct http_socket *s = socketp;
	uint32_t events = what == CURL_POLL_IN	  ? POLLIN
			  : what == CURL_POLL_OUT ? POLLOUT
						  : POLLIN | POLLOUT;

	if (what != CURL_POLL_REMOVE) {
		if (s)
			loop_watch_modify(&s->watch, events);
		else
			socket_new(multi, fd, events);
	} else if (s) {
		loop_watch_remove(&s->watch);
		free(s);
	}
	return 0;
}

int http_multi_new(struct http_multi **ret, struct loop *loop, long max_connections,
		   void (*finished)(CURL *easy, CURLcode code))
{
	struct http_multi *multi = malloc(sizeof(*multi));

	if (!multi)
		return -ENOMEM;
	*multi = (struct http_multi){
		.curl = curl_multi_init(),
		.loop = loop,
		.timer.fire = timer_fired,
		.timer_retry.run = timer_retry,
		.finished = finished,
	};
	if (!multi->curl) {
		free(multi);
		return -ENOMEM;
	}
	curl_multi_setopt(multi->curl, CURLMOPT_SOCKETFUNCTION, socket_changed);
	curl_multi_setopt(multi->curl, CURLMOPT_SOCKETDATA, multi);
	curl_multi_setopt(multi->curl, CURLMOPT_TIMERFUNCTION, timeout_changed);
	curl_multi_setopt(multi->curl, CURLMOPT_TIMERDATA, multi);
	/* Without a bound HTTP/2 opens one connection per transfer while none is established. */
	curl_multi_setopt(multi->curl, CURLMOPT_MAX_HOST_CONNECTIONS, max_connections);
	curl_multi_setopt(multi->curl, CURLMOPT_MAXCONNECTS, max_connections);
	*ret = multi;
	return 0;
}

struct http_multi *http_multi_free(struct http_multi *multi)
{
	if (!multi)
		return NULL;
	curl_multi_cleanup(multi->curl);
	loop_timer_cancel(&multi->timer);
	loop_defer_cancel(multi->loop, &multi->timer_retry);
	free(multi);
	return NULL;
}

CURLcode http_multi_add(struct http_multi *multi, CURL *easy)
{
	CURLMcode r = curl_multi_add_handle(multi->curl, easy);

	/* Anything but memory would be a handle that is added twice, or a call from a callback. */
	assert(r == CURLM_OK || r == CURLM_OUT_OF_MEMORY);
	return r == CURLM_OK ? CURLE_OK : CURLE_OUT_OF_MEMORY;
}

void http_multi_remove(struct http_multi *multi, CURL *easy)
{
	CURLMcode r = curl_multi_remove_handle(multi->curl, easy);

	assert(r == CURLM_OK);
	(void)r;
}
