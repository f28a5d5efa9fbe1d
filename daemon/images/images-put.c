/* SPDX-License-Identifier: MIT */
/* Images into the store, and out of it for good. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/images/images-internal.h"
#include "daemon/util/checked.h"
#include "daemon/util/cleanup.h"

/* ---- bounds ------------------------------------------------------------------------------ */

static int bad(char *error, const char *what, const struct images_object *object)
{
	snprintf(error, IMAGES_ERROR_MAX, "%s of the object %.*s", what, IMAGES_COOKIE_MAX,
		 object->cookie);
	return -EINVAL;
}

static int check_object(const struct images_object *o, char *error)
{
	if (*o->cookie == '\0' || strlen(o->cookie) >= IMAGES_COOKIE_MAX)
		return bad(error, "no cookie, or a too long one,", o);
	if (*o->locator == '\0' || strlen(o->locator) >= IMAGES_LOCATOR_MAX)
		return bad(error, "no locator, or a too long one,", o);
	if (strlen(o->validator) >= IMAGES_VALIDATOR_MAX)
		return bad(error, "a too long validator", o);
	if (o->size > OBJECT_SIZE_MAX)
		return bad(error, "a size that no cache can hold", o);
	return 0;
}

static int check_layer(const struct images_layer *layer, char *error)
{
	int err = check_object(&layer->primary, error);

	for (size_t i = 0; err == 0 && i < layer->n_devices; i++)
		err = check_object(&layer->devices[i], error);
	return err;
}

static int check_image(const struct images_image *image, char *error)
{
	int err = 0;

	if (*image->name == '\0' || image->n_layers == 0) {
		snprintf(error, IMAGES_ERROR_MAX, "an image needs a name and a layer");
		return -EINVAL;
	}
	for (size_t i = 0; err == 0 && i < image->n_layers; i++)
		err = check_layer(&image->layers[i], error);
	return err;
}

/* ---- rows -------------------------------------------------------------------------------- */

static int run(struct images *images, sqlite3_stmt *stmt)
{
	int r = images_step(images, stmt);

	return r < 0 ? r : 0;
}

static void bind_text(sqlite3_stmt *stmt, int n, const char *text)
{
	sqlite3_bind_text(stmt, n, text, -1, SQLITE_STATIC);
}

/* A cookie names one content: two sizes are a mistake of whoever made the cookie. */
static int check_size(struct images *images, const struct images_object *object, char *error)
{
	_cleanup_query_ sqlite3_stmt *stmt =
		images_query(images, "SELECT size FROM object WHERE cookie = ?1");
	int64_t size;
	int r;

	if (!stmt)
		return -EIO;
	bind_text(stmt, 1, object->cookie);
	r = images_step(images, stmt);
	if (r <= 0)
		return r;
	size = sqlite3_column_int64(stmt, 0);
	if (size == (int64_t)object->size)
		return 0;
	snprintf(error, IMAGES_ERROR_MAX,
		 "the object %s is known with %" PRId64 " bytes, and cannot have %" PRIu64 " too",
		 object->cookie, size, object->size);
	return -EEXIST;
}

static int put_object(struct images *images, const struct images_object *object, char *error)
{
	_cleanup_query_ sqlite3_stmt *stmt = images_query(
		images, "INSERT INTO object(cookie, media_type, size, whole) VALUES(?1, ?2, ?3, ?4)"
			" ON CONFLICT(cookie) DO UPDATE SET media_type = ?2, whole = ?4");
	int err = stmt ? check_size(images, object, error) : -EIO;

	if (err < 0)
		return err;
	bind_text(stmt, 1, object->cookie);
	bind_text(stmt, 2, object->media_type);
	sqlite3_bind_int64(stmt, 3, (int64_t)object->size);
	sqlite3_bind_int(stmt, 4, object->whole);
	return run(images, stmt);
}

/* position 0: the layer's primary object. */
static int put_place(struct images *images, int64_t image, size_t layer, size_t position,
		     const struct images_object *object, char *error)
{
	_cleanup_query_ sqlite3_stmt *stmt = images_query(
		images, "INSERT INTO place(image, layer, position, object, locator, validator)"
			" SELECT ?1, ?2, ?3, id, ?5, ?6 FROM object WHERE cookie = ?4");
	int err = stmt ? put_object(images, object, error) : -EIO;

	if (err < 0)
		return err;
	sqlite3_bind_int64(stmt, 1, image);
	sqlite3_bind_int64(stmt, 2, (int64_t)layer);
	sqlite3_bind_int64(stmt, 3, (int64_t)position);
	bind_text(stmt, 4, object->cookie);
	bind_text(stmt, 5, object->locator);
	bind_text(stmt, 6, object->validator);
	return run(images, stmt);
}

static int put_layer(struct images *images, int64_t image, size_t position,
		     const struct images_layer *layer, char *error)
{
	_cleanup_query_ sqlite3_stmt *stmt =
		images_query(images, "INSERT INTO layer(image, position, origin_digest, diff_id)"
				     " VALUES(?1, ?2, ?3, ?4)");
	int err;

	if (!stmt)
		return -EIO;
	sqlite3_bind_int64(stmt, 1, image);
	sqlite3_bind_int64(stmt, 2, (int64_t)position);
	bind_text(stmt, 3, layer->origin_digest);
	bind_text(stmt, 4, layer->diff_id);
	err = run(images, stmt);
	if (err == 0)
		err = put_place(images, image, position, 0, &layer->primary, error);
	for (size_t i = 0; err == 0 && i < layer->n_devices; i++)
		err = put_place(images, image, position, i + 1, &layer->devices[i], error);
	return err;
}

static int put_ref(struct images *images, int64_t image, size_t position, const char *ref)
{
	_cleanup_query_ sqlite3_stmt *stmt =
		images_query(images, "INSERT INTO ref(image, position, ref) VALUES(?1, ?2, ?3)");

	if (!stmt)
		return -EIO;
	sqlite3_bind_int64(stmt, 1, image);
	sqlite3_bind_int64(stmt, 2, (int64_t)position);
	bind_text(stmt, 3, ref);
	return run(images, stmt);
}

static int put_row(struct images *images, const struct images_image *image)
{
	_cleanup_query_ sqlite3_stmt *stmt = images_query(
		images,
		"INSERT INTO image(name, manifest, config, manifest_digest, transient, added)"
		" VALUES(?1, ?2, ?3, ?4, ?5, ?6)");

	if (!stmt)
		return -EIO;
	bind_text(stmt, 1, image->name);
	bind_text(stmt, 2, image->manifest);
	bind_text(stmt, 3, image->config);
	bind_text(stmt, 4, image->manifest_digest);
	sqlite3_bind_int(stmt, 5, image->transient);
	sqlite3_bind_int64(stmt, 6, image->added);
	return run(images, stmt);
}

/* ---- transactions ------------------------------------------------------------------------ */

/* What an image had before it was dropped: only that can be of none now. */
static int note_objects(struct images *images, const char *name)
{
	_cleanup_query_ sqlite3_stmt *stmt = NULL;
	int err = images_run(images, "CREATE TEMP TABLE IF NOT EXISTS"
				     " former(object INTEGER PRIMARY KEY);"
				     "DELETE FROM former");

	if (err < 0)
		return err;
	stmt = images_query(images, "INSERT OR IGNORE INTO former SELECT object FROM place"
				    " JOIN image ON image.id = place.image WHERE name = ?1");
	if (!stmt)
		return -EIO;
	bind_text(stmt, 1, name);
	return run(images, stmt);
}

/* Its layers, places and references go by cascade. 0, or -ENOENT: there was none. */
static int drop_image(struct images *images, const char *name)
{
	_cleanup_query_ sqlite3_stmt *stmt =
		images_query(images, "DELETE FROM image WHERE name = ?1");
	int err = stmt ? note_objects(images, name) : -EIO;

	if (err < 0)
		return err;
	bind_text(stmt, 1, name);
	err = run(images, stmt);
	if (err < 0)
		return err;
	return sqlite3_changes(images->db) > 0 ? 0 : -ENOENT;
}

/* Not all objects are looked at: to add one image must not take longer with each that is there. */
static int drop_unused_objects(struct images *images)
{
	return images_run(images,
			  "DELETE FROM object WHERE id IN (SELECT object FROM former)"
			  " AND NOT EXISTS (SELECT 1 FROM place WHERE place.object = object.id)");
}

static int put(struct images *images, const struct images_image *image, char *error)
{
	int err = put_row(images, image);
	int64_t id;

	if (err < 0)
		return err;
	id = sqlite3_last_insert_rowid(images->db);
	for (size_t i = 0; err == 0 && i < image->n_refs; i++)
		err = put_ref(images, id, i, image->refs[i]);
	for (size_t i = 0; err == 0 && i < image->n_layers; i++)
		err = put_layer(images, id, i, &image->layers[i], error);
	if (err == 0)
		err = images_put_plan(images, image->name, image->plan);
	return err;
}

static int put_new(struct images *images, const struct images_image *image, char *error)
{
	int err = images_has(images, image->name);

	if (err == -ENOENT)
		return put(images, image, error);
	if (err < 0)
		return err;
	snprintf(error, IMAGES_ERROR_MAX, "there is an image of that name");
	return -EALREADY;
}

static int replace(struct images *images, const struct images_image *image, char *error)
{
	int err = drop_image(images, image->name);

	if (err == 0 || err == -ENOENT)
		err = put(images, image, error);
	return err < 0 ? err : drop_unused_objects(images);
}

int images_finish(struct images *images, int err)
{
	if (err == 0)
		err = images_run(images, "COMMIT");
	if (err < 0 && !sqlite3_get_autocommit(images->db))
		(void)images_run(images, "ROLLBACK");
	return err;
}

typedef int put_step(struct images *images, const struct images_image *image, char *error);

static int put_checked(struct images *images, const struct images_image *image, put_step *step,
		       char *error)
{
	int err = check_image(image, error);

	if (err < 0)
		return err;
	snprintf(error, IMAGES_ERROR_MAX, "the database of images failed");
	err = images_run(images, "BEGIN IMMEDIATE");
	return err < 0 ? err : images_finish(images, step(images, image, error));
}

int images_put(struct images *images, const struct images_image *image, char *error)
{
	return put_checked(images, image, replace, error);
}

int images_put_new(struct images *images, const struct images_image *image, char *error)
{
	return put_checked(images, image, put_new, error);
}

static int remove_image(struct images *images, const char *name)
{
	int err = drop_image(images, name);

	if (err == 0)
		err = drop_unused_objects(images);
	if (err < 0)
		return err;
	err = images_drop_plan(images, name);
	if (err == 0)
		err = images_unpin(images, name);
	return err == -ENOENT ? 0 : err;
}

int images_remove(struct images *images, const char *name)
{
	int err = images_run(images, "BEGIN IMMEDIATE");

	return err < 0 ? err : images_finish(images, remove_image(images, name));
}
