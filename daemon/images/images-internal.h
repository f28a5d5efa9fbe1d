/* SPDX-License-Identifier: MIT */
/*
 * What the files of the store share: the connection, and small things about statements.
 */
#pragma once

#include "daemon/database.h"
#include "daemon/util/cleanup.h"
#include "daemon/images/images.h"

struct images {
	sqlite3 *db;	    /* owned, as is the statement */
	sqlite3_stmt *find; /* ?1 cookie */
};

/* Columns of an object, in the order in which images_object_read() wants them. */
#define IMAGES_OBJECT_COLUMNS                                                             \
	"object.cookie, place.locator, place.validator, object.media_type, object.size, " \
	"object.whole"

/* From `column` on: 0 or -ENOMEM. On failure nothing is left to free. */
int images_object_read(sqlite3_stmt *stmt, int column, struct images_object *ret);

/* A copy of the column's text, for free(), or NULL. */
char *images_text(sqlite3_stmt *stmt, int column);

/* A statement for one use; NULL: logged. */
sqlite3_stmt *images_query(struct images *images, const char *sql);

/* The same of a table that there may not be: 0, and *ret NULL. -EIO (logged). */
int images_query_if(struct images *images, const char *sql, sqlite3_stmt **ret);

/* 0; -ENOENT: there is no image of that name; -EIO (logged). */
int images_has(struct images *images, const char *name);

/* Within a transaction: what was found with an image of that name takes the place of what was found
 * before; NULL: nothing was. What somebody has given stays. */
int images_put_plan(struct images *images, const char *name, const char *plan);

/* Within one, too: the image goes. */
int images_drop_plan(struct images *images, const char *name);

/* The next row: 1, or 0 at the end, or -EIO (logged). */
int images_step(struct images *images, sqlite3_stmt *stmt);

/* One statement without rows; 0 or -EIO (logged). */
int images_run(struct images *images, const char *sql);

/* Logs what the last call says; -EIO. */
int images_failed(struct images *images);

/* Ends a transaction: by COMMIT, or after err or what COMMIT says, which is returned, not. */
int images_finish(struct images *images, int err);

static inline void images_finalize(sqlite3_stmt **stmt)
{
	sqlite3_finalize(*stmt);
}

#define _cleanup_query_ _cleanup_(images_finalize)
