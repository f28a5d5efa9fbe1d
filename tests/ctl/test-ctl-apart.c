/* SPDX-License-Identifier: MIT */
/* Work in processes of their own: what comes of it, and that nobody waits longer than he wants. */
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/ctl/apart.h"
#include "tests/lib/run-suite.h"

static int speak(void *arg)
{
	printf("%s\n", (const char *)arg);
	fprintf(stderr, "careful\n");
	return 3;
}

static int speak_at_length(void *arg)
{
	for (int i = 0; i < 100000; i++)
		puts("a line of more than a pipe has room for");
	return 0;
}

static int die(void *arg)
{
	raise(SIGKILL);
	return 0;
}

/* No signal but SIGKILL would end it. */
static int hang(void *arg)
{
	puts("so far");
	fflush(stdout);
	signal(SIGTERM, SIG_IGN);
	while (pause() < 0)
		;
	return 0;
}

START_TEST(what_it_says_is_kept)
{
	struct apart a[2] = { { speak, (void *)"first", 60 }, { speak, (void *)"second", 60 } };

	apart_start(&a[0]);
	apart_start(&a[1]);
	for (int i = 0; i < 2; i++) {
		apart_wait(&a[i]);
		ck_assert_int_eq(a[i].status, 3);
		ck_assert_str_eq(a[i].out, i ? "second\n" : "first\n");
		ck_assert_str_eq(a[i].err, "careful\n");
		apart_end(&a[i]);
	}
}
END_TEST

START_TEST(it_may_say_much)
{
	struct apart a = { speak_at_length, NULL, 60 };

	apart_start(&a);
	apart_wait(&a);
	ck_assert_int_eq(a.status, 0);
	ck_assert_uint_eq(a.n_out, 100000 * strlen("a line of more than a pipe has room for\n"));
	apart_end(&a);
}
END_TEST

static int speak_on_and_on(void *arg)
{
	static char line[8192];

	memset(line, 'x', sizeof(line) - 1);
	while (puts(line) >= 0)
		;
	return 0;
}

START_TEST(it_may_not_say_anything_without_an_end)
{
	struct apart a = { speak_on_and_on, NULL, 60 };

	apart_start(&a);
	apart_wait(&a);
	ck_assert_int_eq(a.status, -EFBIG);
	apart_end(&a);
}
END_TEST

START_TEST(its_death_is_told)
{
	struct apart a = { die, NULL, 60 };

	apart_start(&a);
	apart_wait(&a);
	ck_assert_int_eq(a.status, 128 + SIGKILL);
	apart_end(&a);
}
END_TEST

START_TEST(nobody_waits_longer)
{
	struct apart a = { hang, NULL, 1 };
	struct pollfd said;

	apart_start(&a);
	said = (struct pollfd){ .fd = a.out_fd, .events = POLLIN };
	ck_assert_int_eq(poll(&said, 1, -1), 1);
	apart_wait(&a);
	ck_assert_int_eq(a.status, -ETIMEDOUT);
	ck_assert_str_eq(a.out, "so far\n");
	apart_end(&a);
	/* It was killed. */
	if (waitpid(a.pid, NULL, 0) < 0)
		ck_assert_int_eq(errno, ECHILD);
}
END_TEST

/* While we wait for another its time passes; but it has ended before. */
START_TEST(whoever_comes_late_finds_what_was_said)
{
	struct apart good = { speak, (void *)"in time", 1 }, a = { hang, NULL, 1 };
	siginfo_t info;

	apart_start(&good);
	apart_start(&a);
	apart_wait(&a);
	apart_end(&a);
	ck_assert_int_eq(waitid(P_PID, (id_t)good.pid, &info, WEXITED | WNOWAIT), 0);
	apart_wait(&good);
	ck_assert_int_eq(good.status, 3);
	ck_assert_str_eq(good.out, "in time\n");
	apart_end(&good);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("work in processes of its own");
	TCase *tc = tcase_create("apart");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, what_it_says_is_kept);
	tcase_add_test(tc, it_may_say_much);
	tcase_add_test(tc, it_may_not_say_anything_without_an_end);
	tcase_add_test(tc, its_death_is_told);
	tcase_add_test(tc, nobody_waits_longer);
	tcase_add_test(tc, whoever_comes_late_finds_what_was_said);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
