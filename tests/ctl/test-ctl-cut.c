/* SPDX-License-Identifier: MIT */
#include "tests/ctl/ctl.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "tests/lib/run-suite.h"

/* Other traces each time; a failure says which. */
static unsigned int seed_of_run;

static size_t count(const struct trace_record *records, size_t n, enum trace_kind kind)
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++)
		found += records[i].kind == kind;
	return found;
}

static const struct trace_record *nth(const struct trace_record *records, size_t n,
				      enum trace_kind kind, size_t wanted)
{
	for (size_t i = 0; i < n; i++)
		if (records[i].kind == kind && wanted-- == 0)
			return &records[i];
	ck_abort_msg("there is no such record");
}

/* ---- what is kept ------------------------------------------------------------------------ */

START_TEST(test_all_of_it)
{
	trace_write_sample("a");
	RUN_OK("trace", "cut", "-o", "b", "a");
	ck_assert(files_equal("a", "b"));
}
END_TEST

/* The READ at 115 ms is of an object that was opened before. */
START_TEST(test_window)
{
	const struct trace_record *record;
	struct trace_record *records;
	size_t n;

	trace_write_sample("a");
	RUN_OK("trace", "cut", "--from", "112ms", "--to", "120ms", "-o", "b", "a");
	RUN_OK("trace", "verify", "b");
	records = trace_read("b", &n);
	ck_assert_uint_eq(n, 7);
	/* The clocks of the new beginning. */
	ck_assert_int_eq(records[0].kind, TRACE_START);
	ck_assert_uint_eq(records[0].time, SAMPLE_TIME + 112 * MS);
	ck_assert_uint_eq(records[0].realtime, SAMPLE_REALTIME + 112 * MS);
	ck_assert_int_eq(records[1].kind, TRACE_SOURCE);
	ck_assert_uint_eq(records[1].source, 3);
	record = nth(records, n, TRACE_OBJECT, 0);
	ck_assert_uint_eq(record->object, 100);
	ck_assert_uint_eq(record->size, 1048576);
	ck_assert(bytes_equal(record->cookie, bytes_str("app.erofs")));
	ck_assert(bytes_equal(record->validator, bytes_str("\"5f3a\"")));
	record = nth(records, n, TRACE_HANDLE, 0);
	ck_assert_uint_eq(record->id, 10);
	ck_assert_uint_eq(record->object, 100);
	record = nth(records, n, TRACE_READ, 0);
	ck_assert_uint_eq(record->time, SAMPLE_TIME + 115 * MS);
	ck_assert_uint_eq(record->off, 524288);
	/* Its answer comes behind the window, and belongs to it. */
	record = nth(records, n, TRACE_COMPLETE, 0);
	ck_assert_uint_eq(record->time, SAMPLE_TIME + 121 * MS);
	ck_assert_int_eq(records[n - 1].kind, TRACE_END);
}
END_TEST

/* Answers of requests that were begun before are no part of it. */
START_TEST(test_window_begins_among_requests)
{
	struct trace_record *records;
	size_t n;

	trace_write_sample("a");
	RUN_OK("trace", "cut", "--from", "106ms", "--to", "130ms", "-o", "b", "a");
	RUN_OK("trace", "verify", "b");
	records = trace_read("b", &n);
	ck_assert_uint_eq(count(records, n, TRACE_READ), 1);
	ck_assert_uint_eq(count(records, n, TRACE_COMPLETE), 1);
	ck_assert_uint_eq(count(records, n, TRACE_FETCH), 1);
	ck_assert_uint_eq(count(records, n, TRACE_OBJECT), 2);
	ck_assert_uint_eq(count(records, n, TRACE_HANDLE), 1);
}
END_TEST

/* An OPEN inside, answered outside. */
START_TEST(test_window_ends_inside_a_request)
{
	struct trace_record *records;
	size_t n;

	trace_write_sample("a");
	RUN_OK("trace", "cut", "--from", "55ms", "--to", "65ms", "-o", "b", "a");
	RUN_OK("trace", "verify", "b");
	records = trace_read("b", &n);
	ck_assert_uint_eq(count(records, n, TRACE_OPEN), 1);
	ck_assert_uint_eq(count(records, n, TRACE_LOOK), 0);
	ck_assert_uint_eq(nth(records, n, TRACE_OBJECT, 0)->object, 101);
	ck_assert_uint_eq(nth(records, n, TRACE_COPEN, 0)->size, 524288);
	ck_assert_uint_eq(count(records, n, TRACE_HANDLE), 0);
}
END_TEST

START_TEST(test_one_object)
{
	struct trace_record *records;
	size_t n;

	trace_write_sample("a");
	RUN_OK("trace", "cut", "--object", "db.*", "-o", "b", "a");
	RUN_OK("trace", "verify", "b");
	records = trace_read("b", &n);
	ck_assert_uint_eq(n, 12);
	ck_assert_uint_eq(count(records, n, TRACE_OPEN), 1);
	ck_assert_uint_eq(count(records, n, TRACE_READ), 2);
	ck_assert_uint_eq(count(records, n, TRACE_LOOK), 1);
	ck_assert_uint_eq(count(records, n, TRACE_SOURCE), 1);
	ck_assert_uint_eq(count(records, n, TRACE_OBJECT), 1);
	ck_assert_uint_eq(count(records, n, TRACE_COMMAND), 0);
	RUN_OK("trace", "cut", "--object", "*/app.erofs", "--object", "gone*", "-o", "c", "a");
	RUN_OK("trace", "verify", "c");
	records = trace_read("c", &n);
	ck_assert_uint_eq(count(records, n, TRACE_OPEN), 2);
	ck_assert_uint_eq(count(records, n, TRACE_RELEASE), 2);
}
END_TEST

/* Whatever is cut out of a sound recording is one, with every request of the window that was
 * answered. */
START_TEST(test_any_part)
{
	static const char *const globs[] = { "*", "*/blob[0-2]", "erofs,domainB/*" };
	unsigned int seed = seed_of_run + (unsigned int)_i, first = seed;
	char from[32], to[32];
	struct ctl_result *r;
	struct trace_record *records;
	size_t n, requests;

	trace_write_random("a", seed, 400, true);
	for (unsigned int i = 0; i < 3; i++) {
		snprintf(from, sizeof(from), "%ums", rand_r(&seed) % 300);
		snprintf(to, sizeof(to), "%ums", rand_r(&seed) % 500);
		r = RUN("trace", "cut", "--force", "--from", from, "--to", to, "--object", globs[i],
			"-o", "b", "a");
		ck_assert_msg(r->status == 0, "seed %u: %s", first, r->err);
		r = RUN("trace", "verify", "b");
		ck_assert_msg(r->status == 0, "seed %u, %s to %s: %s", first, from, to, r->out);
		records = trace_read("b", &n);
		requests = count(records, n, TRACE_OPEN) + count(records, n, TRACE_READ);
		r = RUN("trace", "show", "--kind", "open,read", "--from", from, "--to", to,
			"--object", globs[i], "a");
		ck_assert_uint_le(requests, ctl_lines(r->out));
		ck_assert_uint_ge(requests + 8, ctl_lines(r->out));
		/* The same again changes nothing. */
		ctl_assert_ok(RUN("trace", "cut", "--force", "-o", "c", "b"));
		ck_assert(files_equal("b", "c"));
	}
}
END_TEST

/* ---- what is not as it should be --------------------------------------------------------- */

START_TEST(test_cut_off_is_mended)
{
	struct trace_record *records;
	struct ctl_result *r;
	size_t len, n;
	uint8_t *data;

	trace_write("a", sample, 19, false); /* up to a READ without an answer, and one with */
	data = file_read("a", &len);
	file_write("b", data, len - 1);
	free(data);
	r = RUN("trace", "cut", "-o", "c", "b");
	ck_assert_int_eq(r->status, 0);
	ck_assert_ptr_nonnull(strstr(r->err, "b: cut off at offset "));
	ck_assert_ptr_nonnull(strstr(r->err, "left out 1 records"));
	RUN_OK("trace", "verify", "c");
	records = trace_read("c", &n);
	ck_assert_uint_eq(count(records, n, TRACE_READ), 2);
	ck_assert_uint_eq(count(records, n, TRACE_COMPLETE), 2);
}
END_TEST

/* Answers to nobody, ids that nobody has opened, records of objects that nobody has described. */
START_TEST(test_strays_are_left_out)
{
	struct trace_record records[64] = { sample[0] };
	struct trace_record more[] = {
		{ TRACE_COMPLETE, .msg = 5, .id = 10 },
		{ TRACE_READ, .msg = 6, .id = 55, .len = 4096 },
		{ TRACE_COMPLETE, .msg = 6, .id = 55 },
		{ TRACE_FETCH, .object = 7, .len = 1 },
		{ TRACE_HANDLE, .id = 8, .object = 7 },
		{ TRACE_RELEASE, .id = 9 },
		{ TRACE_COPEN, .msg = 1 },
	};
	size_t n_more = sizeof(more) / sizeof(more[0]);
	struct ctl_result *r;

	for (size_t i = 0; i < n_more; i++) {
		records[i + 1] = more[i];
		records[i + 1].time = SAMPLE_TIME;
	}
	memcpy(records + 1 + n_more, sample + 1, (sample_len - 1) * sizeof(*sample));
	trace_write("a", records, sample_len + n_more, true);
	ck_assert_int_eq(RUN("trace", "verify", "a")->status, 1);
	r = RUN("trace", "cut", "-o", "b", "a");
	ck_assert_int_eq(r->status, 0);
	ck_assert_ptr_nonnull(strstr(r->err, "left out "));
	RUN_OK("trace", "verify", "b");
	trace_write_sample("c");
	ck_assert(files_equal("b", "c"));
}
END_TEST

/* The release of an id was lost, and it is given again. */
START_TEST(test_id_without_release)
{
	struct trace_record records[] = {
		sample[0],
		sample[1],
		sample[4],
		{ TRACE_HANDLE, .time = SAMPLE_TIME, .id = 10, .object = 100 },
		{ TRACE_READ, .time = SAMPLE_TIME, .msg = 1, .id = 10, .len = 1 },
		{ TRACE_COMPLETE, .time = SAMPLE_TIME, .msg = 1, .id = 10 },
		sample[12],
		{ TRACE_HANDLE, .time = SAMPLE_TIME, .id = 10, .object = 101 },
		{ TRACE_READ, .time = SAMPLE_TIME, .msg = 1, .id = 10, .len = 2 },
		{ TRACE_COMPLETE, .time = SAMPLE_TIME, .msg = 1, .id = 10 },
	};
	struct trace_record *cut;
	size_t n;

	trace_write("a", records, sizeof(records) / sizeof(records[0]), true);
	ck_assert_int_eq(RUN("trace", "cut", "-o", "b", "a")->status, 0);
	RUN_OK("trace", "verify", "b");
	cut = trace_read("b", &n);
	ck_assert_uint_eq(count(cut, n, TRACE_READ), 2);
	ck_assert_uint_eq(nth(cut, n, TRACE_HANDLE, 1)->object, 101);
}
END_TEST

/* An OPEN that does not fit is answered when its id has been opened and closed once more. */
START_TEST(test_answer_behind_another_close)
{
	struct trace_record records[] = {
		sample[0],
		sample[1],
		sample[4],
		{ TRACE_HANDLE, .id = 10, .object = 100 },
		sample[2], /* OPEN of id 10 */
		{ TRACE_HANDLE, .id = 10, .object = 100 },
		{ TRACE_CLOSE, .msg = 2, .id = 10 },
		{ TRACE_COPEN, .msg = 1, .size = 1048576 },
		{ TRACE_CLOSE, .msg = 3, .id = 10 },
	};
	const size_t n_records = sizeof(records) / sizeof(records[0]);
	struct trace_record *cut;
	size_t n;

	for (size_t i = 0; i < n_records; i++)
		records[i].time = SAMPLE_TIME;
	trace_write("a", records, n_records, true);
	ck_assert_int_eq(RUN("trace", "cut", "-o", "b", "a")->status, 0);
	RUN_OK("trace", "verify", "b");
	cut = trace_read("b", &n);
	ck_assert_uint_eq(count(cut, n, TRACE_OPEN), 0);
	ck_assert_uint_eq(count(cut, n, TRACE_CLOSE), 1);
}
END_TEST

/* What makes no sense has parts that do. */
START_TEST(test_senseless)
{
	struct ctl_result *r;

	for (unsigned int i = 0; i < 2; i++) {
		unsigned int seed = seed_of_run + (unsigned int)_i * 2 + i;

		trace_write_senseless("a", seed, 500);
		r = RUN("trace", "show", "a");
		ck_assert_int_eq(r->status, 0);
		r = RUN("trace", "cut", "--force", "--from", i % 2 ? "20ms" : "0s", "-o", "b", "a");
		ck_assert_msg(r->status == 0, "%s", r->err);
		r = RUN("trace", "verify", "b");
		ck_assert_msg(r->status == 0, "seed %u: %s", seed, r->out);
		remove("a");
	}
}
END_TEST

START_TEST(test_damage)
{
	struct ctl_result *r;
	size_t len;
	uint8_t *data;

	trace_write_sample("a");
	data = file_read("a", &len);
	data[len - 30] ^= 1;
	file_write("b", data, len);
	free(data);
	r = RUN("trace", "cut", "-o", "c", "b");
	ck_assert_int_eq(r->status, 1);
	ck_assert_ptr_nonnull(strstr(r->err, "b: offset "));
	ck_assert(!file_exists("c"));
}
END_TEST

/* ---- where it goes ----------------------------------------------------------------------- */

START_TEST(test_existing_file)
{
	struct ctl_result *r;
	struct stat st;

	trace_write_sample("a");
	file_write("b", "precious", 8);
	r = RUN("trace", "cut", "-o", "b", "a");
	ck_assert_int_eq(r->status, 1);
	ck_assert_ptr_nonnull(strstr(r->err, "b: it exists; --force replaces it"));
	file_write("c", "precious", 8);
	ck_assert(files_equal("b", "c"));
	RUN_OK("trace", "cut", "--force", "-o", "b", "a");
	ck_assert(files_equal("a", "b"));
	/* Also the file that is read. */
	RUN_OK("trace", "cut", "--force", "-o", "a", "a");
	ck_assert(files_equal("a", "b"));
	ck_assert_int_eq(stat("b", &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0600);
	ck_assert_int_eq(mkfifo("pipe", 0600), 0);
	ck_assert_int_eq(RUN("trace", "cut", "--force", "-o", "pipe", "a")->status, 1);
	ck_assert_int_eq(stat("pipe", &st), 0);
	ck_assert(S_ISFIFO(st.st_mode));
}
END_TEST

START_TEST(test_failure_keeps_an_existing_file)
{
	size_t len;
	uint8_t *data;

	trace_write_sample("a");
	data = file_read("a", &len);
	data[len - 30] ^= 1;
	file_write("b", data, len);
	file_write("c", "precious", 8);
	file_write("d", "precious", 8);
	ck_assert_int_eq(RUN("trace", "anonymise", "--force", "-o", "c", "b")->status, 1);
	ck_assert(files_equal("c", "d"));
	ck_assert_int_eq(system("ls | grep tmp") >> 8, 1);
	free(data);
}
END_TEST

START_TEST(test_standard_output)
{
	trace_write_sample("a");
	RUN_OK("trace", "cut", "-o", "-", "a");
	ck_assert_int_eq(rename("stdout", "b"), 0);
	ck_assert(files_equal("a", "b"));
	ck_assert_int_eq(
		ctl_run_unread((const char *const[]){ "trace", "cut", "-o", "-", "a", NULL })
			->status,
		128 + SIGPIPE);
}
END_TEST

START_TEST(test_terminal)
{
	struct ctl_result *r;

	trace_write_sample("a");
	r = ctl_run_terminal((const char *const[]){ "trace", "cut", "-o", "-", "a", NULL });
	ck_assert_int_eq(r->status, 1);
	ck_assert_str_eq(r->err, "cachefillctl: a trace is not written to a terminal\n");
}
END_TEST

START_TEST(test_standard_input_is_read_once_only)
{
	struct ctl_result *r;

	trace_write_sample("stdin");
	r = RUN("trace", "cut", "-o", "b", "-");
	ck_assert_int_eq(r->status, 1);
	ck_assert_ptr_nonnull(strstr(r->err, "regular file"));
	ck_assert(!file_exists("b"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ctl-cut");
	TCase *tcase = tcase_create("cut");

	(void)!getrandom(&seed_of_run, sizeof(seed_of_run), 0);
	tcase_add_checked_fixture(tcase, ctl_enter, ctl_leave);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_all_of_it);
	tcase_add_test(tcase, test_window);
	tcase_add_test(tcase, test_window_begins_among_requests);
	tcase_add_test(tcase, test_window_ends_inside_a_request);
	tcase_add_test(tcase, test_one_object);
	tcase_add_loop_test(tcase, test_any_part, 0, 6);
	tcase_add_test(tcase, test_cut_off_is_mended);
	tcase_add_test(tcase, test_strays_are_left_out);
	tcase_add_test(tcase, test_id_without_release);
	tcase_add_test(tcase, test_answer_behind_another_close);
	tcase_add_loop_test(tcase, test_senseless, 0, 4);
	tcase_add_test(tcase, test_damage);
	tcase_add_test(tcase, test_existing_file);
	tcase_add_test(tcase, test_failure_keeps_an_existing_file);
	tcase_add_test(tcase, test_standard_output);
	tcase_add_test(tcase, test_terminal);
	tcase_add_test(tcase, test_standard_input_is_read_once_only);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
