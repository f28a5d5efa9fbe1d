/* SPDX-License-Identifier: MIT */
/* Open objects, and the fetches for them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/control/control-internal.h"
#include "daemon/util/checked.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAX     256 /* about a millisecond of work */

static void set_failure(json_t *object, const struct control *c, const struct object_view *view)
{
	json_t *failure;

	if (view->last_err == 0)
		return;
	failure = json_object();
	control_set_text(failure, "error", strerror(-view->last_err));
	control_set_text(failure, "what", view->last_error);
	control_set_time(failure, "age", loop_now(c->config.loop) - view->failed_at);
	json_object_set_new(object, "last_failure", failure);
}

static json_t *object_json(const struct control *c, const struct object *o)
{
	struct object_view view;
	json_t *object = json_object();

	object_look(o, &view);
	control_set_names(object, o);
	control_set_number(object, "size", object_size(o));
	control_set_number(object, "cached_bytes", min_u64(view.cached, object_size(o)));
	control_set_locator(object, "locator", object_locator(o));
	control_set_text(object, "validator", object_validator(o));
	control_set_text(object, "verified", verified_name(object_verified(o)));
	control_set_text(object, "source", metrics_source_name(&c->metrics, object_source(o)));
	json_object_set_new(object, "compressed", json_boolean(object_is_compressed(o)));
	json_object_set_new(object, "filling", json_boolean(view.filling));
	if (view.attached)
		control_set_number(object, "id", view.id);
	control_set_number(object, "opens", view.opens);
	control_set_number(object, "reads", view.demands);
	control_set_number(object, "flights", view.flights);
	set_failure(object, c, &view);
	return object;
}

struct list {
	const struct control *control;
	json_t *array;
	uint64_t limit, last;
	bool more;
};

static bool list_object(void *arg, const struct object *o)
{
	struct list *list = arg;

	if (json_array_size(list->array) == list->limit) {
		list->more = true;
		return false;
	}
	json_array_append_new(list->array, object_json(list->control, o));
	list->last = object_number(o);
	return true;
}

/* One page; "next" is there when there are more. */
static void answer_list(struct control_answer *a, const char *name, struct list *list)
{
	json_t *object = json_object();

	json_object_set_new(object, name, list->array);
	if (list->more)
		control_set_number(object, "next", list->last);
	control_answer_json(a, object);
}

static void answer_one(struct control *c, struct control_answer *a, const struct object *o)
{
	if (o)
		control_answer_json(a, object_json(c, o));
	else
		control_fail(a, 404, "GET /v1/objects lists what is open.",
			     "no such object is open");
}

void control_get_objects(struct control *c, const struct control_request *r,
			 struct control_answer *a)
{
	struct list list = { .control = c, .limit = LIMIT_DEFAULT };
	struct control_key volume, cookie;
	uint64_t after = 0;

	if (!control_number(r, a, "after", 0, UINT64_MAX, &after) ||
	    !control_number(r, a, "limit", 1, LIMIT_MAX, &list.limit) ||
	    !control_param_key(r, a, "volume", &volume) ||
	    !control_param_key(r, a, "cookie", &cookie))
		return;
	if (volume.given != cookie.given) {
		control_fail(a, 400, "Give both, for one object, or none, for all.",
			     "volume and cookie are one name");
		return;
	}
	if (volume.given) {
		answer_one(c, a, engine_peek_object(c->config.engine, volume.bytes, cookie.bytes));
		return;
	}
	list.array = json_array();
	engine_each_object(c->config.engine, after, list_object, &list);
	answer_list(a, "objects", &list);
}

static bool first_object(void *arg, const struct object *o)
{
	const struct object **ret = arg;

	*ret = o;
	return false;
}

void control_get_object(struct control *c, const struct control_request *r,
			struct control_answer *a)
{
	const struct object *o = NULL;
	char *end;
	uint64_t number;

	errno = 0;
	number = strtoull(r->rest, &end, 10);
	if (*r->rest < '1' || *r->rest > '9' || *end || errno) {
		control_fail(a, 400, "Numbers are those of GET /v1/objects.",
			     "objects have numbers from 1");
		return;
	}
	engine_each_object(c->config.engine, number - 1, first_object, &o);
	answer_one(c, a, o && object_number(o) == number ? o : NULL);
}

/* ---- flights ------------------------------------------------------------------------------ */

static bool list_flight(void *arg, const struct flight_view *f)
{
	struct list *list = arg;
	uint64_t now = loop_now(list->control->config.loop);
	json_t *object;

	if (json_array_size(list->array) == list->limit) {
		list->more = true;
		return false;
	}
	object = json_object();
	control_set_names(object, f->object);
	control_set_text(object, "state", f->state);
	control_set_text(object, "class", metrics_class_name(f->class));
	control_set_number(object, "offset", f->off);
	control_set_number(object, "bytes", f->len);
	control_set_number(object, "received", f->filled);
	control_set_number(object, "stored", f->stored);
	control_set_number(object, "reads", f->waiters);
	control_set_time(object, "age", now - f->wished);
	json_array_append_new(list->array, object);
	return true;
}

void control_get_flights(struct control *c, const struct control_request *r,
			 struct control_answer *a)
{
	struct list list = { .control = c, .limit = LIMIT_DEFAULT };
	json_t *object;

	if (!control_number(r, a, "limit", 1, LIMIT_MAX, &list.limit))
		return;
	list.array = json_array();
	engine_each_flight(c->config.engine, list_flight, &list);
	object = json_object();
	json_object_set_new(object, "flights", list.array);
	json_object_set_new(object, "more", json_boolean(list.more));
	control_answer_json(a, object);
}
