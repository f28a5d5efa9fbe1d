/* SPDX-License-Identifier: MIT */
/* Back from things to names, and forgetting names. */
#include "daemon/control/control-internal.h"
#include "daemon/util/json.h"

#define NAMES_LIMIT 256

struct found {
	const struct control *control;
	json_t *array;
	uint64_t all;
};

static void found_name(void *arg, const struct name *name)
{
	struct found *found = arg;
	json_t *object;

	found->all++;
	if (json_array_size(found->array) == NAMES_LIMIT)
		return;
	object = json_object();
	json_set_key(object, "volume", name->volume);
	json_set_key(object, "cookie", name->cookie);
	json_object_set_new(object, "absent", json_boolean(name->absent));
	if (!name->absent) {
		control_set_number(object, "size", name->size);
		control_set_locator(object, "locator", name->locator);
		control_set_text(object, "validator", name->validator);
		control_set_text(object, "source",
				 metrics_source_name(&found->control->metrics, name->source));
	}
	if (name->generation != 0)
		control_set_number(object, "id", name->id);
	json_array_append_new(found->array, object);
}

static void answer_found(struct control_answer *a, const struct found *found)
{
	json_t *object = json_object();

	json_object_set_new(object, "names", found->array);
	control_set_number(object, "found", found->all);
	control_answer_json(a, object);
}

void control_get_names(struct control *c, const struct control_request *r, struct control_answer *a)
{
	const char *validator = uri_param(r->uri, "validator");
	struct found found = { .control = c };
	struct engine *engine = c->config.engine;
	struct control_key image;
	uint64_t id = UINT64_MAX;

	if (!control_number(r, a, "id", 0, UINT32_MAX, &id) ||
	    !control_param_key(r, a, "image", &image))
		return;
	if ((id != UINT64_MAX) + (validator != NULL) + image.given != 1) {
		control_fail(a, 400,
			     "id: of an open object; validator: an ETag or a digest; image: as it "
			     "is mounted.",
			     "one of id, validator and image is needed");
		return;
	}
	found.array = json_array();
	if (validator)
		engine_whois_validator(engine, validator, found_name, &found);
	else if (image.given)
		engine_whois_image(engine, image.bytes, found_name, &found);
	else
		engine_whois_id(engine, (uint32_t)id, 0, found_name, &found);
	answer_found(a, &found);
}

void control_post_purge(struct control *c, const struct control_request *r,
			struct control_answer *a)
{
	struct control_key volume, cookie;
	json_t *object;
	size_t n;

	if (!control_field_key(r, a, "volume", &volume) ||
	    !control_field_key(r, a, "cookie", &cookie))
		return;
	if (!volume.given) {
		control_fail(a, 400,
			     "With a cookie it is one object, without one all of the volume.",
			     "the field \"volume\" is missing");
		return;
	}
	n = engine_purge(c->config.engine, volume.bytes, cookie.given ? &cookie.bytes : NULL);
	object = json_object();
	control_set_number(object, "forgotten", n);
	control_answer_json(a, object);
}
