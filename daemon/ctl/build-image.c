/* SPDX-License-Identifier: MIT */
/*
 * The documents of an image of EROFS layers, as containerd makes them when it converts one: the
 * configuration keeps all it says, but its diff_ids are the digests of the new layers, and
 * os.features has "erofs". So a runtime that does not know such layers says so before it fetches.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/build.h"
#include "daemon/ctl/image-plan.h"
#include "daemon/ctl/layout-plan.h"
#include "daemon/util/cleanup.h"
#include "fetchers/oci-manifest.h"

#define EROFS_FEATURE "erofs"

static int no_memory(void)
{
	return ctl_error("%s", strerror(ENOMEM));
}

static const char *text_of(const json_t *object, const char *key, const char *otherwise)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : otherwise;
}

/* ---- configuration ---------------------------------------------------------------------- */

static int add_feature(json_t *config)
{
	json_t *features = json_object_get(config, "os.features"), *feature;
	size_t i;

	json_array_foreach(features, i, feature)
	{
		const char *text = json_string_value(feature);

		if (text && strcmp(text, EROFS_FEATURE) == 0)
			return 0;
	}
	if (json_is_array(features))
		return json_array_append_new(features, json_string(EROFS_FEATURE));
	return json_object_set_new(config, "os.features", json_pack("[s]", EROFS_FEATURE));
}

/* The history tells of layers, and of steps that made none. */
static bool history_fits(const struct build *b)
{
	json_t *history = json_object_get(b->config, "history"), *step;
	size_t i, n = 0;

	json_array_foreach(history, i, step)
	{
		n += !json_is_true(json_object_get(step, "empty_layer"));
	}
	return n == b->n_layers;
}

static int make_config(struct build *b)
{
	struct oci_platform host;
	json_t *ids = json_array();
	int r = ids ? 0 : -1;

	oci_platform_host(&host);
	if (!b->config)
		b->config =
			json_pack("{s:s, s:s}", "architecture", host.architecture, "os", "linux");
	if (!b->config)
		r = -1;
	for (size_t i = 0; r == 0 && i < b->n_layers; i++)
		r = json_array_append_new(ids, json_string(b->layers[i].result.digest));
	if (r == 0)
		r = json_object_set_new(b->config, "rootfs",
					json_pack("{s:s, s:O}", "type", "layers", "diff_ids", ids));
	if (r == 0)
		r = add_feature(b->config);
	if (r == 0 && !history_fits(b))
		json_object_del(b->config, "history");
	json_decref(ids);
	return r == 0 ? CTL_OK : no_memory();
}

/* ---- manifest and index ----------------------------------------------------------------- */

static json_t *descriptor(const char *type, const struct layout_descriptor *d)
{
	return json_pack("{s:s, s:s, s:I}", "mediaType", type, "digest", d->digest, "size",
			 (json_int_t)d->size);
}

static json_t *make_notes(const struct build_layer *l)
{
	json_t *notes = json_pack("{s:s}", LAYOUT_TITLE, l->title);

	if (l->digest[0])
		json_object_set_new(notes, LAYOUT_SOURCE_DIGEST, json_string(l->digest));
	if (l->diff_id)
		json_object_set_new(notes, LAYOUT_SOURCE_DIFF_ID, json_string(l->diff_id));
	if (l->verity[0]) {
		json_object_set_new(notes, LAYOUT_VERITY_DIGEST, json_string(l->verity));
		json_object_set_new(notes, LAYOUT_VERITY_TREE, json_string(l->tree.digest));
	}
	return notes;
}

static json_t *make_layers(const struct build *b)
{
	json_t *layers = json_array();

	for (size_t i = 0; i < b->n_layers; i++) {
		json_t *layer = descriptor(LAYOUT_EROFS_TYPE, &b->layers[i].result);

		if (json_object_set_new(layer, "annotations", make_notes(&b->layers[i])) < 0 ||
		    json_array_append_new(layers, layer) < 0) {
			json_decref(layers);
			return NULL;
		}
	}
	return layers;
}

/* The manifest of a source may have told another one, of other layers. */
static int add_plan(const struct build *b, json_t *manifest)
{
	json_t *notes = json_object_get(manifest, "annotations");

	json_object_del(notes, IMAGE_PLAN_NOTE);
	return b->plan ? layout_plan(manifest, b->plan) : CTL_OK;
}

static json_t *make_manifest(const struct build *b, const struct layout_descriptor *config)
{
	json_t *manifest = json_pack(
		"{s:i, s:s, s:o, s:o}", "schemaVersion", 2, "mediaType", LAYOUT_MANIFEST_TYPE,
		"config", descriptor(LAYOUT_CONFIG_TYPE, config), "layers", make_layers(b));

	if (manifest && b->annotations &&
	    json_object_set(manifest, "annotations", b->annotations) < 0) {
		json_decref(manifest);
		return NULL;
	}
	return manifest;
}

static json_t *make_platform(const struct build *b)
{
	const char *variant = text_of(b->config, "variant", NULL);
	json_t *platform = json_pack(
		"{s:s, s:s, s:[s]}", "architecture", text_of(b->config, "architecture", "unknown"),
		"os", text_of(b->config, "os", "linux"), "os.features", EROFS_FEATURE);

	if (variant)
		json_object_set_new(platform, "variant", json_string(variant));
	return platform;
}

static json_t *make_index(const struct build *b, const struct layout_descriptor *manifest)
{
	json_t *entry = descriptor(LAYOUT_MANIFEST_TYPE, manifest);
	const char *tag = b->tag ? b->tag : b->source_tag ? b->source_tag : "latest";

	if (json_object_set_new(entry, "platform", make_platform(b)) < 0 ||
	    json_object_set_new(entry, "annotations", json_pack("{s:s}", LAYOUT_REF_NAME, tag)) <
		    0) {
		json_decref(entry);
		return NULL;
	}
	return json_pack("{s:i, s:s, s:[o]}", "schemaVersion", 2, "mediaType", LAYOUT_INDEX_TYPE,
			 "manifests", entry);
}

/* Consumes the document. */
static int write_document(const char *layout, json_t *document, struct layout_descriptor *ret)
{
	_cleanup_free_ char *text = document ? json_dumps(document, JSON_COMPACT) : NULL;

	json_decref(document);
	if (!text)
		return no_memory();
	return ret ? layout_add_text(layout, text, strlen(text), ret)
		   : layout_finish(layout, text, strlen(text));
}

int build_write_image(struct build *b, const char *layout, struct layout_descriptor *ret)
{
	struct layout_descriptor config = { 0 };
	int status = make_config(b);
	json_t *manifest;

	if (status == CTL_OK)
		status = write_document(layout, json_incref(b->config), &config);
	if (status != CTL_OK)
		return status;
	manifest = make_manifest(b, &config);
	status = manifest ? add_plan(b, manifest) : no_memory();
	if (status == CTL_OK)
		status = write_document(layout, json_incref(manifest), ret);
	json_decref(manifest);
	if (status == CTL_OK)
		status = write_document(layout, make_index(b, ret), NULL);
	return status;
}
