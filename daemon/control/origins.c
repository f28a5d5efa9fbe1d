/* SPDX-License-Identifier: MIT */
/* Where bytes come from, and how that goes. */
#include <string.h>

#include "daemon/control/control-internal.h"

static json_t *work_json(const struct work *work)
{
	json_t *object = json_object();
	uint64_t n = work->took.count;

	control_set_number(object, "requests", n);
	control_set_number(object, "failed", work_failed(work));
	if (n > 0)
		control_set_time(object, "mean_seconds", work->took.sum / n);
	return object;
}

/* ---- how they do -------------------------------------------------------------------------- */

static const char *state_name(const struct fetch_health *health)
{
	static const char *const names[] = {
		[HEALTH_WORKS] = "works",
		[HEALTH_AVOIDED_NOW] = "avoided",
		[HEALTH_PROBED] = "probed",
	};

	return names[health->state];
}

static void set_failure(json_t *object, const struct fetch_health *h, uint64_t now)
{
	json_t *failure;

	if (h->last_err == 0)
		return;
	failure = json_object();
	control_set_text(failure, "error", strerror(-h->last_err));
	control_set_text(failure, "what", h->last_error);
	control_set_time(failure, "age", now - h->failed_at);
	json_object_set_new(object, "last_failure", failure);
}

static json_t *health_json(const struct fetch_health *h, uint64_t now)
{
	json_t *object = json_object();

	control_set_text(object, "place", h->name);
	control_set_text(object, "state", state_name(h));
	if (h->state == HEALTH_AVOIDED_NOW)
		control_set_time(object, "avoided_for",
				 h->avoided_until > now ? h->avoided_until - now : 0);
	control_set_number(object, "requests", h->requests);
	control_set_number(object, "failed", h->failed);
	control_set_number(object, "failed_in_a_row", h->failures);
	if (h->rtt > 0)
		control_set_time(object, "first_bytes_seconds", h->rtt);
	if (h->bandwidth > 0)
		control_set_number(object, "bytes_per_second", h->bandwidth);
	set_failure(object, h, now);
	return object;
}

struct list {
	const struct control *control;
	json_t *array;
};

/* The list has all sources by now, by their numbers. */
static void add_health(void *to, uint32_t source, const struct fetch_health *health)
{
	const struct list *list = to;
	json_t *places = json_object_get(json_array_get(list->array, source), "places");

	json_array_append_new(places, health_json(health, loop_now(list->control->config.loop)));
}

/* ---- sources ------------------------------------------------------------------------------ */

static void list_source(void *arg, uint32_t number, const struct engine_source_config *source)
{
	struct list *list = arg;
	const struct source_metrics *m = metrics_source(&list->control->metrics, number);
	json_t *object = json_object();
	struct source_view view;

	engine_look_at_source(list->control->config.engine, number, &view);
	control_set_number(object, "number", number);
	control_set_text(object, "name", source->name);
	control_set_locator(object, "place", source->place ? source->place : "");
	control_set_number(object, "requests", view.running);
	control_set_number(object, "requests_limit", source->max_requests);
	control_set_number(object, "waiting_opens", view.looks);
	control_set_number(object, "waiting_reads", view.demands);
	control_set_number(object, "waiting_ahead", view.ahead);
	control_set_number(object, "waiting_prefetch", view.prefetches);
	control_set_number(object, "buffers_bytes", view.buffers);
	if (m) {
		json_object_set_new(object, "looks", work_json(&m->looks));
		json_object_set_new(object, "fetches", work_json(&m->fetches));
		control_set_number(object, "fetched_bytes",
				   m->fetched[ENGINE_DEMAND] + m->fetched[ENGINE_AHEAD] +
					   m->fetched[ENGINE_PREFETCH]);
	}
	json_object_set_new(object, "places", json_array());
	json_array_append_new(list->array, object);
}

void control_get_origins(struct control *c, const struct control_request *r,
			 struct control_answer *a)
{
	struct list list = { .control = c, .array = json_array() };

	engine_each_source(c->config.engine, list_source, &list);
	if (c->config.ops && c->config.ops->each_health)
		c->config.ops->each_health(c->config.arg, add_health, &list);
	control_answer_json(a, json_pack("{so}", "origins", list.array));
}
