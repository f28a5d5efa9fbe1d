/* SPDX-License-Identifier: MIT */
#include "tests/lib/origin-internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- connections ------------------------------------------------------------------------ */

/* Reads until a whole head is there; the bytes behind it stay. Returns its length, 0 at the end. */
static size_t receive_head(struct origin_connection *c)
{
	for (;;) {
		char *end = memmem(c->head, c->have, "\r\n\r\n", 4);
		ssize_t n;

		if (end)
			return (size_t)(end + 4 - c->head);
		if (c->have == sizeof(c->head) - 1)
			return 0;
		n = recv(c->fd, c->head + c->have, sizeof(c->head) - 1 - c->have, 0);
		if (n <= 0)
			return 0;
		c->have += (size_t)n;
	}
}

static void note_request(struct origin_connection *c, const char *head)
{
	struct origin *o = c->origin;

	pthread_mutex_lock(&o->lock);
	o->stats.requests++;
	if (++o->busy > o->stats.concurrent)
		o->stats.concurrent = o->busy;
	snprintf(o->last_request, sizeof(o->last_request), "%s", head);
	pthread_mutex_unlock(&o->lock);
}

static void note_range(struct origin *o, const struct origin_request *req)
{
	pthread_mutex_lock(&o->lock);
	origin_note_seen(o, req);
	if (req->has_range && o->n_ranges < ORIGIN_RANGES_MAX)
		o->ranges[o->n_ranges++] = req->range;
	if (o->log) {
		fprintf(o->log, "%s /%s", req->head_only ? "HEAD" : "GET", req->path);
		if (req->has_range)
			fprintf(o->log, " %llu-%llu", (unsigned long long)req->range.first,
				(unsigned long long)req->range.last);
		fputc('\n', o->log);
		fflush(o->log);
	}
	pthread_mutex_unlock(&o->lock);
}

static bool serve_one(struct origin_connection *c, struct origin_request *req)
{
	size_t len = receive_head(c);
	char head[ORIGIN_HEAD_MAX];
	bool more;

	if (len == 0)
		return false;
	memcpy(head, c->head, len);
	head[len] = '\0';
	c->have -= len;
	memmove(c->head, c->head + len, c->have);
	note_request(c, head);
	more = origin_request_parse(req, c->origin, head);
	if (more) {
		note_range(c->origin, req);
		more = origin_answer(c, req);
	}
	pthread_mutex_lock(&c->origin->lock);
	c->origin->busy--;
	pthread_mutex_unlock(&c->origin->lock);
	return more;
}

static void *connection_main(void *arg)
{
	struct origin_connection *c = arg;
	struct origin *o = c->origin;
	struct origin_request *req = malloc(sizeof(*req));

	while (req && serve_one(c, req))
		;
	free(req);
	pthread_mutex_lock(&o->lock);
	TAILQ_REMOVE(&o->connections, c, link);
	TAILQ_INSERT_TAIL(&o->ended, c, link);
	close(c->fd);
	close(c->changed);
	if (TAILQ_EMPTY(&o->connections))
		pthread_cond_signal(&o->idle);
	pthread_mutex_unlock(&o->lock);
	return NULL;
}

static void connection_start(struct origin *o, int fd)
{
	struct origin_connection *c = calloc(1, sizeof(*c));
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	pthread_mutex_lock(&o->lock);
	if (c) {
		c->origin = o;
		c->fd = fd;
		c->changed = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		TAILQ_INSERT_TAIL(&o->connections, c, link);
		o->stats.connections++;
	}
	if (!c || pthread_create(&c->thread, NULL, connection_main, c) != 0) {
		if (c) {
			TAILQ_REMOVE(&o->connections, c, link);
			close(c->changed);
		}
		free(c);
		close(fd);
	}
	pthread_mutex_unlock(&o->lock);
}

/* Their threads have nothing left to do but to return. */
static void reap_ended(struct origin *o)
{
	struct origin_connection *c;

	for (;;) {
		pthread_mutex_lock(&o->lock);
		c = TAILQ_FIRST(&o->ended);
		if (c)
			TAILQ_REMOVE(&o->ended, c, link);
		pthread_mutex_unlock(&o->lock);
		if (!c)
			return;
		pthread_join(c->thread, NULL);
		free(c);
	}
}

static void *acceptor_main(void *arg)
{
	struct origin *o = arg;

	for (;;) {
		int fd = accept4(o->listener, NULL, NULL, SOCK_CLOEXEC);

		reap_ended(o);
		if (fd >= 0)
			connection_start(o, fd);
		else if (errno != ECONNABORTED && errno != EINTR && errno != EMFILE)
			return NULL;
	}
}

/* ---- life ------------------------------------------------------------------------------- */

static int listen_at(struct origin *o, const char *address, uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
	socklen_t len = sizeof(in);
	int one = 1;

	if (inet_pton(AF_INET, address, &in.sin_addr) != 1)
		return -EINVAL;
	o->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (o->listener < 0)
		return -errno;
	setsockopt(o->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(o->listener, (struct sockaddr *)&in, sizeof(in)) < 0 ||
	    listen(o->listener, 1024) < 0 ||
	    getsockname(o->listener, (struct sockaddr *)&in, &len) < 0)
		return -errno;
	o->port = ntohs(in.sin_port);
	snprintf(o->url, sizeof(o->url), "http://%s:%u", address, o->port);
	return 0;
}

int origin_start(struct origin **ret, const struct origin_options *options)
{
	struct origin_options none = { 0 };
	struct origin *o = calloc(1, sizeof(*o));
	int r;

	if (!options)
		options = &none;
	if (!o)
		return -ENOMEM;
	TAILQ_INIT(&o->connections);
	TAILQ_INIT(&o->ended);
	TAILQ_INIT(&o->objects);
	TAILQ_INIT(&o->counters);
	pthread_mutex_init(&o->lock, NULL);
	pthread_cond_init(&o->idle, NULL);
	o->root = options->root ? strdup(options->root) : NULL;
	o->log = options->log;
	r = listen_at(o, options->bind ? options->bind : "127.0.0.1", options->port);
	if (r == 0)
		r = -pthread_create(&o->acceptor, NULL, acceptor_main, o);
	if (r < 0) {
		if (o->listener > 0)
			close(o->listener);
		free(o->root);
		free(o);
		return r;
	}
	*ret = o;
	return 0;
}

struct origin *origin_stop(struct origin *o)
{
	struct origin_connection *c;

	if (!o)
		return NULL;
	shutdown(o->listener, SHUT_RDWR); /* accept() fails with EINVAL */
	pthread_join(o->acceptor, NULL);
	close(o->listener);
	pthread_mutex_lock(&o->lock);
	TAILQ_FOREACH(c, &o->connections, link)
		shutdown(c->fd, SHUT_RDWR);
	while (!TAILQ_EMPTY(&o->connections))
		pthread_cond_wait(&o->idle, &o->lock);
	pthread_mutex_unlock(&o->lock);
	reap_ended(o);
	origin_free_tables(o);
	pthread_mutex_destroy(&o->lock);
	pthread_cond_destroy(&o->idle);
	free(o->root);
	free(o);
	return NULL;
}

uint16_t origin_port(const struct origin *origin)
{
	return origin->port;
}

const char *origin_url(const struct origin *origin)
{
	return origin->url;
}

struct origin_stats origin_stats(struct origin *origin)
{
	struct origin_stats stats;

	pthread_mutex_lock(&origin->lock);
	stats = origin->stats;
	origin->stats = (struct origin_stats){ 0 };
	pthread_mutex_unlock(&origin->lock);
	return stats;
}

char *origin_last_request(struct origin *origin, char *buf, size_t n)
{
	pthread_mutex_lock(&origin->lock);
	snprintf(buf, n, "%s", origin->last_request);
	pthread_mutex_unlock(&origin->lock);
	return buf;
}

size_t origin_ranges(struct origin *origin, struct origin_range *ret, size_t n)
{
	pthread_mutex_lock(&origin->lock);
	if (n > origin->n_ranges)
		n = origin->n_ranges;
	memcpy(ret, origin->ranges, n * sizeof(*ret));
	origin->n_ranges = 0;
	pthread_mutex_unlock(&origin->lock);
	return n;
}
