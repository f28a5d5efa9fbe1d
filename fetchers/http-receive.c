/* SPDX-License-Identifier: MIT */
#include "fetchers/http-request-internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HTTP_IGNORED_MAX (16u << 10) /* body of an error: read, so that the connection lives */

/* Whether an error is to be followed by another try: where it was kept, or with other fields. */
static bool request_refused(struct http_request *r)
{
	bool *used = r->auth_fields ? &r->retried : &r->introduced;

	if (r->answer.status < 400)
		return false;
	if (r->moved)
		return true;
	if (!r->auth || *used || (!r->auth->sign && !http_request_at_home(r)))
		return false;
	*used = true;
	/* What had been sent before was nobody's word: from here it begins as it always does. */
	if (!r->auth_fields)
		r->retried = false;
	return r->auth->refused(r->auth, r->auth_fields, &r->answer);
}

static int request_verdict(struct http_request *r, const char **ret_why)
{
	if (r->look)
		return http_answer_look(&r->answer, r->room, &r->look->identity, &r->body, ret_why);
	if (r->read)
		return http_answer_read(&r->answer, &r->target->identity, r->off, r->len, ret_why);
	if (!r->document->body)
		return http_answer_success(&r->answer, ret_why);
	return http_answer_whole(&r->answer, r->room, ret_why);
}

static void request_judge(struct http_request *r)
{
	const char *why = NULL;
	int err;

	r->judged = true;
	if (http_answer_redirects(&r->answer))
		return;
	r->again = request_refused(r);
	if (r->again)
		return;
	err = request_verdict(r, &why);
	if (err < 0)
		http_request_fail(r, err, why);
	else
		r->body_counts = r->answer.status != 416 && (!r->document || r->document->body);
}

static void take_wanted(struct http_document *document, const char *line, size_t len)
{
	if (len >= 5 && memcmp(line, "HTTP/", 5) == 0)
		for (struct http_wanted *w = document->wanted; w && w->name; w++)
			w->value[0] = '\0';
	for (struct http_wanted *w = document->wanted; w && w->name; w++)
		http_answer_field(line, len, w->name, w->value, sizeof(w->value));
}

size_t http_request_header(char *line, size_t one, size_t len, void *userp)
{
	struct http_request *r = userp;

	if (r->document && !r->answer.complete)
		take_wanted(r->document, line, len);
	http_answer_line(&r->answer, line, len);
	if (r->answer.complete && !r->judged)
		request_judge(r);
	return len;
}

static void keep_complaint(struct http_request *r, const char *bytes, size_t len)
{
	size_t room;

	if (r->ignored >= sizeof(r->complaint))
		return;
	room = sizeof(r->complaint) - r->ignored;
	memcpy(r->complaint + r->ignored, bytes, len < room ? len : room);
}

/* What the answer says by itself is better than what its status means in general. */
static void request_explain(struct http_request *r)
{
	size_t len = r->ignored < sizeof(r->complaint) ? r->ignored : sizeof(r->complaint);
	const char *why = NULL;
	int err;

	if (r->err == 0 || len == 0 || !r->auth || !r->auth->explain)
		return;
	err = r->auth->explain(r->auth, r->err, r->complaint, len, &why);
	if (!why)
		return;
	r->err = 0;
	http_request_fail(r, err, why);
}

size_t http_request_body(char *bytes, size_t one, size_t len, void *userp)
{
	struct http_request *r = userp;

	if (!r->body_counts) {
		keep_complaint(r, bytes, len);
		r->ignored += len;
		return r->ignored > HTTP_IGNORED_MAX ? 0 : len;
	}
	if (len > r->body - r->received) {
		http_request_fail(r, -EPROTO,
				  r->document ? "too long an answer" : "more bytes than asked for");
		return 0;
	}
	if (r->received < r->room)
		memcpy(r->buf + r->received, bytes,
		       len < r->room - r->received ? len : r->room - r->received);
	r->received += len;
	if (r->read)
		loop_defer(r->client->loop, &r->deferred);
	return len;
}

/* Where the bytes were found is a good place for the next requests; they get a copy. */
static void remember_move(struct http_request *r)
{
	if (!r->redirected || r->moved || !r->target || !r->target->keeps_moves)
		return;
	free(r->target->moved);
	r->target->moved = strdup(r->redirected);
}

/* Goes where the answer points to: 0, or an error that is noted. */
static void request_follow(struct http_request *r)
{
	const char *why = NULL;
	char *to = NULL, *next;
	int err;

	curl_easy_getinfo(r->easy, CURLINFO_REDIRECT_URL, &to);
	if (!to) {
		http_request_fail(r, -EPROTO, "redirected to nowhere");
		return;
	}
	if (++r->redirects > r->client->config->redirects) {
		http_request_fail(r, -EIO, "too many redirects");
		return;
	}
	if (r->document && r->document->method >= HTTP_POST) {
		http_request_fail(r, -EACCES,
				  "redirected with something to send, which may be a secret");
		return;
	}
	err = http_url_check(http_request_url(r), to, &why);
	if (err < 0) {
		http_request_fail(r, err, why);
		return;
	}
	next = http_url_same_origin(r->locator, to) ? http_url_with_user(r->locator, to)
						    : strdup(to);
	if (!next) {
		http_request_fail(r, -ENOMEM, "no memory");
		return;
	}
	free(r->redirected);
	r->redirected = next;
	r->state = REQUEST_QUEUED;
}

/* Begins at the locator again. */
static void request_return(struct http_request *r)
{
	/* Another request may have learnt a better place meanwhile. */
	if (r->moved && r->target->moved && strcmp(r->target->moved, r->redirected) == 0) {
		free(r->target->moved);
		r->target->moved = NULL;
	}
	r->moved = false;
	free(r->redirected);
	r->redirected = NULL;
	r->redirects = 0;
	r->state = REQUEST_QUEUED;
}

void http_request_transferred(CURL *easy, CURLcode code)
{
	struct http_request *r = NULL;

	curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&r);
	r->state = REQUEST_DONE;
	http_client_tell_certificate(r->client, easy);
	if (r->again || (r->moved && !r->judged && code != CURLE_OK))
		request_return(r);
	else if (r->err == 0 && r->judged && http_answer_redirects(&r->answer))
		request_follow(r);
	else if (code != CURLE_OK)
		http_request_fail(r, http_client_verdict(r->client, easy, code),
				  r->curl_error[0] ? r->curl_error : curl_easy_strerror(code));
	else if (!r->judged)
		http_request_fail(r, -EPROTO, "no answer");
	else if (!r->document && r->received < r->body)
		http_request_fail(r, -EPROTO, "fewer bytes than promised");
	else if (r->err == 0)
		remember_move(r);
	request_explain(r);
	loop_defer(r->client->loop, &r->deferred);
}
