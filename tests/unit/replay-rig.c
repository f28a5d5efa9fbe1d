/* SPDX-License-Identifier: MIT */
#include "tests/lib/temporary.h"
#include "tests/unit/replay-rig.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/log.h"

struct replay_config wish;
struct script script;
uint64_t read_deadline;
struct fetcher *(*decorator)(struct fetcher *);
int (*make_origin)(char *error);
struct report report;
char *json;

static char dir[TEMPORARY_MAX], path[TEMPORARY_MAX + 16];
static char error[CATALOG_ERROR_MAX];
static struct trace_writer *writer;
static uint64_t now, n_records;

/* ---- writing traces ---------------------------------------------------------------------- */

void put_record(struct trace_record record)
{
	record.time = now;
	ck_assert_int_eq(trace_writer_put(writer, &record, error), 0);
	n_records++;
}

void wait_ms(uint64_t ms)
{
	now += ms * MS;
}

void cut_trace(void)
{
	ck_assert_int_eq(trace_writer_finish(writer, error), 0);
}

void end_trace(void)
{
	PUT(.kind = TRACE_END, .count = n_records);
	cut_trace();
}

static void begin_trace(void)
{
	now = 77 * NSEC_PER_SEC;
	n_records = 0;
	ck_assert_int_eq(trace_writer_new(&writer, path, error), 0);
	PUT(.kind = TRACE_START, .program = bytes_str("test"));
	PUT(.kind = TRACE_SOURCE, .text = bytes_str("s"),
	    .locator = bytes_str("http://origin/{cookie}"));
}

void ask_open(uint32_t msg, uint32_t id, const char *cookie)
{
	PUT(.kind = TRACE_OPEN, .msg = msg, .id = id, .volume = bytes_str("erofs,v"),
	    .cookie = bytes_str(cookie));
}

void put_object(uint64_t number, const char *cookie, uint64_t size, const char *validator)
{
	PUT(.kind = TRACE_OBJECT, .object = number, .size = size, .volume = bytes_str("erofs,v"),
	    .cookie = bytes_str(cookie), .locator = bytes_str("http://origin/x"),
	    .validator = bytes_str(validator));
}

void put_open(uint32_t msg, uint32_t id, const char *cookie, uint64_t size)
{
	ask_open(msg, id, cookie);
	wait_ms(1);
	put_object(id, cookie, size, "v1");
	PUT(.kind = TRACE_COPEN, .msg = msg, .size = size);
}

void put_refused(uint32_t msg, uint32_t id, const char *cookie, int err)
{
	ask_open(msg, id, cookie);
	wait_ms(1);
	PUT(.kind = TRACE_COPEN, .msg = msg, .error = err);
	PUT(.kind = TRACE_RELEASE, .id = id);
}

void ask_read(uint32_t msg, uint32_t id, uint64_t off, uint64_t len)
{
	PUT(.kind = TRACE_READ, .msg = msg, .id = id, .off = off, .len = len);
}

void answer_read(uint32_t msg, uint32_t id)
{
	PUT(.kind = TRACE_COMPLETE, .msg = msg, .id = id);
}

void put_read(uint32_t msg, uint32_t id, uint64_t off, uint64_t len)
{
	ask_read(msg, id, off, len);
	wait_ms(1);
	answer_read(msg, id);
}

void put_close(uint32_t msg, uint32_t id)
{
	PUT(.kind = TRACE_CLOSE, .msg = msg, .id = id);
	PUT(.kind = TRACE_RELEASE, .id = id);
}

void put_one_read(void)
{
	put_open(1, 1, "a", 64 * MIB);
	put_read(2, 1, 32 * MIB, 4 * KIB);
}

/* ---- replaying --------------------------------------------------------------------------- */

static int make_synthetic(char *why)
{
	return origin_synthetic_new(&wish.origin, wish.loop, wish.catalog, why);
}

void replay_setup(void)
{
	log_set_level(LOG_CRIT);
	temporary_dir(dir, TEMPORARY_DISK);
	snprintf(path, sizeof(path), "%s/trace", dir);
	wish = (struct replay_config){
		.speed = 1,
		.virtual_time = true,
		.trace = path,
		.cache_dir = dir,
		.buffers = 16 * MIB,
		.readahead_max = 1 * MIB,
		.check = true,
	};
	read_deadline = 0;
	decorator = NULL;
	make_origin = make_synthetic;
	begin_trace();
}

void replay_teardown(void)
{
	script_deinit(&script);
	report_deinit(&report);
	memset(&report, 0, sizeof(report));
	free(json);
	json = NULL;
	temporary_remove(dir);
}

void rule(const char *text)
{
	ck_assert_msg(script_parse(&script, "script", text, strlen(text), error) == 0, "%s", error);
}

/* The report is ours when the replay is gone. */
static void keep(const struct report *from)
{
	json_t *object = report_json(from);

	ck_assert_ptr_nonnull(object);
	free(json);
	json = json_dumps(object, JSON_INDENT(1));
	json_decref(object);
	report = *from;
	memset(&report.here.open, 0, sizeof(report.here.open));
	memset(&report.here.read, 0, sizeof(report.here.read));
	memset(&report.recorded.open, 0, sizeof(report.recorded.open));
	memset(&report.recorded.read, 0, sizeof(report.recorded.read));
}

void replay_with(enum loop_backend backend)
{
	const struct report *result;
	struct replay *running;

	ck_assert_int_eq(loop_new(&wish.loop, backend), 0);
	ck_assert_msg(catalog_new(&wish.catalog, path, error) == 0, "%s", error);
	ck_assert_msg(make_origin(error) == 0, "%s", error);
	if (read_deadline)
		wish.origin->sources[0].read_deadline = read_deadline;
	if (decorator)
		wish.origin->sources[0].fetcher = decorator(wish.origin->sources[0].fetcher);
	wish.script = &script;
	ck_assert_msg(replay_new(&running, &wish, error) == 0, "%s", error);
	ck_assert_int_eq(replay_run(running, &result), 0);
	keep(result);
	replay_free(running);
	wish.origin = origin_free(wish.origin);
	loop_free(wish.loop);
	catalog_free(wish.catalog);
}

void replay(void)
{
	end_trace();
	replay_with(LOOP_VIRTUAL);
}

void ck_good(void)
{
	ck_assert_msg(report_is_good(&report), "%s", json);
	ck_assert_uint_eq(report.n_findings, 0);
}

void ck_finding(const char *text)
{
	ck_assert_uint_gt(report.n_findings, 0);
	ck_assert_msg(strstr(report.findings[0], text), "'%s' is not in '%s'", text,
		      report.findings[0]);
}
