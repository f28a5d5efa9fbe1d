/* SPDX-License-Identifier: MIT */
#include "daemon/control/activity.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/util/bytes.h"
#include "daemon/util/locator.h"
#include "daemon/util/log.h"

#define OTHERS	   ACTIVITY_IMAGES_MAX
#define WINDOW	   (ACTIVITY_WINDOW_SECONDS * NSEC_PER_SEC)
#define NAME_SHOWN 512

static struct activity *activity_of(struct engine_observer *observer)
{
	return container_of(observer, struct activity, observer);
}

/* ---- images ------------------------------------------------------------------------------- */

/* What it is counted for: the name in the store may be a locator, which may hold secrets. */
static bool print_name(struct object *o, char buf[NAME_SHOWN])
{
	const char *image = object_subject(o).image;

	if (!image) {
		bytes_print(object_volume(o), buf, NAME_SHOWN);
		return false;
	}
	if (strstr(image, "://"))
		locator_print(image, buf, NAME_SHOWN);
	else
		bytes_print(bytes_str(image), buf, NAME_SHOWN);
	return true;
}

static struct image_activity *find_named(struct activity *a, const char *name, bool in_store)
{
	for (size_t i = 0; i < ACTIVITY_IMAGES_MAX; i++) {
		struct image_activity *image = &a->images[i];

		if (image->name && image->in_store == in_store && strcmp(image->name, name) == 0)
			return image;
	}
	return NULL;
}

/* An empty place, or that of who has not used it for the longest; NULL: all are in use. */
static struct image_activity *find_place(struct activity *a)
{
	struct image_activity *found = NULL;

	for (size_t i = 0; i < ACTIVITY_IMAGES_MAX; i++) {
		struct image_activity *image = &a->images[i];

		if (image->objects == 0 && (!found || image->last < found->last))
			found = image;
	}
	return found;
}

static struct image_activity *find_image(struct activity *a, struct object *o)
{
	char name[NAME_SHOWN], *copy;
	bool in_store = print_name(o, name);
	struct image_activity *image = find_named(a, name, in_store);

	if (image)
		return image;
	image = find_place(a);
	copy = image ? strdup(name) : NULL;
	if (!copy)
		return &a->images[OTHERS];
	free(image->name);
	*image = (struct image_activity){ .name = copy, .in_store = in_store };
	return image;
}

/* NULL: it was opened before, or is closed. */
static struct image_activity *image_of(struct activity *a, const struct object *o)
{
	uint64_t mark = object_mark(o, OBJECT_MARK_IMAGE);

	return mark > 0 ? &a->images[mark - 1] : NULL;
}

static void activity_opened(struct engine_observer *observer, struct object *o)
{
	struct activity *a = activity_of(observer);
	struct image_activity *image = find_image(a, o);

	image->objects++;
	image->last = loop_now(a->loop);
	object_set_mark(o, OBJECT_MARK_IMAGE, (uint64_t)(image - a->images) + 1);
}

/* Its flights may end later: by then the place may be another image's. */
static void activity_closed(struct engine_observer *observer, struct object *o)
{
	struct activity *a = activity_of(observer);
	struct image_activity *image = image_of(a, o);

	if (!image)
		return;
	image->objects--;
	image->last = loop_now(a->loop);
	object_set_mark(o, OBJECT_MARK_IMAGE, 0);
}

static void activity_fetched(struct engine_observer *observer, struct object *o,
			     const struct engine_work *work, uint64_t got, enum engine_class class)
{
	struct activity *a = activity_of(observer);
	struct image_activity *image = image_of(a, o);

	if (!image)
		return;
	image->fetches++;
	image->fetches_failed += work->err < 0;
	image->fetched_bytes += got;
	image->fetching += loop_now(a->loop) - work->begun;
}

/* ---- the slowest requests ----------------------------------------------------------------- */

static struct slow_window *window_now(struct activity *a, uint64_t now)
{
	uint64_t number = now / WINDOW + 1;
	struct slow_window *window = &a->windows[number % ACTIVITY_WINDOWS];

	if (window->number != number) {
		window->number = number;
		window->n = 0;
	}
	return window;
}

/* A place for one that took so long, or NULL: all took longer. */
static struct slow_request *make_place(struct slow_window *window, uint64_t took)
{
	struct slow_request *least = &window->requests[0];

	if (window->n < ACTIVITY_SLOWEST)
		return &window->requests[window->n++];
	for (size_t i = 1; i < window->n; i++)
		if (window->requests[i].took < least->took)
			least = &window->requests[i];
	return took > least->took ? least : NULL;
}

static void note_keys(struct slow_request *slow, struct bytes volume, struct bytes cookie)
{
	if (volume.len + cookie.len > sizeof(slow->keys))
		volume.len = cookie.len = 0; /* no OPEN has so long ones */
	memcpy(slow->keys, volume.data, volume.len);
	memcpy(slow->keys + volume.len, cookie.data, cookie.len);
	slow->volume_len = volume.len;
	slow->cookie_len = cookie.len;
}

/* NULL, or all of it but what a read alone has. */
static struct slow_request *note(struct activity *a, const struct engine_request *request, int err,
				 const struct object *o, struct bytes volume, struct bytes cookie)
{
	uint64_t now = loop_now(a->loop), took = now - request->since;
	struct slow_request *slow = make_place(window_now(a, now), took);

	if (!slow)
		return NULL;
	slow->kind = request->kind;
	slow->ended = now;
	slow->took = took;
	slow->queued = request->queued;
	slow->origin = request->origin;
	slow->disk = request->disk;
	slow->off = slow->len = 0;
	slow->err = err;
	slow->source = o ? object_source(o) : UINT32_MAX;
	note_keys(slow, volume, cookie);
	return slow;
}

static void activity_answered(struct engine_observer *observer, const struct engine_open *open,
			      int err)
{
	note(activity_of(observer), &open->request, err, open->object, open->volume, open->cookie);
}

static void activity_served(struct engine_observer *observer, struct object *o,
			    const struct engine_demand *demand, int err)
{
	struct activity *a = activity_of(observer);
	struct image_activity *image = image_of(a, o);
	struct slow_request *slow =
		note(a, &demand->request, err, o, object_volume(o), object_cookie(o));

	if (slow) {
		slow->off = demand->off;
		slow->len = demand->len;
	}
	if (!image)
		return;
	image->reads++;
	image->reads_failed += err < 0;
	image->read_bytes += demand->len;
}

static int compare(const void *a, const void *b)
{
	const struct slow_request *const *left = a, *const *right = b;

	return ((*left)->took < (*right)->took) - ((*left)->took > (*right)->took);
}

size_t activity_slowest(const struct activity *a,
			const struct slow_request *ret[static ACTIVITY_SLOWEST_MAX])
{
	uint64_t number = loop_now(a->loop) / WINDOW + 1;
	size_t n = 0;

	for (size_t w = 0; w < ACTIVITY_WINDOWS; w++) {
		const struct slow_window *window = &a->windows[w];

		if (window->number + ACTIVITY_WINDOWS <= number)
			continue;
		for (size_t i = 0; i < window->n; i++)
			ret[n++] = &window->requests[i];
	}
	qsort(ret, n, sizeof(*ret), compare);
	return n;
}

/* ---- life --------------------------------------------------------------------------------- */

void activity_begin(struct activity *a, struct engine *engine, const struct loop *loop)
{
	a->observer = (struct engine_observer){
		.opened = activity_opened,
		.closed = activity_closed,
		.answered = activity_answered,
		.served = activity_served,
		.fetched = activity_fetched,
	};
	a->engine = engine;
	a->loop = loop;
	engine_observe(engine, &a->observer);
}

void activity_end(struct activity *a)
{
	engine_unobserve(a->engine, &a->observer);
	for (size_t i = 0; i < ACTIVITY_IMAGES_MAX; i++)
		free(a->images[i].name);
}
