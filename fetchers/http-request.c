/* SPDX-License-Identifier: MIT */
#include "fetchers/http-request-internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/util/secret.h"

#define HTTP_SEND_SIZE	 (512L << 10) /* one call of a reader asks for up to this much */
#define HTTP_STORE_STALL 300L	      /* s */

void http_request_fail(struct http_request *r, int err, const char *why)
{
	if (r->err < 0)
		return;
	r->err = err;
	if (r->answer.complete && r->answer.status != 206)
		fetch_error(r->error, r->locator, "%s (status %u)", why, r->answer.status);
	else
		fetch_error(r->error, r->locator, "%s", why);
}

static void request_free(struct http_request *r)
{
	curl_easy_cleanup(r->easy);
	http_request_forget_fields(r);
	secret_free(r->redirected);
	/* It may be the complaint of a token server. */
	explicit_bzero(r->complaint, sizeof(r->complaint));
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

static uint64_t request_wait(const struct http_request *r)
{
	if (r->err == 0 || !r->answer.complete)
		return 0;
	return http_answer_wait(&r->answer, (uint64_t)time(NULL)) * NSEC_PER_SEC;
}

/* The last thing that is done for a request: done() may free the fetcher. */
static void request_done(struct http_request *r)
{
	struct fetch_look *look = r->look;
	struct fetch_read *read = r->read;
	struct http_document *document = r->document;
	uint64_t wait = request_wait(r);
	int err = r->err;

	if (look) {
		look->head_filled = r->received < r->room ? (size_t)r->received : r->room;
		look->retry_after = wait;
	} else if (read) {
		read->retry_after = wait;
	} else {
		document->retry_after = wait;
		document->len = (size_t)r->received;
		document->status = r->answer.status;
		if (document->complaint)
			snprintf(document->complaint, HTTP_COMPLAINT_MAX + 1, "%.*s",
				 (int)(r->ignored < HTTP_COMPLAINT_MAX ? r->ignored
								       : HTTP_COMPLAINT_MAX),
				 r->complaint);
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
		http_request_fail(r, -ECANCELED, "canceled");
	}
	switch (r->state) {
	case REQUEST_QUEUED:
		http_request_send(r);
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
		http_request_fail(r, err, why);
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
	curl_easy_setopt(r->easy, CURLOPT_HEADERFUNCTION, http_request_header);
	curl_easy_setopt(r->easy, CURLOPT_HEADERDATA, r);
	curl_easy_setopt(r->easy, CURLOPT_WRITEFUNCTION, http_request_body);
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
		http_request_fail(r, -EACCES, "not below the template of its source");
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

/* curl_read_callback: ends the transfer by itself where the size is reached. */
static size_t upload_read(char *buf, size_t one, size_t n, void *userp)
{
	struct http_request *r = userp;
	struct http_upload *upload = r->document->upload;
	uint64_t left = upload->size - r->sent;
	ssize_t len;

	if (left == 0)
		return 0;
	len = upload->read(upload, buf, left < n ? (size_t)left : n, r->sent);
	if (len > 0) {
		r->sent += (uint64_t)len;
		return (size_t)len;
	}
	http_request_fail(r, len < 0 ? (int)len : -EIO,
			  len < 0 ? strerror((int)-len) : "what is sent has become shorter");
	return CURL_READFUNC_ABORT;
}

static int upload_seek(void *userp, curl_off_t off, int origin)
{
	struct http_request *r = userp;

	if (origin != SEEK_SET || off < 0 || (uint64_t)off > r->document->upload->size)
		return CURL_SEEKFUNC_FAIL;
	r->sent = (uint64_t)off;
	return CURL_SEEKFUNC_OK;
}

static void request_set_upload(struct http_request *r)
{
	long stall = r->client->config->stall_timeout_s;

	curl_easy_setopt(r->easy, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(r->easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)r->document->upload->size);
	curl_easy_setopt(r->easy, CURLOPT_READFUNCTION, upload_read);
	curl_easy_setopt(r->easy, CURLOPT_READDATA, r);
	curl_easy_setopt(r->easy, CURLOPT_SEEKFUNCTION, upload_seek);
	curl_easy_setopt(r->easy, CURLOPT_SEEKDATA, r);
	curl_easy_setopt(r->easy, CURLOPT_UPLOAD_BUFFERSIZE, HTTP_SEND_SIZE);
	/* Who receives it may read all of it once more before there is an answer. */
	curl_easy_setopt(r->easy, CURLOPT_LOW_SPEED_TIME,
			 stall < HTTP_STORE_STALL ? HTTP_STORE_STALL : stall);
}

static void request_set_method(struct http_request *r)
{
	switch (r->document->method) {
	case HTTP_GET:
		break;
	case HTTP_HEAD:
		curl_easy_setopt(r->easy, CURLOPT_NOBODY, 1L);
		break;
	case HTTP_POST:
		/* Copied by nobody: the caller's until done(). */
		curl_easy_setopt(r->easy, CURLOPT_POSTFIELDS, r->document->form);
		break;
	case HTTP_PUT:
		request_set_upload(r);
		break;
	}
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
	request_set_method(r);
	return r;
}

void http_target_end(struct http_target *target)
{
	secret_free(target->locator);
	secret_free(target->moved);
}
