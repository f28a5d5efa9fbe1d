/* SPDX-License-Identifier: MIT */
#include "tests/kernel/leftovers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "daemon/state.h"
#include "daemon/util/cleanup.h"
#include "tests/lib/leaks.h"

#define COOKIES	 "/proc/fs/fscache/cookies"
#define VOLUMES	 "/proc/fs/fscache/volumes"
#define HEAD	 2 /* lines, of each of them */
#define SOCKET	 "/run/cachefilld/control.sock"
#define WAIT_MS	 20000
#define PAUSE_US 2000

static void fclosep(FILE **file)
{
	if (*file)
		fclose(*file);
}

static void closedirp(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static void state_closep(struct state **state)
{
	state_close(*state);
}

static char *say(const char *what, const char *of)
{
	char *text = NULL;

	if (asprintf(&text, "%s: %s", what, of) < 0)
		abort();
	return text;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* A moment; false: for too long. */
static bool wait_on(uint64_t since)
{
	usleep(PAUSE_US);
	return now_ms() - since < WAIT_MS;
}

/* ---- the daemon ---------------------------------------------------------------------------- */

static unsigned int count_descriptors(pid_t pid)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	struct dirent *entry;
	unsigned int n = 0;
	char text[64];

	snprintf(text, sizeof(text), "/proc/%d/fd", pid);
	dir = opendir(text);
	while (dir && (entry = readdir(dir))) {
		ssize_t len = readlinkat(dirfd(dir), entry->d_name, text, sizeof(text) - 1);

		text[len < 0 ? 0 : len] = '\0';
		n += strcmp(text, "anon_inode:[cachefiles]") == 0;
	}
	return n;
}

static pid_t parent_of(pid_t pid)
{
	_cleanup_(fclosep) FILE *stat = NULL;
	char path[64];
	int ppid = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	stat = fopen(path, "re");
	if (!stat || fscanf(stat, "%*d (%*[^)]) %*c %d", &ppid) != 1)
		return 0;
	return ppid;
}

/* A keeper has none; the process that it keeps the device for has them. */
static unsigned int count_descriptors_below(pid_t daemon)
{
	_cleanup_(closedirp) DIR *dir = opendir("/proc");
	unsigned int n = count_descriptors(daemon);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		pid_t pid = atoi(entry->d_name);

		if (pid > 0 && parent_of(pid) == daemon)
			n += count_descriptors(pid);
	}
	return n;
}

static char *find_descriptor(pid_t daemon)
{
	uint64_t since = now_ms();

	while (daemon > 0 && count_descriptors_below(daemon) > 0)
		if (!wait_on(since))
			return say("descriptors of objects", "the idle daemon has some");
	return NULL;
}

static int connect_to_daemon(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = SOCKET };
	struct timeval patience = { .tv_sec = WAIT_MS / 1000 };
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return steal_fd(&fd);
}

/* false: nobody is there. */
static bool collect(char **ret_trouble)
{
	static const char request[] =
		"POST /v1/gc HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\n";
	_cleanup_close_ int fd = connect_to_daemon();
	char answer[64] = "";

	if (fd < 0)
		return false;
	if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0 ||
	    recv(fd, answer, sizeof(answer) - 1, 0) < 0)
		*ret_trouble = say("the daemon does not collect", strerror(errno));
	else if (strncmp(answer, "HTTP/1.1 200 ", 13) != 0)
		*ret_trouble = say("the daemon does not collect", answer);
	return true;
}

/* ---- the kernel ---------------------------------------------------------------------------- */

/* NULL: the list is empty. */
static char *read_list(const char *path)
{
	_cleanup_(fclosep) FILE *list = fopen(path, "re");
	char line[1024];

	for (int i = 0; list && fgets(line, sizeof(line), list); i++)
		if (i >= HEAD)
			return strdup(line);
	return NULL;
}

/* What is open, or is being closed: objects, and then their volumes. What has gone from here has
 * its name in the cache. */
static char *read_open(void)
{
	char *first = read_list(COOKIES);

	return first ? first : read_list(VOLUMES);
}

static char *find_open(void)
{
	_cleanup_free_ char *first = read_open();
	uint64_t since = now_ms();

	while (first) {
		if (!wait_on(since))
			return say("the kernel has this open", first);
		free(first);
		first = read_open();
	}
	return NULL;
}

/* ---- the cache ----------------------------------------------------------------------------- */

/* What is being culled has its record for a moment still. */
static char *find_uncollected(struct state *state, int cache)
{
	char *found = leaks_find(state, cache, true);
	uint64_t since = now_ms();

	while (found && wait_on(since)) {
		free(found);
		found = leaks_find(state, cache, true);
	}
	return found;
}

static char *find_in_cache(const struct leftovers *where, int cache, struct state *state)
{
	char *found = where->nameless ? NULL : leaks_find(state, cache, false);

	if (!found && where->daemon > 0 && collect(&found) && !found)
		found = find_uncollected(state, cache);
	return found;
}

static char *find_on_record(const struct leftovers *where)
{
	_cleanup_close_ int cache = open(where->cache, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(state_closep) struct state *state = NULL;
	char path[4096];

	snprintf(path, sizeof(path), "%s/state.db", where->state);
	if (cache < 0 || access(path, F_OK) < 0)
		return NULL;
	if (state_open(&state, where->state) < 0)
		return say("cannot be opened", path);
	return find_in_cache(where, cache, state);
}

char *leftovers_find(const struct leftovers *where)
{
	char *found = find_descriptor(where->daemon);

	if (!found)
		found = find_open();
	return found ? found : find_on_record(where);
}
