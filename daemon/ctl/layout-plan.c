/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/layout-plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/context.h"
#include "daemon/ctl/image-plan.h"
#include "daemon/util/cleanup.h"

static int no_memory(void)
{
	return ctl_error("%s", strerror(ENOMEM));
}

/* A layer is called by its digest where it is mounted. Text is borrowed from the manifest. */
static struct image_plan_object *layer_objects(const json_t *layers)
{
	struct image_plan_object *objects = calloc(json_array_size(layers) + 1, sizeof(*objects));
	const json_t *layer;
	size_t i;

	json_array_foreach(layers, i, layer)
	{
		const char *digest = json_string_value(json_object_get(layer, "digest"));
		json_int_t size = json_integer_value(json_object_get(layer, "size"));

		if (objects)
			objects[i] = (struct image_plan_object){ digest ? digest : "",
								 size > 0 ? (uint64_t)size : 0 };
	}
	return objects;
}

static int make_note(char **ret, const json_t *layers, const char *file, char *error)
{
	struct image_plan_object *objects = layer_objects(layers);
	size_t n = json_array_size(layers), len = 0;
	_cleanup_free_ char *text = NULL;
	struct image_plan plan = { 0 };
	int err = objects ? image_plan_read(file, &text, &len, error) : -ENOMEM;

	if (err == 0)
		err = image_plan_check(&plan, text, len, objects, n, error);
	if (err == 0)
		err = image_plan_make_note(ret, &plan, objects, n, error);
	image_plan_end(&plan);
	free(objects);
	return err;
}

int layout_plan(json_t *manifest, const char *file)
{
	char error[CONTEXT_ERROR_MAX] = "out of memory";
	_cleanup_free_ char *note = NULL;
	json_t *notes = json_object_get(manifest, "annotations");

	if (make_note(&note, json_object_get(manifest, "layers"), file, error) < 0)
		return ctl_error("the plan %s: %s", file, error);
	notes = json_is_object(notes) ? json_copy(notes) : json_object();
	if (json_object_set_new(notes, IMAGE_PLAN_NOTE, json_string(note)) < 0 ||
	    json_object_set(manifest, "annotations", notes) < 0) {
		json_decref(notes);
		return no_memory();
	}
	json_decref(notes);
	return CTL_OK;
}

static int write_manifest(const char *dir, const json_t *manifest, struct layout_descriptor *top)
{
	_cleanup_free_ char *text = json_dumps(manifest, JSON_COMPACT);

	return text ? layout_add_text(dir, text, strlen(text), top) : no_memory();
}

int layout_add_plan(const char *dir, struct layout_descriptor *top, const char *file)
{
	_cleanup_free_ char *text = NULL;
	json_t *manifest;
	int status = layout_read_text(dir, top, &text);

	if (status != CTL_OK)
		return status;
	manifest = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_array(json_object_get(manifest, "layers")))
		status = ctl_error("%s: %s is not the manifest of one image, and so has no plan",
				   dir, top->digest);
	else
		status = layout_plan(manifest, file);
	if (status == CTL_OK)
		status = write_manifest(dir, manifest, top);
	json_decref(manifest);
	return status;
}
