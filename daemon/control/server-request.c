/* SPDX-License-Identifier: MIT */
/* From a request of libmicrohttpd to an answer. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/control/events.h"
#include "daemon/control/server-internal.h"
#include "daemon/util/bytes.h"
#include "daemon/util/checked.h"

#define WORK_MAX 500000 /* ns in one run */

/* ---- a request comes ---------------------------------------------------------------------- */

void *call_begin(void *arg, const char *uri, struct MHD_Connection *connection)
{
	struct call *call = calloc(1, sizeof(*call));

	if (!call)
		return NULL;
	call->server = arg;
	call->connection = connection;
	call->raw_uri = strdup(uri);
	return call;
}

/* Its answer is not wanted any more. */
static void call_forget(struct call *call)
{
	if (!call->wait)
		return;
	call->wait->ready = NULL;
	call->wait = NULL;
	LIST_REMOVE(call, pending);
}

void call_end(void *arg, struct MHD_Connection *connection, void **con_cls,
	      enum MHD_RequestTerminationCode why)
{
	struct call *call = *con_cls;

	*con_cls = NULL;
	if (!call)
		return;
	if (call->waiting)
		TAILQ_REMOVE(&call->server->waiting, call, link);
	call_forget(call);
	if (call->sent)
		call->sent(call->sent_arg);
	if (call->ready)
		free(call->answer.body);
	if (call->client)
		client_wait(call->client); /* for the next one */
	free(call->raw_uri);
	free(call->body);
	free(call);
}

static void call_take(struct call *call, const char *data, size_t n)
{
	if (!call->body)
		call->body = malloc(SERVER_BODY_MAX);
	if (!call->body || n > SERVER_BODY_MAX - call->body_len) {
		call->too_long = true;
		return;
	}
	memcpy(call->body + call->body_len, data, n);
	call->body_len += n;
}

/* ---- and is answered ---------------------------------------------------------------------- */

/* A stream of events on its way to a client; it goes with the response. */
struct pull {
	struct server *server;
	struct stream *stream; /* owned */
	struct MHD_Connection *connection;
	struct client *client;
	bool suspended;
	TAILQ_ENTRY(pull) link;
};

static void pull_wake(void *arg)
{
	struct pull *pull = arg;

	if (!pull->suspended)
		return;
	pull->suspended = false;
	MHD_resume_connection(pull->connection);
	server_kick(pull->server);
}

static ssize_t pull_read(void *arg, uint64_t pos, char *buf, size_t max)
{
	struct pull *pull = arg;
	ssize_t n = stream_read(pull->stream, buf, max);

	if (n == 0)
		return MHD_CONTENT_READER_END_OF_STREAM;
	client_wait(pull->client); /* to take them */
	if (n > 0)
		return n;
	loop_timer_cancel(&pull->client->deadline);
	pull->suspended = true;
	MHD_suspend_connection(pull->connection);
	return 0;
}

static void pull_free(void *arg)
{
	struct pull *pull = arg;

	TAILQ_REMOVE(&pull->server->pulls, pull, link);
	stream_free(pull->stream);
	free(pull);
}

void server_end_streams(struct server *s)
{
	struct pull *pull;

	TAILQ_FOREACH(pull, &s->pulls, link) {
		stream_end(pull->stream);
		pull_wake(pull);
	}
}

/* NULL: out of memory. The stream is consumed. */
static struct MHD_Response *stream_response(struct call *call, struct stream *stream)
{
	struct pull *pull = calloc(1, sizeof(*pull));
	struct MHD_Response *response;

	if (!pull) {
		stream_free(stream);
		return NULL;
	}
	*pull = (struct pull){
		.server = call->server,
		.stream = stream,
		.connection = call->connection,
		.client = call->client,
	};
	TAILQ_INSERT_TAIL(&call->server->pulls, pull, link);
	stream_on_data(stream, pull_wake, pull);
	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, pull_read, pull,
						     pull_free);
	if (!response)
		pull_free(pull);
	return response;
}

static struct MHD_Response *body_response(struct control_answer *a)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(a->len, a->body, MHD_RESPMEM_MUST_FREE);

	if (!response)
		free(a->body);
	return response;
}

static enum MHD_Result call_send(struct call *call, struct control_answer *a)
{
	struct MHD_Response *response =
		a->stream ? stream_response(call, a->stream) : body_response(a);
	enum MHD_Result sent;

	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, "Content-Type", a->type ? a->type : "application/json");
	MHD_add_response_header(response, "Cache-Control", "no-store");
	if (a->allow)
		MHD_add_response_header(response, "Allow", a->allow);
	client_wait(call->client); /* to take it */
	call->sent = a->sent;
	call->sent_arg = a->arg;
	sent = MHD_queue_response(call->connection, a->status, response);
	MHD_destroy_response(response);
	return sent;
}

/* ---- answers that come later --------------------------------------------------------------- */

static void call_resume(struct call *call)
{
	MHD_resume_connection(call->connection);
	server_kick(call->server);
}

static void call_ready(void *arg)
{
	struct call *call = arg;

	call->answer = call->wait->answer;
	call->ready = true;
	call_forget(call);
	call_resume(call);
}

/* A client that goes away meanwhile is only seen by the answer: libmicrohttpd does not look. */
static enum MHD_Result call_suspend(struct call *call, struct control_wait *wait)
{
	call->wait = wait;
	wait->ready = call_ready;
	wait->arg = call;
	LIST_INSERT_HEAD(&call->server->pending, call, pending);
	loop_timer_cancel(&call->client->deadline);
	MHD_suspend_connection(call->connection);
	return MHD_YES;
}

static enum MHD_Result call_send_ready(struct call *call)
{
	call->ready = false;
	return call_send(call, &call->answer);
}

void server_end_pending(struct server *s)
{
	struct call *call;

	while ((call = LIST_FIRST(&s->pending))) {
		call_forget(call);
		MHD_resume_connection(call->connection);
	}
}

/* ---- a request ----------------------------------------------------------------------------- */

static void call_run(struct call *call, const char *method, struct control_answer *a)
{
	const char *accept =
		MHD_lookup_connection_value(call->connection, MHD_HEADER_KIND, "Accept");
	struct control_request request = {
		.method = strcmp(method, "HEAD") == 0 ? "GET" : method,
		.accept = accept ? accept : "",
		.body = call->body,
		.body_len = call->body_len,
		.access = call->client->access,
	};
	struct uri *uri;
	const char *why;
	int err = uri_parse(&uri, call->raw_uri, &why);

	if (err == -EINVAL) {
		control_fail(a, 400, "See GET /v1 for what there is.",
			     "what is asked for is bad: %s", why);
	} else if (err < 0) {
		control_fail(a, 503, "Ask again.", "out of memory");
	} else {
		request.uri = uri;
		control_handle(call->server->control, &request, a);
		free(uri);
	}
}

static enum MHD_Result call_answer(struct call *call, const char *method)
{
	struct control_answer answer = { 0 };
	struct timespec begun, ended;

	clock_gettime(CLOCK_MONOTONIC, &begun);
	if (call->too_long)
		control_fail(&answer, 413, "Send less.", "the body is longer than %d bytes",
			     SERVER_BODY_MAX);
	else
		call_run(call, method, &answer);
	clock_gettime(CLOCK_MONOTONIC, &ended);
	call->server->spent += (uint64_t)(ended.tv_sec - begun.tv_sec) * NSEC_PER_SEC +
			       (uint64_t)(ended.tv_nsec - begun.tv_nsec);
	return answer.wait ? call_suspend(call, answer.wait) : call_send(call, &answer);
}

/* Called once at the head of a request, then for each piece of its body, then at its end. */
enum MHD_Result call_handle(void *arg, struct MHD_Connection *connection, const char *url,
			    const char *method, const char *version, const char *data,
			    size_t *data_len, void **con_cls)
{
	struct call *call = *con_cls;
	struct server *s = arg;

	if (!call || !call->raw_uri)
		return MHD_NO;
	if (!call->begun) {
		call->begun = true;
		call->client = *(struct client **)MHD_get_connection_info(
			connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
		return call->client ? MHD_YES : MHD_NO;
	}
	if (*data_len > 0) {
		call_take(call, data, *data_len);
		*data_len = 0;
		return MHD_YES;
	}
	if (s->closing)
		return MHD_NO;
	if (call->ready)
		return call_send_ready(call);
	if (s->spent >= WORK_MAX) {
		call->waiting = true;
		TAILQ_INSERT_TAIL(&s->waiting, call, link);
		MHD_suspend_connection(connection);
		return MHD_YES;
	}
	return call_answer(call, method);
}
