/* SPDX-License-Identifier: MIT */
/* From references to an image: lists, looks, layers. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/ctl/image-layer.h"
#include "daemon/ctl/image-plan.h"
#include "daemon/ctl/image-verity.h"
#include "daemon/ctl/image.h"
#include "daemon/engine/erofs.h"
#include "daemon/util/cleanup.h"
#include "daemon/util/locator.h"

#define ITEMS_MAX 1024

/* What one REF stands for. */
struct ref {
	char *text;    /* owned: as it was given, but for a path, which is made absolute */
	char *locator; /* owned */
	bool device;
	struct fetch_list list;	    /* of several objects; or empty: it is one */
	struct context_look *looks; /* owned: at each of them; NULL: not yet */
	char **verified;	    /* owned: where each is verified, as image_verity_locators() */
	struct image_referrers referrers;
};

struct resolve {
	struct context *context;
	struct ref *refs; /* owned */
	size_t n_refs;
	struct fetch_list *listed; /* of the only one, borrowed; NULL: to be asked for */
	struct image_item *items; /* owned; their text is borrowed from refs */
	struct context_look *looks;
	uint8_t *heads; /* EROFS_HEAD bytes for each */
	size_t n_items;
	char *error;
};

static int no_memory(char *error)
{
	snprintf(error, CONTEXT_ERROR_MAX, "out of memory");
	return -ENOMEM;
}

static void resolve_end(struct resolve *r)
{
	for (size_t i = 0; r->refs && i < r->n_refs; i++) {
		free(r->refs[i].text);
		free(r->refs[i].locator);
		free(r->refs[i].looks);
		image_verity_free(r->refs[i].verified, r->refs[i].list.n_parts);
		fetch_list_end(&r->refs[i].list);
		fetch_list_end(&r->refs[i].referrers.artifact);
	}
	free(r->refs);
	free(r->items);
	free(r->looks);
	free(r->heads);
}

/* ---- references --------------------------------------------------------------------------- */

static int keep_text(struct resolve *r, struct ref *ref, const char *text)
{
	bool is_here = strncmp(ref->locator, "file:", 5) == 0 ||
		       (locator_is_verified(ref->locator) && strstr(ref->locator, ";file:"));

	if (!is_here)
		ref->text = strdup(text);
	else if (asprintf(&ref->text, "%s%s", ref->device ? "device=" : "", ref->locator) < 0)
		ref->text = NULL;
	return ref->text ? 0 : no_memory(r->error);
}

/* What is known already is looked at with the objects that have no list. */
static int ask_for_list(struct resolve *r, struct ref *ref)
{
	if (!r->listed)
		return context_list_look(r->context, &ref->list, EROFS_HEAD, &ref->looks,
					 ref->locator, r->error);
	ref->list = *r->listed;
	*r->listed = (struct fetch_list){ 0 };
	return 0;
}

static int list_ref(struct resolve *r, struct ref *ref, const char *text)
{
	char printed[200];
	int err;

	err = image_ref_locator(text, &ref->locator, &ref->device, r->error);
	if (err == 0)
		err = keep_text(r, ref, text);
	if (err < 0)
		return err;
	err = ask_for_list(r, ref);
	if (err == -ENOTDIR)
		return 0; /* one object: looked at with the others */
	if (err < 0)
		image_add_hint(r->error, err, ref->locator);
	if (err == 0 && ref->device && ref->list.n_parts > 1) {
		snprintf(r->error, CONTEXT_ERROR_MAX,
			 "device=%s stands for %zu objects, and a device is one",
			 image_ref_print(ref->locator, printed, sizeof(printed)),
			 ref->list.n_parts);
		err = -EINVAL;
	}
	if (err == 0 && !r->context->no_verity)
		err = image_verity_locators(&ref->verified, &ref->list, r->error);
	return err;
}

static int list_refs(struct resolve *r, const char *const *texts)
{
	bool device;

	r->refs = calloc(r->n_refs, sizeof(*r->refs));
	if (!r->refs)
		return no_memory(r->error);
	for (size_t i = 0; i < r->n_refs; i++) {
		int err = list_ref(r, &r->refs[i], texts[i]);

		if (err < 0)
			return err;
	}
	device = r->refs[0].device;
	if (!device)
		return 0;
	snprintf(r->error, CONTEXT_ERROR_MAX,
		 "the first REF cannot be a device: it belongs to the layer before it");
	return -EINVAL;
}

/* ---- objects ------------------------------------------------------------------------------ */

static struct image_item item_of(struct ref *ref, const struct fetch_part *part)
{
	struct image_item item = {
		.ref = ref->locator,
		.locator = ref->locator,
		.media_type = "",
		.digest = "",
		.diff_id = "",
		.device = ref->device,
	};

	if (part) {
		item.locator = part->locator;
		ref->referrers.manifest_digest = ref->list.manifest_digest;
		/* Whoever names a digest does not want to believe whoever pushes. */
		if (*ref->list.manifest_digest && !strchr(ref->locator, '@'))
			item.referrers = &ref->referrers;
		item.identity = part->identity;
		item.media_type = part->media_type;
		item.digest = part->digest;
		item.diff_id = part->diff_id;
		item.device |= strcmp(part->media_type, IMAGE_TYPE_DEVICE) == 0;
	}
	return item;
}

static int count_items(struct resolve *r)
{
	for (size_t i = 0; i < r->n_refs; i++)
		r->n_items += r->refs[i].list.n_parts > 0 ? r->refs[i].list.n_parts : 1;
	if (r->n_items > ITEMS_MAX) {
		snprintf(r->error, CONTEXT_ERROR_MAX, "%zu layers are more than an image may have",
			 r->n_items);
		return -E2BIG;
	}
	r->items = calloc(r->n_items, sizeof(*r->items));
	r->looks = calloc(r->n_items, sizeof(*r->looks));
	r->heads = calloc(r->n_items, EROFS_HEAD);
	return r->items && r->looks && r->heads ? 0 : no_memory(r->error);
}

/* What was seen of the parts while the list was asked for need not be asked for again. */
static void take_looks(struct resolve *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n_refs; i++) {
		const struct ref *ref = &r->refs[i];
		size_t n_parts = ref->list.n_parts > 0 ? ref->list.n_parts : 1;

		for (size_t k = 0; ref->looks && k < n_parts; k++) {
			r->looks[n + k] = ref->looks[k];
			r->items[n + k].head = ref->looks[k].head;
		}
		n += n_parts;
	}
}

static void make_items(struct resolve *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n_refs; i++) {
		struct ref *ref = &r->refs[i];

		if (ref->list.n_parts == 0)
			r->items[n++] = item_of(ref, NULL);
		for (size_t k = 0; k < ref->list.n_parts; k++)
			r->items[n++] = item_of(ref, &ref->list.parts[k]);
	}
	for (size_t i = 0; i < n; i++) {
		r->items[i].head = r->heads + i * EROFS_HEAD;
		r->looks[i] = (struct context_look){
			.locator = r->items[i].locator,
			.head = r->heads + i * EROFS_HEAD,
			.head_len = EROFS_HEAD,
		};
	}
}

/* What the origin has must be what the manifest says. */
static int take_look(struct resolve *r, struct image_item *item, const struct context_look *look)
{
	char printed[200];

	if (item->identity.validator[0] && item->identity.size != look->identity.size) {
		snprintf(r->error, CONTEXT_ERROR_MAX,
			 "%s: the manifest says that %.80s has %llu bytes, and the registry has "
			 "%llu",
			 image_ref_print(item->ref, printed, sizeof(printed)), item->digest,
			 (unsigned long long)item->identity.size,
			 (unsigned long long)look->identity.size);
		return -EPROTO;
	}
	item->identity = look->identity;
	item->head_len = look->head_filled;
	return 0;
}

static int look_at_items(struct resolve *r)
{
	int err = context_look(r->context, r->looks, r->n_items);

	for (size_t i = 0; err == 0 && i < r->n_items; i++)
		err = take_look(r, &r->items[i], &r->looks[i]);
	for (size_t i = 0; err < 0 && i < r->n_items; i++)
		if (r->looks[i].err < 0) {
			snprintf(r->error, CONTEXT_ERROR_MAX, "%s", r->looks[i].error);
			image_add_hint(r->error, err, r->items[i].locator);
			break;
		}
	return err;
}

/* ---- what is verified --------------------------------------------------------------------- */

static const char *verified_of(const struct resolve *r, size_t item)
{
	for (size_t i = 0; i < r->n_refs; i++) {
		const struct ref *ref = &r->refs[i];
		size_t n = ref->list.n_parts > 0 ? ref->list.n_parts : 1;

		if (item < n)
			return ref->verified ? ref->verified[item] : NULL;
		item -= n;
	}
	return NULL;
}

static int fail_verified(struct resolve *r, const struct image_item *item, int err,
			 const struct context_look *look)
{
	char printed[200], why[300];

	snprintf(why, sizeof(why), "%.299s", look->error);
	snprintf(r->error, CONTEXT_ERROR_MAX,
		 "%s: layer %.19s... cannot be verified, as its manifest wants it to be: %s; "
		 "--no-verity adds it all the same",
		 image_ref_print(item->ref, printed, sizeof(printed)), item->digest, why);
	return err;
}

/* Nothing of what was seen of them without is believed, and nobody may strip it off. */
static int look_at_verified(struct resolve *r)
{
	for (size_t i = 0; i < r->n_items; i++) {
		struct image_item *item = &r->items[i];
		const char *locator = verified_of(r, i);
		struct context_look look = {
			.locator = locator,
			.head = r->heads + i * EROFS_HEAD,
			.head_len = EROFS_HEAD,
		};
		int err;

		if (!locator)
			continue;
		err = context_look(r->context, &look, 1);
		if (err < 0)
			return fail_verified(r, item, err, &look);
		item->locator = locator;
		item->identity = look.identity;
		item->head = look.head;
		item->head_len = look.head_filled;
	}
	return 0;
}

/* ---- the image ---------------------------------------------------------------------------- */

/* The layer has all its devices. primary: what it was made of, or NULL. */
static int finish_layer(struct resolve *r, const struct images_image *image,
			const struct image_item *primary)
{
	if (!primary)
		return 0;
	return image_layer_check_devices(&image->layers[image->n_layers - 1], primary, r->error);
}

static int add_device(struct resolve *r, const struct images_image *image,
		      const struct image_item *item)
{
	char printed[200];

	if (image->n_layers > 0)
		return image_layer_add_device(&image->layers[image->n_layers - 1], item, r->error);
	snprintf(r->error, CONTEXT_ERROR_MAX, "%s: its first layer is a device, and so of none",
		 image_ref_print(item->ref, printed, sizeof(printed)));
	return -EINVAL;
}

static int make_layers(struct resolve *r, struct images_image *image)
{
	const struct image_item *primary = NULL;
	int err = 0;

	for (size_t i = 0; err == 0 && i < r->n_items; i++) {
		const struct image_item *item = &r->items[i];

		if (item->device) {
			err = add_device(r, image, item);
			continue;
		}
		err = finish_layer(r, image, primary);
		if (err == 0)
			err = image_layer_make(r->context, item, &image->layers[image->n_layers],
					       r->error);
		if (err == 0)
			image->n_layers++;
		primary = item;
	}
	return err == 0 ? finish_layer(r, image, primary) : err;
}

/* ---- its plan ----------------------------------------------------------------------------- */

/* The object of each layer of the manifest; to be freed. What is made of an archive has more. */
static struct image_plan_object *plan_objects(const struct resolve *r,
					      const struct images_image *image)
{
	struct image_plan_object *objects = calloc(r->n_items, sizeof(*objects));
	size_t layer = 0, device = 0;

	for (size_t i = 0; objects && i < r->n_items; i++) {
		const struct images_layer *l;
		const struct images_object *o;

		device = r->items[i].device ? device + 1 : 0;
		layer += i > 0 && device == 0;
		l = &image->layers[layer];
		o = device > 0 ? &l->devices[device - 1] : &l->primary;
		objects[i] = (struct image_plan_object){ o->cookie, o->size };
	}
	return objects;
}

/* What the manifest says to fetch first. A bad one is no reason to do without the image. */
static void find_plan(const struct resolve *r, struct images_image *image)
{
	json_t *manifest = json_loads(image->manifest, 0, NULL);
	const json_t *notes = json_object_get(manifest, "annotations");
	const char *note = json_string_value(json_object_get(notes, IMAGE_PLAN_NOTE));
	struct image_plan_object *objects = note ? plan_objects(r, image) : NULL;
	char error[CONTEXT_ERROR_MAX] = "out of memory";
	struct image_plan plan;

	if (objects &&
	    image_plan_of_note(&plan, note, objects, r->n_items, error) == 0)
		image->plan = plan.text;
	else if (note)
		ctl_error("warning: what the manifest says to fetch first is not used: %s", error);
	free(objects);
	json_decref(manifest);
}

/* The texts of a manifest are those of an image that is one REF. */
static bool take_texts(const struct resolve *r, struct images_image *image)
{
	const struct fetch_list *list = r->n_refs == 1 ? &r->refs[0].list : NULL;

	image->manifest = strdup(list && list->manifest ? list->manifest : "");
	image->config = strdup(list && list->config ? list->config : "");
	image->manifest_digest = strdup(list && list->manifest_digest ? list->manifest_digest : "");
	image->refs = calloc(r->n_refs, sizeof(*image->refs));
	if (!image->refs)
		return false;
	for (size_t i = 0; i < r->n_refs; i++) {
		image->refs[i] = strdup(r->refs[i].text);
		if (!image->refs[i])
			return false;
		image->n_refs++;
	}
	return image->name && image->manifest && image->config && image->manifest_digest;
}

static int make_image(struct resolve *r, const char *name, struct images_image **ret)
{
	_cleanup_(image_freep) struct images_image *image = calloc(1, sizeof(*image));
	int err;

	if (!image)
		return no_memory(r->error);
	image->name = strdup(name);
	image->added = (int64_t)time(NULL);
	image->layers = calloc(r->n_items, sizeof(*image->layers));
	if (!image->layers || !take_texts(r, image))
		return no_memory(r->error);
	err = make_layers(r, image);
	if (err < 0)
		return err;
	find_plan(r, image);
	*ret = steal(&image);
	return 0;
}

int image_resolve(struct context *context, struct images_image **ret, const char *name,
		  const char *const *refs, size_t n_refs, struct fetch_list *list, char *error)
{
	struct resolve r = { .context = context, .n_refs = n_refs, .listed = list, .error = error };
	int err = list_refs(&r, refs);

	if (err == 0)
		err = count_items(&r);
	if (err == 0) {
		make_items(&r);
		take_looks(&r);
		err = look_at_items(&r);
	}
	if (err == 0)
		err = look_at_verified(&r);
	if (err == 0)
		err = make_image(&r, name, ret);
	resolve_end(&r);
	return err;
}

void image_freep(struct images_image **image)
{
	images_image_free(*image);
}
