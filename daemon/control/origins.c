/* SPDX-License-Identifier: MIT */
/* Where bytes come from, and how that goes. */
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

struct list {
	const struct control *control;
	json_t *array;
};

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
	json_array_append_new(list->array, object);
}

void control_get_origins(struct control *c, const struct control_request *r,
			 struct control_answer *a)
{
	struct list list = { .control = c, .array = json_array() };

	engine_each_source(c->config.engine, list_source, &list);
	control_answer_json(a, json_pack("{so}", "origins", list.array));
}
