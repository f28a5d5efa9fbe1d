/* SPDX-License-Identifier: MIT */
/*
 * Pins: what is never culled. Of images by their name, which outlive that an image is added anew,
 * and of single objects by their keys. Their tables are made by whoever has the first one, as that
 * of hints: a store without them is as good.
 */
#include <errno.h>

#include "daemon/images/images-internal.h"
#include "daemon/util/cleanup.h"

static const char tables[] =
	"CREATE TABLE IF NOT EXISTS pinned_image("
	" name TEXT NOT NULL PRIMARY KEY CHECK(name != '')) STRICT, WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS pinned_object("
	" volume BLOB NOT NULL, cookie BLOB NOT NULL,"
	" PRIMARY KEY(volume, cookie)) STRICT, WITHOUT ROWID;";

static void bind_bytes(sqlite3_stmt *stmt, int at, struct bytes bytes)
{
	sqlite3_bind_blob64(stmt, at, bytes.len ? bytes.data : (const void *)"", bytes.len,
			    SQLITE_STATIC);
}

/* 0; -ENOENT: nothing was changed. */
static int change(struct images *images, sqlite3_stmt *stmt)
{
	int r = images_step(images, stmt);

	if (r < 0)
		return r;
	return sqlite3_changes(images->db) > 0 ? 0 : -ENOENT;
}

int images_pin(struct images *images, const char *name)
{
	_cleanup_query_ sqlite3_stmt *stmt = NULL;
	int r = images_has(images, name);

	if (r == 0)
		r = images_run(images, tables);
	if (r < 0)
		return r;
	stmt = images_query(images, "INSERT OR IGNORE INTO pinned_image VALUES(?1)");
	if (!stmt)
		return -EIO;
	sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
	r = change(images, stmt);
	return r == -ENOENT ? 0 : r; /* it was pinned already */
}

int images_unpin(struct images *images, const char *name)
{
	_cleanup_query_ sqlite3_stmt *stmt = NULL;
	int r = images_query_if(images, "DELETE FROM pinned_image WHERE name = ?1", &stmt);

	if (r < 0 || !stmt)
		return r < 0 ? r : -ENOENT;
	sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
	return change(images, stmt);
}

int images_pin_object(struct images *images, struct bytes volume, struct bytes cookie)
{
	_cleanup_query_ sqlite3_stmt *stmt = NULL;
	int r;

	if (cookie.len == 0)
		return -EINVAL;
	r = images_run(images, tables);
	if (r < 0)
		return r;
	stmt = images_query(images, "INSERT OR IGNORE INTO pinned_object VALUES(?1, ?2)");
	if (!stmt)
		return -EIO;
	bind_bytes(stmt, 1, volume);
	bind_bytes(stmt, 2, cookie);
	r = change(images, stmt);
	return r == -ENOENT ? 0 : r;
}

int images_unpin_object(struct images *images, struct bytes volume, struct bytes cookie)
{
	_cleanup_query_ sqlite3_stmt *stmt = NULL;
	int r = images_query_if(
		images, "DELETE FROM pinned_object WHERE volume = ?1 AND cookie = ?2", &stmt);

	if (r < 0 || !stmt)
		return r < 0 ? r : -ENOENT;
	bind_bytes(stmt, 1, volume);
	bind_bytes(stmt, 2, cookie);
	return change(images, stmt);
}

/* ---- all of them -------------------------------------------------------------------------- */

static struct bytes column_bytes(sqlite3_stmt *stmt, int column)
{
	return bytes_of(sqlite3_column_blob(stmt, column),
			(size_t)sqlite3_column_bytes(stmt, column));
}

/* The cookies that a query finds, of which a table may be missing. */
static int visit_cookies(struct images *images, const char *sql, bool pinned,
			 void (*visit)(void *arg, struct bytes cookie, bool pinned), void *arg)
{
	_cleanup_query_ sqlite3_stmt *stmt = NULL;
	int r = images_query_if(images, sql, &stmt);

	if (r < 0 || !stmt)
		return r;
	while ((r = images_step(images, stmt)) > 0)
		visit(arg, column_bytes(stmt, 0), pinned);
	return r;
}

int images_each_object(struct images *images,
		       void (*visit)(void *arg, struct bytes cookie, bool pinned), void *arg)
{
	int err = visit_cookies(images, "SELECT cookie FROM object", false, visit, arg);

	if (err == 0)
		err = visit_cookies(images,
				    "SELECT DISTINCT object.cookie FROM pinned_image"
				    " JOIN image ON image.name = pinned_image.name"
				    " JOIN place ON place.image = image.id"
				    " JOIN object ON object.id = place.object",
				    true, visit, arg);
	return err;
}

int images_each_pinned_object(struct images *images,
			      void (*visit)(void *arg, struct bytes volume, struct bytes cookie),
			      void *arg)
{
	_cleanup_query_ sqlite3_stmt *stmt = NULL;
	int r = images_query_if(images, "SELECT volume, cookie FROM pinned_object", &stmt);

	if (r < 0 || !stmt)
		return r;
	while ((r = images_step(images, stmt)) > 0)
		visit(arg, column_bytes(stmt, 0), column_bytes(stmt, 1));
	return r;
}
