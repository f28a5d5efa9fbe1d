/* SPDX-License-Identifier: MIT */
/*
 * Tests of the real cachefillctl ($CACHEFILLCTL) on traces that are written here. Each test runs
 * in a directory of its own.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/trace.h"

/* Fixtures. */
void ctl_enter(void);
void ctl_leave(void);

struct ctl_result {
	int status; /* of the exit; 128 + a signal */
	char *out;  /* terminated; owned */
	size_t out_len;
	char *err; /* owned */
};

/* Runs it with these words, which end with NULL. The result is valid until the next call. */
struct ctl_result *ctl_run(const char *const *words);
#define RUN(...) ctl_run((const char *const[]){ __VA_ARGS__, NULL })

/* The same, and standard output is a pipe whose reader has gone. */
struct ctl_result *ctl_run_unread(const char *const *words);

/* Standard output is a terminal, and has up to 4 KiB. */
struct ctl_result *ctl_run_terminal(const char *const *words);

/* Standard input is that terminal, too, where these keys were pressed. */
struct ctl_result *ctl_run_keys(const char *const *words, const char *keys);

/* It reads the FIFO "input", where nothing follows the sample, and gets a signal once it has
 * created a file. Returns the status. */
int ctl_run_killed(const char *const *words, const char *created, int signal_number);

void ctl_assert_ok(const struct ctl_result *result);
#define RUN_OK(...) ctl_assert_ok(RUN(__VA_ARGS__))

/* A line, counted from 0, and how many there are. */
const char *ctl_line(const char *text, size_t n, char *buf, size_t len);
size_t ctl_lines(const char *text);

/* ---- files ------------------------------------------------------------------------------- */

bool file_exists(const char *path);
uint8_t *file_read(const char *path, size_t *ret_len); /* to be freed */
void file_write(const char *path, const void *data, size_t len);
bool files_equal(const char *a, const char *b);

/* ---- traces ------------------------------------------------------------------------------ */

#define MS		((uint64_t)1000000)
#define SAMPLE_REALTIME ((uint64_t)1790000000 * 1000 * MS)
#define SAMPLE_TIME	(5000 * MS) /* of the first record */

/* Writes records; `end` adds an end record. */
void trace_write(const char *path, const struct trace_record *records, size_t n, bool end);

/* All records of a file, for as long as the test runs. */
struct trace_record *trace_read(const char *path, size_t *ret_n);
void traces_free(void); /* by ctl_leave() */

/*
 * A small recording: two objects ("erofs,app" / "app.erofs" and "erofs,db" / "db.erofs") of one
 * source are opened and read, a third is not there, the first is closed. Times are ms since the
 * first record.
 */
extern const struct trace_record sample[];
extern const size_t sample_len;
void trace_write_sample(const char *path);

/*
 * A sound recording that was drawn by lot: objects that are opened before it and in it, reopened,
 * read by many at a time, closed; messages and ids are used again as the kernel does. Some
 * requests wait at its end when `waiting`.
 */
void trace_write_random(const char *path, unsigned int seed, size_t n_events, bool waiting);

/* Well-formed records, but kinds and numbers are drawn without any sense. Never a lost record. */
void trace_write_senseless(const char *path, unsigned int seed, size_t n);

/*
 * A daemon in a child process, which serve() is: it closes `ready` when it can be asked, and does not
 * return. Killed at the end, if there is one.
 */
void ctl_daemon_begin(void (*serve)(int ready));
void ctl_daemon_end(void);
