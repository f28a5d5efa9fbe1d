/* SPDX-License-Identifier: MIT */
#include "tests/lib/temporary.h"

#include <check.h>
#include <errno.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

static const int signals[] = { SIGHUP, SIGINT, SIGTERM, SIGABRT };
#define SIGNALS (sizeof(signals) / sizeof(*signals))

static pid_t owner;
static char tops[TEMPORARY_PLACES][TEMPORARY_MAX];
static struct sigaction actions[SIGNALS]; /* those before ours */

/* ---- the end ------------------------------------------------------------------------------ */

/* Safe in the handler of a signal. */
void temporary_remove(const char *path)
{
	pid_t pid;

	if (access(path, F_OK) < 0)
		return;
	pid = _Fork();
	if (pid == 0) {
		execl("/bin/rm", "rm", "-rf", path, (char *)NULL);
		_exit(127);
	}
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* A fork ends, too: that is not the end. */
static void remove_all(void)
{
	if (getpid() != owner)
		return;
	for (int place = 0; place < TEMPORARY_PLACES; place++)
		temporary_remove(tops[place]);
}

/* Then to whoever would have had it: libcheck, a fuzzer, the system. */
static void end(int number)
{
	size_t i = 0;

	remove_all();
	while (signals[i] != number)
		i++;
	sigaction(number, &actions[i], NULL);
	raise(number);
}

static void watch_the_end(void)
{
	const struct sigaction action = { .sa_handler = end };

	atexit(remove_all);
	for (size_t i = 0; i < SIGNALS; i++)
		sigaction(signals[i], &action, &actions[i]);
}

/* ---- places ------------------------------------------------------------------------------- */

static bool is_memory(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
}

static const char *base_of(enum temporary_place place)
{
	const char *wanted = getenv("TMPDIR"), *memory = getenv("CACHEFILLD_TEST_MEMORY");

	if (place == TEMPORARY_MEMORY)
		memory = memory ? memory : "/dev/shm";
	if (place == TEMPORARY_MEMORY && access(memory, W_OK) == 0)
		return memory;
	if (place == TEMPORARY_ANY)
		return wanted ? wanted : "/tmp";
	return wanted && !is_memory(wanted) ? wanted : "/var/tmp";
}

/* Names alone: most tests write nothing. */
void temporary_begin(void)
{
	uint32_t number = (uint32_t)getpid();

	if (owner == getpid())
		return;
	if (owner == 0)
		watch_the_end();
	owner = getpid();
	(void)!getrandom(&number, sizeof(number), 0);
	for (int place = 0; place < TEMPORARY_PLACES; place++)
		if (snprintf(tops[place], TEMPORARY_MAX, "%s/cachefilld-test.%08x", base_of(place),
			     number) > TEMPORARY_MAX - (int)sizeof("/XXXXXX"))
			ck_abort_msg("$TMPDIR is too long for tests");
}

void temporary_dir(char path[TEMPORARY_MAX], enum temporary_place place)
{
	if (owner == 0)
		temporary_begin();
	/* Perhaps a fork has made it already. */
	if (mkdir(tops[place], 0700) < 0 && errno != EEXIST)
		ck_abort_msg("%s: %s", tops[place], strerror(errno));
	snprintf(path, TEMPORARY_MAX, "%.*s/XXXXXX", TEMPORARY_MAX - 8, tops[place]);
	if (!mkdtemp(path))
		ck_abort_msg("%s: %s", path, strerror(errno));
}
