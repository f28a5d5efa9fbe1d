/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/images/images-internal.h"
#include "daemon/util/cleanup.h"
#include "daemon/util/log.h"

/* The checks repeat what images_put() refuses, so that quick_check finds what others wrote. */
static const char schema[] =
	"CREATE TABLE object("
	" id INTEGER PRIMARY KEY,"
	" cookie TEXT NOT NULL UNIQUE"
	"  CHECK(length(CAST(cookie AS BLOB)) BETWEEN 1 AND 127),"
	" media_type TEXT NOT NULL,"
	" size INTEGER NOT NULL CHECK(size >= 0),"
	" whole INTEGER NOT NULL) STRICT;"
	"CREATE TABLE image("
	" id INTEGER PRIMARY KEY,"
	" name TEXT NOT NULL UNIQUE CHECK(name != ''),"
	" manifest TEXT NOT NULL,"
	" config TEXT NOT NULL,"
	" manifest_digest TEXT NOT NULL,"
	" transient INTEGER NOT NULL,"
	" added INTEGER NOT NULL) STRICT;"
	"CREATE TABLE ref("
	" image INTEGER NOT NULL REFERENCES image ON DELETE CASCADE,"
	" position INTEGER NOT NULL,"
	" ref TEXT NOT NULL,"
	" PRIMARY KEY(image, position)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE layer("
	" image INTEGER NOT NULL REFERENCES image ON DELETE CASCADE,"
	" position INTEGER NOT NULL,"
	" origin_digest TEXT NOT NULL,"
	" diff_id TEXT NOT NULL,"
	" PRIMARY KEY(image, position)) STRICT, WITHOUT ROWID;"
	/* Where an image has an object from. position 0: the primary one, from 1: devices. */
	"CREATE TABLE place("
	" image INTEGER NOT NULL,"
	" layer INTEGER NOT NULL,"
	" position INTEGER NOT NULL,"
	" object INTEGER NOT NULL REFERENCES object,"
	" locator TEXT NOT NULL"
	"  CHECK(length(CAST(locator AS BLOB)) BETWEEN 1 AND 4095),"
	" validator TEXT NOT NULL CHECK(length(CAST(validator AS BLOB)) < 256),"
	" PRIMARY KEY(image, layer, position),"
	" FOREIGN KEY(image, layer) REFERENCES layer ON DELETE CASCADE) STRICT, WITHOUT ROWID;"
	"CREATE INDEX place_object ON place(object);";

/* What a person added is on the disk when the tool says so. */
static const char settings[] = "PRAGMA cache_size = -256;"
			       "PRAGMA journal_mode = WAL;"
			       "PRAGMA synchronous = FULL;"
			       "PRAGMA foreign_keys = ON;";

/* A reader never changes anything, but takes part in the log: that needs a writable file. */
static const char settings_of_readers[] = "PRAGMA cache_size = -128;"
					  "PRAGMA query_only = ON;";

static const struct database_kind kinds[] = {
	[IMAGES_READ] = {
		.name = "images",
		.settings = settings_of_readers,
		.version = 1,
		.patience_ms = 200, /* the daemon serves nobody meanwhile */
	},
	[IMAGES_WRITE] = {
		.name = "images",
		.schema = schema,
		.settings = settings,
		.version = 1,
		.patience_ms = 30000,
	},
};

/* ---- open -------------------------------------------------------------------------------- */

static int open_database(struct images *images, const char *path, enum images_access access)
{
	int r = database_open(&images->db, &kinds[access], path, SQLITE_OPEN_READWRITE);

	if (r == SQLITE_OK)
		r = database_prepare(images->db, &images->find,
				     "SELECT " IMAGES_OBJECT_COLUMNS " FROM object"
				     " JOIN place ON place.object = object.id"
				     " WHERE cookie = ?1 ORDER BY place.image DESC LIMIT 1");
	if (r != SQLITE_OK) {
		sqlite3_finalize(images->find);
		sqlite3_close(images->db);
		*images = (struct images){ 0 };
	}
	return r < 0 ? r : r & 0xff;
}

/* What a later version wrote is left to that one: people's images are not dropped for it. */
static int open_for_writing(struct images *images, const char *dir, const char *path)
{
	for (int attempt = 0;; attempt++) {
		int r = database_make_file(dir, path);

		if (r == SQLITE_OK)
			r = open_database(images, path, IMAGES_WRITE);
		if (!database_is_spoiled(r) || attempt > 0 ||
		    !database_set_aside(&kinds[IMAGES_WRITE], path, r))
			return r;
	}
}

static int open_failed(int r, const char *dir, char *error)
{
	/* The first writer is between making the file and filling it. */
	if (r == DATABASE_EMPTY) {
		snprintf(error, IMAGES_ERROR_MAX, "%.128s/images.db is empty", dir);
		return -ENOENT;
	}
	if (r == SQLITE_NOMEM) {
		snprintf(error, IMAGES_ERROR_MAX, "out of memory");
		return -ENOMEM;
	}
	snprintf(error, IMAGES_ERROR_MAX, "%.128s/images.db cannot be used: %s", dir,
		 database_reason(r));
	return r == DATABASE_NEWER || database_is_spoiled(r) ? -EUCLEAN : -EIO;
}

static int open_at(struct images *images, const char *dir, enum images_access access, char *error)
{
	char path[PATH_MAX];
	int r;

	if (snprintf(path, sizeof(path), "%s/images.db", dir) >= (int)sizeof(path)) {
		snprintf(error, IMAGES_ERROR_MAX, "the path of the state directory is too long");
		return -ENAMETOOLONG;
	}
	errno = 0;
	if (access == IMAGES_WRITE)
		r = open_for_writing(images, dir, path);
	else
		r = faccessat(AT_FDCWD, path, F_OK, AT_EACCESS) == 0
			    ? open_database(images, path, access)
			    : SQLITE_CANTOPEN;
	if (r == SQLITE_OK)
		return 0;
	if (r == SQLITE_CANTOPEN && errno != 0) {
		r = -errno;
		snprintf(error, IMAGES_ERROR_MAX, "%.128s/images.db cannot be used: %m", dir);
		return r;
	}
	return open_failed(r, dir, error);
}

static void images_freep(struct images **images)
{
	images_close(*images);
}

int images_open(struct images **ret, const char *dir, enum images_access access, char *error)
{
	_cleanup_(images_freep) struct images *images = calloc(1, sizeof(*images));
	int err;

	if (!images) {
		snprintf(error, IMAGES_ERROR_MAX, "out of memory");
		return -ENOMEM;
	}
	err = open_at(images, dir, access, error);
	if (err < 0)
		return err;
	*ret = steal(&images);
	return 0;
}

struct images *images_close(struct images *images)
{
	if (images) {
		sqlite3_finalize(images->find);
		sqlite3_close(images->db);
	}
	free(images);
	return NULL;
}

/* ---- statements -------------------------------------------------------------------------- */

int images_failed(struct images *images)
{
	log_error("images: %s", sqlite3_errmsg(images->db));
	return -EIO;
}

sqlite3_stmt *images_query(struct images *images, const char *sql)
{
	sqlite3_stmt *stmt = NULL;

	if (sqlite3_prepare_v2(images->db, sql, -1, &stmt, NULL) != SQLITE_OK)
		images_failed(images);
	return stmt;
}

int images_query_if(struct images *images, const char *sql, sqlite3_stmt **ret)
{
	int r = sqlite3_prepare_v2(images->db, sql, -1, ret, NULL);

	if (r == SQLITE_ERROR) {
		*ret = NULL;
		return 0;
	}
	return r == SQLITE_OK ? 0 : images_failed(images);
}

int images_has(struct images *images, const char *name)
{
	_cleanup_query_ sqlite3_stmt *stmt =
		images_query(images, "SELECT 1 FROM image WHERE name = ?1");
	int r;

	if (!stmt)
		return -EIO;
	sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
	r = images_step(images, stmt);
	return r == 0 ? -ENOENT : r < 0 ? r : 0;
}

int images_step(struct images *images, sqlite3_stmt *stmt)
{
	int r = sqlite3_step(stmt);

	if (r == SQLITE_ROW)
		return 1;
	return r == SQLITE_DONE ? 0 : images_failed(images);
}

int images_run(struct images *images, const char *sql)
{
	return sqlite3_exec(images->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0
									    : images_failed(images);
}

/* A NUL inside would cut it off; images_put() writes none. */
char *images_text(sqlite3_stmt *stmt, int column)
{
	const unsigned char *text = sqlite3_column_text(stmt, column);

	return text ? strdup((const char *)text) : NULL;
}

int images_object_read(sqlite3_stmt *stmt, int column, struct images_object *ret)
{
	struct images_object object = {
		.cookie = images_text(stmt, column),
		.locator = images_text(stmt, column + 1),
		.validator = images_text(stmt, column + 2),
		.media_type = images_text(stmt, column + 3),
		.size = (uint64_t)sqlite3_column_int64(stmt, column + 4),
		.whole = sqlite3_column_int(stmt, column + 5) != 0,
	};

	if (!object.cookie || !object.locator || !object.validator || !object.media_type) {
		images_object_end(&object);
		return -ENOMEM;
	}
	*ret = object;
	return 0;
}

/* ---- for the daemon ---------------------------------------------------------------------- */

int images_find(struct images *images, struct bytes cookie, struct images_object *ret)
{
	int r;

	/* Keys are any bytes; a name of ours is text. */
	if (cookie.len == 0 || cookie.len >= IMAGES_COOKIE_MAX ||
	    memchr(cookie.data, 0, cookie.len))
		return -ENOENT;
	sqlite3_bind_text64(images->find, 1, (const char *)cookie.data, cookie.len, SQLITE_STATIC,
			    SQLITE_UTF8);
	r = images_step(images, images->find);
	if (r > 0)
		r = images_object_read(images->find, 0, ret);
	else if (r == 0)
		r = -ENOENT;
	database_release(images->find);
	return r;
}

char *images_name_of(struct images *images, struct bytes cookie)
{
	sqlite3_stmt *stmt =
		images_query(images, "SELECT image.name FROM object"
				     " JOIN place ON place.object = object.id"
				     " JOIN image ON image.id = place.image"
				     " WHERE cookie = ?1 ORDER BY image.id DESC LIMIT 1");
	char *name = NULL;

	if (!stmt)
		return NULL;
	sqlite3_bind_text64(stmt, 1, (const char *)cookie.data, cookie.len, SQLITE_STATIC,
			    SQLITE_UTF8);
	if (images_step(images, stmt) > 0)
		name = images_text(stmt, 0);
	sqlite3_finalize(stmt);
	return name;
}

/* ---- ends -------------------------------------------------------------------------------- */

void images_object_end(struct images_object *object)
{
	free(object->cookie);
	free(object->locator);
	free(object->validator);
	free(object->media_type);
}

static void layer_end(struct images_layer *layer)
{
	images_object_end(&layer->primary);
	for (size_t i = 0; i < layer->n_devices; i++)
		images_object_end(&layer->devices[i]);
	free(layer->devices);
	free(layer->origin_digest);
	free(layer->diff_id);
}

struct images_image *images_image_free(struct images_image *image)
{
	if (!image)
		return NULL;
	for (size_t i = 0; i < image->n_refs; i++)
		free(image->refs[i]);
	for (size_t i = 0; i < image->n_layers; i++)
		layer_end(&image->layers[i]);
	free(image->refs);
	free(image->layers);
	free(image->name);
	free(image->manifest);
	free(image->config);
	free(image->manifest_digest);
	free(image->plan);
	free(image);
	return NULL;
}
