/* SPDX-License-Identifier: MIT */
/*
 * cachefillctl explain: what an object is, by whom and how it would be fetched, what is known and
 * cached of it, and whether it would work now. With a daemon or without one. What is found goes
 * into one JSON object for each object, which is printed as it is, or for people.
 */
#pragma once

#include <jansson.h>

#include "daemon/ctl/context.h"
#include "daemon/ctl/daemon.h"

struct explain {
	struct context context;
	struct daemon daemon;		     /* its error is below */
	char daemon_error[DAEMON_ERROR_MAX]; /* of the last question */
	bool asked, absent;		     /* the daemon was asked once; it cannot be */
};

/* explain-object.c: all that the configuration, the databases and the cache know of an object, and
 * what its origin says now. false: it would not work now. */
bool explain_object(struct explain *explain, struct bytes volume, struct bytes cookie,
		    json_t *object);

/* The same of a locator alone. */
bool explain_locator(struct explain *explain, const char *locator, json_t *object);

/* explain-daemon.c: what a running daemon knows of it. */
void explain_daemon(struct explain *explain, struct bytes volume, struct bytes cookie,
		    json_t *object);

/* explain-text.c: for people. */
void explain_print(const json_t *object);
