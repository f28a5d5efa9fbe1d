/* SPDX-License-Identifier: MIT */
/*
 * One ranged GET from its start to its done(): what is sent, what the answer means, redirects.
 *
 *	QUEUED -> ACTIVE -> DONE	a redirect goes from ACTIVE to QUEUED again
 *
 * libcurl's callbacks copy bytes and take notes, nothing else: all calls to the caller and into
 * libcurl are made from the request's deferred call, one at the end of each turn in which
 * something happened to it.
 */
#pragma once

#include "fetchers/common.h"
#include "fetchers/http-answer.h"
#include "fetchers/http-config.h"
#include "fetchers/http-multi.h"

struct http {
	struct fetcher base;
	struct loop *loop;
	struct fetch_refusals refusals;
	struct http_config *config; /* owned */
	struct http_multi *multi;   /* owned */
};

struct http_object {
	struct fetch_object base;
	struct fetch_identity identity;
	char condition[HTTP_CONDITION_MAX];
	char *locator; /* owned */
};

struct http_request;

/*
 * Start; the request frees itself before it calls done(). NULL: no memory, nothing is started.
 * look: a locator that is none of the source ends with -EACCES.
 */
struct http_request *http_request_look(struct http *http, struct fetch_look *look);
struct http_request *http_request_read(struct http *http, struct http_object *object,
				       struct fetch_read *read);
void http_request_cancel(struct http_request *request);

/* For http_multi_new(). */
void http_request_transferred(CURL *easy, CURLcode code);
