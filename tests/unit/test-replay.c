/* SPDX-License-Identifier: MIT */
/*
 * Replays of traces that are written by hand, in virtual time, and what their reports say.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/replay/feed.h"
#include "daemon/replay/replay.h"
#include "daemon/trace/file.h"
#include "daemon/util/log.h"
#include "tests/lib/run-suite.h"

#define KIB ((uint64_t)1024)
#define MIB (1024 * KIB)
#define MS  NSEC_PER_MSEC

static char path[] = "/tmp/test-replay-XXXXXX";
static char error[CATALOG_ERROR_MAX];
static struct trace_writer *writer;
static uint64_t now, n_records;

/* What the test wants of the next replay. */
static struct replay_config wish;
static struct script script;
static uint64_t read_deadline;
static struct fetcher *(*decorator)(struct fetcher *);
static int (*make_origin)(void);
static uint64_t liar_at;

/* And what came of it. */
static struct report report;
static char *json;
static struct replay *running;

/* ---- writing traces ---------------------------------------------------------------------- */

static void put(struct trace_record record)
{
	record.time = now;
	ck_assert_int_eq(trace_writer_put(writer, &record, error), 0);
	n_records++;
}

static void wait_ms(uint64_t ms)
{
	now += ms * MS;
}

static void begin_trace(void)
{
	unlink(path);
	now = 77 * NSEC_PER_SEC;
	n_records = 0;
	ck_assert_int_eq(trace_writer_new(&writer, path, error), 0);
	put((struct trace_record){ .kind = TRACE_START, .program = bytes_str("test") });
	put((struct trace_record){ .kind = TRACE_SOURCE,
				   .text = bytes_str("s"),
				   .locator = bytes_str("http://origin/{cookie}") });
}

static void end_trace(void)
{
	put((struct trace_record){ .kind = TRACE_END, .count = n_records });
	ck_assert_int_eq(trace_writer_finish(writer, error), 0);
}

static void ask_open(uint32_t msg, uint32_t id, const char *cookie)
{
	put((struct trace_record){ .kind = TRACE_OPEN,
				   .msg = msg,
				   .id = id,
				   .volume = bytes_str("erofs,v"),
				   .cookie = bytes_str(cookie) });
}

static void put_object(uint64_t number, const char *cookie, uint64_t size, const char *validator)
{
	put((struct trace_record){ .kind = TRACE_OBJECT,
				   .object = number,
				   .size = size,
				   .volume = bytes_str("erofs,v"),
				   .cookie = bytes_str(cookie),
				   .locator = bytes_str("http://origin/x"),
				   .validator = bytes_str(validator) });
}

/* An OPEN that takes a millisecond. */
static void put_open(uint32_t msg, uint32_t id, const char *cookie, uint64_t size)
{
	ask_open(msg, id, cookie);
	wait_ms(1);
	put_object(id, cookie, size, "v1");
	put((struct trace_record){ .kind = TRACE_COPEN, .msg = msg, .size = size });
}

static void put_refused(uint32_t msg, uint32_t id, const char *cookie, int err)
{
	ask_open(msg, id, cookie);
	wait_ms(1);
	put((struct trace_record){ .kind = TRACE_COPEN, .msg = msg, .error = err });
	put((struct trace_record){ .kind = TRACE_RELEASE, .id = id });
}

static void ask_read(uint32_t msg, uint32_t id, uint64_t off, uint64_t len)
{
	put((struct trace_record){
		.kind = TRACE_READ, .msg = msg, .id = id, .off = off, .len = len });
}

static void answer_read(uint32_t msg, uint32_t id)
{
	put((struct trace_record){ .kind = TRACE_COMPLETE, .msg = msg, .id = id });
}

static void put_read(uint32_t msg, uint32_t id, uint64_t off, uint64_t len)
{
	ask_read(msg, id, off, len);
	wait_ms(1);
	answer_read(msg, id);
}

static void put_close(uint32_t msg, uint32_t id)
{
	put((struct trace_record){ .kind = TRACE_CLOSE, .msg = msg, .id = id });
	put((struct trace_record){ .kind = TRACE_RELEASE, .id = id });
}

/* ---- replaying --------------------------------------------------------------------------- */

static int make_synthetic(void)
{
	return origin_synthetic_new(&wish.origin, wish.loop, wish.catalog, error);
}

static void setup(void)
{
	log_set_level(LOG_CRIT);
	wish = (struct replay_config){
		.speed = 1,
		.virtual_time = true,
		.trace = path,
		.cache_dir = "/var/tmp",
		.buffers = 16 * MIB,
		.readahead_max = 1 * MIB,
		.check = true,
	};
	read_deadline = 0;
	decorator = NULL;
	make_origin = make_synthetic;
	liar_at = 32 * MIB + 100;
	begin_trace();
}

static void teardown(void)
{
	script_deinit(&script);
	report_deinit(&report);
	memset(&report, 0, sizeof(report));
	free(json);
	json = NULL;
	unlink(path);
}

static void rule(const char *text)
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

static void replay_with(enum loop_backend backend)
{
	const struct report *result;

	ck_assert_int_eq(loop_new(&wish.loop, backend), 0);
	ck_assert_msg(catalog_new(&wish.catalog, path, error) == 0, "%s", error);
	ck_assert_msg(make_origin() == 0, "%s", error);
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

static void replay(void)
{
	end_trace();
	replay_with(LOOP_VIRTUAL);
}

static void ck_good(void)
{
	ck_assert_msg(report_is_good(&report), "%s", json);
	ck_assert_uint_eq(report.n_findings, 0);
}

static void ck_finding(const char *text)
{
	ck_assert_uint_gt(report.n_findings, 0);
	ck_assert_msg(strstr(report.findings[0], text), "'%s' is not in '%s'", text,
		      report.findings[0]);
}

/* ---- what a trace may hold --------------------------------------------------------------- */

START_TEST(reads_are_answered_with_the_right_bytes)
{
	put_open(1, 1, "a", 10 * MIB + 5);
	for (uint32_t i = 0; i < 10; i++)
		put_read(2 + i, 1, i * MIB, 4 * KIB);
	put_read(20, 1, 10 * MIB, 4 * KIB); /* the tail */
	put_close(30, 1);
	replay();
	ck_good();
	ck_assert_uint_eq(report.here.opens, 1);
	ck_assert_uint_eq(report.here.reads, 11);
	ck_assert_uint_eq(report.here.reads_failed, 0);
	ck_assert_uint_eq(report.here.asked, 44 * KIB);
	ck_assert_uint_eq(report.checked_bytes, 40 * KIB + 5);
	ck_assert_uint_ge(report.here.stored, 44 * KIB);
}
END_TEST

START_TEST(time_goes_by_as_recorded)
{
	put_open(1, 1, "a", MIB);
	wait_ms(5000);
	put_read(2, 1, 0, 4 * KIB);
	wait_ms(2000);
	put_read(3, 1, 512 * KIB, 4 * KIB);
	replay();
	ck_good();
	ck_assert_uint_eq(report.here.time, 7002 * MS);
	wish.speed = 10;
	replay_with(LOOP_VIRTUAL);
	ck_good();
	ck_assert_uint_eq(report.here.time, 7002 * MS / 10);
	wish.speed = 0;
	replay_with(LOOP_VIRTUAL);
	ck_good();
	ck_assert_uint_eq(report.here.time, 0);
}
END_TEST

START_TEST(a_reopened_object_has_its_bytes)
{
	put_open(1, 1, "a", MIB);
	put_read(2, 1, 0, 256 * KIB);
	put_close(3, 1);
	put_open(4, 2, "a", MIB);
	put_read(5, 2, 0, 128 * KIB);
	put_close(6, 2);
	replay();
	ck_good();
	ck_assert_uint_eq(report.here.opens, 2);
	ck_assert_uint_eq(report.present, 1);
	/* The first open brought 128 KiB, the rest was fetched once. */
	ck_assert_uint_le(report.here.stored, MIB);
}
END_TEST

START_TEST(an_open_that_failed_in_the_trace_fails)
{
	put_refused(1, 1, "a", -ENOENT);
	put_refused(2, 2, "b", -EIO);
	put_open(3, 3, "b", MIB);
	put_read(4, 3, 0, 4 * KIB);
	replay();
	ck_good();
	ck_assert_uint_eq(report.here.opens, 3);
	ck_assert_uint_eq(report.here.opens_failed, 2);
	ck_assert_uint_eq(report.recorded.opens_failed, 2);
	ck_assert_uint_eq(report.here.reads_failed, 0);
}
END_TEST

START_TEST(readers_wait_as_they_did)
{
	rule("latency 20ms");
	put_open(1, 1, "a", 64 * MIB);
	ask_read(2, 1, 0, 4 * KIB);
	ask_read(3, 1, 32 * MIB, 4 * KIB); /* both at the same time */
	wait_ms(1);
	answer_read(2, 1);
	answer_read(3, 1);
	put_read(4, 1, 16 * MIB, 4 * KIB); /* after both */
	wish.speed = 0;
	replay();
	ck_good();
	ck_assert_uint_eq(report.here.reads, 3);
	/* The open brought the first block; two round trips for the other two, not in parallel. */
	ck_assert_uint_eq(report.here.time, 60 * MS);
}
END_TEST

START_TEST(close_while_reading_withdraws_the_read)
{
	rule("stall * 33554432 forever");
	put_open(1, 1, "a", 64 * MIB);
	ask_read(2, 1, 32 * MIB, 4 * KIB);
	wait_ms(1);
	put((struct trace_record){ .kind = TRACE_CLOSE, .msg = 3, .id = 1 });
	wait_ms(1);
	put((struct trace_record){ .kind = TRACE_COMPLETE, .msg = 2, .id = 1, .result = -EINVAL });
	put((struct trace_record){ .kind = TRACE_RELEASE, .id = 1 });
	put_open(4, 2, "a", 64 * MIB);
	put_read(5, 2, 0, 4 * KIB);
	replay();
	ck_good();
	ck_assert_uint_eq(report.withdrawn, 1);
	ck_assert_uint_eq(report.here.reads_failed, 0);
	ck_assert_uint_eq(report.here.time, 4 * MS);
}
END_TEST

START_TEST(what_was_open_before_the_recording_is_opened)
{
	put_object(7, "a", MIB, "v1");
	put((struct trace_record){ .kind = TRACE_HANDLE, .id = 9, .object = 7 });
	put_read(1, 9, 512 * KIB, 4 * KIB);
	replay();
	ck_good();
	ck_assert_uint_eq(report.here.opens, 1);
	ck_assert_uint_eq(report.recorded.opens, 0);
	ck_assert_uint_eq(report.here.reads, 1);
}
END_TEST

START_TEST(an_object_that_changed_has_other_bytes)
{
	put_open(1, 1, "a", MIB);
	put_read(2, 1, 0, 64 * KIB);
	put_close(3, 1);
	ask_open(4, 2, "a");
	put_object(2, "a", 2 * MIB, "v2");
	put((struct trace_record){ .kind = TRACE_COPEN, .msg = 4, .size = 2 * MIB });
	put_read(5, 2, 0, 64 * KIB);
	put_read(6, 2, 2 * MIB - 4 * KIB, 4 * KIB);
	replay();
	ck_good();
	ck_assert_uint_eq(report.checked_bytes, 132 * KIB);
}
END_TEST

START_TEST(a_compressed_image_is_fetched_whole)
{
	ask_open(1, 1, "a");
	put((struct trace_record){ .kind = TRACE_OBJECT,
				   .object = 1,
				   .size = 4 * MIB,
				   .flags = TRACE_OBJECT_COMPRESSED,
				   .volume = bytes_str("erofs,v"),
				   .cookie = bytes_str("a") });
	put((struct trace_record){ .kind = TRACE_COPEN, .msg = 1, .size = 4 * MIB });
	put_read(2, 1, 0, 4 * KIB);
	replay();
	ck_good();
	ck_assert_uint_eq(report.here.stored, 4 * MIB);
}
END_TEST

START_TEST(requests_that_make_no_sense_are_left_out)
{
	put_read(1, 5, 0, 4 * KIB); /* nobody has opened it */
	put_open(2, 1, "a", MIB);
	ask_open(3, 1, "b"); /* an id that is open */
	put((struct trace_record){ .kind = TRACE_COPEN, .msg = 3, .size = MIB });
	ask_read(4, 1, 0, 4 * KIB);
	ask_read(4, 1, 8 * KIB, 4 * KIB); /* a message that is not answered */
	answer_read(4, 1);
	put_read(5, 1, 0, 0);
	put_read(6, 1, UINT64_MAX, 4 * KIB);
	put_read(7, 1, 2 * MIB, 4 * KIB); /* behind the end */
	answer_read(99, 1);
	put_close(8, 77);
	replay();
	ck_good();
	ck_assert_uint_eq(report.strays, 1);
	ck_assert_uint_eq(report.here.opens, 2);
	ck_assert_uint_eq(report.here.reads, 5);
	ck_assert_uint_eq(report.here.reads_failed, 3);
}
END_TEST

START_TEST(a_trace_without_an_end_is_replayed)
{
	put_open(1, 1, "a", MIB);
	put_read(2, 1, 0, 4 * KIB);
	ask_read(3, 1, 512 * KIB, 4 * KIB);
	ck_assert_int_eq(trace_writer_finish(writer, error), 0);
	replay_with(LOOP_VIRTUAL);
	ck_good();
	ck_assert(!report.complete);
	ck_assert_uint_eq(report.here.reads, 2);
}
END_TEST

START_TEST(an_object_that_no_file_system_takes_is_refused_with_its_place)
{
	put_open(1, 1, "a", (uint64_t)INT64_MAX - 4095);
	replay();
	ck_assert(!report_is_good(&report));
	ck_assert_ptr_nonnull(strstr(report.why, "offset "));
	ck_assert_ptr_nonnull(strstr(report.why, "larger than"));
}
END_TEST

START_TEST(keys_that_fit_no_message_are_refused_with_their_place)
{
	char cookie[1200];

	memset(cookie, 'k', sizeof(cookie));
	cookie[sizeof(cookie) - 1] = '\0';
	put_open(1, 1, cookie, MIB);
	replay();
	ck_assert(!report_is_good(&report));
	ck_assert_ptr_nonnull(strstr(report.why, "fit into no message"));
}
END_TEST

START_TEST(too_many_at_the_same_time_are_refused_with_their_place)
{
	put_open(1, 1, "a", MIB);
	for (uint32_t i = 0; i < FEED_OUTSTANDING_MAX + 2; i++)
		ask_read(10 + i, 1, 0, 4 * KIB);
	wish.speed = 0;
	replay();
	ck_assert(!report_is_good(&report));
	ck_assert_ptr_nonnull(strstr(report.why, "same time"));
}
END_TEST

/* ---- reports ----------------------------------------------------------------------------- */

START_TEST(equal_replays_have_equal_reports)
{
	char *first;

	rule("latency 3ms\nbandwidth 10M\nerror */b 65536 EIO 1\nstall */a 1048576 40ms");
	put_open(1, 1, "a", 8 * MIB);
	put_open(2, 2, "b", 8 * MIB);
	for (uint32_t i = 0; i < 50; i++) {
		ask_read(10 + i, 1 + i % 2, i * 128 * KIB, 64 * KIB);
		if (i > 3)
			answer_read(7 + i, 1 + (i - 3) % 2);
		wait_ms(1);
	}
	replay();
	first = json;
	json = NULL;
	script_deinit(&script);
	rule("latency 3ms\nbandwidth 10M\nerror */b 65536 EIO 1\nstall */a 1048576 40ms");
	replay_with(LOOP_VIRTUAL);
	ck_assert_str_eq(first, json);
	free(first);
}
END_TEST

START_TEST(real_time_gives_the_same_answers)
{
	put_open(1, 1, "a", 4 * MIB);
	for (uint32_t i = 0; i < 50; i++)
		put_read(2 + i, 1, i * 64 * KIB, 64 * KIB);
	end_trace();
	wish.speed = 0;
	wish.virtual_time = false;
	replay_with(LOOP_POLL);
	ck_good();
	ck_assert_uint_eq(report.here.reads, 50);
	ck_assert_uint_eq(report.checked_bytes, 50 * 64 * KIB);
}
END_TEST

START_TEST(a_replay_can_be_recorded_and_replayed)
{
	char out[] = "/tmp/test-replay-out-XXXXXX";
	uint64_t asked;

	ck_assert_int_ge(mkstemp(out), 0);
	unlink(out);
	put_open(1, 1, "a", 4 * MIB);
	for (uint32_t i = 0; i < 20; i++)
		put_read(2 + i, 1, i * 64 * KIB, 64 * KIB);
	put_close(90, 1);
	wish.record = out;
	replay();
	ck_good();
	asked = report.here.asked;
	wish.record = NULL;
	wish.trace = out;
	ck_assert_int_eq(rename(out, path), 0);
	wish.trace = path;
	replay_with(LOOP_VIRTUAL);
	ck_good();
	ck_assert_uint_eq(report.here.asked, asked);
	ck_assert_uint_gt(report.recorded.stored, 0);
	ck_assert_uint_eq(report.recorded.stored, report.here.stored);
}
END_TEST

/* ---- an origin that lies ---------------------------------------------------------------- */

/* An origin that gives one wrong byte at liar_at, or fails there. */
struct liar {
	struct fetcher base;
	struct fetcher *inner;
	struct fetch_object *object;
	int err;
};

struct lie {
	struct fetch_read read;
	struct fetch_read *outer;
	struct liar *liar;
};

static struct liar liar;

static void lie_done(struct fetch_read *read, int err)
{
	struct lie *lie = container_of(read, struct lie, read);
	struct fetch_read *outer = lie->outer;
	uint64_t at = liar_at;
	bool here = err == 0 && at >= outer->off && at < outer->off + outer->len;

	if (here && lie->liar->err == 0)
		((uint8_t *)outer->buf)[at - outer->off] ^= 1;
	if (here && lie->liar->err < 0)
		err = lie->liar->err;
	free(lie);
	outer->done(outer, err);
}

static void liar_look(struct fetcher *fetcher, struct fetch_look *look)
{
	liar.inner->ops->look(liar.inner, look);
}

static void liar_cancel_look(struct fetcher *fetcher, struct fetch_look *look)
{
	liar.inner->ops->cancel_look(liar.inner, look);
}

static int liar_attach(struct fetcher *fetcher, struct fetch_object **ret, const char *locator,
		       const struct fetch_identity *identity)
{
	return liar.inner->ops->attach(liar.inner, ret, locator, identity);
}

static void liar_detach(struct fetch_object *object)
{
	liar.inner->ops->detach(object);
}

static void liar_read(struct fetch_object *object, struct fetch_read *read)
{
	struct lie *lie = calloc(1, sizeof(*lie));

	ck_assert_ptr_nonnull(lie);
	lie->read = (struct fetch_read){
		.off = read->off, .len = read->len, .buf = read->buf, .done = lie_done
	};
	lie->outer = read;
	lie->liar = &liar;
	liar.inner->ops->read(object, &lie->read);
}

static void liar_cancel_read(struct fetch_object *object, struct fetch_read *read)
{
}

static void liar_free(struct fetcher *fetcher)
{
	liar.inner->ops->free(liar.inner);
}

static const struct fetcher_ops liar_ops = {
	.look = liar_look,
	.cancel_look = liar_cancel_look,
	.attach = liar_attach,
	.detach = liar_detach,
	.read = liar_read,
	.cancel_read = liar_cancel_read,
	.free = liar_free,
};

static struct fetcher *make_liar(struct fetcher *inner)
{
	liar = (struct liar){ .base.ops = &liar_ops, .inner = inner, .err = liar.err };
	return &liar.base;
}

/* ---- other origins ----------------------------------------------------------------------- */

static char dir[] = "/tmp/test-replay-dir-XXXXXX";

static int make_directory(void)
{
	return origin_template_new(&wish.origin, wish.loop, wish.catalog, dir, error);
}

static int make_recorded(void)
{
	return origin_recorded_new(&wish.origin, wish.loop, wish.catalog, error);
}

/* A file "a" of half a MiB with other bytes than the synthetic ones, and a trace of it. */
static void begin_files(void)
{
	char file[64], locator[64];
	FILE *out;

	strcpy(strrchr(dir, '-'), "-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/a", dir);
	snprintf(locator, sizeof(locator), "file:%s/a", dir);
	out = fopen(file, "we");
	ck_assert_ptr_nonnull(out);
	for (unsigned int i = 0; i < 512 * KIB; i++)
		fputc((int)(i * 7 + i / 251), out);
	fclose(out);
	ask_open(1, 1, "a");
	put((struct trace_record){ .kind = TRACE_OBJECT,
				   .object = 1,
				   .source = 5,
				   .size = 512 * KIB,
				   .volume = bytes_str("erofs,v"),
				   .cookie = bytes_str("a"),
				   .locator = bytes_str(locator) });
	put((struct trace_record){ .kind = TRACE_COPEN, .msg = 1, .size = 512 * KIB });
	for (uint32_t i = 0; i < 8; i++)
		put_read(2 + i, 1, i * 64 * KIB, 64 * KIB);
}

static void remove_files(void)
{
	char file[64];

	snprintf(file, sizeof(file), "%s/a", dir);
	unlink(file);
	rmdir(dir);
}

START_TEST(the_files_of_a_directory_are_read_and_compared)
{
	begin_files();
	make_origin = make_directory;
	replay();
	remove_files();
	ck_good();
	ck_assert_uint_eq(report.here.reads, 8);
	ck_assert_uint_eq(report.checked_bytes, 512 * KIB);
}
END_TEST

START_TEST(recorded_locators_are_read_and_compared)
{
	begin_files();
	make_origin = make_recorded;
	replay();
	remove_files();
	ck_good();
	ck_assert_uint_eq(report.checked_bytes, 512 * KIB);
}
END_TEST

START_TEST(a_wrong_byte_is_found_by_reading_again)
{
	begin_files();
	liar.err = 0;
	liar_at = 300 * KIB;
	decorator = make_liar;
	make_origin = make_directory;
	replay();
	remove_files();
	ck_assert_uint_eq(report.wrong_reads, 1);
	ck_assert_uint_eq(report.wrong_bytes, 1);
	ck_finding("erofs,v/a: READ of 65536 bytes at 262144: 1 are not the origin's, the first at "
		   "307200");
}
END_TEST

START_TEST(a_file_that_is_not_there_fails_the_open)
{
	begin_files();
	remove_files();
	ck_assert_int_eq(mkdir(dir, 0700), 0);
	make_origin = make_directory;
	replay();
	rmdir(dir);
	ck_assert_uint_eq(report.here.opens_failed, 1);
	ck_assert_uint_eq(report.undelivered, 8);
	ck_assert_uint_eq(report.wrong_answers, 1);
	ck_finding("erofs,v/a: OPEN: failed, as it did not in the trace: No such file");
}
END_TEST

/* ---- faults ------------------------------------------------------------------------------ */

/* An object, and a READ of it where nothing has been fetched. */
static void one_read(void)
{
	put_open(1, 1, "a", 64 * MIB);
	put_read(2, 1, 32 * MIB, 4 * KIB);
}

START_TEST(latency_delays_each_request)
{
	rule("latency 50ms");
	one_read();
	wish.speed = 0;
	replay();
	ck_good();
	ck_assert_uint_eq(report.here.time, 100 * MS); /* a look and a read */
}
END_TEST

START_TEST(bandwidth_bounds_what_comes)
{
	rule("bandwidth 1M");
	put_open(1, 1, "a", 64 * MIB);
	ask_read(2, 1, 32 * MIB, 1 * MIB);
	ask_read(3, 1, 48 * MIB, 1 * MIB);
	answer_read(2, 1);
	answer_read(3, 1);
	wish.speed = 0;
	wish.readahead_max = 4 * KIB;
	replay();
	ck_good();
	/* 128 KiB with the look, then 2 MiB. */
	ck_assert_uint_eq(report.here.time, 2125 * MS);
}
END_TEST

START_TEST(an_error_fails_the_read_and_is_not_wrong)
{
	rule("error */a 33554432 EIO 1");
	one_read();
	put_read(3, 1, 32 * MIB, 4 * KIB);
	replay();
	ck_good();
	ck_assert_uint_eq(report.here.reads_failed, 1);
	ck_assert_uint_eq(report.recorded.reads_failed, 0);
}
END_TEST

START_TEST(an_error_of_another_object_harms_nobody)
{
	rule("error */b 33554432 EIO");
	one_read();
	replay();
	ck_good();
	ck_assert_uint_eq(report.here.reads_failed, 0);
}
END_TEST

START_TEST(an_error_of_a_look_fails_the_open)
{
	rule("error */a look ENOENT");
	one_read();
	replay();
	ck_good();
	ck_assert_uint_eq(report.here.opens_failed, 1);
	ck_assert_uint_eq(report.undelivered, 1);
	ck_assert_uint_eq(report.here.reads_failed, 1);
}
END_TEST

START_TEST(a_stall_for_ever_is_answered_at_the_deadline)
{
	rule("stall * 33554432 forever");
	read_deadline = 7 * NSEC_PER_SEC;
	one_read();
	wish.speed = 0;
	replay();
	ck_good();
	ck_assert_uint_eq(report.here.reads_failed, 1);
	ck_assert_uint_eq(report.here.time, 7 * NSEC_PER_SEC);
}
END_TEST

START_TEST(a_stall_ends)
{
	rule("stall * 33554432 3s");
	one_read();
	wish.speed = 0;
	replay();
	ck_good();
	ck_assert_uint_eq(report.here.reads_failed, 0);
	ck_assert_uint_eq(report.here.time, 3 * NSEC_PER_SEC);
}
END_TEST

START_TEST(a_rule_holds_in_its_time_only)
{
	rule("error * 33554432 EIO from 10s to 20s");
	one_read();
	wait_ms(15000);
	put_read(3, 1, 48 * MIB, 4 * KIB); /* another place */
	replay();
	ck_good();
	ck_assert_uint_eq(report.here.reads_failed, 0);
	script_deinit(&script);
	rule("error * 50331648 EIO from 10s to 20s");
	replay_with(LOOP_VIRTUAL);
	ck_good();
	ck_assert_uint_eq(report.here.reads_failed, 1);
}
END_TEST

/* ---- what is wrong is said --------------------------------------------------------------- */

START_TEST(a_wrong_byte_is_found_with_its_place)
{
	liar.err = 0;
	decorator = make_liar;
	one_read();
	replay();
	ck_assert(!report_is_good(&report));
	ck_assert_uint_eq(report.wrong_reads, 1);
	ck_assert_uint_eq(report.wrong_bytes, 1);
	ck_assert_uint_eq(report.wrong_stored, 1);
	ck_assert_uint_eq(report.wrong_answers, 0);
	ck_finding("erofs,v/a: READ of 4096 bytes at 33554432: 1 are not the origin's, the first "
		   "at 33554532");
}
END_TEST

START_TEST(bytes_are_not_looked_at_where_that_is_not_wanted)
{
	liar.err = 0;
	decorator = make_liar;
	wish.check = false;
	one_read();
	replay();
	ck_good();
	ck_assert(!report.checked);
}
END_TEST

START_TEST(a_read_that_fails_as_it_did_not_is_wrong)
{
	liar.err = -EIO;
	decorator = make_liar;
	one_read();
	replay();
	ck_assert(!report_is_good(&report));
	ck_assert_uint_eq(report.here.reads_failed, 1);
	ck_assert_uint_eq(report.wrong_answers, 1);
	ck_finding("READ of 4096 bytes at 33554432: failed, as it did not in the trace");
}
END_TEST

START_TEST(a_read_that_failed_in_the_trace_may_fail)
{
	liar.err = -EIO;
	decorator = make_liar;
	put_open(1, 1, "a", 64 * MIB);
	ask_read(2, 1, 32 * MIB, 4 * KIB);
	wait_ms(1);
	put((struct trace_record){ .kind = TRACE_FETCH,
				   .object = 1,
				   .off = 32 * MIB,
				   .len = 64 * KIB,
				   .took = MS,
				   .error = -EIO });
	answer_read(2, 1);
	replay();
	ck_good();
	ck_assert_uint_eq(report.here.reads_failed, 1);
	ck_assert_uint_eq(report.recorded.reads_failed, 1);
}
END_TEST

/* Another size than the trace has. */
static void bigger_look_done(struct fetch_look *look, int err);
static void (*honest_done)(struct fetch_look *look, int err);

static void bigger_look(struct fetcher *fetcher, struct fetch_look *look)
{
	honest_done = look->done;
	look->done = bigger_look_done;
	liar.inner->ops->look(liar.inner, look);
}

static void bigger_look_done(struct fetch_look *look, int err)
{
	look->identity.size -= 4096;
	look->done = honest_done;
	look->done(look, err);
}

static struct fetcher *make_bigger(struct fetcher *inner)
{
	static struct fetcher_ops ops;

	ops = liar_ops;
	ops.look = bigger_look;
	make_liar(inner);
	liar.base.ops = &ops;
	return &liar.base;
}

START_TEST(another_size_is_a_wrong_answer)
{
	decorator = make_bigger;
	put_open(1, 1, "a", 64 * MIB);
	replay();
	ck_assert_uint_eq(report.wrong_answers, 1);
	ck_finding("erofs,v/a: OPEN: 67104768 bytes, in the trace it has 67108864");
}
END_TEST

static TCase *with_files(void)
{
	TCase *t = tcase_create("origins");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, the_files_of_a_directory_are_read_and_compared);
	tcase_add_test(t, recorded_locators_are_read_and_compared);
	tcase_add_test(t, a_wrong_byte_is_found_by_reading_again);
	tcase_add_test(t, a_file_that_is_not_there_fails_the_open);
	return t;
}

START_TEST(nothing)
{
}
END_TEST

/* The name of a test case is part of its line, where "# SKIP" is understood. */
static TCase *without_files(void)
{
	TCase *t = tcase_create("origins # SKIP valgrind 3.19 has no openat2(2)");

	tcase_add_test(t, nothing);
	return t;
}

int main(void)
{
	Suite *s = suite_create("replay");
	TCase *t = tcase_create("traces");

	if (mkstemp(path) < 0)
		return EXIT_FAILURE;
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, reads_are_answered_with_the_right_bytes);
	tcase_add_test(t, time_goes_by_as_recorded);
	tcase_add_test(t, a_reopened_object_has_its_bytes);
	tcase_add_test(t, an_open_that_failed_in_the_trace_fails);
	tcase_add_test(t, readers_wait_as_they_did);
	tcase_add_test(t, close_while_reading_withdraws_the_read);
	tcase_add_test(t, what_was_open_before_the_recording_is_opened);
	tcase_add_test(t, an_object_that_changed_has_other_bytes);
	tcase_add_test(t, a_compressed_image_is_fetched_whole);
	tcase_add_test(t, requests_that_make_no_sense_are_left_out);
	tcase_add_test(t, a_trace_without_an_end_is_replayed);
	tcase_add_test(t, an_object_that_no_file_system_takes_is_refused_with_its_place);
	tcase_add_test(t, keys_that_fit_no_message_are_refused_with_their_place);
	tcase_add_test(t, too_many_at_the_same_time_are_refused_with_their_place);
	suite_add_tcase(s, t);

	t = tcase_create("reports");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, equal_replays_have_equal_reports);
	tcase_add_test(t, real_time_gives_the_same_answers);
	tcase_add_test(t, a_replay_can_be_recorded_and_replayed);
	suite_add_tcase(s, t);

	suite_add_tcase(s, under_valgrind() ? without_files() : with_files());

	t = tcase_create("faults");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, latency_delays_each_request);
	tcase_add_test(t, bandwidth_bounds_what_comes);
	tcase_add_test(t, an_error_fails_the_read_and_is_not_wrong);
	tcase_add_test(t, an_error_of_another_object_harms_nobody);
	tcase_add_test(t, an_error_of_a_look_fails_the_open);
	tcase_add_test(t, a_stall_for_ever_is_answered_at_the_deadline);
	tcase_add_test(t, a_stall_ends);
	tcase_add_test(t, a_rule_holds_in_its_time_only);
	suite_add_tcase(s, t);

	t = tcase_create("wrongs");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_wrong_byte_is_found_with_its_place);
	tcase_add_test(t, bytes_are_not_looked_at_where_that_is_not_wanted);
	tcase_add_test(t, a_read_that_fails_as_it_did_not_is_wrong);
	tcase_add_test(t, a_read_that_failed_in_the_trace_may_fail);
	tcase_add_test(t, another_size_is_a_wrong_answer);
	suite_add_tcase(s, t);
	return run_suite(s);
}
