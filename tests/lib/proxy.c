/* SPDX-License-Identifier: MIT */
#include "tests/lib/proxy-internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/util/cleanup.h"

/* ---- what is set to go wrong ------------------------------------------------------------------
 */

static const char *const connection_kinds[] = { "refuse",    "deaf",	  "expired",
						"wrongname", "unknownca", "tlscut" };
#define CONNECTION_KINDS (sizeof(connection_kinds) / sizeof(connection_kinds[0]))

static bool of_connections(const char *kind)
{
	for (size_t i = 0; i < CONNECTION_KINDS; i++)
		if (strcmp(connection_kinds[i], kind) == 0)
			return true;
	return false;
}

static void end_connections(struct proxy *proxy)
{
	while (!TAILQ_EMPTY(&proxy->connections))
		proxy_connection_end(TAILQ_FIRST(&proxy->connections));
}

/* All, but what is being sent is sent. */
static void end_idle_connections(struct proxy *proxy)
{
	struct proxy_connection *c, *next;

	for (c = TAILQ_FIRST(&proxy->connections); c; c = next) {
		next = TAILQ_NEXT(c, link);
		if (!c->out)
			proxy_connection_end(c);
		else if (c->then == PROXY_NEXT)
			c->then = PROXY_CLOSE;
	}
}

/* The faults of connections are in force, or not any more. A socket that has a port and does not
 * listen refuses. */
static void set_broken(struct proxy *proxy, bool broken)
{
	bool refuse = broken && http_fault_find(&proxy->faults, "refuse");
	bool deaf = broken && http_fault_find(&proxy->faults, "deaf");

	proxy->broken = broken;
	if (broken)
		end_idle_connections(proxy);
	if (refuse)
		shutdown(proxy->listener, SHUT_RD);
	else
		listen(proxy->listener, 128);
	loop_watch_modify(&proxy->watch, refuse || deaf ? 0 : POLLIN);
}

static bool may_break(const struct proxy *proxy)
{
	for (int i = 0; i < proxy->faults.n; i++)
		if (of_connections(proxy->faults.list[i].kind))
			return true;
	return false;
}

/* A fault that strikes once more, if there is one of this kind. */
static bool strikes(struct proxy *proxy, const char *kind)
{
	for (int i = 0; i < proxy->faults.n; i++) {
		struct http_fault *f = &proxy->faults.list[i];

		if (strcmp(f->kind, kind) != 0)
			continue;
		if (f->times && --f->times == 0)
			*f = proxy->faults.list[--proxy->faults.n];
		proxy->seen.struck++;
		return true;
	}
	return false;
}

/* What strikes this request, for it to keep. False: its connection is no more. */
static bool strike_request(struct proxy_connection *c)
{
	struct proxy *proxy = c->proxy;
	long long first = proxy_field_number(c->head, "Range", 0, 0);

	c->faults.n = 0;
	if (first < http_fault_amount(&proxy->faults, "from", 0))
		return true;
	if (!proxy->broken && may_break(proxy)) {
		proxy->seen.struck++;
		set_broken(proxy, true);
		return false;
	}
	for (int i = 0; i < proxy->faults.n; i++)
		if (!of_connections(proxy->faults.list[i].kind) &&
		    strcmp(proxy->faults.list[i].kind, "from") != 0)
			c->faults.list[c->faults.n++] = proxy->faults.list[i];
	for (int i = 0; i < c->faults.n; i++)
		strikes(proxy, c->faults.list[i].kind);
	return true;
}

uint64_t proxy_chance(struct proxy *proxy, uint64_t below)
{
	/* xorshift64*: the same seed, the same chances. */
	proxy->chance ^= proxy->chance >> 12;
	proxy->chance ^= proxy->chance << 25;
	proxy->chance ^= proxy->chance >> 27;
	return below ? (proxy->chance * 0x2545F4914F6CDD1DULL >> 11) % below : 0;
}

/* ---- connections --------------------------------------------------------------------------------
 */

void proxy_connection_end(struct proxy_connection *c)
{
	TAILQ_REMOVE(&c->proxy->connections, c, link);
	loop_watch_remove(&c->watch);
	loop_timer_cancel(&c->timer);
	SSL_free(c->tls);
	close(c->fd);
	free(c->out);
	free(c);
}

static void timer_fire(struct loop_timer *timer)
{
	struct proxy_connection *c = container_of(timer, struct proxy_connection, timer);

	c->woken(c);
}

void proxy_sleep(struct proxy_connection *c, unsigned int ms,
		 void (*woken)(struct proxy_connection *c))
{
	c->woken = woken;
	loop_timer_set(c->proxy->loop, &c->timer, loop_now(c->proxy->loop) + ms * NSEC_PER_MSEC);
}

static void note_request(struct proxy_connection *c)
{
	FILE *log = c->proxy->options.log;
	size_t len = 0;
	const char *range = proxy_field(c->head, "Range", &len);

	c->proxy->seen.requests++;
	if (!log)
		return;
	fprintf(log, "%.*s %.*s%s%s\n", (int)strcspn(c->head, "\r"), c->head, (int)len,
		range ? range : "-", c->faults.n ? " " : "",
		c->faults.n ? c->faults.list[0].kind : "");
	fflush(log);
}

static void answer(struct proxy_connection *c)
{
	struct proxy_answer a = { .close = false };

	if (!proxy_instead(&c->faults, c->head, &a)) {
		if (proxy_ask(c->proxy, &c->faults, c->head, &a) < 0) {
			proxy_connection_end(c);
			return;
		}
		proxy_spoil(c->proxy, &c->faults, &a);
	}
	c->have = 0;
	proxy_send(c, &a);
}

static void serve(struct proxy_connection *c)
{
	const struct http_fault *delay;

	if (!strike_request(c))
		return;
	note_request(c);
	delay = http_fault_find(&c->faults, "delay");
	if (http_fault_find(&c->faults, "hang"))
		c->held = true;
	else if (http_fault_find(&c->faults, "rst"))
		proxy_reset(c);
	else if (http_fault_find(&c->faults, "close"))
		proxy_connection_end(c);
	else if (delay)
		proxy_sleep(c,
			    (unsigned int)(http_fault_arg(delay, 0, 100) +
					   (long)proxy_chance(
						   c->proxy,
						   (uint64_t)http_fault_arg(delay, 1, 0) + 1)),
			    answer);
	else
		answer(c);
}

static void receive(struct proxy_connection *c)
{
	size_t room = sizeof(c->head) - 1 - c->have;
	ssize_t n = room ? proxy_receive(c, c->head + c->have, room) : 0;

	if (n == -EAGAIN)
		return;
	if (n <= 0 || c->cut) {
		proxy_connection_end(c);
		return;
	}
	c->have += (size_t)n;
	c->head[c->have] = '\0';
	/* Nobody sends a second request before the first is answered. */
	if (!c->out && !c->held && !loop_timer_armed(&c->timer) && strstr(c->head, "\r\n\r\n"))
		serve(c);
}

void proxy_connection_next(struct proxy_connection *c)
{
	c->faults.n = 0;
}

static void connection_ready(struct loop_watch *watch, uint32_t events)
{
	struct proxy_connection *c = container_of(watch, struct proxy_connection, watch);

	if (events & ~(uint32_t)POLLOUT)
		receive(c);
	else if (c->out && !loop_timer_armed(&c->timer))
		proxy_send_more(c);
	else
		loop_watch_modify(watch, POLLIN);
}

static enum proxy_certificate choose_certificate(struct proxy *proxy)
{
	return !proxy->broken		     ? PROXY_GOOD
	       : strikes(proxy, "expired")   ? PROXY_EXPIRED
	       : strikes(proxy, "wrongname") ? PROXY_WRONGNAME
	       : strikes(proxy, "unknownca") ? PROXY_UNKNOWNCA
					     : PROXY_GOOD;
}

static void connection_start(struct proxy *proxy, int fd)
{
	struct proxy_connection *c = calloc(1, sizeof(*c));
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c->proxy = proxy;
	c->fd = fd;
	c->watch.ready = connection_ready;
	c->timer.fire = timer_fire;
	proxy->seen.connections++;
	TAILQ_INSERT_TAIL(&proxy->connections, c, link);
	/* Reads the client's first words as bytes, and ends. */
	c->cut = proxy->broken && strikes(proxy, "tlscut");
	if (loop_watch_add(proxy->loop, &c->watch, fd, POLLIN) < 0 ||
	    (proxy->options.certificates && !c->cut &&
	     proxy_tls_accept(c, choose_certificate(proxy)) < 0))
		proxy_connection_end(c);
}

static void listener_ready(struct loop_watch *watch, uint32_t events)
{
	struct proxy *proxy = container_of(watch, struct proxy, watch);
	int fd = accept4(proxy->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0)
		connection_start(proxy, fd);
}

/* ---- life
 * ------------------------------------------------------------------------------------------ */

/* A socket whose port was asked for by its number keeps it while it does not listen. */
static int bind_at(int fd, struct sockaddr_in *in)
{
	socklen_t len = sizeof(*in);
	int one = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(fd, (struct sockaddr *)in, len) < 0 ||
	    getsockname(fd, (struct sockaddr *)in, &len) < 0)
		return -errno;
	return 0;
}

static int listen_at(struct proxy *proxy)
{
	const char *address = proxy->options.bind ? proxy->options.bind : "127.0.0.1";
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(proxy->options.port) };
	_cleanup_close_ int first = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int err;

	if (inet_pton(AF_INET, address, &in.sin_addr) != 1)
		return -EINVAL;
	proxy->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	err = bind_at(first, &in);
	if (err == 0)
		err = bind_at(proxy->listener, &in);
	if (err == 0 && listen(proxy->listener, 128) < 0)
		err = -errno;
	proxy->port = ntohs(in.sin_port);
	return err < 0 ? err : loop_watch_add(proxy->loop, &proxy->watch, proxy->listener, POLLIN);
}

static void free_proxyp(struct proxy **proxy)
{
	proxy_free(*proxy);
}

int proxy_new(struct proxy **ret, struct loop *loop, const struct proxy_options *options)
{
	_cleanup_(free_proxyp) struct proxy *proxy = calloc(1, sizeof(*proxy));
	int err;

	if (!proxy)
		return -ENOMEM;
	proxy->loop = loop;
	proxy->options = *options;
	proxy->listener = -1;
	proxy->watch.ready = listener_ready;
	proxy->chance = options->seed * 2 + 1;
	TAILQ_INIT(&proxy->connections);
	err = listen_at(proxy);
	if (err == 0 && options->certificates)
		err = proxy_tls_start(proxy);
	if (err < 0)
		return err;
	*ret = steal(&proxy);
	return 0;
}

struct proxy *proxy_free(struct proxy *proxy)
{
	if (!proxy)
		return NULL;
	end_connections(proxy);
	loop_watch_remove(&proxy->watch);
	if (proxy->listener >= 0)
		close(proxy->listener);
	proxy_tls_stop(proxy);
	free(proxy);
	return NULL;
}

uint16_t proxy_port(const struct proxy *proxy)
{
	return proxy->port;
}

static void heal(struct proxy *proxy)
{
	struct proxy_connection *c, *next;

	for (c = TAILQ_FIRST(&proxy->connections); c; c = next) {
		next = TAILQ_NEXT(c, link);
		c->faults.n = 0;
		if (c->held) {
			c->held = false;
			proxy_sleep(c, 0, answer);
		} else {
			proxy_send_heal(c);
		}
	}
}

bool proxy_fault(struct proxy *proxy, const char *text)
{
	struct http_faults faults;
	const char *bad;

	if (!http_faults_parse(&faults, text, &bad))
		return false;
	proxy->faults = faults;
	set_broken(proxy, may_break(proxy) && !http_fault_find(&faults, "from"));
	if (faults.n == 0)
		heal(proxy);
	return true;
}

struct proxy_seen proxy_seen(const struct proxy *proxy)
{
	return proxy->seen;
}
