/* SPDX-License-Identifier: MIT */
/*
 * The parts of a request, for those who move it on: http-request.c (its life), http-send.c (what is
 * sent), http-receive.c (what libcurl tells, and where that leads).
 */
#pragma once

#include "fetchers/http-request.h"
#include "fetchers/http-url.h"

enum request_state { REQUEST_QUEUED, REQUEST_HELD, REQUEST_ACTIVE, REQUEST_DONE };

struct http_request {
	struct http_client *client;
	CURL *easy; /* owned; making one takes 1 us, which is not worth keeping them */
	struct loop_deferred deferred;
	enum request_state state;
	bool canceled;
	struct fetch_look *look; /* one of these three */
	struct fetch_read *read;
	struct http_document *document;
	struct http_target *target; /* of read */
	const char *locator;
	char *error; /* of look, read or document */
	uint8_t *buf;
	size_t room;
	uint64_t off, len; /* asked for */

	char *redirected; /* owned: where to go instead of locator, or NULL */
	long redirects;
	bool moved; /* redirected comes from an earlier request */
	struct curl_slist
		fields[HTTP_DOCUMENT_FIELDS]; /* nodes of our own: the first of the list */
	struct curl_slist *auth_fields;	      /* owned: they follow */
	struct curl_slist *auth_last; /* whose next is the source's list, not ours to free */
	char range[HTTP_RANGE_MAX + 8];

	struct http_auth *auth; /* or NULL */
	struct http_waiter waiter;
	bool again;		  /* what came is no answer: ask once more */
	bool introduced, retried; /* has asked again without fields, with fields */

	struct http_answer answer;
	bool judged;	   /* the head was looked at */
	bool body_counts;  /* it proved right: what follows are our bytes */
	int err;	   /* the first error, whose text is in error */
	uint64_t body;	   /* bytes that the body has to have, or may have */
	uint64_t received; /* of them */
	uint64_t reported, ignored;
	uint64_t sent; /* of an upload */
	char complaint[HTTP_COMPLAINT_MAX]; /* the first ignored bytes */
	char curl_error[CURL_ERROR_SIZE];
};

static inline const char *http_request_url(const struct http_request *r)
{
	return r->redirected ? r->redirected : r->locator;
}

static inline bool http_request_at_home(const struct http_request *r)
{
	return !r->redirected || http_url_same_origin(r->locator, r->redirected);
}

/* Keeps the first error. */
void http_request_fail(struct http_request *r, int err, const char *why);

/* Sends a queued request: it is active, held or done afterwards. */
void http_request_send(struct http_request *r);
void http_request_forget_fields(struct http_request *r);

/* CURLOPT_HEADERFUNCTION: one line per call. */
size_t http_request_header(char *line, size_t one, size_t len, void *userp);

/* CURLOPT_WRITEFUNCTION: any other result than len ends the transfer. */
size_t http_request_body(char *bytes, size_t one, size_t len, void *userp);
