/* SPDX-License-Identifier: MIT */
#include "fetchers/http-request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "fetchers/http-url.h"

#define HTTP_IGNORED_MAX (16u << 10) /* body of an error: read, so that the connection lives */

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
	char complaint[HTTP_COMPLAINT_MAX]; /* the first ignored bytes, for auth */
	char curl_error[CURL_ERROR_SIZE];
};

static const char *request_url(const struct http_request *r)
{
	return r->redirected ? r->redirected : r->locator;
}

static bool at_home(const struct http_request *r)
{
	return !r->redirected || http_url_same_origin(r->locator, r->redirected);
}

/* Keeps the first error. */
static void request_fail(struct http_request *r, int err, const char *why)
{
	if (r->err < 0)
		return;
	r->err = err;
	if (r->answer.complete && r->answer.status != 206)
		fetch_error(r->error, r->locator, "%s (status %u)", why, r->answer.status);
	else
		fetch_error(r->error, r->locator, "%s", why);
}

/* ---- what libcurl tells ----------------------------------------------------------------- */

/* Whether an error is to be followed by another try: where it was kept, or with other fields. */
static bool request_refused(struct http_request *r)
{
	bool *used = r->auth_fields ? &r->retried : &r->introduced;

	if (r->answer.status < 400)
		return false;
	if (r->moved)
		return true;
	if (!r->auth || *used || (!r->auth->sign && !at_home(r)))
		return false;
	*used = true;
	return r->auth->refused(r->auth, r->auth_fields, &r->answer);
}

static int request_verdict(struct http_request *r, const char **ret_why)
{
	if (r->look)
		return http_answer_look(&r->answer, r->room, &r->look->identity, &r->body, ret_why);
	if (r->read)
		return http_answer_read(&r->answer, &r->target->identity, r->off, r->len, ret_why);
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
		request_fail(r, err, why);
	else
		r->body_counts = r->answer.status != 416;
}

static void take_wanted(struct http_document *document, const char *line, size_t len)
{
	if (len >= 5 && memcmp(line, "HTTP/", 5) == 0)
		for (struct http_wanted *w = document->wanted; w && w->name; w++)
			w->value[0] = '\0';
	for (struct http_wanted *w = document->wanted; w && w->name; w++)
		http_answer_field(line, len, w->name, w->value, sizeof(w->value));
}

/* CURLOPT_HEADERFUNCTION: one line per call. */
static size_t header_arrived(char *line, size_t one, size_t len, void *userp)
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

	if (!r->auth || !r->auth->explain || r->ignored >= sizeof(r->complaint))
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
	request_fail(r, err, why);
}

/* CURLOPT_WRITEFUNCTION: any other result than len ends the transfer. */
static size_t body_arrived(char *bytes, size_t one, size_t len, void *userp)
{
	struct http_request *r = userp;

	if (!r->body_counts) {
		keep_complaint(r, bytes, len);
		r->ignored += len;
		return r->ignored > HTTP_IGNORED_MAX ? 0 : len;
	}
	if (len > r->body - r->received) {
		request_fail(r, -EPROTO,
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
		request_fail(r, -EPROTO, "redirected to nowhere");
		return;
	}
	if (++r->redirects > r->client->config->redirects) {
		request_fail(r, -EIO, "too many redirects");
		return;
	}
	err = http_url_check(request_url(r), to, &why);
	if (err < 0) {
		request_fail(r, err, why);
		return;
	}
	next = http_url_same_origin(r->locator, to) ? http_url_with_user(r->locator, to)
						    : strdup(to);
	if (!next) {
		request_fail(r, -ENOMEM, "no memory");
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
	if (r->again || (r->moved && !r->judged && code != CURLE_OK))
		request_return(r);
	else if (r->err == 0 && r->judged && http_answer_redirects(&r->answer))
		request_follow(r);
	else if (code != CURLE_OK)
		request_fail(r, http_client_verdict(easy, code),
			     r->curl_error[0] ? r->curl_error : curl_easy_strerror(code));
	else if (!r->judged)
		request_fail(r, -EPROTO, "no answer");
	else if (!r->document && r->received < r->body)
		request_fail(r, -EPROTO, "fewer bytes than promised");
	else if (r->err == 0)
		remember_move(r);
	request_explain(r);
	loop_defer(r->client->loop, &r->deferred);
}

/* ---- sending ---------------------------------------------------------------------------- */

struct curl_slist *http_fields_free(struct curl_slist *fields)
{
	for (struct curl_slist *f = fields; f; f = f->next)
		explicit_bzero(f->data, strlen(f->data));
	curl_slist_free_all(fields);
	return NULL;
}

static void auth_fields_free(struct http_request *r)
{
	if (r->auth_last)
		r->auth_last->next = NULL;
	r->auth_last = NULL;
	r->auth_fields = http_fields_free(r->auth_fields);
}

/* -EINPROGRESS: held; else 0, or an error that is noted. */
static int request_authorise(struct http_request *r)
{
	const char *why = "no memory";
	int err;

	auth_fields_free(r);
	if (!r->auth || (!r->auth->sign && !at_home(r)))
		return 0;
	if (r->auth->sign)
		err = r->auth->sign(r->auth, r->easy, request_url(r), &r->auth_fields, &why);
	else
		err = r->auth->fields(r->auth, &r->waiter, &r->auth_fields, &why);
	if (err < 0 && err != -EINPROGRESS)
		request_fail(r, err, why);
	return err;
}

static void chain(struct curl_slist ***end, struct curl_slist *node, const char *text)
{
	*node = (struct curl_slist){ .data = (char *)text };
	**end = node;
	*end = &node->next;
}

/* What is said to everybody, and in front of it what only the origin may see. Read by libcurl. */
static struct curl_slist *request_fields(struct http_request *r)
{
	const struct http_config *c = r->client->config;
	char range[HTTP_RANGE_MAX];
	struct curl_slist *first = NULL, **end = &first;
	bool home = at_home(r);

	if (!r->document) {
		snprintf(r->range, sizeof(r->range), "Range: %s",
			 http_range_print(range, r->off, r->len));
		chain(&end, &r->fields[0], r->range);
	}
	if (r->target && r->target->condition[0])
		chain(&end, &r->fields[1], r->target->condition);
	for (size_t i = 0; r->document && home && i < HTTP_DOCUMENT_FIELDS; i++)
		if (r->document->fields[i])
			chain(&end, &r->fields[i], r->document->fields[i]);
	if (r->auth_fields) {
		*end = r->auth_fields;
		for (r->auth_last = r->auth_fields; r->auth_last->next;)
			r->auth_last = r->auth_last->next;
		end = &r->auth_last->next;
	}
	/* A document may be of a host that is not the source's. */
	*end = home && http_config_owns(c, r->locator) ? c->headers
						       : (struct curl_slist *)c->plain_headers;
	return first;
}

/* Where the last request of this target was led to. */
static void request_take_move(struct http_request *r)
{
	if (r->redirected || !r->target || !r->target->moved)
		return;
	r->redirected = strdup(r->target->moved);
	r->moved = r->redirected != NULL;
}

static CURLcode request_setup(struct http_request *r)
{
	const char *url = request_url(r);
	/* Only TLS can lead to HTTP/2, where waiting for a connection to share saves one. */
	long wait = r->client->config->http_version == CURL_HTTP_VERSION_2TLS &&
		    strncasecmp(url, "https:", 6) == 0;
	CURLcode code = curl_easy_setopt(r->easy, CURLOPT_URL, url);

	curl_easy_setopt(r->easy, CURLOPT_PIPEWAIT, wait);
	curl_easy_setopt(r->easy, CURLOPT_HTTPHEADER, request_fields(r));
	return code == CURLE_OK ? http_multi_add(r->client->multi, r->easy) : code;
}

static void request_send(struct http_request *r)
{
	CURLcode code;
	int err;

	http_answer_reset(&r->answer);
	r->judged = r->body_counts = r->again = false;
	r->ignored = 0;
	r->curl_error[0] = '\0';
	request_take_move(r);
	err = request_authorise(r);
	if (err == -EINPROGRESS) {
		r->state = REQUEST_HELD;
		return;
	}
	code = err < 0 ? CURLE_OK : request_setup(r);
	if (err == 0 && code == CURLE_OK) {
		r->state = REQUEST_ACTIVE;
		return;
	}
	r->state = REQUEST_DONE;
	request_fail(r, http_client_verdict(r->easy, code), curl_easy_strerror(code));
	loop_defer(r->client->loop, &r->deferred);
}

/* ---- life ------------------------------------------------------------------------------- */

static void request_free(struct http_request *r)
{
	curl_easy_cleanup(r->easy);
	auth_fields_free(r);
	free(r->redirected);
	free(r);
}

/* Ends what was begun outside of us. */
static void request_leave(struct http_request *r)
{
	if (r->state == REQUEST_ACTIVE)
		http_multi_remove(r->client->multi, r->easy);
	else if (r->state == REQUEST_HELD)
		LIST_REMOVE(&r->waiter, link);
	r->state = REQUEST_DONE;
}

/* The last thing that is done for a request: done() may free the fetcher. */
static void request_done(struct http_request *r)
{
	struct fetch_look *look = r->look;
	struct fetch_read *read = r->read;
	struct http_document *document = r->document;
	int err = r->err;

	if (look)
		look->head_filled = r->received < r->room ? (size_t)r->received : r->room;
	if (document) {
		document->len = (size_t)r->received;
		document->status = r->answer.status;
	}
	request_free(r);
	if (look)
		look->done(look, err);
	else if (read)
		read->done(read, err);
	else
		document->done(document, err);
}

static void request_report(struct http_request *r)
{
	if (!r->read || !r->read->progress || r->reported == r->received)
		return;
	r->reported = r->received;
	r->read->progress(r->read, r->received);
}

/* Something has happened to a request in this turn: starts it, reports progress, or ends it. */
static void request_run(struct loop_deferred *deferred)
{
	struct http_request *r = container_of(deferred, struct http_request, deferred);

	if (r->canceled && r->state != REQUEST_DONE) {
		request_leave(r);
		request_fail(r, -ECANCELED, "canceled");
	}
	switch (r->state) {
	case REQUEST_QUEUED:
		request_send(r);
		break;
	case REQUEST_HELD:
		break;
	case REQUEST_ACTIVE:
		request_report(r);
		break;
	case REQUEST_DONE:
		/* What arrived before an error is right all the same. */
		if (r->err < 0 && !r->canceled)
			request_report(r);
		request_done(r);
		break;
	}
}

static void request_ready(struct http_waiter *waiter, int err, const char *why)
{
	struct http_request *r = container_of(waiter, struct http_request, waiter);

	r->state = REQUEST_QUEUED;
	if (err < 0) {
		r->state = REQUEST_DONE;
		request_fail(r, err, why);
	}
	loop_defer(r->client->loop, &r->deferred);
}

void http_request_cancel(struct http_request *r)
{
	/* One that is done has its deferred call before it, or is in it. */
	if (r->state == REQUEST_DONE)
		return;
	r->canceled = true;
	loop_defer(r->client->loop, &r->deferred);
}

void http_request_drop(struct http_request *r)
{
	request_leave(r);
	loop_defer_cancel(r->client->loop, &r->deferred);
	request_free(r);
}

static struct http_request *request_new(struct http_client *client, const char *locator,
					char *error)
{
	struct http_request *r = malloc(sizeof(*r));

	if (!r)
		return NULL;
	*r = (struct http_request){
		.client = client,
		.easy = http_client_easy(client),
		.deferred.run = request_run,
		.waiter.ready = request_ready,
		.locator = locator,
		.error = error,
	};
	if (!r->easy) {
		free(r);
		return NULL;
	}
	curl_easy_setopt(r->easy, CURLOPT_PRIVATE, r);
	curl_easy_setopt(r->easy, CURLOPT_ERRORBUFFER, r->curl_error);
	curl_easy_setopt(r->easy, CURLOPT_HEADERFUNCTION, header_arrived);
	curl_easy_setopt(r->easy, CURLOPT_HEADERDATA, r);
	curl_easy_setopt(r->easy, CURLOPT_WRITEFUNCTION, body_arrived);
	curl_easy_setopt(r->easy, CURLOPT_WRITEDATA, r);
	loop_defer(client->loop, &r->deferred);
	return r;
}

struct http_request *http_request_look(struct http_client *client, struct fetch_look *look,
				       struct http_auth *auth)
{
	struct http_request *r = request_new(client, look->locator, look->error);

	if (!r)
		return NULL;
	r->look = look;
	r->auth = auth;
	r->buf = look->head;
	r->room = look->head_len;
	/* The size of an object is learnt by asking for a part of it, of one byte at least. */
	r->len = look->head_len > 0 ? look->head_len : 1;
	if (!http_config_owns(client->config, look->locator)) {
		r->state = REQUEST_DONE;
		request_fail(r, -EACCES, "not below the template of its source");
	}
	return r;
}

struct http_request *http_request_read(struct http_client *client, struct http_target *target,
				       struct fetch_read *read)
{
	struct http_request *r = request_new(client, target->locator, read->error);

	if (!r)
		return NULL;
	r->read = read;
	r->target = target;
	r->auth = target->auth;
	r->buf = read->buf;
	r->room = r->len = r->body = read->len;
	r->off = read->off;
	return r;
}

struct http_request *http_request_document(struct http_client *client,
					   struct http_document *document)
{
	struct http_request *r = request_new(client, document->url, document->error);

	if (!r)
		return NULL;
	r->document = document;
	r->auth = document->auth;
	r->buf = (uint8_t *)document->body;
	r->room = r->body = document->room;
	/* Copied by nobody: the caller's until done(). */
	if (document->form)
		curl_easy_setopt(r->easy, CURLOPT_POSTFIELDS, document->form);
	return r;
}

void http_target_end(struct http_target *target)
{
	free(target->locator);
	free(target->moved);
}
