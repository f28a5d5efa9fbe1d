/* SPDX-License-Identifier: MIT */
/*
 * Traces that chance has written: whatever decodes is replayed to an end, or refused, and nothing
 * is wrong with the engine's answers to it.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/replay/pattern.h"
#include "daemon/replay/replay.h"
#include "daemon/trace/file.h"
#include "daemon/util/log.h"
#include "tests/lib/run-suite.h"
#include "tests/lib/temporary.h"

#define SEEDS	64
#define RECORDS 300
#define MIB	((uint64_t)1024 * 1024)

static char dir[TEMPORARY_MAX], path[TEMPORARY_MAX + 16];
static char error[CATALOG_ERROR_MAX];
static uint64_t seed, drawn;

static uint64_t any(uint64_t below)
{
	return pattern_word(seed, drawn++) % below;
}

/* Mostly something sensible, sometimes anything. */
static uint64_t number(uint64_t below)
{
	return any(40) ? any(below) : pattern_word(seed, drawn++);
}

static struct bytes any_key(char *buf)
{
	static const char odd[] = "./\\\n%{}\0";

	if (any(20) == 0)
		return bytes_of(odd + any(sizeof(odd) - 1), 1);
	snprintf(buf, 16, "key-%u", (unsigned int)any(4));
	return bytes_str(buf);
}

static struct trace_record any_record(uint64_t now, char cookie[16], char volume[16])
{
	static const uint64_t sizes[] = { 0, 1, 4096, 4097, MIB, 20 * MIB, 1ull << 41 };

	return (struct trace_record){
		.kind = 1 + any(TRACE_KINDS - 1),
		.time = now,
		.msg = (uint32_t)number(6),
		.id = (uint32_t)number(4),
		.flags = (uint32_t)any(2),
		.source = (uint32_t)number(2),
		.object = number(5),
		.off = number(3 * MIB),
		.len = number(2 * MIB),
		.got = number(MIB),
		.size = sizes[any(sizeof(sizes) / sizeof(sizes[0]))],
		.took = number(1000000000),
		.count = number(100),
		.error = any(4) ? 0 : -(int32_t)any(4095),
		.result = any(8) ? 0 : -EINVAL,
		.volume = any(4) ? bytes_str("erofs,v") : any_key(volume),
		.cookie = any_key(cookie),
		.locator = bytes_str("file:/x"),
		.validator = bytes_str(any(4) ? "v1" : "v2"),
		.text = bytes_str("text"),
	};
}

/* Requests come more often than all else. */
static enum trace_kind any_kind(enum trace_kind otherwise)
{
	static const enum trace_kind kinds[] = { TRACE_OPEN,	 TRACE_COPEN, TRACE_READ,
						 TRACE_READ,	 TRACE_READ,  TRACE_COMPLETE,
						 TRACE_COMPLETE, TRACE_CLOSE };

	return any(3) ? kinds[any(sizeof(kinds) / sizeof(kinds[0]))] : otherwise;
}

static void write_trace(void)
{
	struct trace_writer *writer;
	uint64_t now = 1;

	ck_assert_int_eq(trace_writer_new(&writer, path, error), 0);
	for (unsigned int i = 0; i < RECORDS; i++) {
		char cookie[16], volume[16];
		struct trace_record record = any_record(now, cookie, volume);

		record.kind = any_kind(record.kind);
		ck_assert_int_eq(trace_writer_put(writer, &record, error), 0);
		now += number(2000000);
	}
	ck_assert_int_eq(trace_writer_finish(writer, error), 0);
}

static void replay(struct replay_config *config)
{
	const struct report *report;
	struct replay *running;

	ck_assert_int_eq(loop_new(&config->loop, LOOP_VIRTUAL), 0);
	ck_assert_msg(catalog_new(&config->catalog, path, error) == 0, "%s", error);
	ck_assert_int_eq(
		origin_synthetic_new(&config->origin, config->loop, config->catalog, error), 0);
	ck_assert_int_eq(replay_new(&running, config, error), 0);
	ck_assert_int_eq(replay_run(running, &report), 0);
	ck_assert(report->whole || report->why[0]);
	ck_assert_uint_eq(report->unanswered, 0);
	ck_assert_msg(report->wrong_bytes == 0 && report->wrong_stored == 0, "%s",
		      report->findings[0]);
	replay_free(running);
	origin_free(config->origin);
	loop_free(config->loop);
	catalog_free(config->catalog);
}

START_TEST(any_trace_comes_to_an_end)
{
	static const char faults[] = "latency 1ms\nbandwidth 50M\nerror */key-1 65536 EIO\n"
				     "stall */key-2 1M forever";
	struct script script = { .n = 0 };
	struct replay_config config = {
		.virtual_time = true,
		.trace = path,
		.speed = _i % 2,
		.cache_dir = dir,
		.buffers = 16 * MIB,
		.readahead_max = MIB,
		.check = true,
		.script = &script,
	};

	log_set_level(LOG_CRIT);
	temporary_dir(dir, TEMPORARY_DISK);
	snprintf(path, sizeof(path), "%s/trace", dir);
	seed = (uint64_t)_i + 1;
	if (_i % 4 >= 2)
		ck_assert_int_eq(script_parse(&script, "s", faults, sizeof(faults) - 1, error), 0);
	write_trace();
	replay(&config);
	script_deinit(&script);
	temporary_remove(dir);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("replay-random");
	TCase *t = tcase_create("traces");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, any_trace_comes_to_an_end, 0, SEEDS);
	suite_add_tcase(s, t);
	return run_suite(s);
}
