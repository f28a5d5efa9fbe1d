/* SPDX-License-Identifier: MIT */
/* What is done for each image, and what took longest. */
#include <string.h>

#include "daemon/control/control-internal.h"
#include "daemon/util/checked.h"
#include "daemon/util/json.h"

#define LIMIT_DEFAULT 10

/* ---- images ------------------------------------------------------------------------------- */

struct now {
	uint64_t flights, reads;
};

static bool count_flight(void *arg, const struct flight_view *f)
{
	struct now *now = arg;
	uint64_t mark = object_mark(f->object, OBJECT_MARK_IMAGE);

	if (mark > 0) {
		now[mark - 1].flights++;
		now[mark - 1].reads += f->waiters;
	}
	return true;
}

static json_t *image_json(const struct image_activity *image, const struct now *now)
{
	json_t *object = json_object();

	if (image->name)
		control_set_text(object, image->in_store ? "image" : "volume", image->name);
	control_set_number(object, "objects", image->objects);
	control_set_number(object, "reads", image->reads);
	control_set_number(object, "reads_failed", image->reads_failed);
	control_set_number(object, "read_bytes", image->read_bytes);
	control_set_number(object, "fetches", image->fetches);
	control_set_number(object, "fetches_failed", image->fetches_failed);
	control_set_number(object, "fetched_bytes", image->fetched_bytes);
	if (image->fetches > 0)
		control_set_time(object, "mean_seconds", image->fetching / image->fetches);
	control_set_number(object, "flights", now->flights);
	control_set_number(object, "waiting_reads", now->reads);
	return object;
}

void control_get_active_images(struct control *c, const struct control_request *r,
			       struct control_answer *a)
{
	struct now now[ACTIVITY_IMAGES_MAX + 1] = { 0 };
	json_t *array = json_array();

	engine_each_flight(c->config.engine, count_flight, now);
	for (size_t i = 0; i <= ACTIVITY_IMAGES_MAX; i++) {
		const struct image_activity *image = &c->activity.images[i];

		if (image->name || image->objects > 0 || image->reads > 0)
			json_array_append_new(array, image_json(image, &now[i]));
	}
	control_answer_json(a, json_pack("{so}", "images", array));
}

/* ---- requests ----------------------------------------------------------------------------- */

static json_t *slow_json(const struct control *c, const struct slow_request *slow)
{
	json_t *object = json_object();
	uint64_t spent = slow->queued + slow->origin + slow->disk;

	control_set_text(object, "kind", slow->kind == ENGINE_REQUEST_OPEN ? "open" : "read");
	json_set_key(object, "volume", bytes_of(slow->keys, slow->volume_len));
	json_set_key(object, "cookie", bytes_of(slow->keys + slow->volume_len, slow->cookie_len));
	control_set_text(object, "source", metrics_source_name(&c->metrics, slow->source));
	if (slow->kind == ENGINE_REQUEST_READ) {
		control_set_number(object, "offset", slow->off);
		control_set_number(object, "bytes", slow->len);
	}
	control_set_time(object, "seconds", slow->took);
	control_set_time(object, "queued_seconds", slow->queued);
	control_set_time(object, "origin_seconds", slow->origin);
	control_set_time(object, "disk_seconds", slow->disk);
	control_set_time(object, "other_seconds", slow->took - min_u64(spent, slow->took));
	control_set_time(object, "age", loop_now(c->config.loop) - slow->ended);
	if (slow->err < 0)
		control_set_text(object, "error", strerror(-slow->err));
	return object;
}

void control_get_slowest(struct control *c, const struct control_request *r,
			 struct control_answer *a)
{
	const struct slow_request *slow[ACTIVITY_SLOWEST_MAX];
	size_t n = activity_slowest(&c->activity, slow);
	uint64_t limit = LIMIT_DEFAULT;
	json_t *array;

	if (!control_number(r, a, "limit", 1, ACTIVITY_SLOWEST_MAX, &limit))
		return;
	array = json_array();
	for (size_t i = 0; i < n && i < limit; i++)
		json_array_append_new(array, slow_json(c, slow[i]));
	control_answer_json(a, json_pack("{so}", "slowest", array));
}
