/* SPDX-License-Identifier: MIT */
/* The loop's file operations. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/unit/loop-backends.h"

#define MANY  2000 /* more than fit into the ring */
#define BLOCK 512

struct probe {
	struct loop_op op;
	int n_done, res;
	struct loop_op *cancels; /* by done() */
	int again;		 /* so many more starts by done() */
};

static char buf[BLOCK];

static void probe_done(struct loop_op *op, int res)
{
	struct probe *probe = container_of(op, struct probe, op);

	probe->n_done++;
	probe->res = res;
	if (probe->cancels)
		loop_op_cancel(loop, probe->cancels);
	if (probe->again-- > 0)
		loop_pread(loop, op, op->fd, buf, BLOCK, 0);
}

static void turn_until_done(struct probe *probe, size_t n)
{
	for (size_t i = 0; i < n; i++)
		while (!probe[i].n_done)
			turn();
}

static int finish(struct probe *probe)
{
	ck_assert_int_eq(probe->n_done, 0);
	turn_until_done(probe, 1);
	ck_assert_int_eq(probe->n_done, 1);
	return probe->res;
}

static int pread_now(int fd, void *to, size_t len, uint64_t off)
{
	struct probe probe = { .op.done = probe_done };

	loop_pread(loop, &probe.op, fd, to, len, off);
	return finish(&probe);
}

static int pwrite_now(int fd, const void *from, size_t len, uint64_t off)
{
	struct probe probe = { .op.done = probe_done };

	loop_pwrite(loop, &probe.op, fd, from, len, off);
	return finish(&probe);
}

static int file_new(void)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	return fd;
}

START_TEST(test_op_moves_bytes_at_offset)
{
	int fd = file_new();
	char got[8];

	ck_assert_int_eq(pwrite_now(fd, "abcdefgh", 8, 4096), 8);
	ck_assert_int_eq(pread_now(fd, got, 8, 4096), 8);
	ck_assert_mem_eq(got, "abcdefgh", 8);
	ck_assert_int_eq(pread_now(fd, got, 2, 4099), 2);
	ck_assert_mem_eq(got, "de", 2);
	ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 0);
	close(fd);
}
END_TEST

START_TEST(test_op_short_read_at_end)
{
	int fd = file_new();

	ck_assert_int_eq(pwrite_now(fd, "abcdef", 6, 0), 6);
	ck_assert_int_eq(pread_now(fd, buf, 100, 4), 2);
	ck_assert_int_eq(pread_now(fd, buf, 100, 6), 0);
	ck_assert_int_eq(pread_now(fd, buf, 100, 1000), 0);
	close(fd);
}
END_TEST

START_TEST(test_op_error_comes_by_done)
{
	int rd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	ck_assert_int_eq(pwrite_now(-1, "x", 1, 0), -EBADF);
	ck_assert_int_eq(pwrite_now(rd, "x", 1, 0), -EBADF);
	ck_assert_int_eq(pread_now(dir, buf, 1, 0), -EISDIR);
	ck_assert_int_eq(pread_now(rd, buf, 1, (uint64_t)INT64_MAX + 1), -EINVAL);
	ck_assert_int_eq(pread_now(rd, buf, 1, UINT64_MAX), -EINVAL);
	close(rd);
	close(dir);
}
END_TEST

/* Not known before the kernel tries: the descriptor is fine, the file refuses. */
START_TEST(test_op_error_of_the_file)
{
	int fd = memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	ck_assert_int_eq(pwrite_now(fd, "x", 1, 0), -EPERM);
	close(fd);
}
END_TEST

START_TEST(test_op_done_not_from_inside)
{
	struct probe probe = { .op.done = probe_done };
	int fd = file_new();

	loop_pread(loop, &probe.op, fd, buf, BLOCK, 0);
	ck_assert_int_eq(probe.n_done, 0);
	loop_op_cancel(loop, &probe.op);
	ck_assert_int_eq(probe.n_done, 0);
	ck_assert_int_eq(finish(&probe), -ECANCELED);
	close(fd);
}
END_TEST

START_TEST(test_op_many_at_once)
{
	struct probe *probe = calloc(MANY, sizeof(*probe));
	char *data = malloc((size_t)MANY * BLOCK);
	int fd = file_new();

	for (size_t i = 0; i < MANY; i++) {
		memset(data + i * BLOCK, (int)(i % 251), BLOCK);
		probe[i].op.done = probe_done;
		loop_pwrite(loop, &probe[i].op, fd, data + i * BLOCK, BLOCK, i * BLOCK);
	}
	turn_until_done(probe, MANY);
	for (size_t i = 0; i < MANY; i++) {
		ck_assert_int_eq(probe[i].n_done, 1);
		ck_assert_int_eq(probe[i].res, BLOCK);
		ck_assert_int_eq(pread(fd, buf, BLOCK, (off_t)(i * BLOCK)), BLOCK);
		ck_assert_mem_eq(buf, data + i * BLOCK, BLOCK);
	}
	close(fd);
	free(data);
	free(probe);
}
END_TEST

START_TEST(test_op_cancel_queued)
{
	struct probe probe = { .op.done = probe_done };
	int fd = file_new();

	loop_pwrite(loop, &probe.op, fd, "x", 1, 0);
	loop_op_cancel(loop, &probe.op);
	loop_op_cancel(loop, &probe.op);
	ck_assert_int_eq(finish(&probe), -ECANCELED);
	ck_assert_int_eq(lseek(fd, 0, SEEK_END), 0);
	/* Not started any more: nothing happens. */
	loop_op_cancel(loop, &probe.op);
	ck_assert_int_eq(loop_turn(loop), -EDEADLK);
	ck_assert_int_eq(probe.n_done, 1);
	close(fd);
}
END_TEST

START_TEST(test_op_cancel_many)
{
	struct probe *probe = calloc(MANY, sizeof(*probe));
	int fd = file_new();
	size_t n_canceled = 0;

	for (size_t i = 0; i < MANY; i++) {
		probe[i].op.done = probe_done;
		loop_pwrite(loop, &probe[i].op, fd, buf, BLOCK, i * BLOCK);
		if (i == MANY / 2)
			turn();
		if (i % 3 == 0)
			loop_op_cancel(loop, &probe[i].op);
	}
	for (size_t i = 0; i < MANY; i++)
		loop_op_cancel(loop, &probe[i].op);
	turn_until_done(probe, MANY);
	for (size_t i = 0; i < MANY; i++) {
		ck_assert_int_eq(probe[i].n_done, 1);
		ck_assert(probe[i].res == BLOCK || probe[i].res == -ECANCELED);
		n_canceled += probe[i].res == -ECANCELED;
	}
	ck_assert_uint_ge(n_canceled, MANY / 2 - 1);
	ck_assert_int_eq(loop_turn(loop), -EDEADLK);
	close(fd);
	free(probe);
}
END_TEST

static void count_fire(struct loop_timer *timer)
{
	(void)timer;
}

/* Reads of an empty pipe run until they are canceled; pread(2) does not know pipes. */
START_TEST(test_op_cancel_running)
{
	struct probe probe[100] = { 0 };
	struct loop_timer timer = { .fire = count_fire };
	int fds[2];

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	for (int i = 0; i < 100; i++) {
		probe[i].op.done = probe_done;
		loop_pread(loop, &probe[i].op, fds[0], buf, 1, 0);
	}
	loop_timer_set(loop, &timer, loop_now(loop) + NSEC_PER_MSEC);
	turn();
	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq(probe[i].n_done, 0);
		loop_op_cancel(loop, &probe[i].op);
		loop_op_cancel(loop, &probe[i].op);
		ck_assert_int_eq(probe[i].n_done, 0);
	}
	turn_until_done(probe, 100);
	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq(probe[i].n_done, 1);
		ck_assert_int_eq(probe[i].res, -ECANCELED);
	}
	close(fds[0]);
	close(fds[1]);
}
END_TEST

/* Both have ended when the first is called back; the second still comes, with its result. */
START_TEST(test_op_cancel_other_of_its_batch)
{
	struct probe a = { .op.done = probe_done }, b = { .op.done = probe_done };
	int fd = file_new();

	a.cancels = &b.op;
	b.cancels = &a.op;
	loop_pread(loop, &a.op, fd, buf, 1, 0);
	loop_pread(loop, &b.op, fd, buf, 1, 0);
	while (!a.n_done || !b.n_done)
		turn();
	ck_assert_int_eq(a.n_done, 1);
	ck_assert_int_eq(b.n_done, 1);
	ck_assert(a.res == 0 || a.res == -ECANCELED);
	ck_assert(b.res == 0 || b.res == -ECANCELED);
	close(fd);
}
END_TEST

START_TEST(test_op_again_from_done)
{
	struct probe probe = { .op.done = probe_done, .again = 10 };
	int fd = file_new();

	loop_pread(loop, &probe.op, fd, buf, BLOCK, 0);
	while (probe.n_done < 11)
		turn();
	ck_assert_int_eq(loop_turn(loop), -EDEADLK);
	ck_assert_int_eq(probe.n_done, 11);
	close(fd);
}
END_TEST

static int n_freed;

static void free_done(struct loop_op *op, int res)
{
	free(op);
	n_freed++;
}

START_TEST(test_op_freed_by_done)
{
	int fd = file_new();

	n_freed = 0;
	for (int i = 0; i < 50; i++) {
		struct loop_op *op = calloc(1, sizeof(*op));

		op->done = free_done;
		loop_pread(loop, op, fd, buf, 1, 0);
		if (i % 2)
			loop_op_cancel(loop, op);
	}
	while (n_freed < 50)
		turn();
	ck_assert_int_eq(loop_turn(loop), -EDEADLK);
	close(fd);
}
END_TEST

static void on_alarm(int signo)
{
}

/* Signals with a handler end a wait early, and maybe an op; nobody must notice. */
START_TEST(test_op_hides_interrupts)
{
	struct sigaction action = { .sa_handler = on_alarm };
	struct itimerval every = { { 0, 500 }, { 0, 500 } }, never = { 0 };
	struct probe probe = { .op.done = probe_done };
	struct loop_timer timer = { .fire = count_fire };
	uint64_t due = loop_now(loop) + 30 * NSEC_PER_MSEC;
	int fds[2];

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	sigaction(SIGALRM, &action, NULL);
	loop_timer_set(loop, &timer, due);
	if (backend == LOOP_URING)
		loop_pread(loop, &probe.op, fds[0], buf, 1, 0);
	setitimer(ITIMER_REAL, &every, NULL);
	turn();
	setitimer(ITIMER_REAL, &never, NULL);
	signal(SIGALRM, SIG_IGN); /* one may still be under way */
	ck_assert(!loop_timer_armed(&timer));
	ck_assert_uint_ge(loop_now(loop), due);
	if (backend == LOOP_URING) {
		ck_assert_int_eq(write(fds[1], "x", 1), 1);
		ck_assert_int_eq(finish(&probe), 1);
	}
	close(fds[0]);
	close(fds[1]);
}
END_TEST

static void add_tests(TCase *tcase, enum loop_backend which)
{
	tcase_add_test(tcase, test_op_moves_bytes_at_offset);
	tcase_add_test(tcase, test_op_short_read_at_end);
	tcase_add_test(tcase, test_op_error_comes_by_done);
	tcase_add_test(tcase, test_op_error_of_the_file);
	tcase_add_test(tcase, test_op_done_not_from_inside);
	tcase_add_test(tcase, test_op_many_at_once);
	tcase_add_test(tcase, test_op_cancel_queued);
	tcase_add_test(tcase, test_op_cancel_many);
	if (which == LOOP_URING)
		tcase_add_test(tcase, test_op_cancel_running);
	tcase_add_test(tcase, test_op_cancel_other_of_its_batch);
	tcase_add_test(tcase, test_op_again_from_done);
	tcase_add_test(tcase, test_op_freed_by_done);
	tcase_add_test(tcase, test_op_hides_interrupts);
}

int main(void)
{
	return run_on_backends("loop operations", add_tests);
}
