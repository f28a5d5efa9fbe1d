/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/util/cleanup.h"
#include "tests/kernel/scenario-real.h"

/* ---- configuration ----------------------------------------------------------------------- */

/* Of scenarios, and how the configuration says it. */
static const struct {
	const char *key, *conf;
	enum { SETTING_TIME, SETTING_NUMBER, SETTING_FLAG } kind;
	const char *flag; /* of one that is set */
} settings[] = {
	{ "open-deadline", "open-deadline", SETTING_TIME },
	{ "read-deadline", "read-deadline", SETTING_TIME },
	{ "positive-ttl", "positive-ttl", SETTING_TIME },
	{ "negative-ttl", "negative-ttl", SETTING_TIME },
	{ "names-max", "names-max", SETTING_NUMBER },
	{ "buffers", "buffers", SETTING_NUMBER },
	{ "readahead-max", "readahead-max", SETTING_NUMBER },
	{ "requests", "max-requests", SETTING_NUMBER },
	{ "retries", "retries", SETTING_NUMBER },
	{ "backoff", "backoff", SETTING_TIME },
	{ "revalidate", "revalidate", SETTING_FLAG, "yes" },
	{ "refuse-compressed", "compressed", SETTING_FLAG, "refuse" },
	{ "size-limit", "size-limit", SETTING_NUMBER },
};

static_assert(sizeof(settings) / sizeof(settings[0]) == REAL_SETTINGS, "settings of struct real");

/* The text of setting i; false: the step does not have it. */
static bool print_setting(size_t i, const struct scenario_step *step, char text[static 32])
{
	const struct scenario_option *option = scenario_option(step, settings[i].key);

	if (!option)
		return false;
	if (settings[i].kind == SETTING_TIME)
		snprintf(text, 32, "%jums", (uintmax_t)(option->number / 1000000));
	else if (settings[i].kind == SETTING_FLAG)
		snprintf(text, 32, "%s", settings[i].flag);
	else /* a configuration takes no size 0, and the smallest comes close */
		snprintf(text, 32, "%ju", option->number ? (uintmax_t)option->number : REAL_BLOCK);
	return true;
}

void real_daemon_set(struct real *real, const struct scenario_step *step)
{
	for (size_t i = 0; i < REAL_SETTINGS; i++)
		print_setting(i, step, real->settings[i]);
	real->domain = scenario_word(step, "domain", real->domain);
}

static void print_source(FILE *conf, const struct scenario_step *step, const char *url)
{
	char text[32];

	fprintf(conf, "source %s {\n\tvolume = \"erofs,%s\"\n\turl = %s/{cookie}\n", step->object,
		scenario_word(step, "domain", ""), url);
	for (size_t i = 0; i < REAL_SETTINGS; i++)
		if (print_setting(i, step, text))
			fprintf(conf, "\t%s = %s\n", settings[i].conf, text);
	fprintf(conf, "}\n");
}

static char *write_configuration(const struct real *real, const char *path)
{
	const char *url = origin_url(real->origin);
	FILE *conf = fopen(path, "we");

	if (!conf)
		return scenario_sentence("%s: %s", path, strerror(errno));
	fprintf(conf, "dir %s\nstate-dir = %s/state\nnegative-ttl = 0s\nretries = 0\n",
		real->cache, real->run);
	for (size_t i = 0; i < REAL_SETTINGS; i++)
		if (real->settings[i][0])
			fprintf(conf, "%s = %s\n", settings[i].conf, real->settings[i]);
	for (size_t i = 0; i < real->scenario->n_settings; i++)
		if (real->scenario->steps[i].verb == SCENARIO_SOURCE)
			print_source(conf, &real->scenario->steps[i], url);
	fprintf(conf, "source others {\n\tvolume = \"erofs,%s\"\n\turl = %s/{cookie}\n}\n",
		real->domain ? real->domain : "*", url);
	fclose(conf);
	return NULL;
}

/* ---- life -------------------------------------------------------------------------------- */

/* READY=1 on its standard output, which it uses for nothing else. */
static char *await_ready(const struct real *real)
{
	struct pollfd p = { .fd = real->daemon.out, .events = POLLIN };
	char line[64];
	ssize_t n = poll(&p, 1, REAL_WAIT_MS) > 0 ? read(p.fd, line, sizeof(line)) : -1;

	if (n >= 7 && memcmp(line, "READY=1", 7) == 0)
		return NULL;
	return scenario_sentence(n < 0 ? "the daemon is not ready after %d ms"
				       : "the daemon ended before it was ready",
				 REAL_WAIT_MS);
}

char *real_daemon_start(struct real *real)
{
	_cleanup_free_ char *conf = scenario_sentence("%s/cachefilld.conf", real->run);
	const char *const argv[] = { real->program, "--config", conf, "--notify-fd", "1", NULL };
	char *trouble;
	int r;

	if (real->daemon.pid)
		return scenario_sentence("there is a daemon already");
	trouble = write_configuration(real, conf);
	if (trouble)
		return trouble;
	real_child_free(&real->daemon);
	r = real_child_start(&real->daemon, real->program, argv, true);
	if (r < 0)
		return scenario_sentence("%s: %s", real->program, strerror(-r));
	real->daemons++;
	return await_ready(real);
}

char *real_daemon_stop(struct real *real)
{
	if (!real->daemon.pid)
		return scenario_sentence("there is no daemon");
	kill(real->daemon.pid, SIGTERM);
	if (!real_child_ended(&real->daemon, REAL_WAIT_MS)) {
		real_child_free(&real->daemon);
		return scenario_sentence("the daemon had to be killed: it did not end in %d ms",
					 REAL_WAIT_MS);
	}
	if (real->daemon.status != 0)
		return scenario_sentence("the daemon ended with status %d", real->daemon.status);
	return NULL;
}

char *real_daemon_kill(struct real *real)
{
	real_child_kill(&real->daemon);
	if (!real_child_ended(&real->daemon, REAL_WAIT_MS))
		return scenario_sentence("the daemon cannot be killed");
	if (real->daemon.status != 128 + SIGKILL)
		return scenario_sentence("the daemon had ended with status %d",
					 real->daemon.status);
	return NULL;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

char *real_daemon_forget(struct real *real)
{
	_cleanup_free_ char *state = scenario_sentence("%s/state", real->run);

	if (nftw(state, remove_one, 8, FTW_DEPTH | FTW_PHYS) < 0 || mkdir(state, 0700) < 0)
		return scenario_sentence("%s: %s", state, strerror(errno));
	return NULL;
}

/* ---- descriptors ------------------------------------------------------------------------- */

size_t real_daemon_fds(const struct real *real, int *ret, size_t n)
{
	_cleanup_free_ char *path = scenario_sentence("/proc/%d/fd", real->daemon.pid);
	DIR *dir = real->daemon.pid ? opendir(path) : NULL;
	struct dirent *entry;
	size_t found = 0;
	char target[64];

	while (dir && (entry = readdir(dir))) {
		ssize_t len = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);

		target[len < 0 ? 0 : len] = '\0';
		if (strcmp(target, "anon_inode:[cachefiles]") != 0)
			continue;
		if (found < n)
			ret[found] = atoi(entry->d_name);
		found++;
	}
	if (dir)
		closedir(dir);
	return found;
}

int real_daemon_fd(const struct real *real, int number)
{
	return real->daemon.pid ? pidfd_getfd(real->daemon.pidfd, number, 0) : -1;
}
