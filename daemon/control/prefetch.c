/* SPDX-License-Identifier: MIT */
/* Jobs that prefetch: what there are, new ones, and their end. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/control/control-internal.h"
#include "daemon/prefetch/prefetch.h"
#include "daemon/util/bytes.h"

#define KEY_MAX 256

static bool refuse_absent(const struct control *c, struct control_answer *a)
{
	if (!c->config.prefetch)
		control_fail(a, 501, "The log says why.", "this daemon cannot prefetch");
	return !c->config.prefetch;
}

/* ---- what there is ------------------------------------------------------------------------ */

static json_t *job_json(const struct prefetch_view *v)
{
	json_t *object = json_object();

	control_set_number(object, "job", v->number);
	control_set_text(object, "name", v->name);
	control_set_text(object, "state", prefetch_state_name(v->state));
	json_object_set_new(object, "ended", json_boolean(prefetch_has_ended(v->state)));
	json_object_set_new(object, "plan", json_boolean(v->plan));
	control_set_number(object, "rate", v->rate);
	control_set_number(object, "requests", v->requests);
	control_set_number(object, "running", v->running);
	control_set_number(object, "objects", v->objects);
	control_set_number(object, "ranges", v->ranges);
	if (v->known) {
		control_set_number(object, "bytes", v->bytes);
		control_set_number(object, "done_bytes", v->done);
	}
	control_set_number(object, "fetched_bytes", v->fetched);
	control_set_number(object, "reads", v->reads);
	control_set_number(object, "reads_foreseen", v->met);
	if (v->err < 0)
		control_set_text(object, "error", strerror(-v->err));
	if (v->err < 0 && *v->error)
		control_set_text(object, "what", v->error);
	control_set_time(object, "age", v->age);
	if (prefetch_has_ended(v->state))
		control_set_time(object, "took", v->took);
	return object;
}

static void list_job(void *arg, const struct prefetch_view *view)
{
	json_array_append_new(arg, job_json(view));
}

void control_get_prefetches(struct control *c, const struct control_request *r,
			    struct control_answer *a)
{
	json_t *jobs;

	if (refuse_absent(c, a))
		return;
	jobs = json_array();
	prefetch_each(c->config.prefetch, list_job, jobs);
	control_answer_json(a, json_pack("{so}", "jobs", jobs));
}

static void fail_unknown(struct control_answer *a)
{
	control_fail(a, 404, "GET /v1/prefetch lists the jobs.", "there is no such job");
}

void control_get_prefetch(struct control *c, const struct control_request *r,
			  struct control_answer *a)
{
	struct prefetch_view view;
	char *end;
	uint64_t number;

	if (refuse_absent(c, a))
		return;
	number = strtoull(r->rest, &end, 10);
	if (*r->rest < '1' || *r->rest > '9' || *end)
		control_fail(a, 400, "GET /v1/prefetch lists the jobs.",
			     "jobs have numbers from 1");
	else if (prefetch_look(c->config.prefetch, number, &view) < 0)
		fail_unknown(a);
	else
		control_answer_json(a, job_json(&view));
}

/* ---- a new one ---------------------------------------------------------------------------- */

struct key {
	uint8_t data[KEY_MAX];
	struct bytes bytes;
};

static bool take_key(struct control_answer *a, const json_t *object, const char *name,
		     struct key *ret)
{
	const char *text = json_string_value(json_object_get(object, name));
	size_t len = 0;

	if (!text || bytes_parse(text, ret->data, sizeof(ret->data), &len) < 0 || len == 0) {
		control_fail(a, 400, "Write it as it is printed.",
			     "an object has \"volume\" and \"cookie\"");
		return false;
	}
	ret->bytes = bytes_of(ret->data, len);
	return true;
}

static bool take_range(struct control_answer *a, const json_t *ranges, size_t i, uint64_t *ret_off,
		       uint64_t *ret_len)
{
	json_int_t off = json_integer_value(json_array_get(ranges, i));
	json_int_t len = json_integer_value(json_array_get(ranges, i + 1));

	if (json_is_integer(json_array_get(ranges, i)) && off >= 0 && len > 0) {
		*ret_off = (uint64_t)off;
		*ret_len = (uint64_t)len;
		return true;
	}
	control_fail(a, 400, "Offset and length by turns, in bytes.",
		     "\"ranges\" has what is no range");
	return false;
}

/* Where they go: 0 or a negative errno. */
typedef int take_range_fn(struct prefetch *prefetch, uint64_t job, struct bytes volume,
			  struct bytes cookie, uint64_t off, uint64_t len);

static int check_range(struct prefetch *prefetch, uint64_t job, struct bytes volume,
		       struct bytes cookie, uint64_t off, uint64_t len)
{
	return 0;
}

struct adding {
	struct control *control;
	struct control_answer *answer;
	take_range_fn *take;
	uint64_t job;
};

static bool add_range(const struct adding *x, struct bytes volume, struct bytes cookie,
		      uint64_t off, uint64_t len)
{
	int err = x->take(x->control->config.prefetch, x->job, volume, cookie, off, len);

	if (err < 0)
		control_fail(x->answer, err == -ENOMEM ? 503 : 400,
			     "Make several jobs of it, or give larger ranges.", "%s",
			     err == -E2BIG ? "it has too many ranges or objects" : strerror(-err));
	return err == 0;
}

static bool add_object(const struct adding *x, const json_t *object)
{
	const json_t *ranges = json_object_get(object, "ranges");
	struct key volume, cookie;
	uint64_t off, len;

	if (!take_key(x->answer, object, "volume", &volume) ||
	    !take_key(x->answer, object, "cookie", &cookie))
		return false;
	if (!ranges)
		return add_range(x, volume.bytes, cookie.bytes, 0, UINT64_MAX);
	for (size_t i = 0; i == 0 || i < json_array_size(ranges); i += 2)
		if (!take_range(x->answer, ranges, i, &off, &len) ||
		    !add_range(x, volume.bytes, cookie.bytes, off, len))
			return false;
	return true;
}

static bool add_objects(const struct adding *x, const json_t *objects)
{
	const json_t *object;
	size_t i;

	json_array_foreach(objects, i, object) if (!add_object(x, object)) return false;
	if (i > 0)
		return true;
	control_fail(x->answer, 400, "An array of {\"volume\": ..., \"cookie\": ...}.",
		     "\"objects\" is missing, or empty");
	return false;
}

struct wanted {
	struct prefetch_wishes wishes;
	uint64_t job; /* that gets more; 0: a new one */
};

static bool take_wishes(const struct control_request *r, struct control_answer *a,
			struct wanted *ret)
{
	struct prefetch_wishes *w = &ret->wishes;
	uint64_t requests = PREFETCH_REQUESTS;

	*ret = (struct wanted){ .job = 0 };
	if (!control_field_text(r, a, "name", &w->name) ||
	    !control_field_number(r, a, "rate", 0, INT64_MAX, &w->rate) ||
	    !control_field_number(r, a, "requests", 1, PREFETCH_REQUESTS_MAX, &requests) ||
	    !control_field_bool(r, a, "plan", &w->plan) ||
	    !control_field_bool(r, a, "more", &w->more) ||
	    !control_field_number(r, a, "job", 1, INT64_MAX, &ret->job))
		return false;
	w->requests = (unsigned int)requests;
	w->name = w->name ? w->name : "";
	return true;
}

static bool begin_job(struct control *c, struct control_answer *a, struct wanted *wanted)
{
	struct prefetch_view view;
	int err;

	if (wanted->job != 0) {
		err = prefetch_look(c->config.prefetch, wanted->job, &view);
		if (err == 0 && !prefetch_has_ended(view.state))
			return true;
		if (err < 0)
			fail_unknown(a);
		else
			control_fail(a, 409, "Begin another one.", "the job has ended");
		return false;
	}
	err = prefetch_begin(c->config.prefetch, &wanted->wishes, &wanted->job);
	if (err == -EUSERS)
		control_fail(a, 409, "Cancel one, or wait for one.",
			     "there are %d jobs already, and no more may be", PREFETCH_JOBS_MAX);
	else if (err < 0)
		control_fail(a, 503, "Ask again.", "out of memory");
	return err == 0;
}

void control_post_prefetch(struct control *c, const struct control_request *r,
			   struct control_answer *a)
{
	const json_t *objects = json_object_get(r->fields, "objects");
	struct adding adding = { .control = c, .answer = a, .take = check_range };
	struct wanted wanted;
	bool fresh;

	if (refuse_absent(c, a) || !take_wishes(r, a, &wanted) || !add_objects(&adding, objects))
		return;
	fresh = wanted.job == 0;
	if (!begin_job(c, a, &wanted))
		return;
	adding.take = prefetch_add;
	adding.job = wanted.job;
	if (!add_objects(&adding, objects)) {
		if (fresh)
			prefetch_cancel(c->config.prefetch, wanted.job);
		return;
	}
	prefetch_added(c->config.prefetch, wanted.job, wanted.wishes.more);
	control_answer_json(a, json_pack("{sI sI}", "job", (json_int_t)wanted.job, "unopened",
					 (json_int_t)prefetch_unopened(c->config.prefetch,
								       wanted.job)));
}

/* ---- the end ------------------------------------------------------------------------------ */

void control_post_prefetch_cancel(struct control *c, const struct control_request *r,
				  struct control_answer *a)
{
	uint64_t job = 0;
	int err;

	if (refuse_absent(c, a) || !control_field_number(r, a, "job", 1, INT64_MAX, &job))
		return;
	err = prefetch_cancel(c->config.prefetch, job);
	if (err == -EALREADY)
		control_fail(a, 409, "", "the job has ended already");
	else if (err < 0)
		fail_unknown(a);
	else
		control_answer_json(a, json_pack("{sI}", "job", (json_int_t)job));
}
