/* SPDX-License-Identifier: MIT */
/*
 * A recorder in the rig, between the emulated kernel and the daemon, and the records of its files.
 */
#pragma once

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/record/recorder.h"
#include "proto/trace.h"
#include "tests/lib/rig.h"
#include "tests/lib/temporary.h"

#define FILE_MAX    (16 * MIB)
#define RECORDS_MAX 65536

static struct recorder *recorder;
static char dir[TEMPORARY_MAX], file[TEMPORARY_MAX + 64];
static bool stopped;

/* ---- one recording ------------------------------------------------------------------------ */

static inline void decorate(struct port **port)
{
	ck_assert_int_eq(recorder_new(&recorder, rig.loop), 0);
	ck_assert_int_eq(recorder_port(recorder, port, *port), 0);
	rig.config.observer = recorder_observer(recorder);
}

static inline void set_up(void)
{
	temporary_dir(dir, TEMPORARY_ANY);
	snprintf(file, sizeof(file), "%s/trace", dir);
	rig_setup();
	rig.decorate = decorate;
	rig.config.n_spare = 1;
}

static inline void set_up_and_begin(void)
{
	set_up();
	rig_begin();
}

static inline void visit_handle(void *arg, uint32_t object_id, struct object *object)
{
	recorder_handle(recorder, object_id, object);
}

static inline void visit_open(void *arg, uint32_t msg_id, uint32_t object_id, struct bytes volume,
			      struct bytes cookie)
{
	recorder_waiting_open(recorder, msg_id, object_id, volume, cookie);
}

static inline void visit_read(void *arg, uint32_t msg_id, uint32_t object_id, uint64_t off,
			      uint64_t len)
{
	recorder_waiting_read(recorder, msg_id, object_id, off, len);
}

static inline void start(void)
{
	const struct frontend_visitor visitor = { visit_handle, visit_open, visit_read };
	char error[RECORDER_ERROR_MAX] = "";

	ck_assert_msg(recorder_start(recorder, file, error) == 0, "%s", error);
	recorder_source(recorder, 0, rig.source.name, rig.source.rule.locator);
	frontend_visit(rig.frontend, &visitor, NULL);
}

static inline void recorder_stopped(void *arg)
{
	stopped = true;
}

/* At once, not when a buffer is old. */
static inline void stop(void)
{
	uint64_t now = loop_now(rig.loop);

	stopped = false;
	recorder_stop(recorder, recorder_stopped, NULL);
	ck_assert(!stopped); /* from the loop */
	rig_wait(stopped);
	ck_assert_uint_eq(loop_now(rig.loop), now);
	ck_assert(!recorder_stats(recorder).recording);
}

static inline void tear_down(void)
{
	if (rig.frontend)
		rig_stop();
	stop();
	recorder = recorder_free(recorder);
	rig_end();
	temporary_remove(dir);
}

/* ---- what is in a file -------------------------------------------------------------------- */

static struct {
	uint8_t bytes[FILE_MAX];
	size_t n_bytes, used; /* used: up to the end of the last whole record */
	struct trace_record records[RECORDS_MAX];
	size_t n;
	size_t counts[TRACE_KINDS];
} seen;

static inline void load(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
	n = read(fd, seen.bytes, sizeof(seen.bytes));
	ck_assert(n >= 0 && (size_t)n < sizeof(seen.bytes));
	close(fd);
	seen.n_bytes = (size_t)n;
}

/* All whole records; the file may be cut off, and nothing else may be wrong with it. */
static inline void decode(void)
{
	static struct trace_decoder decoder;
	enum trace_verdict verdict;
	size_t used = 0;

	memset(&decoder, 0, sizeof(decoder));
	memset(seen.counts, 0, sizeof(seen.counts));
	seen.n = seen.used = 0;
	verdict = trace_decode_header(&decoder, seen.bytes, seen.n_bytes, &used);
	while (verdict == TRACE_OK) {
		seen.used += used;
		if (seen.used == seen.n_bytes)
			return;
		ck_assert_uint_lt(seen.n, RECORDS_MAX);
		verdict = trace_decode(&decoder, seen.bytes + seen.used, seen.n_bytes - seen.used,
				       &used, &seen.records[seen.n]);
		if (verdict == TRACE_OK)
			seen.counts[seen.records[seen.n++].kind]++;
	}
	ck_assert_msg(verdict == TRACE_MORE, "%s", trace_verdict_text(verdict));
}

static inline void see(const char *path)
{
	load(path);
	decode();
}

/* One that has ended in order. */
static inline void see_whole(const char *path)
{
	see(path);
	ck_assert_uint_eq(seen.used, seen.n_bytes);
	ck_assert_uint_gt(seen.n, 1);
	ck_assert_int_eq(seen.records[0].kind, TRACE_START);
	ck_assert_int_eq(seen.records[seen.n - 1].kind, TRACE_END);
	ck_assert_uint_eq(seen.records[seen.n - 1].count, seen.n - 1);
}

/* The i-th record of this kind. */
static inline const struct trace_record *nth(enum trace_kind kind, size_t i)
{
	for (size_t at = 0; at < seen.n; at++)
		if (seen.records[at].kind == kind && i-- == 0)
			return &seen.records[at];
	ck_abort_msg("there is no such %s", trace_kind_name(kind));
	return NULL;
}

static inline uint64_t sum_of_len(enum trace_kind kind)
{
	uint64_t sum = 0;

	for (size_t at = 0; at < seen.n; at++)
		if (seen.records[at].kind == kind)
			sum += kind == TRACE_FETCH ? seen.records[at].got : seen.records[at].len;
	return sum;
}

static inline bool text_is(struct bytes b, const char *text)
{
	return bytes_equal(b, bytes_str(text));
}
