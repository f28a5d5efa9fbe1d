/* SPDX-License-Identifier: MIT */
/*
 * What a kind of origin adds to requests so that it is let in: fields that it computes or asks for
 * elsewhere, and a second try with better ones. Requests without it carry the source's fields only.
 */
#pragma once

#include <stdbool.h>
#include <sys/queue.h>
#include <curl/curl.h>

#include "fetchers/http-answer.h"

#define HTTP_COMPLAINT_MAX 1024

/* A request that is held until its fields are there. Whoever removes it has to LIST_REMOVE() it. */
struct http_waiter {
	LIST_ENTRY(http_waiter) link;
	/*
	 * Already removed; called from the loop. 0: ask for the fields again. Else the request ends
	 * with this error, and why (half a sentence) is copied.
	 */
	void (*ready)(struct http_waiter *waiter, int err, const char *why);
};
LIST_HEAD(http_waiters, http_waiter);

struct http_auth {
	/*
	 * The fields of a request to the origin of its locator; never for a host that a redirect
	 * led to. 0: *ret is a list, given away, or NULL for none. -EINPROGRESS: the waiter was
	 * inserted somewhere. Other errors end the request; *ret_why lives until the next call.
	 */
	int (*fields)(struct http_auth *auth, struct http_waiter *waiter, struct curl_slist **ret,
		      const char **ret_why);

	/*
	 * That origin answered with a status of 400 or more to a request with those fields. True:
	 * send it again. Called from inside libcurl: takes notes, does nothing.
	 */
	bool (*refused)(struct http_auth *auth, const struct curl_slist *sent,
			const struct http_answer *answer);

	/*
	 * Instead of fields(), or NULL: for what depends on where a request goes. Called also for
	 * where a redirect led to, and decides whom to trust: adds options to the handle and fields
	 * to *ret, or takes away what it has added for another URL. An error ends the request.
	 */
	int (*sign)(struct http_auth *auth, CURL *easy, const char *url, struct curl_slist **ret,
		    const char **ret_why);

	/*
	 * Or NULL. Which error a request ends with instead of err, whose answer has this body; only
	 * its first HTTP_COMPLAINT_MAX bytes. May replace *why by what lives until the next call.
	 */
	int (*explain)(struct http_auth *auth, int err, const char *body, size_t len,
		       const char **why);
};

/* Frees a list whose fields are secret. Takes NULL, returns NULL. */
struct curl_slist *http_fields_free(struct curl_slist *fields);
