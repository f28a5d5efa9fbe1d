/* SPDX-License-Identifier: MIT */
/* Whole images out of the store. */
#include <errno.h>
#include <stdlib.h>

#include "daemon/images/images-internal.h"
#include "daemon/util/cleanup.h"

static void image_freep(struct images_image **image)
{
	images_image_free(*image);
}

/* ?1: the image's id. Made once for all images that are read: to make one takes longer than what
 * it finds. */
struct parts {
	sqlite3_stmt *refs, *layers, *devices;
};

static void parts_end(struct parts *parts)
{
	sqlite3_finalize(parts->refs);
	sqlite3_finalize(parts->layers);
	sqlite3_finalize(parts->devices);
}

#define _cleanup_parts_ _cleanup_(parts_end)

/* 0 or -EIO (logged); parts_end() in either case. */
static int parts_begin(struct images *images, struct parts *ret)
{
	ret->refs = images_query(images, "SELECT ref FROM ref WHERE image = ?1 ORDER BY position");
	ret->layers =
		images_query(images, "SELECT " IMAGES_OBJECT_COLUMNS ", origin_digest, diff_id"
				     " FROM layer JOIN place ON place.image = layer.image"
				     "  AND place.layer = layer.position AND place.position = 0"
				     " JOIN object ON object.id = place.object"
				     " WHERE layer.image = ?1 ORDER BY layer.position");
	ret->devices =
		images_query(images, "SELECT " IMAGES_OBJECT_COLUMNS ", layer"
				     " FROM place JOIN object ON object.id = place.object"
				     " WHERE image = ?1 AND position > 0 ORDER BY layer, position");
	return ret->refs && ret->layers && ret->devices ? 0 : -EIO;
}

/* One more element at the end of an array, zeroed; NULL: out of memory. */
static void *append(void *array, size_t *n, size_t size)
{
	void **base = array;
	void *bigger = reallocarray(*base, *n + 1, size);
	char *element;

	if (!bigger)
		return NULL;
	*base = bigger;
	element = (char *)bigger + *n * size;
	memset(element, 0, size);
	(*n)++;
	return element;
}

static int read_refs(struct images *images, sqlite3_stmt *stmt, struct images_image *image)
{
	int r;

	while ((r = images_step(images, stmt)) > 0) {
		char **ref = append(&image->refs, &image->n_refs, sizeof(*ref));

		if (!ref)
			return -ENOMEM;
		*ref = images_text(stmt, 0);
		if (!*ref)
			return -ENOMEM;
	}
	return r;
}

static int read_layers(struct images *images, sqlite3_stmt *stmt, struct images_image *image)
{
	int r;

	while ((r = images_step(images, stmt)) > 0) {
		struct images_layer *layer =
			append(&image->layers, &image->n_layers, sizeof(*layer));

		if (!layer || images_object_read(stmt, 0, &layer->primary) < 0)
			return -ENOMEM;
		layer->origin_digest = images_text(stmt, 6);
		layer->diff_id = images_text(stmt, 7);
		if (!layer->origin_digest || !layer->diff_id)
			return -ENOMEM;
	}
	return r;
}

static int read_device(sqlite3_stmt *stmt, struct images_layer *layer)
{
	struct images_object object, *device;
	int err = images_object_read(stmt, 0, &object);

	if (err < 0)
		return err;
	device = append(&layer->devices, &layer->n_devices, sizeof(*device));
	if (!device) {
		images_object_end(&object);
		return -ENOMEM;
	}
	*device = object;
	return 0;
}

/* Layers are numbered from 0 without gaps; a device of a layer that is not there is nobody's. */
static int read_devices(struct images *images, sqlite3_stmt *stmt, struct images_image *image)
{
	int r;

	while ((r = images_step(images, stmt)) > 0) {
		int64_t layer = sqlite3_column_int64(stmt, 6);
		int err = 0;

		if (layer >= 0 && (uint64_t)layer < image->n_layers)
			err = read_device(stmt, &image->layers[layer]);
		if (err < 0)
			return err;
	}
	return r;
}

static int read_parts(struct images *images, const struct parts *parts, int64_t id,
		      struct images_image *image)
{
	sqlite3_stmt *const statements[] = { parts->refs, parts->layers, parts->devices };
	int err;

	for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
		sqlite3_reset(statements[i]);
		sqlite3_bind_int64(statements[i], 1, id);
	}
	err = read_refs(images, parts->refs, image);
	if (err == 0)
		err = read_layers(images, parts->layers, image);
	if (err == 0)
		err = read_devices(images, parts->devices, image);
	return err;
}

/* The same without the pins: their table may be missing. */
static sqlite3_stmt *query_pinned(struct images *images, const char *sql, const char *without)
{
	sqlite3_stmt *stmt;

	if (images_query_if(images, sql, &stmt) < 0)
		return NULL;
	return stmt ?: images_query(images, without);
}

static int read_image(struct images *images, sqlite3_stmt *stmt, const struct parts *parts,
		      struct images_image **ret)
{
	_cleanup_(image_freep) struct images_image *image = calloc(1, sizeof(*image));
	int64_t id = sqlite3_column_int64(stmt, 0);
	int err;

	if (!image)
		return -ENOMEM;
	image->name = images_text(stmt, 1);
	image->manifest = images_text(stmt, 2);
	image->config = images_text(stmt, 3);
	image->manifest_digest = images_text(stmt, 4);
	image->transient = sqlite3_column_int(stmt, 5) != 0;
	image->added = sqlite3_column_int64(stmt, 6);
	image->pinned = sqlite3_column_int(stmt, 7) != 0;
	if (!image->name || !image->manifest || !image->config || !image->manifest_digest)
		return -ENOMEM;
	err = read_parts(images, parts, id, image);
	if (err == 0)
		*ret = steal(&image);
	return err;
}

#define PINNED "EXISTS(SELECT 1 FROM pinned_image WHERE pinned_image.name = image.name)"

#define SELECT_IMAGES(pinned)                                                           \
	"SELECT id, name, manifest, config, manifest_digest, transient, added, " pinned \
	" FROM image"

static sqlite3_stmt *query_one(struct images *images)
{
	return query_pinned(images, SELECT_IMAGES(PINNED) " WHERE name = ?1",
			    SELECT_IMAGES("FALSE") " WHERE name = ?1");
}

static sqlite3_stmt *query_all(struct images *images)
{
	return query_pinned(images, SELECT_IMAGES(PINNED) " ORDER BY name",
			    SELECT_IMAGES("FALSE") " ORDER BY name");
}

static int get(struct images *images, const char *name, struct images_image **ret)
{
	_cleanup_query_ sqlite3_stmt *stmt = query_one(images);
	_cleanup_parts_ struct parts parts;
	int r = parts_begin(images, &parts);

	if (r < 0 || !stmt)
		return -EIO;
	sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
	r = images_step(images, stmt);
	if (r == 0)
		return -ENOENT;
	return r < 0 ? r : read_image(images, stmt, &parts, ret);
}

/* Nothing was written: there is nothing to keep, whether the reading went well or not. */
int images_get(struct images *images, const char *name, struct images_image **ret)
{
	int err = images_run(images, "BEGIN");

	if (err < 0)
		return err;
	err = get(images, name, ret);
	(void)images_run(images, "ROLLBACK");
	return err;
}

struct list {
	struct images_image **images; /* owned */
	size_t n;
};

static void list_end(struct list *list)
{
	for (size_t i = 0; i < list->n; i++)
		images_image_free(list->images[i]);
	free(list->images);
}

static int read_all(struct images *images, struct list *list)
{
	_cleanup_query_ sqlite3_stmt *stmt = query_all(images);
	_cleanup_parts_ struct parts parts;
	int r = parts_begin(images, &parts);

	if (r < 0 || !stmt)
		return -EIO;
	while ((r = images_step(images, stmt)) > 0) {
		struct images_image **image = append(&list->images, &list->n, sizeof(*image));
		int err = image ? read_image(images, stmt, &parts, image) : -ENOMEM;

		if (err < 0)
			return err;
	}
	return r;
}

int images_each(struct images *images, int (*visit)(void *arg, const struct images_image *image),
		void *arg)
{
	_cleanup_(list_end) struct list list = { 0 };
	int r = images_run(images, "BEGIN");

	if (r < 0)
		return r;
	r = read_all(images, &list);
	(void)images_run(images, "ROLLBACK");
	for (size_t i = 0; r == 0 && i < list.n; i++)
		r = visit(arg, list.images[i]);
	return r;
}

/* ---- in short ----------------------------------------------------------------------------- */

#define SELECT_SUMMARIES(pinned)                                                    \
	"SELECT id, name, manifest_digest, transient, added,"                       \
	" (SELECT count(*) FROM layer WHERE layer.image = image.id),"               \
	" (SELECT count(DISTINCT object) FROM place WHERE place.image = image.id)," \
	" (SELECT coalesce(sum(size), 0) FROM object WHERE object.id IN"            \
	"  (SELECT place.object FROM place WHERE place.image = image.id))"          \
	", " pinned " FROM image WHERE id > ?1 ORDER BY id LIMIT ?2"

static void read_summary(sqlite3_stmt *stmt, struct images_summary *ret)
{
	*ret = (struct images_summary){
		.id = sqlite3_column_int64(stmt, 0),
		.name = (const char *)sqlite3_column_text(stmt, 1) ?: "",
		.manifest_digest = (const char *)sqlite3_column_text(stmt, 2) ?: "",
		.transient = sqlite3_column_int(stmt, 3) != 0,
		.added = sqlite3_column_int64(stmt, 4),
		.n_layers = (uint64_t)sqlite3_column_int64(stmt, 5),
		.n_objects = (uint64_t)sqlite3_column_int64(stmt, 6),
		.size = (uint64_t)sqlite3_column_int64(stmt, 7),
		.pinned = sqlite3_column_int(stmt, 8) != 0,
	};
}

int images_list(struct images *images, int64_t after, size_t limit, images_visit_summary *visit,
		void *to)
{
	_cleanup_query_ sqlite3_stmt *stmt =
		query_pinned(images, SELECT_SUMMARIES(PINNED), SELECT_SUMMARIES("FALSE"));
	struct images_summary summary;
	int r;

	if (!stmt)
		return -EIO;
	sqlite3_bind_int64(stmt, 1, after);
	sqlite3_bind_int64(stmt, 2, (int64_t)limit);
	while ((r = images_step(images, stmt)) > 0) {
		read_summary(stmt, &summary);
		visit(to, &summary);
	}
	return r;
}
