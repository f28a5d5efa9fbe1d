/* SPDX-License-Identifier: MIT */
/*
 * What the loop costs: 4 KiB writes and round trips through it, beside the bare system calls.
 * Usage: bench-loop [DIRECTORY]    (writes go to an unnamed file there; default /var/tmp)
 *
 * Each figure is the best of ROUNDS: the rest is what else the machine did.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon/loop/loop.h"

#define ROUNDS	    7
#define WRITES	    20000
#define PINGS	    20000
#define BLOCK	    4096
#define FILE_BLOCKS 4096
#define DEPTH_MAX   32

static char block[BLOCK] __attribute__((aligned(BLOCK)));
static struct loop *loop;
static int file_fd;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double best_of(void (*run)(void *), void *arg)
{
	double best = 1e9;

	run(arg); /* warm */
	for (int i = 0; i < ROUNDS; i++) {
		double start = now(), took;

		run(arg);
		took = now() - start;
		best = took < best ? took : best;
	}
	return best;
}

/* ---- writes ----------------------------------------------------------------------------- */

static int n_started, n_ended;

static off_t next_offset(void)
{
	return (off_t)(n_started++ % FILE_BLOCKS) * BLOCK;
}

static void write_bare(void *arg)
{
	for (n_started = 0; n_started < WRITES;)
		if (pwrite(file_fd, block, BLOCK, next_offset()) != BLOCK)
			err(1, "pwrite");
}

static void write_next(struct loop_op *op, int res)
{
	if (res != BLOCK)
		errx(1, "loop_pwrite: %d", res);
	n_ended++;
	if (n_started < WRITES)
		loop_pwrite(loop, op, file_fd, block, BLOCK, (uint64_t)next_offset());
}

static void write_loop(void *arg)
{
	struct loop_op op[DEPTH_MAX] = { 0 };
	int depth = *(int *)arg;

	n_started = n_ended = 0;
	for (int i = 0; i < depth; i++) {
		op[i].done = write_next;
		loop_pwrite(loop, &op[i], file_fd, block, BLOCK, (uint64_t)next_offset());
	}
	while (n_ended < WRITES)
		if (loop_turn(loop) < 0)
			errx(1, "loop_turn");
}

/* ---- round trips ------------------------------------------------------------------------ */

struct table {
	int out, in; /* one message goes out, one comes in; the same descriptor or a peer's */
	int n_left;
};

static void ping(const struct table *table)
{
	uint64_t one = 1;

	if (write(table->out, &one, sizeof(one)) != sizeof(one))
		err(1, "write");
}

static void pong(struct table *table)
{
	uint64_t n;

	if (read(table->in, &n, sizeof(n)) != sizeof(n))
		err(1, "read");
	if (--table->n_left > 0)
		ping(table);
}

static void ping_bare(void *arg)
{
	struct table *table = arg;
	struct pollfd fd = { .fd = table->in, .events = POLLIN };

	table->n_left = PINGS;
	ping(table);
	while (table->n_left > 0) {
		if (poll(&fd, 1, -1) != 1)
			err(1, "poll");
		pong(table);
	}
}

static struct table *watched;

static void watch_ready(struct loop_watch *watch, uint32_t events)
{
	pong(watched);
}

static void ping_loop(void *arg)
{
	struct loop_watch watch = { .ready = watch_ready };

	watched = arg;
	watched->n_left = PINGS;
	if (loop_watch_add(loop, &watch, watched->in, POLLIN) < 0)
		errx(1, "loop_watch_add");
	ping(watched);
	while (watched->n_left > 0)
		if (loop_turn(loop) < 0)
			errx(1, "loop_turn");
	loop_watch_remove(&watch);
}

/* A child that sends back what it gets, until it gets nothing any more. */
static int echo_start(void)
{
	int fds[2];
	uint64_t n;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		err(1, "socketpair");
	switch (fork()) {
	case -1:
		err(1, "fork");
	case 0:
		close(fds[0]);
		while (read(fds[1], &n, sizeof(n)) == sizeof(n))
			if (write(fds[1], &n, sizeof(n)) != sizeof(n))
				break;
		_exit(0);
	}
	close(fds[1]);
	return fds[0];
}

/* ---- table ------------------------------------------------------------------------------ */

static void row(const char *what, const char *how, double took, int n, double bare)
{
	printf("%-28s %-14s %10.0f %10.2f %8.2f\n", what, how, n / took, took / n * 1e6,
	       took / bare);
}

static void bench_backend(const char *how, enum loop_backend which, const double bare[3],
			  struct table tables[2])
{
	static int depths[] = { 1, DEPTH_MAX };
	int r = loop_new(&loop, which);

	if (r < 0) {
		printf("%-28s %-14s skipped: %s\n", "all", how, strerror(-r));
		return;
	}
	row("write 4 KiB, 1 in flight", how, best_of(write_loop, &depths[0]), WRITES, bare[0]);
	row("write 4 KiB, 32 in flight", how, best_of(write_loop, &depths[1]), WRITES, bare[0]);
	row("ready descriptor", how, best_of(ping_loop, &tables[0]), PINGS, bare[1]);
	row("round trip to a process", how, best_of(ping_loop, &tables[1]), PINGS, bare[2]);
	loop = loop_free(loop);
}

int main(int argc, char **argv)
{
	int echo = echo_start(), event = eventfd(0, EFD_CLOEXEC);
	struct table tables[2] = { { event, event, 0 }, { echo, echo, 0 } };
	double bare[3];

	file_fd = open(argc > 1 ? argv[1] : "/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (file_fd < 0)
		err(1, "O_TMPFILE");
	bare[0] = best_of(write_bare, NULL);
	bare[1] = best_of(ping_bare, &tables[0]);
	bare[2] = best_of(ping_bare, &tables[1]);
	printf("%-28s %-14s %10s %10s %8s\n", "", "", "per second", "us each", "x bare");
	row("write 4 KiB", "pwrite", bare[0], WRITES, bare[0]);
	row("ready descriptor", "poll+read", bare[1], PINGS, bare[1]);
	row("round trip to a process", "poll+read", bare[2], PINGS, bare[2]);
	bench_backend("loop, io_uring", LOOP_URING, bare, tables);
	bench_backend("loop, poll", LOOP_POLL, bare, tables);
	close(echo);
	wait(NULL);
	return 0;
}
