/* SPDX-License-Identifier: MIT */
#include "fetchers/http-request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <curl/curl.h>

#include "fetchers/http-url.h"

#define HTTP_RECEIVE_SIZE (256L << 10) /* one system call takes up to this much */
#define HTTP_IGNORED_MAX  (16u << 10)  /* body of an error: read, so that the connection lives */
#define HTTP_STALL_FLOOR  1000L	       /* bytes/s */

enum request_state { REQUEST_QUEUED, REQUEST_ACTIVE, REQUEST_DONE };

struct http_request {
	struct http *http;
	CURL *easy; /* owned; making one takes 1 us, which is not worth keeping them */
	struct loop_deferred deferred;
	enum request_state state;
	bool canceled;
	struct fetch_look *look; /* one of these two */
	struct fetch_read *read;
	const struct http_object *object; /* of read */
	const char *locator;
	char *error; /* of look or read */
	uint8_t *buf;
	size_t room;
	uint64_t off, len; /* asked for */

	char *redirected; /* owned: where to go instead of locator, or NULL */
	long redirects;
	struct curl_slist fields[2]; /* Range and condition, in front of the source's list */
	char range[HTTP_RANGE_MAX + 8];

	struct http_answer answer;
	bool judged;	   /* the head was looked at */
	bool body_counts;  /* it proved right: what follows are our bytes */
	int err;	   /* the first error, whose text is in error */
	uint64_t body;	   /* bytes that the body has to have */
	uint64_t received; /* of them */
	uint64_t reported, ignored;
	char curl_error[CURL_ERROR_SIZE];
};

static const char *request_url(const struct http_request *r)
{
	return r->redirected ? r->redirected : r->locator;
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

static void request_judge(struct http_request *r)
{
	const char *why = NULL;
	int err;

	r->judged = true;
	if (http_answer_redirects(&r->answer))
		return;
	if (r->look)
		err = http_answer_look(&r->answer, r->room, &r->look->identity, &r->body, &why);
	else
		err = http_answer_read(&r->answer, &r->object->identity, r->off, r->len, &why);
	if (err < 0)
		request_fail(r, err, why);
	else
		r->body_counts = r->answer.status != 416;
}

/* CURLOPT_HEADERFUNCTION: one line per call. */
static size_t header_arrived(char *line, size_t one, size_t len, void *userp)
{
	struct http_request *r = userp;

	http_answer_line(&r->answer, line, len);
	if (r->answer.complete && !r->judged)
		request_judge(r);
	return len;
}

/* CURLOPT_WRITEFUNCTION: any other result than len ends the transfer. */
static size_t body_arrived(char *bytes, size_t one, size_t len, void *userp)
{
	struct http_request *r = userp;

	if (!r->body_counts) {
		r->ignored += len;
		return r->ignored > HTTP_IGNORED_MAX ? 0 : len;
	}
	if (len > r->body - r->received) {
		request_fail(r, -EPROTO, "more bytes than asked for");
		return 0;
	}
	if (r->received < r->room)
		memcpy(r->buf + r->received, bytes,
		       len < r->room - r->received ? len : r->room - r->received);
	r->received += len;
	if (r->read)
		loop_defer(r->http->loop, &r->deferred);
	return len;
}

static int socket_verdict(long error)
{
	switch (error) {
	case ECONNREFUSED:
	case ECONNRESET:
	case ETIMEDOUT:
		return (int)-error;
	default:
		return -EHOSTUNREACH;
	}
}

static int transfer_verdict(CURL *easy, CURLcode code)
{
	long error = 0;

	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return -EHOSTUNREACH;
	case CURLE_COULDNT_CONNECT:
		curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &error);
		return socket_verdict(error);
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_PARTIAL_FILE:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
		return -ECONNRESET;
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9: anything that is not HTTP */
		return -EPROTO;
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	default:
		return -EIO;
	}
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
	if (++r->redirects > r->http->config->redirects) {
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

void http_request_transferred(CURL *easy, CURLcode code)
{
	struct http_request *r = NULL;

	curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&r);
	r->state = REQUEST_DONE;
	if (r->err == 0 && r->judged && http_answer_redirects(&r->answer))
		request_follow(r);
	else if (code != CURLE_OK)
		request_fail(r, transfer_verdict(easy, code),
			     r->curl_error[0] ? r->curl_error : curl_easy_strerror(code));
	else if (!r->judged)
		request_fail(r, -EPROTO, "no answer");
	else if (r->received < r->body)
		request_fail(r, -EPROTO, "fewer bytes than promised");
	loop_defer(r->http->loop, &r->deferred);
}

/* ---- requests --------------------------------------------------------------------------- */

/* What is the same for all requests of a source. */
static void easy_setup(struct http_request *r)
{
	const struct http_config *c = r->http->config;
	CURL *e = r->easy;

	curl_easy_setopt(e, CURLOPT_PRIVATE, r);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, r->curl_error);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, header_arrived);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, r);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, body_arrived);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, r);
	curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(e, CURLOPT_BUFFERSIZE, HTTP_RECEIVE_SIZE);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_USERAGENT,
			 c->user_agent ? c->user_agent : "cachefilld/" CACHEFILL_VERSION);
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, c->http_version);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, c->connect_timeout_ms);
	curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, HTTP_STALL_FLOOR);
	curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME, c->stall_timeout_s);
	if (c->proxy)
		curl_easy_setopt(e, CURLOPT_PROXY, c->proxy);
	curl_easy_setopt(e, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
	/* An authority of one's own replaces those of the system, in both forms. */
	if (c->ca_file || c->ca_path) {
		curl_easy_setopt(e, CURLOPT_CAINFO, c->ca_file);
		curl_easy_setopt(e, CURLOPT_CAPATH, c->ca_path);
	}
	curl_easy_setopt(e, CURLOPT_SSLCERT, c->client_cert);
	curl_easy_setopt(e, CURLOPT_SSLKEY, c->client_key);
}

static void request_free(struct http_request *r)
{
	curl_easy_cleanup(r->easy);
	free(r->redirected);
	free(r);
}

static void request_run(struct loop_deferred *deferred);

static struct http_request *request_new(struct http *http)
{
	struct http_request *r = malloc(sizeof(*r));

	if (!r)
		return NULL;
	*r = (struct http_request){
		.http = http,
		.easy = curl_easy_init(),
		.deferred.run = request_run,
	};
	if (!r->easy) {
		free(r);
		return NULL;
	}
	easy_setup(r);
	return r;
}

/* The last thing that is done for a request: done() may free the fetcher. */
static void request_done(struct http_request *r)
{
	struct fetch_look *look = r->look;
	struct fetch_read *read = r->read;
	int err = r->err;

	if (look)
		look->head_filled = r->received < r->room ? (size_t)r->received : r->room;
	request_free(r);
	if (look)
		look->done(look, err);
	else
		read->done(read, err);
}

/* The fields of this request: Range, the condition, then the source's where it may see them. */
static struct curl_slist *request_fields(struct http_request *r)
{
	const struct http_config *c = r->http->config;
	char range[HTTP_RANGE_MAX];
	bool trusted = !r->redirected || http_url_same_origin(r->locator, r->redirected);
	/* libcurl only reads the list that it is given. */
	struct curl_slist *rest = trusted ? c->headers : (struct curl_slist *)c->plain_headers;

	snprintf(r->range, sizeof(r->range), "Range: %s", http_range_print(range, r->off, r->len));
	r->fields[0] = (struct curl_slist){ .data = r->range, .next = rest };
	if (r->object && r->object->condition[0]) {
		r->fields[1] = (struct curl_slist){
			.data = (char *)r->object->condition,
			.next = rest,
		};
		r->fields[0].next = &r->fields[1];
	}
	return &r->fields[0];
}

static void request_send(struct http_request *r)
{
	const char *url = request_url(r);
	/* Only TLS can lead to HTTP/2, where waiting for a connection to share saves one. */
	long wait = r->http->config->http_version == CURL_HTTP_VERSION_2TLS &&
		    strncasecmp(url, "https:", 6) == 0;
	CURLcode code;

	http_answer_reset(&r->answer);
	r->judged = r->body_counts = false;
	r->ignored = 0;
	r->curl_error[0] = '\0';
	r->state = REQUEST_ACTIVE;
	code = curl_easy_setopt(r->easy, CURLOPT_URL, url);
	curl_easy_setopt(r->easy, CURLOPT_PIPEWAIT, wait);
	curl_easy_setopt(r->easy, CURLOPT_HTTPHEADER, request_fields(r));
	if (code == CURLE_OK)
		code = http_multi_add(r->http->multi, r->easy);
	if (code == CURLE_OK)
		return;
	r->state = REQUEST_DONE;
	request_fail(r, transfer_verdict(r->easy, code), curl_easy_strerror(code));
	loop_defer(r->http->loop, &r->deferred);
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
		if (r->state == REQUEST_ACTIVE)
			http_multi_remove(r->http->multi, r->easy);
		request_fail(r, -ECANCELED, "canceled");
		r->state = REQUEST_DONE;
	}
	switch (r->state) {
	case REQUEST_QUEUED:
		request_send(r);
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

void http_request_cancel(struct http_request *r)
{
	/* One that is done has its deferred call before it, or is in it. */
	if (r->state == REQUEST_DONE)
		return;
	r->canceled = true;
	loop_defer(r->http->loop, &r->deferred);
}

struct http_request *http_request_look(struct http *http, struct fetch_look *look)
{
	struct http_request *r = request_new(http);

	if (!r)
		return NULL;
	r->look = look;
	r->locator = look->locator;
	r->error = look->error;
	r->buf = look->head;
	r->room = look->head_len;
	/* The size of an object is learnt by asking for a part of it, of one byte at least. */
	r->len = look->head_len > 0 ? look->head_len : 1;
	if (!http_config_owns(http->config, look->locator)) {
		r->state = REQUEST_DONE;
		request_fail(r, -EACCES, "not below the template of its source");
	}
	loop_defer(http->loop, &r->deferred);
	return r;
}

struct http_request *http_request_read(struct http *http, struct http_object *object,
				       struct fetch_read *read)
{
	struct http_request *r = request_new(http);

	if (!r)
		return NULL;
	r->read = read;
	r->object = object;
	r->locator = object->locator;
	r->error = read->error;
	r->buf = read->buf;
	r->room = r->len = r->body = read->len;
	r->off = read->off;
	loop_defer(http->loop, &r->deferred);
	return r;
}
