/* SPDX-License-Identifier: MIT */
/*
 * The records of the daemon in a directory of their own, a cache that they are claimed for, and the
 * disk under them.
 */
#pragma once

#include <stdint.h>

#include "daemon/state.h"
#include "tests/unit/database-fixture.h"

/* ---- the disk ------------------------------------------------------------------------------ */

/* How often anybody has synced a file. */
extern unsigned int syncs;
/* What the disk says to writes, 0: it takes them. */
extern int disk_error;

/* ---- records ------------------------------------------------------------------------------- */

/* Fixture, whose end is database_teardown(). */
void state_setup(void);

struct state *open_state(void);

struct state_object object_of(uint64_t size, const char *locator, const char *validator);
void put(struct state *state, const char *cookie, uint64_t size);
/* The size on record, or a negative errno. */
int64_t get(struct state *state, const char *cookie);
void forget(struct state *state, const char *cookie);

/* Records "cookie-0" and so on, each with its number as the size, and closes the state. */
void fill(unsigned int n);

/* ---- and the cache that they speak for ----------------------------------------------------- */

#define CLAIM_MARK "user.cachefilld.state" /* attribute of the directory */

extern char cache[TEMPORARY_MAX];
extern int cache_fd;
extern char copy[TEMPORARY_MAX + 16]; /* a place for another database */

/* Fixtures. */
void claims_setup(void);
void claims_teardown(void);

struct state *claim_state(void);

/* Runs once: records 1 byte of "a". */
void claim_one_record(void);
/* What the next who runs knows of "a" and "b": sizes, or -ENOENT. */
void expect_at_start(int64_t a, int64_t b);
