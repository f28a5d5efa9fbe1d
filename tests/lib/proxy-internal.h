/* SPDX-License-Identifier: MIT */
/*
 * The parts of the proxy: proxy.c has connections and what is set to go wrong, proxy-wire.c bytes
 * with and without TLS, proxy-upstream.c asks the real server, proxy-answer.c changes what it said,
 * proxy-send.c sends it, in its own time.
 */
#pragma once

#include <sys/queue.h>

#include "tests/lib/http-fault.h"
#include "tests/lib/proxy.h"

#define PROXY_HEAD_MAX 16384

struct ssl_st;
struct ssl_ctx_st;

enum proxy_certificate { PROXY_GOOD, PROXY_EXPIRED, PROXY_WRONGNAME, PROXY_UNKNOWNCA, PROXY_CERTS };

/* An answer: a head of lines, with the empty one at its end, and a body. */
struct proxy_answer {
	char head[PROXY_HEAD_MAX];
	char *body; /* owned */
	size_t len;
	bool close; /* the connection ends with it */
};

/* What becomes of a connection whose bytes, as far as they go, are sent. */
enum proxy_then { PROXY_NEXT, PROXY_CLOSE, PROXY_RESET, PROXY_STALL };

struct proxy {
	struct loop *loop;
	struct proxy_options options;
	int listener;
	uint16_t port;
	struct loop_watch watch;
	struct http_faults faults;
	bool broken; /* those of connections are in force */
	struct proxy_seen seen;
	unsigned int serial; /* of what has to be new each time */
	uint64_t chance;
	struct ssl_ctx_st *tls[PROXY_CERTS]; /* owned; NULL: no TLS */
	TAILQ_HEAD(, proxy_connection) connections;
};

struct proxy_connection {
	TAILQ_ENTRY(proxy_connection) link;
	struct proxy *proxy;
	int fd;
	struct ssl_st *tls; /* owned, or NULL */
	bool cut;	    /* ends within the handshake */
	struct loop_watch watch;
	struct loop_timer timer;
	void (*woken)(struct proxy_connection *c); /* what the timer is for; NULL: for nothing */

	char head[PROXY_HEAD_MAX]; /* a request */
	size_t have;
	struct http_faults faults; /* of this request */
	bool held;		   /* it is not answered until everything is well */

	char *out; /* owned: head and body of an answer; NULL: none is being sent */
	size_t len, sent, stop, piece;
	unsigned int piece_ms, drained;
	enum proxy_then then;
};

/* proxy.c */
void proxy_connection_end(struct proxy_connection *c);
void proxy_connection_next(struct proxy_connection *c); /* the answer was sent */
void proxy_sleep(struct proxy_connection *c, unsigned int ms,
		 void (*woken)(struct proxy_connection *c));
uint64_t proxy_chance(struct proxy *proxy, uint64_t below);

/* proxy-wire.c. Bytes moved; 0: the end; -EAGAIN: later; other errors are the end, too. */
int proxy_tls_start(struct proxy *proxy);
void proxy_tls_stop(struct proxy *proxy);
int proxy_tls_accept(struct proxy_connection *c, enum proxy_certificate which);
ssize_t proxy_receive(struct proxy_connection *c, void *buf, size_t n);
ssize_t proxy_transmit(struct proxy_connection *c, const void *buf, size_t n);

/* proxy-upstream.c: what the real server says to this request, changed as `norange`, `noif` and
 * `short` want it. Negative errno. */
int proxy_ask(const struct proxy *proxy, const struct http_faults *faults, const char *request,
	      struct proxy_answer *ret);

/* A field of a head: where its value begins, and its length; NULL: there is none. */
const char *proxy_field(const char *head, const char *name, size_t *ret_len);
/* Puts it there, in place of what was; NULL: takes it away. */
void proxy_field_set(char head[PROXY_HEAD_MAX], const char *name, const char *value);
/* The number that begins at the n-th digit sequence of its value; `otherwise` where there is none.
 */
long long proxy_field_number(const char *head, const char *name, int n, long long otherwise);

/* proxy-answer.c: does to an answer what is no matter of time. */
void proxy_spoil(struct proxy *proxy, const struct http_faults *faults, struct proxy_answer *a);
/* An answer without the real server; false: it is to be asked. */
bool proxy_instead(const struct http_faults *faults, const char *request, struct proxy_answer *ret);

/* proxy-send.c: the answer's body is taken. */
void proxy_send(struct proxy_connection *c, struct proxy_answer *a);
void proxy_send_more(struct proxy_connection *c);
void proxy_send_heal(struct proxy_connection *c);
void proxy_reset(struct proxy_connection *c);
