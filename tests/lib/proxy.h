/* SPDX-License-Identifier: MIT */
/*
 * A proxy of HTTP/1.1 that breaks things: it stands in front of a real server on this host, passes
 * GET and HEAD on to it, and treats what comes back as the faults of http-fault.h say. It lives on
 * a loop that it is given. The real server is asked by blocking calls and all of its answer, up
 * to 4 MiB, is taken at once, so that on virtual time the server costs none, and whatever takes
 * time is a fault.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "daemon/loop/loop.h"

struct proxy;

struct proxy_options {
	const char *bind;  /* NULL: 127.0.0.1 */
	uint16_t port;	   /* 0: any */
	uint16_t upstream; /* of 127.0.0.1 */
	uint64_t seed;	   /* of what is left to chance */
	/*
	 * NULL: no TLS. Otherwise good.pem, good.key, and for the faults that are named so
	 * expired.*, wrongname.*, unknownca.*, in this directory.
	 */
	const char *certificates;
	FILE *log; /* one line per request; NULL: none */
};

/* Negative errno. */
int proxy_new(struct proxy **ret, struct loop *loop, const struct proxy_options *options);

/* Ends all connections. Takes NULL, returns NULL. */
struct proxy *proxy_free(struct proxy *proxy);

uint16_t proxy_port(const struct proxy *proxy);

/*
 * What goes wrong from the next request on, in place of what did; "": nothing, and what was held
 * back goes on. Faults of connections end those that there are, once what is being sent is sent.
 * False: that is no list of faults.
 */
bool proxy_fault(struct proxy *proxy, const char *faults);

struct proxy_seen {
	unsigned int connections, requests;
	unsigned int struck; /* requests and connections that something was done to */
};
struct proxy_seen proxy_seen(const struct proxy *proxy);
