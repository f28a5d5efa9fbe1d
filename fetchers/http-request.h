/* SPDX-License-Identifier: MIT */
/*
 * One HTTP request from its start to its done(): what is sent, what the answer means, redirects,
 * a second try where the origin refused and something better can be sent.
 *
 *	QUEUED -> ACTIVE -> DONE	a redirect goes from ACTIVE to QUEUED again
 *	QUEUED -> HELD -> QUEUED	until struct http_auth has its fields
 *
 * libcurl's callbacks copy bytes and take notes, nothing else: all calls to the caller and into
 * libcurl are made from the request's deferred call, one at the end of each turn in which
 * something happened to it.
 */
#pragma once

#include "fetchers/common.h"
#include "fetchers/http-answer.h"
#include "fetchers/http-auth.h"
#include "fetchers/http-client.h"

/* What ranges are read of. */
struct http_target {
	char *locator; /* URL, owned */
	struct fetch_identity identity;
	char condition[HTTP_CONDITION_MAX];
	struct http_auth *auth; /* or NULL; borrowed */
	/*
	 * A redirect leads to where these very bytes are stored, for a while: go there at once
	 * until that fails, then ask here again.
	 */
	bool keeps_moves;
	char *moved; /* owned, or NULL */
};
void http_target_end(struct http_target *target);

#define HTTP_WANTED_MAX 4096 /* some registries put signatures into a Location */

/* A field of the answer that somebody wants to see. */
struct http_wanted {
	const char *name;
	char value[HTTP_WANTED_MAX]; /* as sent; empty: none, or longer */
};

/* What a PUT sends, from front to back, and from its beginning when it is sent again. */
struct http_upload {
	uint64_t size;
	/* Bytes from off on: how many, at least one; or -errno, which ends the request. It may
	 * block, and everything else with it: for tools. */
	ssize_t (*read)(struct http_upload *upload, void *buf, size_t n, uint64_t off);
};

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_PUT }; /* the last two send a body */

#define HTTP_DOCUMENT_FIELDS 2

/* A small body as a whole. Owned by the caller until done(), with all that it points to. */
struct http_document {
	const char *url;
	enum http_method method;
	const char *form;			  /* the body of a POST */
	struct http_upload *upload;		  /* that of a PUT */
	const char *fields[HTTP_DOCUMENT_FIELDS]; /* for the origin of url only; or NULL */
	struct http_auth *auth;			  /* or NULL */
	struct http_wanted *wanted;		  /* ends with a NULL name; or NULL */
	char *body;	     /* NULL: does not matter, and each status of success will do */
	size_t room, len;    /* done(0): so much was filled; a longer one is an error */
	char *complaint;     /* HTTP_COMPLAINT_MAX + 1: the text of an error's body; or NULL */
	unsigned int status; /* 0: no answer */
	void (*done)(struct http_document *document, int err);
	char error[FETCH_ERROR_MAX];
	uint64_t retry_after; /* done(err < 0): as that of a look */
};

struct http_request;

/*
 * Start; the request frees itself before it calls done(). NULL: no memory, nothing is started.
 * look: a locator that is none of the source ends with -EACCES. auth may be NULL.
 */
struct http_request *http_request_look(struct http_client *client, struct fetch_look *look,
				       struct http_auth *auth);
struct http_request *http_request_read(struct http_client *client, struct http_target *target,
				       struct fetch_read *read);
struct http_request *http_request_document(struct http_client *client,
					   struct http_document *document);
void http_request_cancel(struct http_request *request);

/* Ends it without done(), at once; not from inside a callback of its own. */
void http_request_drop(struct http_request *request);

/* For http_multi_new(). */
void http_request_transferred(CURL *easy, CURLcode code);
