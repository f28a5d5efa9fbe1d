/* SPDX-License-Identifier: MIT */
/*
 * Plans of images: what to fetch first, as proto/plan.h has it. By the name of their image, as pins
 * are, and in a table that whoever has the first one makes.
 */
#include <errno.h>

#include "daemon/images/images-internal.h"

static const char table[] = "CREATE TABLE IF NOT EXISTS plan("
			    " name TEXT NOT NULL PRIMARY KEY CHECK(name != ''),"
			    " given INTEGER NOT NULL,"
			    " text TEXT NOT NULL"
			    "  CHECK(length(CAST(text AS BLOB)) BETWEEN 1 AND 1048576)) STRICT,"
			    " WITHOUT ROWID";

/* 0; -ENOENT: nothing was changed. */
static int change(struct images *images, const char *sql, const char *name, const char *text)
{
	_cleanup_query_ sqlite3_stmt *stmt = NULL;
	int r = images_query_if(images, sql, &stmt);

	if (r < 0 || !stmt)
		return r < 0 ? r : -ENOENT;
	sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
	if (text)
		sqlite3_bind_text(stmt, 2, text, -1, SQLITE_STATIC);
	r = images_step(images, stmt);
	if (r < 0)
		return r;
	return sqlite3_changes(images->db) > 0 ? 0 : -ENOENT;
}

static int without_absence(int r)
{
	return r == -ENOENT ? 0 : r;
}

int images_drop_plan(struct images *images, const char *name)
{
	return without_absence(change(images, "DELETE FROM plan WHERE name = ?1", name, NULL));
}

int images_put_plan(struct images *images, const char *name, const char *plan)
{
	int err = without_absence(
		change(images, "DELETE FROM plan WHERE name = ?1 AND NOT given", name, NULL));

	if (err < 0 || !plan)
		return err;
	err = images_run(images, table);
	return err < 0 ? err
		       : without_absence(change(images,
						"INSERT OR IGNORE INTO plan VALUES(?1, FALSE, ?2)",
						name, plan));
}

int images_set_plan(struct images *images, const char *name, const char *plan)
{
	int r = images_has(images, name);

	if (r < 0 || !*plan)
		return r < 0 ? r : change(images, "DELETE FROM plan WHERE name = ?1", name, NULL);
	if (strlen(plan) > IMAGES_PLAN_MAX)
		return -EINVAL;
	r = images_run(images, table);
	return r < 0 ? r : change(images, "REPLACE INTO plan VALUES(?1, TRUE, ?2)", name, plan);
}

int images_plan(struct images *images, const char *name, char **ret, bool *ret_given)
{
	_cleanup_query_ sqlite3_stmt *stmt = NULL;
	int r = images_query_if(images, "SELECT text, given FROM plan WHERE name = ?1", &stmt);

	if (r < 0 || !stmt)
		return r < 0 ? r : -ENOENT;
	sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
	r = images_step(images, stmt);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	*ret_given = sqlite3_column_int(stmt, 1);
	*ret = images_text(stmt, 0);
	return *ret ? 0 : -ENOMEM;
}
