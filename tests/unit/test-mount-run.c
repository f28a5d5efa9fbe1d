/* SPDX-License-Identifier: MIT */
/*
 * Records and locks in a directory of the test, and the child that waits for the kernel.
 */
#include "daemon/ctl/mount-run.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/ctl/mount-wait.h"
#include "daemon/util/cleanup.h"
#include "tests/lib/run-suite.h"
#include "tests/lib/temporary.h"

static char dir[TEMPORARY_MAX];
static struct mount_run run;

static void setup(void)
{
	char inner[TEMPORARY_MAX + 8];

	temporary_dir(dir, TEMPORARY_ANY);
	snprintf(inner, sizeof(inner), "%s/run", dir);
	ck_assert_int_eq(mount_run_open(&run, inner), 0);
}

static void teardown(void)
{
	mount_run_close(&run);
	temporary_remove(dir);
}

/* Text of a record is not const. */
#define T(text) ((char[]){ text })

static char *layers[] = { T("sha256:aa"), T("sha256:bb") };

static void put(const char *where, const char *image)
{
	_cleanup_free_ char *dir_copy = strdup(where), *image_copy = strdup(image);
	struct mount_record record = {
		.dir = dir_copy,
		.image = image_copy,
		.state_dir = T("/s"),
		.domain = T("d"),
		.upper = T(""),
		.layers = layers,
		.n_layers = 2,
	};

	ck_assert_int_eq(mount_run_put(&run, &record), 0);
}

static char *path_in(const char *tail)
{
	static char path[PATH_MAX];

	ck_assert_int_lt(snprintf(path, sizeof(path), "%s/run/%s", dir, tail), PATH_MAX);
	return path;
}

/* ---- records ------------------------------------------------------------------------------ */

START_TEST(test_records)
{
	_cleanup_(mount_record_freep) struct mount_record *r = NULL;
	struct mount_records all;
	struct stat st;

	ck_assert_int_eq(mount_run_get(&run, "/mnt/b", &r), -ENOENT);
	put("/mnt/b", "one");
	put("/mnt/a", "two");
	put("/mnt/b", "three"); /* replaced */
	ck_assert_int_eq(mount_run_get(&run, "/mnt/b", &r), 0);
	ck_assert_str_eq(r->image, "three");
	ck_assert_int_eq(mount_run_list(&run, &all), 0);
	ck_assert_uint_eq(all.n, 2);
	ck_assert_str_eq(all.list[0]->dir, "/mnt/a");
	ck_assert_str_eq(all.list[1]->dir, "/mnt/b");
	mount_records_end(&all);
	ck_assert_int_eq(mount_run_remove(&run, "/mnt/b"), 0);
	ck_assert_int_eq(mount_run_remove(&run, "/mnt/b"), 0);
	ck_assert_int_eq(mount_run_list(&run, &all), 0);
	ck_assert_uint_eq(all.n, 1);
	mount_records_end(&all);
	/* Only root looks at layers. */
	ck_assert_int_eq(stat(path_in("layers"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
	ck_assert_int_eq(stat(path_in("mounts"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
}
END_TEST

START_TEST(test_counts)
{
	struct mount_records all;

	put("/mnt/a", "one");
	put("/mnt/b", "one");
	ck_assert_int_eq(mount_run_list(&run, &all), 0);
	ck_assert(mount_records_use_layer(&all, "sha256:bb", NULL));
	ck_assert(mount_records_use_layer(&all, "sha256:bb", "/mnt/a"));
	ck_assert(!mount_records_use_layer(&all, "sha256:cc", NULL));
	ck_assert_str_eq(mount_records_find_image(&all, "/s", "one", "/mnt/a")->dir, "/mnt/b");
	ck_assert_ptr_null(mount_records_find_image(&all, "/t", "one", NULL));
	ck_assert_ptr_null(mount_records_find_image(&all, "/s", "two", NULL));
	mount_records_end(&all);
	ck_assert_int_eq(mount_run_remove(&run, "/mnt/b"), 0);
	ck_assert_int_eq(mount_run_list(&run, &all), 0);
	ck_assert(!mount_records_use_layer(&all, "sha256:bb", "/mnt/a"));
	ck_assert_ptr_null(mount_records_find_image(&all, "/s", "one", "/mnt/a"));
	mount_records_end(&all);
}
END_TEST

/* A record that cannot be read hides no other one. */
START_TEST(test_damaged_record)
{
	_cleanup_(mount_record_freep) struct mount_record *r = NULL;
	_cleanup_close_ int fd = -1;
	struct mount_records all;

	put("/mnt/a", "one");
	fd = open(path_in("mounts/0.json"), O_WRONLY | O_CREAT, 0600);
	ck_assert_int_eq(write(fd, "{", 1), 1);
	ck_assert_int_eq(mount_run_list(&run, &all), 0);
	ck_assert_uint_eq(all.n, 1);
	mount_records_end(&all);
	ck_assert_int_eq(mount_run_get(&run, "/mnt/a", &r), 0);
}
END_TEST

START_TEST(test_run_dir_that_cannot_be)
{
	struct mount_run other;
	int fd = open(path_in("file"), O_WRONLY | O_CREAT, 0600);

	close(fd);
	ck_assert_int_eq(mount_run_open(&other, path_in("file")), -ENOTDIR);
	ck_assert_int_eq(mount_run_open(&other, path_in("no/such")), -ENOENT);
}
END_TEST

/* ---- locks -------------------------------------------------------------------------------- */

/* 0 when somebody else could have the lock now. */
static int try_elsewhere(enum mount_lock kind, const char *name)
{
	struct mount_run other;
	int r;

	ck_assert_int_eq(mount_run_open(&other, run.dir), 0);
	r = mount_run_lock(&other, kind, name, true);
	mount_run_close(&other);
	return r;
}

START_TEST(test_locks)
{
	ck_assert_int_eq(mount_run_lock(&run, MOUNT_LOCK_DIR, "/mnt/a", false), 0);
	ck_assert_int_eq(try_elsewhere(MOUNT_LOCK_DIR, "/mnt/a"), -EAGAIN);
	ck_assert_int_eq(try_elsewhere(MOUNT_LOCK_DIR, "/mnt/b"), 0);
	ck_assert_int_eq(try_elsewhere(MOUNT_LOCK_LAYER, "/mnt/a"), 0);
	ck_assert_int_eq(try_elsewhere(MOUNT_LOCK_RECORDS, ""), 0);
	ck_assert_int_eq(mount_run_lock(&run, MOUNT_LOCK_RECORDS, "", false), 0);
	ck_assert_int_eq(try_elsewhere(MOUNT_LOCK_RECORDS, ""), -EAGAIN);
	mount_run_unlock(&run, MOUNT_LOCK_DIR, "/mnt/a");
	ck_assert_int_eq(try_elsewhere(MOUNT_LOCK_DIR, "/mnt/a"), 0);
	ck_assert_int_eq(try_elsewhere(MOUNT_LOCK_RECORDS, ""), -EAGAIN);
	mount_run_unlock(&run, MOUNT_LOCK_RECORDS, "");
}
END_TEST

/* ---- the child ---------------------------------------------------------------------------- */

struct scene {
	int go[2];   /* the call returns when something is written there */
	int done[2]; /* the call and abandoned() write there; it ends with the child */
	char text[64];
	int result;
};

static int wait_for_go(void *arg)
{
	struct scene *s = arg;
	char byte;

	if (write(s->done[1], "c", 1) != 1 || read(s->go[0], &byte, 1) != 1)
		return -errno;
	snprintf(s->text, sizeof(s->text), "said by the kernel");
	return s->result;
}

static void say_abandoned(void *arg)
{
	struct scene *s = arg;

	if (write(s->done[1], "a", 1) != 1)
		_exit(1);
}

static struct mount_call scene_call(struct scene *s)
{
	ck_assert_int_eq(pipe2(s->go, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(s->done, O_CLOEXEC), 0);
	return (struct mount_call){
		.what = "layer",
		.call = wait_for_go,
		.abandoned = say_abandoned,
		.arg = s,
		.text = s->text,
		.text_max = sizeof(s->text),
	};
}

START_TEST(test_call_tells_its_result)
{
	struct scene s = { .result = _i };
	struct mount_call call = scene_call(&s);

	ck_assert_int_eq(write(s.go[1], "g", 1), 1);
	ck_assert_int_eq(mount_wait_call(&call), _i);
	ck_assert_str_eq(s.text, "said by the kernel");
	/* No child is left, and nobody was abandoned. */
	ck_assert_int_eq(waitpid(-1, NULL, 0), -1);
	close(s.done[1]);
	ck_assert_int_eq(read(s.done[0], s.text, 2), 1);
}
END_TEST

/* Whoever waits is told to stop: the child keeps the locks, and cleans up when it can. */
START_TEST(test_call_is_abandoned)
{
	struct scene s = { 0 };
	struct mount_call call = scene_call(&s);
	char byte = 0;
	pid_t waiter;
	int status;

	waiter = fork();
	if (waiter == 0) {
		mount_wait_signals();
		if (mount_run_lock(&run, MOUNT_LOCK_LAYER, "x", false) < 0)
			_exit(1);
		_exit(mount_wait_call(&call) == -EINTR ? 0 : 2);
	}
	/* Its own description of the file would hold the lock, too. */
	mount_run_close(&run);
	close(s.done[1]);
	ck_assert_int_eq(read(s.done[0], &byte, 1), 1);
	ck_assert_int_eq(byte, 'c');
	ck_assert_int_eq(kill(waiter, _i == 0 ? SIGTERM : SIGKILL), 0);
	ck_assert_int_eq(waitpid(waiter, &status, 0), waiter);
	ck_assert_int_eq(status, _i == 0 ? 0 : SIGKILL);
	ck_assert_int_eq(mount_run_open(&run, path_in("")), 0);
	ck_assert_int_eq(mount_run_lock(&run, MOUNT_LOCK_LAYER, "x", true), -EAGAIN);
	ck_assert_int_eq(write(s.go[1], "g", 1), 1);
	ck_assert_int_eq(read(s.done[0], &byte, 1), 1);
	ck_assert_int_eq(byte, 'a');
	ck_assert_int_eq(read(s.done[0], &byte, 1), 0); /* it has ended */
	ck_assert_int_eq(mount_run_lock(&run, MOUNT_LOCK_LAYER, "x", false), 0);
}
END_TEST

/* A lock that somebody else has is waited for, until a signal comes. */
START_TEST(test_waiting_for_a_lock_is_interrupted)
{
	struct mount_run other;

	ck_assert_int_eq(mount_run_open(&other, run.dir), 0);
	ck_assert_int_eq(mount_run_lock(&other, MOUNT_LOCK_DIR, "/a", false), 0);
	mount_wait_signals();
	ck_assert(!mount_wait_interrupted());
	raise(SIGINT);
	ck_assert(mount_wait_interrupted());
	ck_assert_int_eq(mount_wait_lock(&run, MOUNT_LOCK_DIR, "/a", "/a"), -EINTR);
	mount_run_close(&other);
	ck_assert_int_eq(mount_wait_lock(&run, MOUNT_LOCK_DIR, "/a", "/a"), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mount-run");
	TCase *tc = tcase_create("run");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_records);
	tcase_add_test(tc, test_counts);
	tcase_add_test(tc, test_damaged_record);
	tcase_add_test(tc, test_run_dir_that_cannot_be);
	tcase_add_test(tc, test_locks);
	tcase_add_loop_test(tc, test_call_tells_its_result, -1, 1);
	tcase_add_loop_test(tc, test_call_is_abandoned, 0, 2);
	tcase_add_test(tc, test_waiting_for_a_lock_is_interrupted);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
