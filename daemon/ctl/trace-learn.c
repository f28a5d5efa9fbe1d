/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/trace-learn.h"

#include <errno.h>
#include <string.h>

#include "daemon/ctl/ctl.h"
#include "daemon/ctl/trace-walk.h"
#include "daemon/trace/intervals.h"
#include "daemon/trace/requests.h"
#include "daemon/util/checked.h"

struct learning {
	struct trace_filter *filter;
	struct trace_plan *plan;
	struct trace_requests *requests;
	int err; /* the first one from inside a callback */
};

static void begun(void *arg, struct trace_request *request)
{
	struct learning *l = arg;
	const struct trace_object *object = request->object;
	uint64_t end = interval_end(request->off, request->len);

	if (request->kind != TRACE_READ || !object || l->err < 0)
		return;
	if (!trace_filter_time(l->filter, (int64_t)(request->begun - l->filter->first)) ||
	    !trace_filter_object(l->filter, object->volume, object->cookie))
		return;
	if (object->size_known)
		end = min_u64(end, object->size);
	if (request->off < end)
		l->err = trace_plan_need(l->plan, object->volume, object->cookie, request->off,
					 end - request->off);
}

static int feed(struct trace_walk *walk, const struct trace_record *record)
{
	struct learning *l = walk->arg;
	int r;

	trace_filter_since(l->filter, record);
	r = trace_requests_feed(l->requests, record);
	return r < 0 ? r : l->err;
}

int trace_learn(struct trace_plan *plan, struct trace_filter *filter, const char *path)
{
	static const struct trace_requests_callbacks callbacks = { .begun = begun };
	struct learning l = { .filter = filter, .plan = plan };
	struct trace_walk walk = { .path = path, .progress = true, .each = feed, .arg = &l };
	int status;

	filter->begun = false;
	if (trace_plan_begin(plan) < 0 || trace_requests_new(&l.requests, &callbacks, &l) < 0)
		return ctl_error("%s", strerror(ENOMEM));
	status = trace_walk(&walk);
	trace_requests_free(l.requests);
	return status;
}
