/* SPDX-License-Identifier: MIT */
/*
 * What the recorder writes down is what has happened between the emulated kernel, the daemon and
 * its origin.
 */
#include "daemon/trace/requests.h"
#include "tests/lib/run-suite.h"
#include "tests/unit/recording.h"

/* How the readers of traces join it. */
static struct trace_requests_stats join(void)
{
	const struct trace_requests_callbacks none = { 0 };
	struct trace_requests *requests;
	struct trace_requests_stats stats;

	ck_assert_int_eq(trace_requests_new(&requests, &none, NULL), 0);
	for (size_t i = 0; i < seen.n; i++)
		ck_assert_int_eq(trace_requests_feed(requests, &seen.records[i]), 0);
	trace_requests_finish(requests);
	stats = trace_requests_stats(requests);
	trace_requests_free(requests);
	return stats;
}

/* ---- what is recorded --------------------------------------------------------------------- */

START_TEST(recording_counts_what_the_kernel_has_counted)
{
	struct fake_origin *blob = rig_serve("blob", 8 * MIB), *none = rig_serve("none", 1);
	struct emu_mount *mount, *refused;
	struct emu_counters c;
	struct engine_stats s;

	start();
	none->look_error = -ENOENT;
	mount = rig_mount(blob);
	refused = rig_open(none);
	rig_wait(emu_mount_state(refused) == EMU_MOUNT_FAILED);
	for (uint64_t i = 1; i < 8; i++)
		ck_assert_int_eq(rig_read(mount, i * MIB, 64 * KIB), 0);
	blob->fail_at = 2 * MIB + 512 * KIB;
	blob->read_error = -EIO;
	ck_assert_int_eq(rig_read(mount, 2 * MIB + 512 * KIB, 4096), -EIO);
	rig_umount(mount);
	s = engine_stats(rig.engine);
	rig_stop();
	stop();

	c = emu_counters(rig.emu);
	see_whole(file);
	ck_assert_uint_eq(seen.counts[TRACE_OPEN], c.opens);
	ck_assert_uint_eq(seen.counts[TRACE_READ], c.reads);
	ck_assert_uint_eq(seen.counts[TRACE_CLOSE], c.closes);
	ck_assert_uint_eq(seen.counts[TRACE_COPEN], c.copens + c.copen_errors);
	ck_assert_uint_eq(seen.counts[TRACE_COMPLETE], c.completions + c.late_answers);
	ck_assert_uint_eq(seen.counts[TRACE_RELEASE], c.opens);
	ck_assert_uint_eq(seen.counts[TRACE_LOOK], s.looks);
	ck_assert_uint_eq(seen.counts[TRACE_FETCH], s.fetches);
	ck_assert_uint_eq(sum_of_len(TRACE_FETCH), s.fetch_bytes);
	ck_assert_uint_eq(sum_of_len(TRACE_STORE), s.stored_bytes);
	ck_assert_uint_eq(seen.counts[TRACE_OBJECT], 1);
	ck_assert_uint_eq(seen.counts[TRACE_LOST], 0);
	ck_assert_uint_eq(join().strays, 0);
	ck_assert_uint_eq(join().unanswered, 0);
}
END_TEST

START_TEST(sources_that_are_added_are_named)
{
	struct engine_source_config source = rig.source;
	uint32_t number;

	source.name = "added";
	source.place = "fake://user:secret@h/";
	start();
	ck_assert_int_eq(engine_add_source(rig.engine, &source, &number), 0);
	ck_assert_uint_eq(number, 1);
	ck_assert_int_eq(engine_add_source(rig.engine, &source, &number), -ENOSPC);
	stop();
	see_whole(file);
	ck_assert_uint_eq(seen.counts[TRACE_SOURCE], 2);
	ck_assert_uint_eq(nth(TRACE_SOURCE, 1)->source, 1);
	ck_assert(text_is(nth(TRACE_SOURCE, 1)->text, "added"));
	ck_assert(text_is(nth(TRACE_SOURCE, 1)->locator, "fake://h/"));
}
END_TEST

/* The number is the same, and what it means is told before it is used. */
START_TEST(sources_that_are_replaced_are_named)
{
	struct engine_source_config source = rig.source, other = rig.source;
	uint32_t number;

	source.name = "added";
	other.name = "other";
	source.place = other.place = "fake://h/";
	start();
	ck_assert(!engine_idle_source(rig.engine, &number));
	ck_assert_int_eq(engine_add_source(rig.engine, &source, &number), 0);
	ck_assert(engine_idle_source(rig.engine, &number));
	ck_assert_uint_eq(number, 1);
	engine_replace_source(rig.engine, number, &other);
	stop();
	see_whole(file);
	ck_assert_uint_eq(seen.counts[TRACE_SOURCE], 3);
	ck_assert_uint_eq(nth(TRACE_SOURCE, 2)->source, 1);
	ck_assert(text_is(nth(TRACE_SOURCE, 2)->text, "other"));
}
END_TEST

START_TEST(records_hold_what_was_said)
{
	struct fake_origin *blob = rig_serve("blob", 8 * MIB + 1), *none = rig_serve("none", 1);
	struct emu_mount *mount, *refused;
	struct emu_reader *reader;
	uint32_t id;

	blob->validator = "\"v1\"";
	none->look_error = -ENOENT;
	start();
	mount = rig_mount(blob);
	id = emu_mount_object_id(mount);
	reader = emu_read_pages(mount, 4 * MIB, 4096);
	ck_assert_int_eq(rig_finish(reader), 0);
	refused = rig_open(none);
	rig_wait(emu_mount_state(refused) == EMU_MOUNT_FAILED);
	rig_umount(mount);
	stop();

	see_whole(file);
	ck_assert_uint_gt(seen.records[0].realtime, 0);
	ck_assert(memcmp(seen.records[0].program.data, "cachefilld ", 11) == 0);
	ck_assert(text_is(nth(TRACE_SOURCE, 0)->text, "fake"));
	ck_assert(text_is(nth(TRACE_SOURCE, 0)->locator, "fake:{cookie}"));
	ck_assert_uint_eq(nth(TRACE_OPEN, 0)->id, id);
	ck_assert(text_is(nth(TRACE_OPEN, 0)->volume, RIG_VOLUME));
	ck_assert(text_is(nth(TRACE_OPEN, 0)->cookie, "blob"));
	ck_assert(text_is(nth(TRACE_LOOK, 0)->cookie, "blob"));
	ck_assert_uint_eq(nth(TRACE_LOOK, 0)->size, 8 * MIB + 1);
	ck_assert(text_is(nth(TRACE_OBJECT, 0)->volume, RIG_VOLUME));
	ck_assert(text_is(nth(TRACE_OBJECT, 0)->cookie, "blob"));
	ck_assert(text_is(nth(TRACE_OBJECT, 0)->locator, "fake:blob"));
	ck_assert(text_is(nth(TRACE_OBJECT, 0)->validator, "\"v1\""));
	ck_assert_uint_eq(nth(TRACE_OBJECT, 0)->size, 8 * MIB + 1);
	ck_assert_uint_eq(nth(TRACE_COPEN, 0)->msg, nth(TRACE_OPEN, 0)->msg);
	ck_assert_uint_eq(nth(TRACE_COPEN, 0)->size, 8 * MIB + 1);
	ck_assert_int_eq(nth(TRACE_COPEN, 0)->error, 0);
	ck_assert_uint_eq(nth(TRACE_READ, 0)->msg, emu_reader_msg_id(reader));
	ck_assert_uint_eq(nth(TRACE_READ, 0)->id, id);
	ck_assert_uint_eq(nth(TRACE_READ, 0)->off, 4 * MIB);
	ck_assert_uint_eq(nth(TRACE_READ, 0)->len, 4096);
	ck_assert_uint_eq(nth(TRACE_COMPLETE, 0)->msg, emu_reader_msg_id(reader));
	ck_assert_uint_eq(nth(TRACE_COMPLETE, 0)->id, id);
	ck_assert_int_eq(nth(TRACE_COMPLETE, 0)->result, 0);
	ck_assert_uint_eq(nth(TRACE_FETCH, 0)->object, nth(TRACE_OBJECT, 0)->object);
	ck_assert_uint_eq(nth(TRACE_FETCH, 0)->class, ENGINE_DEMAND);
	ck_assert_int_eq(nth(TRACE_LOOK, 1)->error, -ENOENT);
	ck_assert_uint_eq(nth(TRACE_COPEN, 1)->msg, nth(TRACE_OPEN, 1)->msg);
	ck_assert_int_eq(nth(TRACE_COPEN, 1)->error, -ENOENT);
	ck_assert_uint_eq(nth(TRACE_RELEASE, 1)->id, id);
	ck_assert_uint_eq(nth(TRACE_CLOSE, 0)->id, id);
}
END_TEST

START_TEST(times_are_those_of_the_loop)
{
	struct fake_origin *blob = rig_serve("blob", 64 * MIB);
	const struct trace_record *first, *second;
	struct emu_mount *mount;
	uint64_t begin;

	rig.sources[0].max_requests = 1;
	blob->look_delay = 7 * MS;
	blob->delay = 20 * MS;
	start();
	mount = rig_mount(blob);
	begin = loop_now(rig.loop);
	emu_read_pages(mount, 8 * MIB, 4096);
	ck_assert_int_eq(rig_finish(emu_read_pages(mount, 32 * MIB, 4096)), 0);
	stop();

	see_whole(file);
	ck_assert_uint_eq(nth(TRACE_LOOK, 0)->took, 7 * MS);
	first = nth(TRACE_FETCH, 0);
	second = nth(TRACE_FETCH, 1);
	ck_assert_uint_eq(nth(TRACE_READ, 0)->time, begin);
	ck_assert_uint_eq(first->time, begin + 20 * MS);
	ck_assert_uint_eq(first->queued, 0);
	ck_assert_uint_eq(first->took, 20 * MS);
	ck_assert_uint_eq(second->queued, 20 * MS);
	ck_assert_uint_eq(second->took, 20 * MS);
	ck_assert_uint_eq(nth(TRACE_COMPLETE, 1)->time, begin + 40 * MS);
}
END_TEST

START_TEST(look_that_is_given_up_is_recorded_once)
{
	struct fake_origin *mute = rig_serve("mute", 1);
	struct emu_mount *mount;

	mute->look_stalls = true;
	start();
	mount = rig_open(mute);
	rig_wait(emu_mount_state(mount) == EMU_MOUNT_FAILED);
	rig_run(SEC);
	stop();
	see_whole(file);
	ck_assert_uint_eq(seen.counts[TRACE_LOOK], 1);
	ck_assert_int_eq(nth(TRACE_LOOK, 0)->error, -ETIMEDOUT);
	ck_assert_uint_eq(nth(TRACE_LOOK, 0)->took, RIG_OPEN_DEADLINE);
}
END_TEST

START_TEST(failures_of_fetches_and_stores_are_recorded)
{
	struct fake_origin *blob = rig_serve("blob", 8 * MIB);
	struct emu_mount *mount = rig_mount(blob);
	size_t last;

	start();
	blob->fail_at = 4 * MIB + 8192;
	blob->read_error = -ECONNRESET;
	blob->step = 4096;
	ck_assert_int_eq(rig_read(mount, 4 * MIB, 64 * KIB), -EIO);
	blob->fail_at = FAKE_NOWHERE;
	emu_fail_writes(rig.emu, 1, 0, -EIO);
	ck_assert_int_eq(rig_finish(emu_read_pages(mount, 6 * MIB, 4096)), -EIO);
	stop();
	see_whole(file);
	ck_assert_int_eq(nth(TRACE_FETCH, 0)->error, -ECONNRESET);
	ck_assert_uint_eq(nth(TRACE_FETCH, 0)->off, 4 * MIB);
	ck_assert_uint_eq(nth(TRACE_FETCH, 0)->got, 8192);
	last = seen.counts[TRACE_STORE] - 1;
	ck_assert_int_eq(nth(TRACE_STORE, last)->error, -EIO);
	ck_assert_uint_eq(nth(TRACE_STORE, last)->len, 0);
}
END_TEST

START_TEST(what_is_not_understood_is_recorded_as_such)
{
	uint32_t message[8] = { 0x11223344, 77, sizeof(message), 5 };

	start();
	emu_inject_raw(rig.emu, message, sizeof(message), -1);
	rig_wait(emu_counters(rig.emu).unread == 0);
	emu_fail_delivery(rig.emu, -EMFILE);
	rig_open(rig_serve("blob", 1));
	rig_run(SEC);
	stop();
	see_whole(file);
	ck_assert_uint_eq(seen.counts[TRACE_BAD], 1);
	ck_assert_uint_eq(nth(TRACE_BAD, 0)->msg, 0x11223344);
	ck_assert_uint_eq(nth(TRACE_BAD, 0)->opcode, 77);
	ck_assert_uint_eq(nth(TRACE_BAD, 0)->len, sizeof(message));
	ck_assert_uint_eq(seen.counts[TRACE_RECEIVE], 1);
	ck_assert_int_eq(nth(TRACE_RECEIVE, 0)->result, -EMFILE);
}
END_TEST

/* A descriptor's number comes back, for another object. */
START_TEST(completions_name_the_object_of_their_descriptor)
{
	struct emu_mount *mount;
	uint32_t ids[6];
	char name[16];
	int fd = -1;

	start();
	for (unsigned int i = 0; i < 6; i++) {
		snprintf(name, sizeof(name), "blob-%u", i);
		mount = rig_mount(rig_serve(name, MIB));
		ck_assert(fd < 0 || emu_mount_fd(mount) == fd);
		fd = emu_mount_fd(mount);
		ids[i] = emu_mount_object_id(mount);
		ck_assert_int_eq(rig_finish(emu_read_pages(mount, 512 * KIB, 4096)), 0);
		rig_umount(mount);
	}
	stop();
	see_whole(file);
	for (unsigned int i = 0; i < 6; i++) {
		ck_assert_uint_eq(nth(TRACE_COMPLETE, i)->id, ids[i]);
		ck_assert_uint_eq(nth(TRACE_RELEASE, i)->id, ids[i]);
	}
}
END_TEST

/* ---- in the middle ------------------------------------------------------------------------ */

START_TEST(recording_that_begins_in_the_middle_names_what_is_open)
{
	struct fake_origin *a = rig_serve("a", 8 * MIB), *b = rig_serve("b", 4 * MIB);
	struct emu_mount *mount_a = rig_mount(a), *mount_b = rig_mount(b);

	ck_assert_int_eq(rig_read(mount_a, MIB, 4096), 0);
	start();
	ck_assert_int_eq(rig_read(mount_b, MIB, 4096), 0);
	ck_assert_int_eq(rig_read(mount_a, 4 * MIB, 4096), 0);
	rig_umount(mount_a);
	stop();

	see_whole(file);
	ck_assert_uint_eq(seen.counts[TRACE_OBJECT], 2);
	ck_assert_uint_eq(seen.counts[TRACE_HANDLE], 2);
	ck_assert_uint_eq(nth(TRACE_READ, 0)->id, emu_mount_object_id(mount_b));
	for (size_t i = 0; i < 2; i++) {
		const struct trace_record *object = nth(TRACE_OBJECT, i), *h = nth(TRACE_HANDLE, i);

		ck_assert_uint_eq(h->object, object->object);
		ck_assert_uint_eq(h->id == emu_mount_object_id(mount_b),
				  text_is(object->cookie, "b"));
	}
	ck_assert_uint_eq(join().strays, 0);
	rig_umount(mount_b);
}
END_TEST

START_TEST(requests_that_wait_when_it_begins_are_in_it)
{
	struct fake_origin *blob = rig_serve("blob", 64 * MIB), *slow = rig_serve("slow", MIB);
	struct emu_mount *mount = rig_mount(blob), *opening;
	struct emu_reader *readers[3];

	blob->delay = slow->look_delay = 5 * SEC;
	opening = rig_open(slow);
	for (uint64_t i = 0; i < 3; i++)
		readers[i] = emu_read_pages(mount, (i + 1) * 16 * MIB, 4096);
	rig_run(SEC);
	start();
	rig_run(10 * SEC);
	ck_assert_int_eq(rig_read(opening, 512 * KIB, 4096), 0);
	stop();

	see_whole(file);
	ck_assert_uint_eq(seen.counts[TRACE_OPEN], 1);
	ck_assert(text_is(nth(TRACE_OPEN, 0)->cookie, "slow"));
	ck_assert_uint_eq(nth(TRACE_OPEN, 0)->msg, nth(TRACE_COPEN, 0)->msg);
	ck_assert_uint_eq(nth(TRACE_OPEN, 0)->id, emu_mount_object_id(opening));
	for (uint64_t i = 0; i < 3; i++) {
		ck_assert_int_eq(emu_reader_state(readers[i]), EMU_READER_DONE);
		ck_assert_uint_eq(nth(TRACE_READ, i)->msg, emu_reader_msg_id(readers[i]));
		ck_assert_uint_eq(nth(TRACE_READ, i)->id, emu_mount_object_id(mount));
		ck_assert_uint_eq(nth(TRACE_READ, i)->off, (i + 1) * 16 * MIB);
		ck_assert_uint_eq(nth(TRACE_READ, i)->len, 4096);
	}
	ck_assert_uint_eq(nth(TRACE_FETCH, 0)->took, 5 * SEC); /* before it began, too */
	ck_assert_uint_eq(join().requests, 5);
	ck_assert_uint_eq(join().strays, 0);
	ck_assert_uint_eq(join().unanswered, 0);
	rig_umount(mount);
	rig_umount(opening);
}
END_TEST

/* Whatever happens, and wherever a recording begins and ends: it can be joined without a remainder.
 */
START_TEST(recordings_of_anything_can_be_joined)
{
	struct emu_mount *mounts[4];
	struct fake_origin *origins[4];
	uint64_t requests = 0;

	srand48(_i);
	for (unsigned int i = 0; i < 4; i++) {
		origins[i] = rig_serve((const char *[]){ "a", "b", "c", "d" }[i], 32 * MIB);
		origins[i]->delay = origins[i]->look_delay = (uint64_t)(lrand48() % 30) * MS;
		mounts[i] = rig_open(origins[i]);
	}
	for (unsigned int step = 0; step < 400; step++) {
		unsigned int i = (unsigned int)(lrand48() % 4);
		uint64_t block = (uint64_t)(lrand48() % (8 * KIB));

		if (lrand48() % 8 == 0 && emu_mount_state(mounts[i]) == EMU_MOUNT_OPEN) {
			emu_close(mounts[i]);
			mounts[i] = rig_open(origins[i]);
		} else {
			emu_read(mounts[i], block * 4096, 64 * KIB);
		}
		rig_run((uint64_t)(lrand48() % 10) * MS);
		if (lrand48() % 16 != 0)
			continue;
		if (!recorder_stats(recorder).recording) {
			start();
			continue;
		}
		stop();
		see_whole(recorder_stats(recorder).path);
		ck_assert_uint_eq(join().strays, 0);
		requests += join().requests;
	}
	ck_assert_uint_gt(requests, 20);
	for (unsigned int i = 0; i < 4; i++) {
		rig_wait(emu_mount_state(mounts[i]) == EMU_MOUNT_OPEN);
		rig_umount(mounts[i]);
	}
}
END_TEST

START_TEST(every_recording_names_its_objects_anew)
{
	struct emu_mount *mount = rig_mount(rig_serve("blob", 64 * MIB));

	for (uint64_t i = 1; i < 5; i++) {
		char name[TEMPORARY_MAX + 80];

		start();
		ck_assert_int_eq(rig_finish(emu_read_pages(mount, i * 8 * MIB, 4096)), 0);
		stop();
		snprintf(name, sizeof(name), i == 1 ? "%s" : "%s.%ju", file, (uintmax_t)i - 1);
		ck_assert_str_eq(recorder_stats(recorder).path, name);
		see_whole(name);
		ck_assert_uint_eq(seen.counts[TRACE_OBJECT], 1);
		ck_assert_uint_eq(seen.counts[TRACE_HANDLE], 1);
		ck_assert_uint_eq(seen.counts[TRACE_READ], 1);
		ck_assert_uint_eq(seen.counts[TRACE_COMPLETE], 1);
		ck_assert_uint_eq(nth(TRACE_READ, 0)->off, i * 8 * MIB);
	}
	rig_umount(mount);
}
END_TEST

START_TEST(nothing_is_written_while_nothing_is_recorded)
{
	struct emu_mount *mount = rig_mount(rig_serve("blob", 8 * MIB));

	ck_assert_int_eq(rig_read(mount, MIB, 4096), 0);
	ck_assert(!recorder_stats(recorder).recording);
	ck_assert_ptr_null(recorder_stats(recorder).path);
	start();
	stop();
	see_whole(file);
	ck_assert_int_eq(rig_read(mount, 4 * MIB, 4096), 0);
	rig_umount(mount);
	load(file);
	ck_assert_uint_eq(seen.n_bytes, seen.used);
}
END_TEST

START_TEST(only_one_recording_at_a_time)
{
	char error[RECORDER_ERROR_MAX] = "", text[TEMPORARY_MAX + 128];

	start();
	snprintf(text, sizeof(text), "%s: this recording has not ended yet", file);
	ck_assert_int_eq(recorder_start(recorder, "/nowhere/x", error), -EALREADY);
	ck_assert_str_eq(error, text);
	recorder_stop(recorder, NULL, NULL);
	ck_assert_int_eq(recorder_start(recorder, "/nowhere/x", error), -EALREADY);
	stop(); /* again, and somebody waits for it this time */
	see_whole(file);
	stop(); /* of nothing */
	ck_assert_int_eq(recorder_start(recorder, "/nowhere/x", error), -ENOENT);
	ck_assert_str_eq(error, "/nowhere/x: No such file or directory");
	ck_assert_str_eq(recorder_stats(recorder).path, file);
}
END_TEST

START_TEST(stop_while_requests_are_under_way)
{
	struct fake_origin *blob = rig_serve("blob", 64 * MIB);
	struct emu_mount *mount = rig_mount(blob);
	struct emu_reader *reader;

	blob->delay = 10 * SEC;
	start();
	reader = emu_read_pages(mount, 8 * MIB, 4096);
	rig_run(SEC);
	stop();
	see_whole(file);
	ck_assert_uint_eq(join().unanswered, 1);
	ck_assert_int_eq(rig_finish(reader), 0);
	rig_umount(mount);
}
END_TEST

/* ---- the file ----------------------------------------------------------------------------- */

START_TEST(file_is_its_owners_and_new)
{
	char name[TEMPORARY_MAX + 80], target[TEMPORARY_MAX + 32];
	struct stat st;

	umask(0);
	start();
	stop();
	ck_assert_int_eq(stat(file, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	/* Not through a link, even where that leads nowhere. */
	snprintf(name, sizeof(name), "%s.1", file);
	snprintf(target, sizeof(target), "%s/must-not-be-made", dir);
	ck_assert_int_eq(symlink(target, name), 0);
	start();
	stop();
	snprintf(name, sizeof(name), "%s.2", file);
	ck_assert_str_eq(recorder_stats(recorder).path, name);
	see_whole(name);
	ck_assert_int_ne(access(target, F_OK), 0);
}
END_TEST

START_TEST(records_reach_the_file_after_a_second)
{
	struct emu_mount *mount = rig_mount(rig_serve("blob", 8 * MIB));

	start();
	ck_assert_int_eq(rig_read(mount, MIB, 4096), 0);
	load(file);
	ck_assert_uint_eq(seen.n_bytes, 0);
	rig_run(SEC + MS);
	/* What a crash leaves behind from here on. */
	see(file);
	ck_assert_uint_eq(seen.counts[TRACE_READ], 1);
	ck_assert_uint_eq(seen.counts[TRACE_COMPLETE], 1);
	ck_assert_uint_eq(seen.counts[TRACE_END], 0);
	ck_assert_uint_eq(recorder_stats(recorder).bytes, seen.n_bytes);
	ck_assert_uint_eq(recorder_stats(recorder).records, seen.n);
	rig_umount(mount);
}
END_TEST

START_TEST(file_that_is_cut_off_gives_its_whole_records)
{
	struct emu_mount *mount;
	size_t whole, last = 0;

	start();
	mount = rig_mount(rig_serve("blob", 8 * MIB));
	ck_assert_int_eq(rig_read(mount, MIB, 4096), 0);
	rig_umount(mount);
	stop();
	see_whole(file);
	whole = seen.n;
	for (size_t n = seen.n_bytes; seen.n_bytes = n--, seen.n_bytes > 0;) {
		decode();
		ck_assert_uint_le(seen.n, whole);
		last = seen.n;
	}
	ck_assert_uint_eq(last, 0);
}
END_TEST

/* Nothing of what is cached, and nothing that opens an origin. */
START_TEST(no_payload_and_no_secret)
{
	struct fake_origin *blob;
	struct emu_mount *mount;
	uint8_t piece[8];

	rig_end();
	rig.source.rule.locator = "fake:{cookie}?token=geheim";
	recorder = recorder_free(recorder);
	rig_begin();
	blob = fake_serve(rig.fake, "fake:blob?token=geheim", 2 * MIB);
	start();
	recorder_source(recorder, 1, "x", "https://user:geheim@host/{cookie}?sig=geheim#geheim");
	mount = emu_open(rig.emu, RIG_VOLUME, "blob", &blob->bytes);
	rig_wait(emu_mount_state(mount) == EMU_MOUNT_OPEN);
	ck_assert_int_eq(rig_read(mount, 0, 2 * MIB), 0);
	rig_umount(mount);
	stop();

	see_whole(file);
	ck_assert(text_is(nth(TRACE_SOURCE, 1)->locator, "https://host/{cookie}"));
	ck_assert(text_is(nth(TRACE_OBJECT, 0)->locator, "fake:blob"));
	ck_assert_ptr_null(memmem(seen.bytes, seen.n_bytes, "geheim", 6));
	ck_assert_ptr_null(memmem(seen.bytes, seen.n_bytes, "user", 4));
	for (uint64_t off = 0; off < 2 * MIB; off += 512) {
		for (size_t i = 0; i < sizeof(piece); i++)
			piece[i] = blob->bytes.byte(&blob->bytes, off + i);
		ck_assert_ptr_null(memmem(seen.bytes, seen.n_bytes, piece, sizeof(piece)));
	}
}
END_TEST

static TCase *tests(void)
{
	TCase *tcase = tcase_create("recorder");

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, set_up_and_begin, tear_down);
	tcase_add_test(tcase, recording_counts_what_the_kernel_has_counted);
	tcase_add_test(tcase, sources_that_are_added_are_named);
	tcase_add_test(tcase, sources_that_are_replaced_are_named);
	tcase_add_test(tcase, records_hold_what_was_said);
	tcase_add_test(tcase, times_are_those_of_the_loop);
	tcase_add_test(tcase, look_that_is_given_up_is_recorded_once);
	tcase_add_test(tcase, failures_of_fetches_and_stores_are_recorded);
	tcase_add_test(tcase, what_is_not_understood_is_recorded_as_such);
	tcase_add_test(tcase, completions_name_the_object_of_their_descriptor);
	tcase_add_test(tcase, recording_that_begins_in_the_middle_names_what_is_open);
	tcase_add_test(tcase, requests_that_wait_when_it_begins_are_in_it);
	tcase_add_loop_test(tcase, recordings_of_anything_can_be_joined, 0, 8);
	tcase_add_test(tcase, every_recording_names_its_objects_anew);
	tcase_add_test(tcase, nothing_is_written_while_nothing_is_recorded);
	tcase_add_test(tcase, only_one_recording_at_a_time);
	tcase_add_test(tcase, stop_while_requests_are_under_way);
	tcase_add_test(tcase, file_is_its_owners_and_new);
	tcase_add_test(tcase, records_reach_the_file_after_a_second);
	tcase_add_test(tcase, file_that_is_cut_off_gives_its_whole_records);
	tcase_add_test(tcase, no_payload_and_no_secret);
	return tcase;
}

int main(void)
{
	Suite *suite = suite_create("recorder");

	suite_add_tcase(suite, tests());
	return run_suite(suite);
}
