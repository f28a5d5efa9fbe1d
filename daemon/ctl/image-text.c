/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/image-text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "daemon/ctl/image.h"
#include "daemon/ctl/json.h"
#include "daemon/util/bytes.h"

char *image_time(int64_t unix_time, char *buf, size_t n)
{
	time_t t = (time_t)unix_time;
	struct tm tm;

	if (!localtime_r(&t, &tm) || strftime(buf, n, "%Y-%m-%d %H:%M", &tm) == 0)
		snprintf(buf, n, "?");
	return buf;
}

static int set_text(json_t *object, const char *name, const char *text)
{
	return *text ? json_set_text(object, name, bytes_str(text)) : 0;
}

static int set_place(json_t *object, const char *name, const char *locator)
{
	char printed[IMAGES_LOCATOR_MAX];

	return set_text(object, name, image_ref_print(locator, printed, sizeof(printed)));
}

/* Consumes what is appended, which may be NULL. */
static int append(json_t *array, json_t *value)
{
	return json_array_append_new(array, value);
}

static json_t *object_json(const struct images_object *o)
{
	json_t *object = json_object();

	if (set_text(object, "cookie", o->cookie) < 0 ||
	    ctl_json_u64(object, "size", o->size) < 0 ||
	    set_text(object, "media_type", o->media_type) < 0 ||
	    set_place(object, "locator", o->locator) < 0 ||
	    set_text(object, "validator", o->validator) < 0 ||
	    json_object_set_new(object, "whole", json_boolean(o->whole)) < 0) {
		json_decref(object);
		return NULL;
	}
	return object;
}

static json_t *devices_json(const struct images_layer *layer)
{
	json_t *array = json_array();

	for (size_t i = 0; i < layer->n_devices; i++)
		if (append(array, object_json(&layer->devices[i])) < 0) {
			json_decref(array);
			return NULL;
		}
	return array;
}

json_t *image_layer_json(const struct images_layer *layer)
{
	json_t *object = object_json(&layer->primary);

	if (object && (set_text(object, "digest", layer->origin_digest) < 0 ||
		       set_text(object, "diff_id", layer->diff_id) < 0 ||
		       json_object_set_new(object, "devices", devices_json(layer)) < 0)) {
		json_decref(object);
		return NULL;
	}
	return object;
}

static json_t *layers_json(const struct images_image *image)
{
	json_t *array = json_array();

	for (size_t i = 0; i < image->n_layers; i++)
		if (append(array, image_layer_json(&image->layers[i])) < 0) {
			json_decref(array);
			return NULL;
		}
	return array;
}

static json_t *refs_json(const struct images_image *image)
{
	char printed[IMAGES_LOCATOR_MAX];
	json_t *array = json_array();

	for (size_t i = 0; i < image->n_refs; i++) {
		image_ref_print(image->refs[i], printed, sizeof(printed));
		if (append(array, json_string(printed)) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

json_t *image_json(const struct images_image *image)
{
	char name[IMAGES_LOCATOR_MAX];
	json_t *object = json_object();

	image_name_print(image, name, sizeof(name));
	if (set_text(object, "name", name) < 0 ||
	    json_object_set_new(object, "refs", refs_json(image)) < 0 ||
	    ctl_json_s64(object, "added", image->added) < 0 ||
	    ctl_json_u64(object, "size", image_size(image)) < 0 ||
	    json_object_set_new(object, "transient", json_boolean(image->transient)) < 0 ||
	    set_text(object, "manifest_digest", image->manifest_digest) < 0 ||
	    json_object_set_new(object, "layers", layers_json(image)) < 0) {
		json_decref(object);
		return NULL;
	}
	return object;
}
