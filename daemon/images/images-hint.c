/* SPDX-License-Identifier: MIT */
/*
 * Hints. Their table is made by whoever has the first one: a store that was made before there were
 * hints is as good without.
 */
#include <errno.h>

#include "daemon/images/images-internal.h"
#include "daemon/util/cleanup.h"

static const char table[] = "CREATE TABLE IF NOT EXISTS hint("
			    " name TEXT NOT NULL PRIMARY KEY"
			    "  CHECK(length(CAST(name AS BLOB)) BETWEEN 1 AND 511),"
			    " text TEXT NOT NULL"
			    "  CHECK(length(CAST(text AS BLOB)) BETWEEN 1 AND 2047),"
			    " age INTEGER NOT NULL) STRICT, WITHOUT ROWID";

/* *ret NULL: there is no such table. */
static int select_hint(struct images *images, const char *name, sqlite3_stmt **ret)
{
	int r = sqlite3_prepare_v2(images->db, "SELECT text FROM hint WHERE name = ?1", -1, ret,
				   NULL);

	if (r == SQLITE_ERROR)
		return 0;
	if (r != SQLITE_OK)
		return images_failed(images);
	sqlite3_bind_text(*ret, 1, name, -1, SQLITE_STATIC);
	return 0;
}

int images_recall(struct images *images, const char *name, char ret[IMAGES_HINT_MAX])
{
	_cleanup_query_ sqlite3_stmt *stmt = NULL;
	const char *text;
	int r = select_hint(images, name, &stmt);

	if (r == 0 && stmt)
		r = images_step(images, stmt);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	text = (const char *)sqlite3_column_text(stmt, 0);
	if (!text || strlen(text) >= IMAGES_HINT_MAX)
		return -ENOENT;
	strcpy(ret, text);
	return 0;
}

static int run(struct images *images, const char *sql, const char *name, const char *text)
{
	_cleanup_query_ sqlite3_stmt *stmt = images_query(images, sql);
	int r;

	if (!stmt)
		return -EIO;
	sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
	if (text)
		sqlite3_bind_text(stmt, 2, text, -1, SQLITE_STATIC);
	r = images_step(images, stmt);
	return r < 0 ? r : 0;
}

static int replace(struct images *images, const char *name, const char *text)
{
	int err = images_run(images, table);

	if (err == 0)
		err = run(images, "DELETE FROM hint WHERE name = ?1", name, NULL);
	if (err == 0 && *text)
		err = run(images,
			  "INSERT INTO hint SELECT ?1, ?2, ifnull(max(age), 0) + 1 FROM hint", name,
			  text);
	if (err == 0)
		err = images_run(images, "DELETE FROM hint WHERE name NOT IN"
					 " (SELECT name FROM hint ORDER BY age DESC LIMIT 256)");
	return err;
}

int images_remember(struct images *images, const char *name, const char *text)
{
	char old[IMAGES_HINT_MAX] = "";
	int err;

	if (!*name || strlen(name) >= IMAGES_HINT_NAME_MAX || strlen(text) >= IMAGES_HINT_MAX)
		return -EINVAL;
	err = images_recall(images, name, old);
	if ((err == 0 || err == -ENOENT) && strcmp(old, text) == 0)
		return 0;
	err = images_run(images, "BEGIN IMMEDIATE");
	return err < 0 ? err : images_finish(images, replace(images, name, text));
}
