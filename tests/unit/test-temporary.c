/* SPDX-License-Identifier: MIT */
/*
 * Directories of tests go with the program that made them, whatever its end. The programs are this
 * one with a name; they say on standard output what they have made.
 */
#include "tests/lib/temporary.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/run-suite.h"

/* ---- programs ----------------------------------------------------------------------------- */

/* Static. Nothing of libcheck holds outside of a suite. */
static const char *make(enum temporary_place place)
{
	static char path[TEMPORARY_MAX];
	char sub[TEMPORARY_MAX + 16], file[TEMPORARY_MAX + 16];

	temporary_dir(path, place);
	snprintf(sub, sizeof(sub), "%s/sub", path);
	snprintf(file, sizeof(file), "%s/sub/file", path);
	if (mkdir(sub, 0700) < 0 || mknod(file, S_IFREG | 0600, 0) < 0)
		_exit(2);
	printf("%s\n", path);
	fflush(stdout);
	return path;
}

static void make_all(void)
{
	for (int place = 0; place < TEMPORARY_PLACES; place++)
		make(place);
}

/* All places are where the environment says. */
static int places_are_told(void)
{
	setenv("TMPDIR", "/var/tmp", 1);
	setenv("CACHEFILLD_TEST_MEMORY", "/var/tmp", 1);
	for (int place = 0; place < TEMPORARY_PLACES; place++)
		if (strncmp(make(place), "/var/tmp/", 9) != 0)
			return EXIT_FAILURE;
	return EXIT_SUCCESS;
}

static int disk_is_no_memory(void)
{
	setenv("TMPDIR", "/dev/shm", 1);
	return strncmp(make(TEMPORARY_ANY), "/dev/shm/", 9) == 0 &&
			       strncmp(make(TEMPORARY_DISK), "/var/tmp/", 9) == 0
		       ? EXIT_SUCCESS
		       : EXIT_FAILURE;
}

/* A main() that tries something before its suite. */
static int begin_twice(void)
{
	make_all();
	temporary_begin();
	make_all();
	return EXIT_SUCCESS;
}

static int remove_early(void)
{
	const char *path = make(TEMPORARY_ANY);

	temporary_remove(path);
	return access(path, F_OK) < 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int just_exit(void)
{
	make_all();
	return EXIT_SUCCESS;
}

static int just_abort(void)
{
	make_all();
	abort();
}

static int wait_for_the_end(void)
{
	/* libcheck may be told to end before it knows of its fork. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	make_all();
	printf("waiting\n");
	fflush(stdout);
	pause();
	return EXIT_SUCCESS;
}

/* What a fork has made goes with the program, and not before. */
static int fork_and_lose(int number)
{
	char path[TEMPORARY_MAX];
	pid_t pid;

	temporary_begin();
	temporary_dir(path, TEMPORARY_ANY);
	printf("%s\n", path);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		make_all();
		if (number)
			raise(number);
		exit(EXIT_SUCCESS);
	}
	waitpid(pid, NULL, 0);
	return access(path, F_OK) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int fork_exits(void)
{
	return fork_and_lose(0);
}

static int fork_is_ended(void)
{
	return fork_and_lose(SIGTERM);
}

static int fork_is_killed(void)
{
	return fork_and_lose(SIGKILL);
}

START_TEST(test_that_fails)
{
	make_all();
	ck_assert_int_eq(1, 2);
}
END_TEST

START_TEST(test_that_crashes)
{
	make_all();
	raise(SIGSEGV);
}
END_TEST

START_TEST(test_that_waits)
{
	wait_for_the_end();
}
END_TEST

static int suite_of(const TTest *test)
{
	Suite *suite = suite_create("inner");
	TCase *tcase = tcase_create("inner");

	tcase_add_test(tcase, test);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}

static int suite_fails(void)
{
	return suite_of(test_that_fails);
}

static int suite_fails_without_fork(void)
{
	setenv("CK_FORK", "no", 1);
	return suite_of(test_that_fails);
}

static int suite_crashes(void)
{
	return suite_of(test_that_crashes);
}

static int suite_is_ended(void)
{
	return suite_of(test_that_waits);
}

static const struct program {
	const char *name;
	int (*run)(void);
	int exit, signal; /* how it has to end */
	unsigned int dirs;
} programs[] = {
	{ "places", places_are_told, 0, 0, 3 },
	{ "memory", disk_is_no_memory, 0, 0, 2 },
	{ "twice", begin_twice, 0, 0, 6 },
	{ "early", remove_early, 0, 0, 1 },
	{ "exit", just_exit, 0, 0, 3 },
	{ "abort", just_abort, 0, SIGABRT, 3 },
	{ "end", wait_for_the_end, 0, SIGTERM, 3 },
	{ "fork exits", fork_exits, 0, 0, 4 },
	{ "fork is ended", fork_is_ended, 0, 0, 4 },
	{ "fork is killed", fork_is_killed, 0, 0, 4 },
	{ "suite fails", suite_fails, EXIT_FAILURE, 0, 3 },
	{ "suite fails without fork", suite_fails_without_fork, EXIT_FAILURE, 0, 3 },
	{ "suite crashes", suite_crashes, EXIT_FAILURE, 0, 3 },
	{ "suite is ended", suite_is_ended, 0, SIGTERM, 3 },
};
#define PROGRAMS ((int)(sizeof(programs) / sizeof(*programs)))

static int run_program(const char *name)
{
	for (int i = 0; i < PROGRAMS; i++)
		if (strcmp(programs[i].name, name) == 0)
			return programs[i].run();
	return 2;
}

/* ---- tests -------------------------------------------------------------------------------- */

/* Not /proc/self/exe, which may be valgrind. */
static const char *self;

static pid_t start(const char *name, FILE **ret_output)
{
	int fds[2];
	pid_t pid;

	ck_assert_int_eq(pipe(fds), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		/* libcheck ends its group, too. */
		setpgid(0, 0);
		dup2(fds[1], STDOUT_FILENO);
		close(fds[0]);
		close(fds[1]);
		unsetenv("CK_TAP_LOG_FILE_NAME");
		unsetenv("CK_FORK");
		execl(self, self, name, (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	*ret_output = fdopen(fds[0], "re");
	ck_assert_ptr_nonnull(*ret_output);
	return pid;
}

START_TEST(all_goes_with_its_program)
{
	const struct program *program = &programs[_i];
	char dirs[8][TEMPORARY_MAX], line[TEMPORARY_MAX];
	unsigned int n = 0;
	FILE *output;
	int status;
	pid_t pid = start(program->name, &output);

	while (fgets(line, sizeof(line), output)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '/')
			strcpy(dirs[n++], line);
		else if (strcmp(line, "waiting") == 0)
			ck_assert_int_eq(kill(pid, SIGTERM), 0);
		ck_assert_uint_lt(n, 8);
	}
	fclose(output);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(WIFSIGNALED(status) ? WTERMSIG(status) : 0, program->signal);
	ck_assert(program->signal || WEXITSTATUS(status) == program->exit);
	ck_assert_uint_eq(n, program->dirs);
	for (unsigned int i = 0; i < n; i++) {
		ck_assert_msg(access(dirs[i], F_OK) < 0, "%s is there", dirs[i]);
		*strrchr(dirs[i], '/') = '\0';
		ck_assert_msg(access(dirs[i], F_OK) < 0, "%s is there", dirs[i]);
	}
}
END_TEST

int main(int argc, char **argv)
{
	Suite *s;
	TCase *t;

	if (argc > 1)
		return run_program(argv[1]);
	self = argv[0];
	s = suite_create("temporary");
	t = tcase_create("temporary");
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, all_goes_with_its_program, 0, PROGRAMS);
	suite_add_tcase(s, t);
	return run_suite(s);
}
