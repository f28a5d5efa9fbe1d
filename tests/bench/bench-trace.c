/* SPDX-License-Identifier: MIT */
/*
 * What a record of a trace costs: encoded and decoded in memory, beside a copy of the same bytes;
 * written and read through files, beside bare system calls with the same bytes; and joined.
 * Usage: bench-trace [DIRECTORY]    (for the files; default /var/tmp)
 *
 * Each figure is the best of ROUNDS: the rest is what else the machine did.
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/trace/file.h"
#include "daemon/trace/requests.h"

#define ROUNDS	7
#define RECORDS 500000
#define PIECE	(128 << 10) /* of a bare system call: the buffer of the library */

static uint8_t *encoded, *copy; /* RECORDS * 64 bytes are enough for these records */
static size_t encoded_len;
static char path[4096];
static char error[TRACE_ERROR_MAX];

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double best_of(void (*run)(void))
{
	double best = 1e9;

	run(); /* warm */
	for (int i = 0; i < ROUNDS; i++) {
		double start = now(), took;

		run();
		took = now() - start;
		best = took < best ? took : best;
	}
	return best;
}

/* What a miss leaves behind: READ, fetch, store, complete; of 8 readers at a time of one object. */
static struct trace_record record_of(uint64_t i)
{
	static const enum trace_kind kinds[] = { TRACE_READ, TRACE_FETCH, TRACE_STORE,
						 TRACE_COMPLETE };

	if (i == 0)
		return (struct trace_record){ .kind = TRACE_OBJECT, .cookie = bytes_str("c") };
	if (i == 1)
		return (struct trace_record){ .kind = TRACE_HANDLE };
	i -= 2;
	return (struct trace_record){
		.kind = kinds[i / 8 % 4],
		.time = 1000000000000 + i * 50000,
		.msg = (uint32_t)(i / 32 * 8 + i % 8),
		.off = i * 131072 % (1ull << 34),
		.len = 131072,
		.got = 131072,
		.queued = 15000,
		.took = 8500000 + i % 65536,
	};
}

/* ---- in memory --------------------------------------------------------------------------- */

static void run_encode(void)
{
	struct trace_encoder encoder = { 0 };

	encoded_len = trace_encode_header(&encoder, encoded, RECORDS * 64);
	for (uint64_t i = 0; i < RECORDS; i++) {
		struct trace_record record = record_of(i);
		size_t n = trace_encode(&encoder, encoded + encoded_len, TRACE_RECORD_MAX, &record);

		if (n == 0)
			errx(1, "trace_encode");
		encoded_len += n;
	}
}

static void run_decode(void)
{
	struct trace_decoder decoder;
	struct trace_record record;
	size_t used, off;

	if (trace_decode_header(&decoder, encoded, encoded_len, &used) != TRACE_OK)
		errx(1, "trace_decode_header");
	for (off = used; off < encoded_len; off += used)
		if (trace_decode(&decoder, encoded + off, encoded_len - off, &used, &record) !=
		    TRACE_OK)
			errx(1, "trace_decode");
}

static void run_copy(void)
{
	memcpy(copy, encoded, encoded_len);
	__asm__ volatile("" ::"r"(copy) : "memory"); /* the copy is looked at */
}

/* ---- through files ----------------------------------------------------------------------- */

static void run_writer(void)
{
	struct trace_writer *writer;

	unlink(path);
	if (trace_writer_new(&writer, path, error) < 0)
		errx(1, "%s", error);
	for (uint64_t i = 0; i < RECORDS; i++) {
		struct trace_record record = record_of(i);

		if (trace_writer_put(writer, &record, error) < 0)
			errx(1, "%s", error);
	}
	if (trace_writer_finish(writer, error) < 0)
		errx(1, "%s", error);
}

static void run_write(void)
{
	int fd;

	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		err(1, "%s", path);
	for (size_t off = 0; off < encoded_len; off += PIECE) {
		size_t n = encoded_len - off < PIECE ? encoded_len - off : PIECE;

		if (write(fd, encoded + off, n) != (ssize_t)n)
			err(1, "write");
	}
	close(fd);
}

static void read_records(struct trace_requests *requests)
{
	struct trace_reader *reader;
	struct trace_record record;
	int r;

	if (trace_reader_new(&reader, path, error) < 0)
		errx(1, "%s", error);
	while ((r = trace_reader_next(reader, &record, error)) > 0)
		if (requests && trace_requests_feed(requests, &record) < 0)
			errx(1, "trace_requests_feed");
	if (r < 0)
		errx(1, "%s", error);
	trace_reader_free(reader);
}

static void run_reader(void)
{
	read_records(NULL);
}

static void run_join(void)
{
	static const struct trace_requests_callbacks none;
	struct trace_requests *requests;

	if (trace_requests_new(&requests, &none, NULL) < 0)
		errx(1, "trace_requests_new");
	read_records(requests);
	trace_requests_finish(requests);
	if (trace_requests_stats(requests).strays > 0)
		errx(1, "the records of the benchmark do not fit");
	trace_requests_free(requests);
}

static void run_read(void)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		err(1, "%s", path);
	while ((n = read(fd, copy, PIECE)) > 0)
		;
	if (n < 0)
		err(1, "read");
	close(fd);
}

/* ---- table ------------------------------------------------------------------------------- */

static void row(const char *what, double took, double bare)
{
	printf("%-28s %12.0f %10.1f %10.1f\n", what, RECORDS / took, took / RECORDS * 1e9,
	       took / bare);
}

int main(int argc, char **argv)
{
	double encode, decode, bare;

	snprintf(path, sizeof(path), "%s/bench-trace.%d", argc > 1 ? argv[1] : "/var/tmp",
		 (int)getpid());
	encoded = malloc(RECORDS * 64);
	copy = malloc(RECORDS * 64);
	if (!encoded || !copy)
		errx(1, "out of memory");

	encode = best_of(run_encode);
	decode = best_of(run_decode);
	bare = best_of(run_copy);
	printf("%d records, %.1f bytes each\n", RECORDS, (double)encoded_len / RECORDS);
	printf("%-28s %12s %10s %10s\n", "", "per second", "ns each", "x bare");
	row("memcpy", bare, bare);
	row("encode", encode, bare);
	row("decode", decode, bare);

	bare = best_of(run_write);
	row("write(2)", bare, bare);
	row("write a file", best_of(run_writer), bare);
	bare = best_of(run_read);
	row("read(2)", bare, bare);
	row("read a file", best_of(run_reader), bare);
	row("read and join", best_of(run_join), bare);

	unlink(path);
	free(copy);
	free(encoded);
	return 0;
}
