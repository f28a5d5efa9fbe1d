/* SPDX-License-Identifier: MIT */
/*
 * Back from things to names: what the names remember, and what is open but was never remembered, or
 * is no more. People ask for this, so the few thousand open objects are gone through one by one.
 */
#include "daemon/engine/engine-internal.h"

struct question {
	const struct engine *engine;
	bool (*about)(const struct question *question, const struct object *object);
	bool others; /* than those that are remembered */
	struct bytes text;
	uint32_t id;
	uint64_t generation;
};

static bool about_id(const struct question *q, const struct object *o)
{
	return o->sink && o->sink->id == q->id &&
	       (q->generation == 0 || o->sink->generation == q->generation);
}

static bool about_validator(const struct question *q, const struct object *o)
{
	return q->text.len > 0 && bytes_equal(bytes_str(o->validator), q->text);
}

/* "erofs,IMAGE" is the volume of an image that is mounted without a domain. */
static bool volume_is_of(struct bytes volume, struct bytes image)
{
	static const char prefix[] = "erofs,";
	size_t n = sizeof(prefix) - 1;

	return volume.len > n && memcmp(volume.data, prefix, n) == 0 &&
	       bytes_equal(bytes_of(volume.data + n, volume.len - n), image);
}

static bool about_image(const struct question *q, const struct object *o)
{
	return bytes_equal(object_cookie(o), q->text) || volume_is_of(object_volume(o), q->text);
}

static void object_view(const struct object *o, struct name *ret)
{
	*ret = (struct name){
		.volume = object_volume(o),
		.cookie = object_cookie(o),
		.whole = o->compressed,
		.source = object_source(o),
		.size = o->size,
		.locator = o->locator,
		.validator = o->validator,
		.id = o->sink ? o->sink->id : 0,
		.generation = o->sink ? o->sink->generation : 0,
	};
}

static bool object_is_remembered(const struct engine *e, const struct object *o)
{
	struct name name;

	return names_peek(e->names, loop_now(e->config->loop), object_volume(o), object_cookie(o),
			  &name) &&
	       !name.absent;
}

/* The open objects; of names that are remembered, only those that were not visited as such. */
static size_t ask_objects(const struct question *q, names_visit *visit, void *arg)
{
	size_t seen = 0;
	struct name name;

	for (const struct object *o = q->engine->objects; o; o = o->hh.next) {
		if (!q->about(q, o) || (q->others && object_is_remembered(q->engine, o)))
			continue;
		object_view(o, &name);
		visit(arg, &name);
		seen++;
	}
	return seen;
}

size_t engine_whois_id(const struct engine *e, uint32_t id, uint64_t generation, names_visit *visit,
		       void *arg)
{
	struct question q = { .engine = e, .about = about_id, .id = id, .generation = generation };
	struct name name;

	if (!names_by_id(e->names, loop_now(e->config->loop), id, generation, &name))
		return ask_objects(&q, visit, arg);
	visit(arg, &name);
	return 1;
}

size_t engine_whois_validator(const struct engine *e, const char *validator, names_visit *visit,
			      void *arg)
{
	struct question q = {
		.engine = e,
		.about = about_validator,
		.others = true,
		.text = bytes_str(validator),
	};
	uint64_t now = loop_now(e->config->loop);

	return names_by_validator(e->names, now, validator, visit, arg) +
	       ask_objects(&q, visit, arg);
}

/* ---- images ------------------------------------------------------------------------------- */

struct image_visit {
	struct bytes image;
	names_visit *visit;
	void *arg;
	size_t seen;
};

/* Those of its own volume have been seen. */
static void visit_elsewhere(void *arg, const struct name *name)
{
	struct image_visit *v = arg;

	if (volume_is_of(name->volume, v->image))
		return;
	v->visit(v->arg, name);
	v->seen++;
}

size_t engine_whois_image(const struct engine *e, struct bytes image, names_visit *visit, void *arg)
{
	struct question q = { .engine = e, .about = about_image, .others = true, .text = image };
	struct image_visit elsewhere = { .image = image, .visit = visit, .arg = arg };
	uint64_t now = loop_now(e->config->loop);
	uint8_t volume[6 + NAMES_KEY_MAX] = "erofs,";

	if (image.len > NAMES_KEY_MAX)
		return 0;
	memcpy(volume + 6, image.data, image.len);
	elsewhere.seen =
		names_by_volume(e->names, now, bytes_of(volume, 6 + image.len), visit, arg);
	names_by_cookie(e->names, now, image, visit_elsewhere, &elsewhere);
	return elsewhere.seen + ask_objects(&q, visit, arg);
}
