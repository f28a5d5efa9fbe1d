/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/trace-unanswered.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/ctl.h"
#include "daemon/ctl/trace-walk.h"
#include "daemon/trace/requests.h"
#include "daemon/util/table.h"

struct message {
	uint64_t offset;
	UT_hash_handle hh;
};

struct trace_unanswered {
	struct message *messages;
	struct trace_requests *requests; /* while it reads */
	struct trace_walk walk;
	int r; /* of a callback */
};

struct trace_unanswered *trace_unanswered_free(struct trace_unanswered *unanswered)
{
	struct message *message, *next;

	if (!unanswered)
		return NULL;
	HASH_ITER(hh, unanswered->messages, message, next) {
		HASH_DEL(unanswered->messages, message);
		free(message);
	}
	trace_requests_free(unanswered->requests);
	free(unanswered);
	return NULL;
}

bool trace_unanswered_has(const struct trace_unanswered *unanswered, uint64_t offset)
{
	struct message *message;

	HASH_FIND(hh, unanswered->messages, &offset, sizeof(offset), message);
	return message;
}

static void begun(void *arg, struct trace_request *request)
{
	struct trace_unanswered *u = arg;

	request->data = (void *)(uintptr_t)trace_reader_offset(u->walk.reader);
}

static void ended(void *arg, struct trace_request *request)
{
	struct trace_unanswered *u = arg;
	struct message *message;

	if (request->answered)
		return;
	message = calloc(1, sizeof(*message));
	if (message) {
		message->offset = (uintptr_t)request->data;
		HASH_ADD(hh, u->messages, offset, sizeof(message->offset), message);
	}
	if (!message || !table_has(message)) {
		free(message);
		u->r = -ENOMEM;
	}
}

static int feed(struct trace_walk *walk, const struct trace_record *record)
{
	struct trace_unanswered *u = walk->arg;
	int r = trace_requests_feed(u->requests, record);

	return r < 0 ? r : u->r;
}

int trace_unanswered_find(struct trace_unanswered **ret, const char *path)
{
	static const struct trace_requests_callbacks callbacks = { .begun = begun, .ended = ended };
	struct trace_unanswered *u = calloc(1, sizeof(*u));
	int status;

	if (!u || trace_requests_new(&u->requests, &callbacks, u) < 0) {
		trace_unanswered_free(u);
		return ctl_error("%s", strerror(ENOMEM));
	}
	u->walk = (struct trace_walk){ .path = path, .progress = true, .each = feed, .arg = u };
	status = trace_walk(&u->walk);
	if (status == CTL_OK)
		trace_requests_finish(u->requests);
	if (status == CTL_OK && u->r < 0)
		status = ctl_error("%s", strerror(-u->r));
	if (status == CTL_OK)
		*ret = u;
	else
		trace_unanswered_free(u);
	return status;
}
