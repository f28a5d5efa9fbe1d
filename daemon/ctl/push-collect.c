/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/ctl/push.h"
#include "daemon/util/checked.h"
#include "proto/fsverity.h"

#define DEPTH_MAX 4
#define ITEMS_MAX 4096

static int no_memory(void)
{
	return ctl_error("%s", strerror(ENOMEM));
}

static int wrong(const struct push *p, const struct layout_descriptor *d, const char *why)
{
	return ctl_error("%s: %s: %s", p->layout->dir, d->digest, why);
}

static bool have(const struct push *p, const char *digest)
{
	for (size_t i = 0; i < p->n_items; i++)
		if (strcmp(p->items[i].descriptor.digest, digest) == 0)
			return true;
	return false;
}

/* Takes the text, also when it fails. */
static int add(struct push *p, const struct layout_descriptor *d, char *text)
{
	struct push_item *items = NULL, *item;

	if (p->n_items < ITEMS_MAX)
		items = reallocarray(p->items, p->n_items + 1, sizeof(*items));
	if (!items) {
		free(text);
		return p->n_items < ITEMS_MAX ? no_memory() : wrong(p, d, "it has too many parts");
	}
	p->items = items;
	item = &items[p->n_items++];
	*item = (struct push_item){
		.push = p, .descriptor = *d, .is_document = text != NULL, .text = text, .fd = -1
	};
	item->descriptor.media_type = strdup(d->media_type);
	if (!text)
		p->bytes += d->size;
	return item->descriptor.media_type ? CTL_OK : no_memory();
}

/* A descriptor inside of a document; its media type is borrowed from the JSON. */
static int read_descriptor(const struct push *p, const struct layout_descriptor *of,
			   const json_t *json, struct layout_descriptor *ret)
{
	const char *digest = json_string_value(json_object_get(json, "digest"));
	const char *type = json_string_value(json_object_get(json, "mediaType"));
	const json_t *size = json_object_get(json, "size");

	if (!digest || !layout_digest_good(digest))
		return wrong(p, of, "it names something without a digest by sha256");
	if (!json_is_integer(size) || json_integer_value(size) < 0)
		return wrong(p, of, "it names something without a size");
	*ret = (struct layout_descriptor){ .size = (uint64_t)json_integer_value(size),
					   .media_type = (char *)(type ? type : "") };
	strcpy(ret->digest, digest);
	return CTL_OK;
}

/* Looks whether it is there, so that what is missing is known before anything is sent. */
static int add_blob(struct push *p, const struct layout_descriptor *of, const json_t *json)
{
	struct layout_descriptor d;
	int status = read_descriptor(p, of, json, &d), fd;

	if (status != CTL_OK || have(p, d.digest))
		return status;
	status = layout_open_blob(p->layout->dir, &d, &fd);
	if (status != CTL_OK)
		return status;
	close(fd);
	return add(p, &d, NULL);
}

/* ---- hash trees --------------------------------------------------------------------------- */

static const char *note(const json_t *layer, const char *name)
{
	const json_t *notes = json_object_get(layer, "annotations");

	return json_string_value(json_object_get(notes, name));
}

/* Of a layer that says which it has; its size is known by that of the layer. */
static int add_tree(struct push *p, const struct layout_descriptor *of, const json_t *layer,
		    json_t *trees)
{
	struct layout_descriptor d;
	struct fsverity_shape shape;
	const char *tree = note(layer, LAYOUT_VERITY_TREE);
	json_t *json;
	int status = tree ? read_descriptor(p, of, layer, &d) : CTL_OK;

	if (!tree || status != CTL_OK)
		return status;
	if (d.size > OBJECT_SIZE_MAX)
		return wrong(p, of, "it names a layer that is too large");
	fsverity_shape(&shape, d.size);
	json = json_pack("{s:s, s:s, s:I, s:{s:s}}", "mediaType", PUSH_TREE_TYPE, "digest", tree,
			 "size",
			 (json_int_t)(FSVERITY_DESCRIPTOR + shape.n_blocks * FSVERITY_BLOCK),
			 "annotations", LAYOUT_VERITY_LAYER, d.digest);
	if (json_array_append(trees, json) < 0)
		status = no_memory();
	if (status == CTL_OK)
		status = add_blob(p, of, json);
	json_decref(json);
	return status;
}

/* Of all layers of a manifest, as far as they have some. */
static int add_trees(struct push *p, const struct layout_descriptor *d, const json_t *layers)
{
	struct push_trees *all, trees = { .layers = json_array() };
	const json_t *layer;
	int status = CTL_OK;
	size_t i;

	json_array_foreach(layers, i, layer)
	{
		if (status == CTL_OK)
			status = add_tree(p, d, layer, trees.layers);
	}
	if (status != CTL_OK || json_array_size(trees.layers) == 0) {
		json_decref(trees.layers);
		return status;
	}
	trees.manifest = *d;
	trees.manifest.media_type = strdup(d->media_type);
	all = reallocarray(p->trees, p->n_trees + 1, sizeof(*all));
	if (all) {
		p->trees = all;
		p->trees[p->n_trees++] = trees;
	}
	if (all && trees.manifest.media_type)
		return CTL_OK;
	if (!all) {
		json_decref(trees.layers);
		layout_descriptor_end(&trees.manifest);
	}
	return no_memory();
}

/* ---- documents ---------------------------------------------------------------------------- */

static int add_document(struct push *p, const struct layout_descriptor *d, int depth);

static int add_parts(struct push *p, const struct layout_descriptor *d, const json_t *document,
		     int depth)
{
	const json_t *manifests = json_object_get(document, "manifests");
	const json_t *layers = json_object_get(document, "layers"), *part;
	struct layout_descriptor child;
	int status = CTL_OK;
	size_t i;

	if (json_is_array(manifests) == json_is_array(layers))
		return wrong(p, d, "it is neither a manifest nor an index");
	json_array_foreach(manifests, i, part)
	{
		status = read_descriptor(p, d, part, &child);
		if (status == CTL_OK && !have(p, child.digest))
			status = add_document(p, &child, depth + 1);
		if (status != CTL_OK)
			return status;
	}
	if (layers)
		status = add_blob(p, d, json_object_get(document, "config"));
	for (i = 0; status == CTL_OK && i < json_array_size(layers); i++)
		status = add_blob(p, d, json_array_get(layers, i));
	return status == CTL_OK ? add_trees(p, d, layers) : status;
}

/* What it says itself about its type is what the registry compares. */
static int add_document(struct push *p, const struct layout_descriptor *d, int depth)
{
	struct layout_descriptor typed = *d;
	const char *type;
	json_t *document;
	char *text = NULL;
	int status;

	if (depth == DEPTH_MAX)
		return wrong(p, d, "indexes inside of indexes");
	status = layout_read_text(p->layout->dir, d, &text);
	if (status != CTL_OK)
		return status;
	document = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	type = json_string_value(json_object_get(document, "mediaType"));
	if (type)
		typed.media_type = (char *)type;
	if (!json_is_object(document))
		status = wrong(p, d, "it is no JSON");
	else if (!typed.media_type[0])
		status = wrong(p, d, "nobody says of which media type it is");
	else
		status = add_parts(p, &typed, document, depth);
	if (status == CTL_OK)
		status = add(p, &typed, text);
	else
		free(text);
	json_decref(document);
	return status;
}

int push_collect(struct push *p)
{
	int status = add_document(p, &p->layout->top, 0);

	/* From now on they stay where they are. */
	for (size_t i = 0; i < p->n_items; i++) {
		p->items[i].put.size = p->items[i].descriptor.size;
		p->items[i].put.media_type = p->items[i].descriptor.media_type;
	}
	return status;
}

void push_end(struct push *p)
{
	for (size_t i = 0; i < p->n_items; i++) {
		struct push_item *item = &p->items[i];

		if (item->fd >= 0)
			close(item->fd);
		sha256_free(item->sha);
		free((char *)item->put.locator);
		free(item->text);
		layout_descriptor_end(&item->descriptor);
	}
	free(p->items);
	for (size_t i = 0; i < p->n_trees; i++) {
		layout_descriptor_end(&p->trees[i].manifest);
		json_decref(p->trees[i].layers);
	}
	free(p->trees);
	*p = (struct push){ 0 };
}
