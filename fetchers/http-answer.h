/* SPDX-License-Identifier: MIT */
/*
 * The head of an HTTP response: collected line by line, then judged against what was asked for.
 * Pure. A body byte counts only after the whole head proved right.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fetchers/fetcher.h"
#include "fetchers/http-range.h"

/* Longer ones are as good as none: they cannot be kept in an identity. */
#define HTTP_ETAG_MAX	   (FETCH_VALIDATOR_MAX - 8)
#define HTTP_MODIFIED_MAX  64
#define HTTP_CHALLENGE_MAX 2048 /* of all WWW-Authenticate fields together */

struct http_answer {
	unsigned int status; /* 0: no status line yet */
	bool complete;	     /* the head has ended, and status is final (not 1xx) */
	bool length_known, range_seen;
	bool encoded;	/* Content-Encoding other than identity */
	bool multipart; /* several ranges in one body */
	bool bad;	/* contradicts itself: a field twice, a length that is none */
	uint64_t length;
	enum http_range_verdict range_verdict; /* of range, when range_seen */
	struct http_range range;
	char etag[HTTP_ETAG_MAX];	  /* as sent; empty: none */
	char modified[HTTP_MODIFIED_MAX]; /* Last-Modified, as sent */
	/* Retry-After in seconds, or as a date; and what the server calls now. Dates since 1970. */
	uint64_t wait;
	uint64_t wait_until, date;	    /* s; 0: none */
	char challenge[HTTP_CHALLENGE_MAX]; /* WWW-Authenticate, several joined by a comma */
};

void http_answer_reset(struct http_answer *answer);

/* One line of the head, with or without its CR LF. */
void http_answer_line(struct http_answer *answer, const char *line, size_t len);

/* The value of a line that is the field `name`, where it fits and has no control character. */
void http_answer_field(const char *line, size_t len, const char *name, char *ret, size_t n);

/*
 * How long the server does not want to be asked again, in s; 0 where it does not say. now: since
 * 1970, by our clock, for a server that does not tell its own.
 */
#define HTTP_WAIT_MAX 86400 /* as good as for ever */
uint64_t http_answer_wait(const struct http_answer *answer, uint64_t now);

bool http_answer_redirects(const struct http_answer *answer);

/*
 * Judge a complete head that is no redirect. 0, or an error of the contract and *ret_why, a static
 * half sentence.
 *
 * look: the request was for the first max(head_len, 1) bytes. *ret_body is how many bytes the body
 * has to have.
 */
int http_answer_look(const struct http_answer *answer, size_t head_len, struct fetch_identity *ret,
		     uint64_t *ret_body, const char **ret_why);

/* read: the request was for [off, off + len) of what `pinned` names; that is the body's length. */
int http_answer_read(const struct http_answer *answer, const struct fetch_identity *pinned,
		     uint64_t off, uint64_t len, const char **ret_why);

/* whole: the request was for everything, which must not be more than room. */
int http_answer_whole(const struct http_answer *answer, uint64_t room, const char **ret_why);

/* success: only the status matters. */
int http_answer_success(const struct http_answer *answer, const char **ret_why);

/*
 * The request field that makes a server refuse (412) when the object is not the pinned one any
 * more: "If-Match: ..." or "If-Unmodified-Since: ..."; empty where nothing is pinned. -EINVAL: the
 * validator is none of ours.
 */
#define HTTP_CONDITION_MAX (FETCH_VALIDATOR_MAX + 32)
int http_condition_print(char buf[HTTP_CONDITION_MAX], const struct fetch_identity *pinned);
