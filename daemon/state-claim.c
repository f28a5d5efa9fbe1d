/* SPDX-License-Identifier: MIT */
/*
 * A database and a cache belong together by a number that both have: the claim. It changes whenever
 * a record is taken back, since from then on an older copy of the database, or one that missed the
 * change, would say of new bytes that they are the old ones. The database has the claim before as
 * well: a power cut may come between the two.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/xattr.h>

#include "daemon/state-internal.h"
#include "daemon/util/log.h"

#define CLAIM_XATTR "user.cachefilld.state"

struct claim {
	char mark[STATE_CLAIM_MAX], former[STATE_CLAIM_MAX]; /* "": none yet */
};

static bool new_claim(char ret[STATE_CLAIM_MAX])
{
	uint64_t n[2];

	if (getrandom(n, sizeof(n), 0) != sizeof(n))
		return false;
	snprintf(ret, STATE_CLAIM_MAX, "%016llx%016llx", (unsigned long long)n[0],
		 (unsigned long long)n[1]);
	return true;
}

/* ---- the cache's ------------------------------------------------------------------------- */

/* By its path: the descriptor is one that cannot be read. */
static void name_cache(const struct state *state, char ret[32])
{
	snprintf(ret, 32, "/proc/self/fd/%d", state->cache);
}

static int read_mark(const struct state *state, char ret[STATE_CLAIM_MAX])
{
	char path[32];
	ssize_t n;

	name_cache(state, path);
	n = getxattr(path, CLAIM_XATTR, ret, STATE_CLAIM_MAX - 1);
	if (n < 0 && errno == ERANGE)
		n = snprintf(ret, STATE_CLAIM_MAX, "?"); /* nobody's */
	if (n < 0 && errno != ENODATA)
		return -errno;
	ret[n < 0 ? 0 : n] = '\0';
	return 0;
}

static bool write_mark(const struct state *state, const char *claim)
{
	char path[32];

	name_cache(state, path);
	if (setxattr(path, CLAIM_XATTR, claim, strlen(claim), 0) == 0)
		return true;
	log_error("state: the directory of the cache cannot be marked (%s): %m", CLAIM_XATTR);
	return false;
}

bool state_claim_drop(struct state *state)
{
	char claim[STATE_CLAIM_MAX];

	if (state->cache < 0 || state->disclaimed)
		return true;
	state->disclaimed = new_claim(claim) && write_mark(state, claim);
	return state->disclaimed;
}

/* ---- the database's ---------------------------------------------------------------------- */

static void copy_column(sqlite3_stmt *stmt, int column, char ret[STATE_CLAIM_MAX])
{
	const char *text = (const char *)sqlite3_column_text(stmt, column);

	snprintf(ret, STATE_CLAIM_MAX, "%s", text ? text : "");
}

static int read_claim(struct state *state, struct claim *ret)
{
	sqlite3_stmt *stmt = NULL;
	int r = sqlite3_prepare_v2(state->db, "SELECT mark, former FROM claim", -1, &stmt, NULL);

	*ret = (struct claim){ 0 };
	if (r == SQLITE_OK)
		r = sqlite3_step(stmt);
	if (r == SQLITE_ROW) {
		copy_column(stmt, 0, ret->mark);
		copy_column(stmt, 1, ret->former);
	}
	sqlite3_finalize(stmt);
	return r == SQLITE_ROW || r == SQLITE_DONE ? SQLITE_OK : r;
}

static int write_claim(struct state *state, const char *claim)
{
	sqlite3_stmt *stmt = NULL;
	int r = sqlite3_prepare_v2(
		state->db,
		"INSERT INTO claim(one, mark, former) VALUES(1, ?1, '')"
		" ON CONFLICT(one) DO UPDATE SET former = mark, mark = excluded.mark",
		-1, &stmt, NULL);

	if (r == SQLITE_OK)
		r = sqlite3_bind_text(stmt, 1, claim, -1, SQLITE_STATIC);
	if (r == SQLITE_OK)
		r = sqlite3_step(stmt);
	sqlite3_finalize(stmt);
	return r == SQLITE_DONE ? SQLITE_OK : r;
}

int state_claim_renew(struct state *state)
{
	char claim[STATE_CLAIM_MAX];

	if (state->cache < 0 || !state->path)
		return SQLITE_OK;
	return new_claim(claim) ? write_claim(state, claim) : SQLITE_IOERR;
}

bool state_claim_mark(struct state *state)
{
	struct claim claim;

	if (state->cache < 0 || !state->path)
		return true;
	if (read_claim(state, &claim) != SQLITE_OK || !write_mark(state, claim.mark))
		return false;
	state->disclaimed = false;
	return true;
}

/* ---- the beginning ----------------------------------------------------------------------- */

/* Both may have none: of a version that knew no claims, or both are new. */
static bool belong_together(const struct claim *claim, const char *mark)
{
	if (mark[0] == '\0')
		return claim->mark[0] == '\0';
	return strcmp(mark, claim->mark) == 0 || strcmp(mark, claim->former) == 0;
}

/* Forgets what does not belong to the cache, and gives the database a claim of its own. */
static int start_anew(struct state *state, bool keep)
{
	int64_t n = 0;
	int r = state_begin(state);

	if (r == SQLITE_OK)
		r = database_number(state->db, "SELECT count(*) FROM object", &n);
	if (r == SQLITE_OK && !keep)
		r = sqlite3_exec(state->db, "DELETE FROM object", NULL, NULL, NULL);
	if (r == SQLITE_OK)
		r = state_claim_renew(state);
	r = state_end(state, r);
	if (r == SQLITE_OK && !keep && n > 0)
		log_warning("state: %s is not what the cache was last used with: its %lld records "
			    "are forgotten, and what is cached is fetched again",
			    state->path, (long long)n);
	return r;
}

static int claim_for(struct state *state, const char *mark)
{
	struct claim claim;
	int r = read_claim(state, &claim);

	if (r == SQLITE_OK && (mark[0] == '\0' || strcmp(mark, claim.mark) != 0))
		r = start_anew(state, belong_together(&claim, mark));
	return r;
}

int state_claim(struct state *state, int cache)
{
	char mark[STATE_CLAIM_MAX];
	int err, r;

	state->cache = cache;
	err = read_mark(state, mark);
	if (err < 0) {
		log_error("state: the directory of the cache cannot be read (%s): %s", CLAIM_XATTR,
			  strerror(-err));
		return err;
	}
	r = state->path ? claim_for(state, mark) : SQLITE_OK;
	if (r != SQLITE_OK && !state_use_memory(state, sqlite3_errstr(r & 0xff)))
		return -ENOMEM;
	return (state->path ? state_claim_mark(state) : state_claim_drop(state)) ? 0 : -EIO;
}
