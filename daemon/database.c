/* SPDX-License-Identifier: MIT */
#include "daemon/database.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "daemon/util/cleanup.h"
#include "daemon/util/log.h"

#define CHECK_PATIENCE_MS 2000
#define BAD_MAX		  9 /* files set aside that are kept; the last place is used again */

int database_number(sqlite3 *db, const char *sql, int64_t *ret)
{
	sqlite3_stmt *stmt = NULL;
	int r = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);

	if (r == SQLITE_OK)
		r = sqlite3_step(stmt);
	if (r == SQLITE_ROW)
		*ret = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return r == SQLITE_ROW ? SQLITE_OK : r;
}

static int check_integrity(sqlite3 *db)
{
	int64_t sound = 0;
	int r = database_number(db, "SELECT quick_check = 'ok' FROM pragma_quick_check(1)", &sound);

	return r == SQLITE_OK && !sound ? SQLITE_CORRUPT : r;
}

/* What is empty gets the schema, what is older is upgraded step by step. */
static int change_tables(sqlite3 *db, const struct database_kind *kind, int64_t version)
{
	char text[64];
	int r = SQLITE_OK;

	if (version == kind->version)
		return SQLITE_OK;
	if (version == 0)
		r = sqlite3_exec(db, kind->schema, NULL, NULL, NULL);
	else
		for (; r == SQLITE_OK && version < kind->version; version++)
			r = sqlite3_exec(db, kind->upgrades[version - 1], NULL, NULL, NULL);
	if (r != SQLITE_OK)
		return r;
	snprintf(text, sizeof(text), "PRAGMA user_version = %lld", (long long)kind->version);
	return sqlite3_exec(db, text, NULL, NULL, NULL);
}

/* Never half. Whoever was faster has done it: the version is that of the transaction. */
static int change_schema(sqlite3 *db, const struct database_kind *kind)
{
	int64_t version = 0;
	int r = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);

	if (r == SQLITE_OK)
		r = database_number(db, "PRAGMA user_version", &version);
	if (r == SQLITE_OK)
		r = change_tables(db, kind, version);
	if (r == SQLITE_OK)
		r = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
	/* The tables are not those that an upgrade is made for. */
	return r == SQLITE_ERROR ? DATABASE_FOREIGN : r;
}

int database_quick_check(const char *path)
{
	sqlite3 *db = NULL;
	struct stat st;
	int r;

	if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return DATABASE_NO_FILE;
	r = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL);
	if (r == SQLITE_OK)
		r = sqlite3_busy_timeout(db, CHECK_PATIENCE_MS);
	if (r == SQLITE_OK)
		r = check_integrity(db);
	sqlite3_close(db);
	return r & 0xff;
}

/* Before anything is set, which would be written into somebody else's file. */
static int check_version(sqlite3 *db, const struct database_kind *kind, bool *ret_empty,
			 bool *ret_current)
{
	int64_t version = 0, tables = 0;
	int r = database_number(db, "PRAGMA user_version", &version);

	if (r == SQLITE_OK)
		r = database_number(db, "SELECT count(*) FROM sqlite_schema", &tables);
	if (r != SQLITE_OK)
		return r;
	*ret_empty = version == 0 && tables == 0;
	*ret_current = version == kind->version;
	if (*ret_empty)
		return kind->schema ? SQLITE_OK : DATABASE_EMPTY;
	if (version > kind->version)
		return DATABASE_NEWER;
	if (version < 1 || (version < kind->version && !kind->upgrades))
		return DATABASE_FOREIGN;
	return SQLITE_OK;
}

static int prepare_database(sqlite3 *db, const struct database_kind *kind)
{
	bool empty, current;
	int r = check_version(db, kind, &empty, &current);

	if (r == SQLITE_OK)
		r = sqlite3_exec(db, kind->settings, NULL, NULL, NULL);
	if (r == SQLITE_OK && !empty)
		r = check_integrity(db);
	if (r == SQLITE_OK && !current)
		r = change_schema(db, kind);
	return r;
}

int database_prepare(sqlite3 *db, sqlite3_stmt **ret, const char *sql)
{
	int r = sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL);

	/* The version is ours, the columns are not. */
	return r == SQLITE_ERROR ? DATABASE_FOREIGN : r;
}

void database_release(sqlite3_stmt *stmt)
{
	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
}

int database_open(sqlite3 **ret, const struct database_kind *kind, const char *path, int flags)
{
	sqlite3 *db = NULL;
	int r = sqlite3_open_v2(path, &db, flags, NULL);

	if (r == SQLITE_OK)
		r = sqlite3_busy_timeout(db, kind->patience_ms);
	if (r == SQLITE_OK)
		r = prepare_database(db, kind);
	if (r != SQLITE_OK) {
		sqlite3_close(db);
		return r < 0 ? r : r & 0xff;
	}
	*ret = db;
	return SQLITE_OK;
}

const char *database_reason(int result)
{
	switch (result) {
	case DATABASE_FOREIGN:
		return "of another version, or not ours";
	case DATABASE_NEWER:
		return "of a later version";
	case DATABASE_EMPTY:
		return "empty";
	case DATABASE_NO_FILE:
		return "a directory, a link, or another thing that is no file";
	default:
		return sqlite3_errstr(result);
	}
}

bool database_is_spoiled(int result)
{
	return result == SQLITE_CORRUPT || result == SQLITE_NOTADB || result == DATABASE_FOREIGN ||
	       result == DATABASE_NO_FILE;
}

/* The log and its index go along: a database without its log is another one. */
bool database_set_aside(const struct database_kind *kind, const char *path, int result)
{
	static const char *const tails[] = { "-wal", "-shm", "" };
	char from[PATH_MAX + 16], to[PATH_MAX + 16];
	int n = 1;

	for (; n < BAD_MAX; n++) {
		snprintf(to, sizeof(to), "%s.bad-%d", path, n);
		if (access(to, F_OK) != 0)
			break;
	}
	for (size_t i = 0; i < 3; i++) {
		snprintf(from, sizeof(from), "%s%s", path, tails[i]);
		snprintf(to, sizeof(to), "%s.bad-%d%s", path, n, tails[i]);
		if (rename(from, to) != 0 && errno != ENOENT) {
			log_warning("%s: %s cannot be set aside: %m", kind->name, from);
			return false;
		}
	}
	log_warning("%s: %s is unusable (%s); it was set aside as %s, service goes on with an "
		    "empty one",
		    kind->name, path, database_reason(result), to);
	return true;
}

/* Creates the file itself: SQLite would use the umask, and gives its log the mode of the file. */
int database_make_file(const char *dir, const char *path)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		return SQLITE_CANTOPEN;
	/* Not opened to find out: nobody may be at the other end of a FIFO. */
	if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return DATABASE_NO_FILE;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	return fd >= 0 && fchmod(fd, 0600) == 0 ? SQLITE_OK : SQLITE_CANTOPEN;
}
