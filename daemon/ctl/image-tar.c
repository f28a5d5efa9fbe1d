/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/image-tar.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/ctl/image-tar-fetch.h"
#include "daemon/ctl/image.h"
#include "daemon/ctl/progress.h"
#include "daemon/tarindex/layer.h"
#include "daemon/util/cleanup.h"
#include "daemon/util/locator.h"

static int fail(const struct image_item *item, int err, char *error, const char *why)
{
	char place[200];

	snprintf(error, CONTEXT_ERROR_MAX, "%s: %s",
		 image_ref_print(item->ref, place, sizeof(place)), why);
	return err;
}

static int no_memory(const struct image_item *item, char *error)
{
	return fail(item, -ENOMEM, error, "out of memory");
}

static char *index_dir(const struct context *c)
{
	char *dir;

	return asprintf(&dir, "%s/index", c->state_dir) < 0 ? NULL : dir;
}

/*
 * Held, shared, until the context is closed: the files are there before their image is. Who
 * collects holds it alone.
 */
static int lock_index(struct context *c, int how)
{
	_cleanup_free_ char *dir = index_dir(c);

	if (!dir)
		return -ENOMEM;
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return -errno;
	if (c->index_fd < 0)
		c->index_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return c->index_fd < 0 || flock(c->index_fd, how) < 0 ? -errno : 0;
}

/* ---- a layer that is known already ------------------------------------------------------ */

struct known {
	const struct image_item *item;
	struct images_layer *ret;
	int r; /* 1: found */
};

static int copy_object(struct images_object *ret, const struct images_object *object)
{
	*ret = (struct images_object){ .size = object->size, .whole = object->whole };
	ret->cookie = strdup(object->cookie);
	ret->locator = strdup(object->locator);
	ret->validator = strdup(object->validator);
	ret->media_type = strdup(object->media_type);
	return ret->cookie && ret->locator && ret->validator && ret->media_type ? 0 : -ENOMEM;
}

static int copy_layer(struct images_layer *ret, const struct images_layer *layer,
		      const struct image_item *item)
{
	ret->devices = calloc(1, sizeof(*ret->devices));
	ret->origin_digest = strdup(item->digest);
	ret->diff_id = strdup(item->diff_id);
	if (!ret->devices || !ret->origin_digest || !ret->diff_id)
		return -ENOMEM;
	ret->n_devices = 1;
	if (copy_object(&ret->primary, &layer->primary) < 0 ||
	    copy_object(&ret->devices[0], &layer->devices[0]) < 0)
		return -ENOMEM;
	return 0;
}

/* Do the files of a locator "SCHEME:PATH;..." exist? */
static bool indexes_exist(const char *locator)
{
	while (strchr(locator, ';')) {
		_cleanup_free_ char *path = NULL;

		if (locator_split_indexed(locator, &path, &locator) < 0 || access(path, R_OK) < 0)
			return false;
	}
	return true;
}

/* The same blob, from the same place. */
static bool is_known(const struct images_layer *l, const struct image_item *item)
{
	const char *inner = l->n_devices == 1 ? strrchr(l->devices[0].locator, ';') : NULL;

	return inner && *item->digest && strcmp(l->origin_digest, item->digest) == 0 &&
	       strcmp(inner + 1, item->locator) == 0 && indexes_exist(l->devices[0].locator);
}

static int find_known(void *arg, const struct images_image *image)
{
	struct known *known = arg;

	for (size_t i = 0; i < image->n_layers && known->r == 0; i++) {
		struct images_layer layer = { 0 };

		if (!is_known(&image->layers[i], known->item))
			continue;
		known->r = copy_layer(&layer, &image->layers[i], known->item);
		if (known->r < 0) {
			image_layer_end(&layer);
			return known->r;
		}
		*known->ret = layer;
		known->r = 1;
	}
	return known->r;
}

/* ---- a new one -------------------------------------------------------------------------- */

static int take(void *arg, const void *bytes, size_t len)
{
	return layer_write(arg, bytes, len);
}

static void progress(void *arg, uint64_t done, uint64_t total)
{
	progress_update(arg, done);
}

static int stream(struct context *c, const struct image_item *item, struct layer *layer,
		  char *error)
{
	struct progress shown;
	char what[64];
	int r;

	snprintf(what, sizeof(what), "index %.20s", *item->digest ? item->digest : "layer");
	progress_begin(&shown, what, item->identity.size, c->json);
	c->progress = progress;
	c->progress_arg = &shown;
	r = context_stream(c, item->locator, &item->identity, take, layer, error);
	c->progress = NULL;
	progress_end(&shown);
	/* What take() refused has its words in the layer. */
	return r < 0 && *error == '\0' ? fail(item, r, error, layer_error(layer)) : r;
}

static int set_object(struct images_object *ret, const char *prefix, const char *sha256,
		      char *locator /* consumed */, uint64_t size, const char *validator,
		      const char *media_type)
{
	*ret = (struct images_object){ .locator = locator, .size = size };
	if (asprintf(&ret->cookie, "%s:%s", prefix, sha256) < 0)
		ret->cookie = NULL;
	ret->validator = strdup(validator);
	ret->media_type = strdup(media_type);
	return ret->cookie && ret->locator && ret->validator && ret->media_type ? 0 : -ENOMEM;
}

/* "tarmap:MAP;BLOB", or "tarmap:MAP;gunzip:INDEX;BLOB"; NULL: no memory. */
static char *device_locator(const struct layer_files *files, const char *blob)
{
	_cleanup_free_ char *archive = NULL;

	archive = files->gzindex[0] ? locator_join_indexed("gunzip", files->gzindex, blob)
				    : strdup(blob);
	return archive ? locator_join_indexed("tarmap", files->map, archive) : NULL;
}

static int set_primary(struct context *c, const struct image_item *item,
		       const struct layer_files *files, struct images_object *ret, char *error)
{
	struct context_look look = { 0 };
	char *locator;
	bool device;
	int r = image_ref_locator(files->image, &locator, &device, error);

	if (r < 0)
		return r;
	look.locator = locator;
	r = context_look(c, &look, 1);
	if (r < 0) {
		snprintf(error, CONTEXT_ERROR_MAX, "%s", look.error);
		free(locator);
		return r;
	}
	r = set_object(ret, "meta", files->tar.image_sha256, locator, look.identity.size,
		       look.identity.validator, IMAGE_TYPE_EROFS);
	return r < 0 ? no_memory(item, error) : 0;
}

static int set_layer(struct context *c, const struct image_item *item,
		     const struct layer_files *files, struct images_layer *ret, char *error)
{
	char validator[80];
	int r = set_primary(c, item, files, &ret->primary, error);

	if (r < 0)
		return r;
	ret->devices = calloc(1, sizeof(*ret->devices));
	ret->origin_digest = strdup(item->digest);
	ret->diff_id = strdup(item->diff_id);
	if (!ret->devices || !ret->origin_digest || !ret->diff_id)
		return no_memory(item, error);
	ret->n_devices = 1;
	snprintf(validator, sizeof(validator), "tarmap:%s", files->tar.map_sha256);
	r = set_object(&ret->devices[0], "tar", files->tar.map_sha256,
		       device_locator(files, item->locator), files->tar.device_size, validator,
		       item->media_type);
	return r < 0 ? no_memory(item, error) : 0;
}

static int index_layer(struct context *c, const struct image_item *item, bool gzip,
		       struct layer_files *files, char *error)
{
	_cleanup_(layer_freep) struct layer *layer = NULL;
	_cleanup_free_ char *dir = index_dir(c);
	struct layer_params params = { .dir = dir, .digest = item->digest, .gzip = gzip };
	char why[LAYER_ERROR_MAX];
	int r = dir ? layer_new(&layer, &params, why) : no_memory(item, error);

	if (r < 0)
		return dir ? fail(item, r, error, why) : r;
	error[0] = '\0';
	r = stream(c, item, layer, error);
	if (r < 0)
		return r;
	r = layer_finish(layer, item->identity.validator, files);
	return r < 0 ? fail(item, r, error, layer_error(layer)) : 0;
}

/* By somebody else before us, or by us now. */
static int find_index(struct context *c, const struct image_item *item, bool gzip,
		      struct layer_files *files, char *error)
{
	_cleanup_free_ char *dir = index_dir(c);
	int r = dir ? image_tar_fetch(c, item, gzip, dir, files, error) : no_memory(item, error);

	if (r != 0)
		return r < 0 ? r : 0;
	return index_layer(c, item, gzip, files, error);
}

static int make(struct context *c, const struct image_item *item, bool gzip,
		struct images_layer *ret, char *error)
{
	struct known known = { .item = item, .ret = ret };
	struct images_layer layer = { 0 };
	struct layer_files *files;
	int r;

	r = lock_index(c, LOCK_SH);
	if (r < 0)
		return fail(item, r, error, "the directory for indexes cannot be made");
	r = c->images ? images_each(c->images, find_known, &known) : 0;
	if (known.r != 0)
		return known.r < 0 ? no_memory(item, error) : 0;
	files = malloc(sizeof(*files));
	if (!files)
		return no_memory(item, error);
	r = find_index(c, item, gzip, files, error);
	if (r == 0)
		r = set_layer(c, item, files, &layer, error);
	free(files);
	if (r < 0)
		image_layer_end(&layer);
	else
		*ret = layer;
	return r;
}

int image_tar_make(struct context *context, const struct image_item *item, struct images_layer *ret,
		   char *error)
{
	return make(context, item, false, ret, error);
}

int image_targz_make(struct context *context, const struct image_item *item,
		     struct images_layer *ret, char *error)
{
	return make(context, item, true, ret, error);
}

/* ---- what nobody uses any more ---------------------------------------------------------- */

/* Names of files in locators of the store, one behind the other. */
struct names {
	char *text; /* owned; SHA-256s in hexadecimal, sorted once all are there */
	size_t n;
};

enum { HEX = SHA256_HEX - 1 };

static int add_names(struct names *names, const char *locator)
{
	const char *at = locator;
	size_t run;

	for (; *at; at += run + (at[run] != '\0')) {
		run = strspn(at, "0123456789abcdef");
		if (run != HEX)
			continue;
		if ((names->n & (names->n - 1)) == 0) {
			char *text = realloc(names->text, (names->n ? names->n * 2 : 1) * HEX);

			if (!text)
				return -ENOMEM;
			names->text = text;
		}
		memcpy(names->text + names->n++ * HEX, at, HEX);
	}
	return 0;
}

static int names_of(void *arg, const struct images_image *image)
{
	int r = 0;

	for (size_t i = 0; i < image->n_layers && r == 0; i++) {
		const struct images_layer *l = &image->layers[i];

		r = add_names(arg, l->primary.locator);
		for (size_t k = 0; k < l->n_devices && r == 0; k++)
			r = add_names(arg, l->devices[k].locator);
	}
	return r;
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, HEX);
}

static bool is_used(void *arg, const char *name)
{
	const struct names *names = arg;

	return names->n > 0 && bsearch(name, names->text, names->n, HEX, compare) != NULL;
}

void image_tar_collect(struct context *c)
{
	_cleanup_free_ char *dir = index_dir(c);
	struct names names = { 0 };

	if (!dir || !c->images || access(dir, F_OK) < 0 || lock_index(c, LOCK_EX | LOCK_NB) < 0)
		return;
	if (images_each(c->images, names_of, &names) >= 0) {
		if (names.n > 0)
			qsort(names.text, names.n, HEX, compare);
		layer_collect(dir, is_used, &names);
	}
	free(names.text);
	flock(c->index_fd, LOCK_UN);
}
