/* SPDX-License-Identifier: MIT */
/* Jobs on a thread, and on virtual time. */
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include "daemon/loop/worker.h"
#include "tests/unit/loop-backends.h"

#define MANY 100

struct task {
	struct worker_job job;
	int number;
	pthread_t thread;
	char cwd[PATH_MAX];
};

static struct worker *worker;
static int n_done;

static void note(struct worker_job *job)
{
	struct task *t = container_of(job, struct task, job);

	t->thread = pthread_self();
}

static void count(struct worker_job *job)
{
	struct task *t = container_of(job, struct task, job);

	ck_assert_int_eq(t->number, n_done);
	n_done++;
}

static void wander(struct worker_job *job)
{
	struct task *t = container_of(job, struct task, job);
	int back = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (back >= 0 && chdir("/proc") == 0 && getcwd(t->cwd, sizeof(t->cwd)) &&
	    backend == LOOP_VIRTUAL)
		(void)!fchdir(back);
	close(back);
}

static void begin(void)
{
	n_done = 0;
	ck_assert_int_eq(worker_new(&worker, loop), 0);
}

START_TEST(test_jobs_are_done_in_their_order)
{
	struct task tasks[MANY];

	begin();
	for (int i = 0; i < MANY; i++) {
		tasks[i] = (struct task){ .job = { .work = note, .done = count }, .number = i };
		worker_run(worker, &tasks[i].job);
		ck_assert_int_eq(n_done, 0);
	}
	while (n_done < MANY)
		turn();
	for (int i = 0; i < MANY; i++)
		ck_assert_int_eq(pthread_equal(tasks[i].thread, pthread_self()) != 0,
				 backend == LOOP_VIRTUAL);
	worker_free(worker);
}
END_TEST

START_TEST(test_the_working_directory_is_its_own)
{
	struct task task = { .job = { .work = wander, .done = count } };
	char before[PATH_MAX], after[PATH_MAX];

	begin();
	ck_assert_ptr_nonnull(getcwd(before, sizeof(before)));
	worker_run(worker, &task.job);
	while (n_done < 1)
		turn();
	ck_assert_str_eq(task.cwd, "/proc");
	ck_assert_ptr_nonnull(getcwd(after, sizeof(after)));
	ck_assert_str_eq(before, after);
	worker_free(worker);
}
END_TEST

static void ask_priority(struct worker_job *job)
{
	struct task *t = container_of(job, struct task, job);

	t->number = getpriority(PRIO_PROCESS, 0);
}

static void count_one(struct worker_job *job)
{
	n_done++;
}

/* And no other thread does: that of the test has the loop. */
START_TEST(test_an_idle_one_gives_way)
{
	struct task task = { .job = { .work = ask_priority, .done = count_one } };
	int before = getpriority(PRIO_PROCESS, 0);

	n_done = 0;
	ck_assert_int_eq(worker_new_idle(&worker, loop), 0);
	worker_run(worker, &task.job);
	while (n_done < 1)
		turn();
	ck_assert_int_eq(task.number, backend == LOOP_VIRTUAL ? before : 19);
	ck_assert_int_eq(getpriority(PRIO_PROCESS, 0), before);
	worker_free(worker);
}
END_TEST

START_TEST(test_what_has_not_begun_is_dropped)
{
	static struct task tasks[MANY];

	begin();
	for (int i = 0; i < MANY; i++) {
		tasks[i] = (struct task){ .job = { .work = note, .done = count }, .number = i };
		worker_run(worker, &tasks[i].job);
	}
	worker_free(worker);
	ck_assert_int_eq(n_done, 0);
	ck_assert_ptr_null(worker_free(NULL));
}
END_TEST

static void add_tests(TCase *tcase, enum loop_backend which)
{
	tcase_add_test(tcase, test_jobs_are_done_in_their_order);
	tcase_add_test(tcase, test_the_working_directory_is_its_own);
	tcase_add_test(tcase, test_an_idle_one_gives_way);
	tcase_add_test(tcase, test_what_has_not_begun_is_dropped);
}

int main(void)
{
	return run_on_backends("worker", add_tests);
}
