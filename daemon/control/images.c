/* SPDX-License-Identifier: MIT */
/* Images that were added, as the daemon finds them in their store. */
#include <errno.h>

#include "daemon/control/control-internal.h"

#define LIMIT_DEFAULT 50
#define LIMIT_MAX     100 /* a few queries each */

struct list {
	json_t *array;
};

static void list_image(void *to, const struct images_summary *s)
{
	struct list *list = to;
	json_t *image = json_object();

	control_set_number(image, "image", (uint64_t)s->id);
	if (s->transient)
		control_set_locator(image, "name", s->name);
	else
		control_set_text(image, "name", s->name);
	json_object_set_new(image, "transient", json_boolean(s->transient));
	json_object_set_new(image, "pinned", json_boolean(s->pinned));
	json_object_set_new(image, "added", json_integer(s->added));
	control_set_text(image, "manifest_digest", s->manifest_digest);
	control_set_number(image, "layers", s->n_layers);
	control_set_number(image, "objects", s->n_objects);
	control_set_number(image, "size", s->size);
	json_array_append_new(list->array, image);
}

/* One more than is shown tells whether there are more. */
static void answer_page(struct control_answer *a, struct list *list, uint64_t limit)
{
	json_t *object = json_object();

	if (json_array_size(list->array) > limit) {
		json_array_remove(list->array, limit);
		control_set_number(object, "next",
				   (uint64_t)json_integer_value(json_object_get(
					   json_array_get(list->array, limit - 1), "image")));
	}
	json_object_set_new(object, "images", list->array);
	control_answer_json(a, object);
}

void control_get_images(struct control *c, const struct control_request *r,
			struct control_answer *a)
{
	struct list list = { 0 };
	uint64_t after = 0, limit = LIMIT_DEFAULT;
	int err;

	if (!control_number(r, a, "after", 0, INT64_MAX, &after) ||
	    !control_number(r, a, "limit", 1, LIMIT_MAX, &limit))
		return;
	if (!c->config.ops || !c->config.ops->list_images) {
		control_fail(a, 501, "", "this daemon has no images");
		return;
	}
	list.array = json_array();
	err = c->config.ops->list_images(c->config.arg, (int64_t)after, limit + 1, list_image,
					 &list);
	if (err == 0 || err == -ENOENT) {
		answer_page(a, &list, limit);
		return;
	}
	json_decref(list.array);
	control_fail(a, 503, "The log says more.", "the store of images cannot be read");
}
