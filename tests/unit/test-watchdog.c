/* SPDX-License-Identifier: MIT */
/* The watchdog on virtual time, beside an engine that is told what to say. */
#include "daemon/watchdog.h"

#include <check.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/util/log.h"
#include "tests/lib/run-suite.h"

#define SEC NSEC_PER_SEC

static struct loop *loop;
static struct watchdog watchdog;
static int manager;

/* ---- an engine ---------------------------------------------------------------------------- */

static bool somebody_waits;
static uint64_t due;

bool engine_oldest(const struct engine *engine, struct engine_waiting *ret)
{
	*ret = (struct engine_waiting){
		.volume = bytes_str("v"),
		.cookie = bytes_str("c"),
		.due = due,
	};
	return somebody_waits;
}

void engine_waiting_print(const struct engine_waiting *w, uint64_t now, char *buf, size_t n)
{
	snprintf(buf, n, "nobody knows");
}

/* ---- rig ----------------------------------------------------------------------------------- */

static void setup(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	char name[sizeof(at.sun_path)];

	snprintf(name, sizeof(name), "@cachefilld-test-watchdog-%d", (int)getpid());
	memcpy(at.sun_path, name, strlen(name));
	at.sun_path[0] = '\0';
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(bind(manager, (struct sockaddr *)&at,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
			 0);
	setenv("NOTIFY_SOCKET", name, 1);
	setenv("WATCHDOG_USEC", "20000000", 1);
	unsetenv("WATCHDOG_PID");
	somebody_waits = false;
	log_set_level(LOG_CRIT);
	ck_assert_int_eq(loop_new(&loop, LOOP_VIRTUAL), 0);
}

static void teardown(void)
{
	watchdog_stop(&watchdog);
	loop_free(loop);
	close(manager);
}

static void start(void)
{
	ck_assert_int_eq(watchdog_start(&watchdog, loop, NULL), 0);
}

static bool over;

static void limit(struct loop_timer *timer)
{
	over = true;
}

/* How often the manager is told something while this many seconds go by. */
static unsigned int told(unsigned int seconds)
{
	struct loop_timer timer = { .fire = limit };
	unsigned int n = 0;
	char text[64];
	ssize_t len;

	over = false;
	loop_timer_set(loop, &timer, loop_now(loop) + seconds * SEC);
	while (!over)
		ck_assert_int_eq(loop_turn(loop), 0);
	while ((len = recv(manager, text, sizeof(text), 0)) > 0) {
		ck_assert_int_eq(len, 10);
		ck_assert(memcmp(text, "WATCHDOG=1", 10) == 0);
		n++;
	}
	return n;
}

START_TEST(told_twice_in_its_time)
{
	start();
	ck_assert_uint_eq(told(95), 10);
}
END_TEST

START_TEST(told_only_where_it_is_wanted)
{
	static const char *const bad[] = {
		"", "0", "x", "20000000x", "-1", "99999999999999999999"
	};
	char pid[32];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		setenv("WATCHDOG_USEC", bad[i], 1);
		start();
		ck_assert_uint_eq(told(100), 0);
	}
	setenv("WATCHDOG_USEC", "20000000", 1);
	setenv("WATCHDOG_PID", "1", 1);
	start();
	ck_assert_uint_eq(told(100), 0);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("WATCHDOG_PID", pid, 1);
	start();
	ck_assert_uint_eq(told(95), 10);
	watchdog_stop(&watchdog);
	unsetenv("WATCHDOG_USEC");
	start();
	ck_assert_uint_eq(told(100), 0);
}
END_TEST

START_TEST(silent_while_a_request_is_overdue)
{
	start();
	somebody_waits = true;
	due = loop_now(loop) + 1000 * SEC;
	ck_assert_uint_eq(told(95), 10);
	due = loop_now(loop) - SEC; /* timers may be a bit late */
	ck_assert_uint_eq(told(1), 0);
	due = loop_now(loop);
	ck_assert_uint_eq(told(60), 1);
	somebody_waits = false;
	ck_assert_uint_eq(told(20), 2);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("watchdog");
	TCase *tc = tcase_create("watchdog");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, told_twice_in_its_time);
	tcase_add_test(tc, told_only_where_it_is_wanted);
	tcase_add_test(tc, silent_while_a_request_is_overdue);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
