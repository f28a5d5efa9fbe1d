/* SPDX-License-Identifier: MIT */
#include "fetchers/http-request-internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct curl_slist *http_fields_free(struct curl_slist *fields)
{
	for (struct curl_slist *f = fields; f; f = f->next)
		explicit_bzero(f->data, strlen(f->data));
	curl_slist_free_all(fields);
	return NULL;
}

void http_request_forget_fields(struct http_request *r)
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

	http_request_forget_fields(r);
	if (!r->auth || (!r->auth->sign && !http_request_at_home(r)))
		return 0;
	if (r->auth->sign)
		err = r->auth->sign(r->auth, r->easy, http_request_url(r), &r->auth_fields, &why);
	else
		err = r->auth->fields(r->auth, &r->waiter, &r->auth_fields, &why);
	if (err < 0 && err != -EINPROGRESS)
		http_request_fail(r, err, why);
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
	bool home = http_request_at_home(r);

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
	const char *url = http_request_url(r);
	/* Only TLS can lead to HTTP/2, where waiting for a connection to share saves one. */
	long wait = r->client->config->http_version == CURL_HTTP_VERSION_2TLS &&
		    strncasecmp(url, "https:", 6) == 0;
	CURLcode code = curl_easy_setopt(r->easy, CURLOPT_URL, url);

	curl_easy_setopt(r->easy, CURLOPT_PIPEWAIT, wait);
	curl_easy_setopt(r->easy, CURLOPT_HTTPHEADER, request_fields(r));
	return code == CURLE_OK ? http_multi_add(r->client->multi, r->easy) : code;
}

void http_request_send(struct http_request *r)
{
	CURLcode code;
	int err;

	http_answer_reset(&r->answer);
	r->judged = r->body_counts = r->again = false;
	r->ignored = r->sent = 0;
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
	http_request_fail(r, http_client_verdict(r->client, r->easy, code),
			  curl_easy_strerror(code));
	loop_defer(r->client->loop, &r->deferred);
}
