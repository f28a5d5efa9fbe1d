/* SPDX-License-Identifier: MIT */
/*
 * What tests of the two databases share: one in a directory of its own, looked at and spoiled
 * behind the back of who uses it, and one who writes to it until it is killed.
 */
#pragma once

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>

#include "tests/lib/temporary.h"

extern char dir[TEMPORARY_MAX];
extern char file[TEMPORARY_MAX + 16]; /* the database in it */

/* Fixtures. name: of the file, which is not there yet. */
void database_setup(const char *name);
void database_teardown(void);

/* Whether there is a file of the database's name and a tail. */
bool exists(const char *tail);

/* Begins a file anew. */
void write_file(const char *path, const void *data, size_t n);

/* Statements, by somebody who then has the database open, or closes it. */
sqlite3 *open_sql(const char *sql);
void run_sql(const char *sql);

/* Calls work() in a process of its own, which ends by SIGKILL once it has written n bytes to `out`.
 * Returns n, or what it has written when it ended before. */
unsigned int kill_after(unsigned int n, void (*work)(int out));
