/* SPDX-License-Identifier: MIT */
#include "daemon/trace/file.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/util/cleanup.h"
#include "tests/lib/run-suite.h"
#include "tests/lib/temporary.h"
#include "tests/unit/trace-raw.h"

/* ---- a disk with moods ------------------------------------------------------------------- */

/* What the library reads and writes passes here, in pieces of `piece` bytes when that is set, every
 * other call interrupted; behind `room` bytes the disk is full. */
static size_t piece;
static size_t room = SIZE_MAX;
static unsigned int calls;

static bool interrupted(void)
{
	return piece > 0 && ++calls % 2 == 0;
}

static size_t piece_of(size_t n)
{
	return piece > 0 && n > piece ? piece : n;
}

ssize_t read(int fd, void *buf, size_t n);
ssize_t read(int fd, void *buf, size_t n)
{
	if (interrupted()) {
		errno = EINTR;
		return -1;
	}
	return syscall(SYS_read, fd, buf, piece_of(n));
}

ssize_t write(int fd, const void *buf, size_t n);
ssize_t write(int fd, const void *buf, size_t n)
{
	ssize_t done;

	if (interrupted()) {
		errno = EINTR;
		return -1;
	}
	if (room == 0) {
		errno = ENOSPC;
		return -1;
	}
	n = piece_of(n);
	done = syscall(SYS_write, fd, buf, n < room ? n : room);
	if (done > 0 && room != SIZE_MAX)
		room -= (size_t)done;
	return done;
}

/* ---- files ------------------------------------------------------------------------------- */

static char dir[TEMPORARY_MAX], file[TEMPORARY_MAX + 16];
static char error[TRACE_ERROR_MAX];

static void setup(void)
{
	temporary_dir(dir, TEMPORARY_ANY);
	snprintf(file, sizeof(file), "%s/x.trace", dir);
}

static void teardown(void)
{
	unlink(file);
	ck_assert_int_eq(rmdir(dir), 0);
}

static void write_file(const void *data, size_t n)
{
	_cleanup_close_ int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, data, n), (ssize_t)n);
}

static size_t read_file(void *data, size_t n)
{
	_cleanup_close_ int fd = open(file, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	ck_assert_int_ge(fd, 0);
	got = read(fd, data, n);
	ck_assert_int_ge(got, 0);
	return (size_t)got;
}

/* ---- streams of records ------------------------------------------------------------------ */

/* The same n records each time. */
static void put_records(struct trace_writer *writer, int n)
{
	struct random random = { .state = 3 };
	uint64_t time = 0;

	for (int i = 0; i < n; i++) {
		struct trace_record record = random_record(&random, time);

		ck_assert_int_eq(trace_writer_put(writer, &record, error), 0);
		time = record.time;
	}
}

/* Checks that what comes is the first of those records; returns how many came, and the last word.
 */
static int get_records(struct trace_reader *reader, int *ret_last)
{
	struct random random = { .state = 3 };
	struct trace_record record;
	uint64_t time = 0;
	int n = 0, r;

	while ((r = trace_reader_next(reader, &record, error)) > 0) {
		struct trace_record expected = random_record(&random, time);

		ck_assert_msg(records_equal(&record, &expected), "record %d", n);
		time = record.time;
		n++;
	}
	*ret_last = r;
	return n;
}

static void write_records(const char *path, int n)
{
	struct trace_writer *writer;

	ck_assert_int_eq(trace_writer_new(&writer, path, error), 0);
	put_records(writer, n);
	ck_assert_int_eq(trace_writer_finish(writer, error), 0);
}

static void expect_records(const char *path, int n)
{
	struct trace_reader *reader;
	uint64_t off;
	int last;

	ck_assert_int_eq(trace_reader_new(&reader, path, error), 0);
	ck_assert_int_eq(get_records(reader, &last), n);
	ck_assert_int_eq(last, 0);
	ck_assert_uint_eq(trace_reader_rest(reader, &off), 0);
	trace_reader_free(reader);
}

START_TEST(test_file_and_back)
{
	struct stat st;

	umask(0);
	write_records(file, 3000);
	ck_assert_int_eq(stat(file, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_uint_gt(st.st_size, 4 * TRACE_HEADER_LIMIT); /* more than a buffer */
	expect_records(file, 3000);
}
END_TEST

START_TEST(test_nothing_but_the_header)
{
	write_records(file, 0);
	expect_records(file, 0);
}
END_TEST

START_TEST(test_pieces_and_interruptions)
{
	piece = 7;
	write_records(file, 50);
	expect_records(file, 50);
	piece = 1;
	expect_records(file, 50);
	piece = 0;
	expect_records(file, 50);
}
END_TEST

/* Writes to standard output and reads from standard input, which are the ends of a pipe. */
START_TEST(test_pipe)
{
	int fds[2], status;
	pid_t child;

	ck_assert_int_eq(pipe(fds), 0);
	child = fork();
	if (child == 0) {
		dup2(fds[1], STDOUT_FILENO);
		close(fds[0]);
		close(fds[1]);
		write_records("-", 3000);
		_exit(fcntl(STDOUT_FILENO, F_GETFD) < 0); /* it was not ours to close */
	}
	ck_assert_int_gt(child, 0);
	ck_assert_int_eq(dup2(fds[0], STDIN_FILENO), STDIN_FILENO);
	close(fds[0]);
	close(fds[1]);
	expect_records("-", 3000);
	ck_assert_int_ge(fcntl(STDIN_FILENO, F_GETFD), 0);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}
END_TEST

/* ---- where records are ------------------------------------------------------------------- */

#define FEW 12

static struct raw raw;
static size_t header_len, ends[FEW]; /* of the records in `raw` */

/* A small file, in memory. */
static void make_raw(void)
{
	struct trace_decoder decoder;
	struct trace_record record;
	size_t used;

	write_records(file, FEW);
	raw.len = read_file(raw.data, sizeof(raw.data));
	ck_assert_int_eq(trace_decode_header(&decoder, raw.data, raw.len, &header_len), TRACE_OK);
	for (int i = 0; i < FEW; i++) {
		ck_assert_int_eq(trace_decode(&decoder, raw.data + decoder.off,
					      raw.len - decoder.off, &used, &record),
				 TRACE_OK);
		ends[i] = decoder.off;
	}
	ck_assert_uint_eq(ends[FEW - 1], raw.len);
}

START_TEST(test_offsets)
{
	struct trace_reader *reader;
	struct trace_record record;
	uint64_t off;

	make_raw();
	ck_assert_int_eq(trace_reader_new(&reader, file, error), 0);
	for (int i = 0; i < FEW; i++) {
		ck_assert_int_eq(trace_reader_next(reader, &record, error), 1);
		ck_assert_uint_eq(trace_reader_offset(reader), i == 0 ? header_len : ends[i - 1]);
	}
	ck_assert_int_eq(trace_reader_next(reader, &record, error), 0);
	ck_assert_int_eq(trace_reader_next(reader, &record, error), 0);
	ck_assert_uint_eq(trace_reader_rest(reader, &off), 0);
	ck_assert_uint_eq(off, raw.len);
	trace_reader_free(reader);
}
END_TEST

START_TEST(test_every_cut_leaves_what_was_whole)
{
	make_raw();
	for (size_t n = raw.len; n-- > 0;) {
		struct trace_reader *reader;
		size_t whole = header_len;
		int last, i = 0;
		uint64_t off;

		ck_assert_int_eq(truncate(file, (off_t)n), 0);
		if (n < header_len) {
			ck_assert_int_eq(trace_reader_new(&reader, file, error), -EBADMSG);
			ck_assert_ptr_nonnull(strstr(error, n > 0 ? "header" : "empty"));
			continue;
		}
		while (i < FEW && ends[i] <= n)
			whole = ends[i++];
		ck_assert_int_eq(trace_reader_new(&reader, file, error), 0);
		ck_assert_int_eq(get_records(reader, &last), i);
		ck_assert_int_eq(last, 0);
		ck_assert_uint_eq(trace_reader_rest(reader, &off), n - whole);
		ck_assert_uint_eq(off, whole);
		trace_reader_free(reader);
	}
}
END_TEST

/* Whether a file with one wrong bit says so: by an error, or, where the length of a record points
 * behind the end, by a rest. Right records come in front of it, and no others. */
static void expect_damage(size_t bit)
{
	char offset[64];
	struct trace_reader *reader;
	int last, n, before = 0;
	uint64_t off;

	if (bit / 8 < header_len) {
		ck_assert_int_eq(trace_reader_new(&reader, file, error), -EBADMSG);
		return;
	}
	while (ends[before] <= bit / 8)
		before++;
	ck_assert_int_eq(trace_reader_new(&reader, file, error), 0);
	n = get_records(reader, &last);
	ck_assert_int_eq(n, before);
	snprintf(offset, sizeof(offset), "offset %zu: ", n == 0 ? header_len : ends[n - 1]);
	if (last == 0)
		ck_assert_uint_gt(trace_reader_rest(reader, &off), 0);
	else
		ck_assert_ptr_nonnull(strstr(error, offset));
	trace_reader_free(reader);
}

static void flip(int fd, size_t bit)
{
	raw.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	ck_assert_int_eq(pwrite(fd, &raw.data[bit / 8], 1, (off_t)(bit / 8)), 1);
}

START_TEST(test_every_flipped_bit_is_seen)
{
	_cleanup_close_ int fd = -1;

	make_raw();
	fd = open(file, O_WRONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	for (size_t bit = 0; bit < raw.len * 8; bit++) {
		/* All bits of the first records; of what is long, one in each byte. */
		if ((bit / 8 < header_len || bit / 8 > header_len + 200) && bit % 8 != bit / 8 % 8)
			continue;
		flip(fd, bit);
		expect_damage(bit);
		flip(fd, bit);
	}
}
END_TEST

/* The longest header that is taken, and more records behind it than fit beside it. */
START_TEST(test_longest_header)
{
	static char schema[TRACE_HEADER_LIMIT], *end = schema;
	struct trace_reader *reader;
	struct trace_record record;
	const size_t len = TRACE_HEADER_LIMIT - 28;

	for (int kind = 0; kind < TRACE_SCHEMA_KINDS; kind++) {
		end += sprintf(end, "%d %s-%d", kind, kind == 7 ? "end" : "longest-kind", kind);
		for (int i = 0; i < TRACE_SCHEMA_FIELDS; i++)
			end += sprintf(end, " %s-field-no-%c%d:u32",
				       (size_t)(end - schema) < len - 2000 ? "longest-of-names"
									   : "f",
				       'a' + i, i);
		*end++ = '\n';
	}
	ck_assert_uint_lt((size_t)(end - schema), len);
	raw_schema(&raw, schema);
	for (int i = 0; i < 2000; i++)
		raw_record(&raw, "\x07\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 26);
	write_file(raw.data, raw.len);
	ck_assert_int_eq(trace_reader_new(&reader, file, error), 0);
	for (int i = 0; i < 2000; i++) {
		ck_assert_int_eq(trace_reader_next(reader, &record, error), 1);
		ck_assert_uint_eq(record.time, (uint64_t)i + 1);
		ck_assert_str_eq(record.name, "end-7");
	}
	ck_assert_int_eq(trace_reader_next(reader, &record, error), 0);
	trace_reader_free(reader);
}
END_TEST

/* ---- sentences --------------------------------------------------------------------------- */

static void expect_refusal(int expected, const char *sentence)
{
	char full[TRACE_ERROR_MAX + PATH_MAX];
	struct trace_reader *reader = NULL;

	snprintf(full, sizeof(full), "%s: %s", file, sentence);
	memset(error, 'x', sizeof(error));
	ck_assert_int_eq(trace_reader_new(&reader, file, error), expected);
	ck_assert_str_eq(error, full);
	ck_assert_ptr_null(reader);
}

START_TEST(test_sentences_on_headers)
{
	expect_refusal(-ENOENT, "No such file or directory");
	write_file("", 0);
	expect_refusal(-EBADMSG, "the file is empty");
	write_file("#!/bin/sh\n", 10);
	expect_refusal(-EBADMSG, "this is not a trace of cachefilld");
	write_file("\x89"
		   "CFT\n\x1a\n\1\0\0\0",
		   11);
	expect_refusal(-EBADMSG, "this trace was copied as text, which has changed its bytes");
	raw_schema(&raw, "");
	write_file(raw.data, raw.len - 1);
	expect_refusal(-EBADMSG, "the file ends inside its header");
	raw_header(&raw, 1 << 24, 0x04030201, "");
	write_file(raw.data, raw.len);
	expect_refusal(-EBADMSG, "it was written in the other byte order");
	raw_header(&raw, 7, 0x01020304, "");
	write_file(raw.data, raw.len);
	expect_refusal(-EBADMSG, "version 7 of the format is not known, only 1");
	raw_schema(&raw, "1 read size:of\n");
	write_file(raw.data, raw.len);
	expect_refusal(-EBADMSG, "offset 0: the schema is too long or malformed");
	raw.data[21] ^= 1;
	write_file(raw.data, raw.len);
	expect_refusal(-EBADMSG, "offset 0: the checksum is wrong");
}
END_TEST

START_TEST(test_sentences_on_what_cannot_be_read)
{
	ck_assert_int_eq(mkdir(file, 0700), 0);
	expect_refusal(-EISDIR, "offset 0: Is a directory");
	ck_assert_int_eq(rmdir(file), 0);
}
END_TEST

static void expect_damaged_record(const char *sentence)
{
	char full[TRACE_ERROR_MAX + PATH_MAX];
	struct trace_reader *reader;
	struct trace_record record;

	write_file(raw.data, raw.len);
	snprintf(full, sizeof(full), "%s: %s", file, sentence);
	ck_assert_int_eq(trace_reader_new(&reader, file, error), 0);
	ck_assert_int_eq(trace_reader_next(reader, &record, error), 1);
	for (int i = 0; i < 2; i++) { /* nothing is read behind it */
		memset(error, 'x', sizeof(error));
		ck_assert_int_eq(trace_reader_next(reader, &record, error), -EBADMSG);
		ck_assert_str_eq(error, full);
	}
	trace_reader_free(reader);
}

START_TEST(test_sentences_on_records)
{
	size_t start;

	raw_schema(&raw, "1 lost count:u64\n"); /* 45 bytes */
	raw_record(&raw, "\1\0\5", 3);
	start = raw.len;
	raw_record(&raw, "\1\0\5", 3);
	raw_record(&raw, "\1\0\5", 3);
	raw.data[start + 3] ^= 1;
	expect_damaged_record("offset 53: the checksum is wrong");
	raw.len = start;
	raw_record(&raw, "\2\0\5", 3);
	raw_record(&raw, "\1\0\5", 3);
	expect_damaged_record("offset 53: the record does not fit the schema");
	raw.len = start;
	raw_bytes(&raw, "\0\0\0\0\0", 5);
	expect_damaged_record("offset 53: the length of the record is out of bounds");
}
END_TEST

/* However long the name is, the sentence is there. */
START_TEST(test_sentence_behind_a_long_name)
{
	static char path[PATH_MAX];
	struct trace_reader *reader;
	struct trace_writer *writer;

	memset(path, 'x', 2000);
	ck_assert_int_eq(trace_reader_new(&reader, path, error), -ENAMETOOLONG);
	ck_assert_ptr_nonnull(strstr(error, "x: File name too long"));
	ck_assert_int_eq(trace_writer_new(&writer, path, error), -ENAMETOOLONG);
	ck_assert_ptr_nonnull(strstr(error, "x: File name too long"));
}
END_TEST

/* ---- writing that fails ------------------------------------------------------------------ */

START_TEST(test_nothing_is_written_over)
{
	struct trace_writer *writer = NULL;
	char data[8], link[PATH_MAX + 32];

	write_file("precious", 8);
	ck_assert_int_eq(trace_writer_new(&writer, file, error), -EEXIST);
	ck_assert_ptr_nonnull(strstr(error, ": File exists"));
	ck_assert_uint_eq(read_file(data, 8), 8);
	ck_assert_mem_eq(data, "precious", 8);

	snprintf(link, sizeof(link), "%s/link", dir);
	unlink(file);
	ck_assert_int_eq(symlink(file, link), 0);
	ck_assert_int_eq(trace_writer_new(&writer, link, error), -EEXIST);
	ck_assert_int_ne(access(file, F_OK), 0);
	ck_assert_int_eq(unlink(link), 0);
	ck_assert_ptr_null(writer);
}
END_TEST

START_TEST(test_abort_removes_the_file)
{
	struct trace_writer *writer;

	ck_assert_ptr_null(trace_writer_abort(NULL));
	ck_assert_int_eq(trace_writer_new(&writer, file, error), 0);
	put_records(writer, 1000);
	ck_assert_int_eq(access(file, F_OK), 0);
	ck_assert_ptr_null(trace_writer_abort(writer));
	ck_assert_int_ne(access(file, F_OK), 0);
}
END_TEST

/* At each byte that is the first one too many: said by put() or by finish(), always by finish(). */
START_TEST(test_full_disk)
{
	static const size_t rooms[] = { 0, 1, 500, 2 * TRACE_HEADER_LIMIT, 300000 };

	for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
		struct random random = { .state = 3 };
		struct trace_writer *writer;
		int r = 0;

		room = rooms[i];
		ck_assert_int_eq(trace_writer_new(&writer, file, error), 0);
		for (int n = 0; n < 3000 && r == 0; n++) {
			struct trace_record record = random_record(&random, 0);

			r = trace_writer_put(writer, &record, error);
		}
		ck_assert_int_eq(r, -ENOSPC);
		memset(error, 0, sizeof(error));
		ck_assert_int_eq(trace_writer_finish(writer, error), -ENOSPC);
		ck_assert_ptr_nonnull(strstr(error, "x.trace: No space left on device"));
		ck_assert_int_ne(access(file, F_OK), 0);
	}
	/* What fits into the buffer is written by nobody but finish(). */
	room = 1000;
	{
		struct trace_writer *writer;

		ck_assert_int_eq(trace_writer_new(&writer, file, error), 0);
		put_records(writer, 5);
		ck_assert_int_eq(trace_writer_finish(writer, error), -ENOSPC);
		ck_assert_int_ne(access(file, F_OK), 0);
	}
}
END_TEST

/* The disk of a daemon that writes to standard output; there is no file to remove. */
START_TEST(test_full_device)
{
	struct trace_writer *writer;
	int saved = dup(STDOUT_FILENO), full = open("/dev/full", O_WRONLY | O_CLOEXEC), r;

	ck_assert_int_ge(full, 0);
	dup2(full, STDOUT_FILENO);
	r = trace_writer_new(&writer, "-", error);
	if (r == 0)
		r = trace_writer_finish(writer, error);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	close(full);
	ck_assert_int_eq(r, -ENOSPC);
	ck_assert_str_eq(error, "standard output: No space left on device");
}
END_TEST

START_TEST(test_record_that_is_too_long_is_left_out)
{
	static uint8_t text[TRACE_RECORD_MAX];
	struct trace_record record = { .kind = TRACE_COMMAND,
				       .text = bytes_of(text, sizeof(text)) };
	struct trace_writer *writer;

	ck_assert_int_eq(trace_writer_new(&writer, file, error), 0);
	ck_assert_int_eq(trace_writer_put(writer, &record, error), -EMSGSIZE);
	put_records(writer, 10);
	ck_assert_int_eq(trace_writer_finish(writer, error), 0);
	expect_records(file, 10);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("trace-file");
	TCase *whole = tcase_create("whole");
	TCase *damaged = tcase_create("damaged");
	TCase *writing = tcase_create("writing");

	tcase_add_checked_fixture(whole, setup, teardown);
	tcase_set_timeout(whole, 60); /* for valgrind */
	tcase_add_test(whole, test_file_and_back);
	tcase_add_test(whole, test_nothing_but_the_header);
	tcase_add_test(whole, test_pieces_and_interruptions);
	tcase_add_test(whole, test_pipe);
	tcase_add_test(whole, test_offsets);
	tcase_add_test(whole, test_longest_header);
	suite_add_tcase(s, whole);

	tcase_add_checked_fixture(damaged, setup, teardown);
	tcase_set_timeout(damaged, 60);
	tcase_add_test(damaged, test_every_cut_leaves_what_was_whole);
	tcase_add_test(damaged, test_every_flipped_bit_is_seen);
	tcase_add_test(damaged, test_sentences_on_headers);
	tcase_add_test(damaged, test_sentences_on_what_cannot_be_read);
	tcase_add_test(damaged, test_sentences_on_records);
	tcase_add_test(damaged, test_sentence_behind_a_long_name);
	suite_add_tcase(s, damaged);

	tcase_add_checked_fixture(writing, setup, teardown);
	tcase_set_timeout(writing, 60);
	tcase_add_test(writing, test_nothing_is_written_over);
	tcase_add_test(writing, test_abort_removes_the_file);
	tcase_add_test(writing, test_full_disk);
	tcase_add_test(writing, test_full_device);
	tcase_add_test(writing, test_record_that_is_too_long_is_left_out);
	suite_add_tcase(s, writing);

	return run_suite(s);
}
