/* SPDX-License-Identifier: MIT */
/*
 * Runs one scenario on the real kernel, as root, in the guest (scenario.sh):
 *
 *	scenario-real FILE.scn
 *
 * The environment says where: see lib.sh.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/util/cleanup.h"
#include "tests/kernel/leftovers.h"
#include "tests/kernel/scenario-real.h"

/* ---- numbers ----------------------------------------------------------------------------- */

static char *stage_recount(void *arg)
{
	struct real *real = arg;
	struct real_object *object;

	TAILQ_FOREACH(object, &real->objects, link)
		object->before = origin_seen(real->origin, object->key);
	return NULL;
}

static char *stage_measure(void *arg, const struct scenario_term *term, uint64_t *ret)
{
	struct real *real = arg;
	struct real_object *object;

	if (strcmp(term->name, "present") == 0)
		return real_mount_present(real, real_object_find(real, term->thing), ret);
	*ret = 0;
	TAILQ_FOREACH(object, &real->objects, link) {
		struct origin_seen seen = origin_seen(real->origin, object->key);

		if (term->thing && strcmp(term->thing, object->name) != 0)
			continue;
		if (strcmp(term->name, "contacts") == 0)
			*ret += seen.requests - object->before.requests;
		else if (strcmp(term->name, "fetched") == 0)
			*ret += seen.asked - object->before.asked;
		else
			return scenario_sentence("'%s' is not known here", term->name);
	}
	return NULL;
}

/* What happens behind a reader's back may take a moment. */
static bool stage_again(void *arg, unsigned int tries)
{
	usleep(10000);
	return tries < 300;
}

/* ---- objects, mounts and readers
 * ------------------------------------------------------------------ */

static char *stage_origin(void *arg, const struct scenario_step *step)
{
	return real_origin_step(arg, step);
}

static char *stage_open(void *arg, const struct scenario_step *step)
{
	return real_mount_open(arg, step);
}

static char *stage_umount(void *arg, const struct scenario_step *step)
{
	return real_mount_close(arg, real_mount_find(arg, step->mount));
}

static char *stage_start(void *arg, const struct scenario_step *step)
{
	return real_reader_start(arg, step);
}

static char *stage_read(void *arg, const struct scenario_step *step, struct scenario_result *ret)
{
	return real_reader_read(arg, step, ret);
}

static char *stage_done(void *arg, const char *label, bool wait,
			const struct scenario_result *wanted, struct scenario_result *ret)
{
	struct real_mount *mount = real_mount_find(arg, label);

	if (mount)
		return real_mount_done(arg, mount, wait, ret);
	return real_reader_done(real_reader_find(arg, label), wait, wanted, ret);
}

static char *stage_kill(void *arg, const struct scenario_step *step)
{
	real_child_kill(&real_reader_find(arg, step->label)->child);
	return NULL;
}

/* ---- the daemon and time ----------------------------------------------------------------- */

static char *stage_daemon(void *arg, const struct scenario_step *step)
{
	switch (step->verb) {
	case SCENARIO_DAEMON_START:
		real_daemon_set(arg, step);
		return real_daemon_start(arg);
	case SCENARIO_DAEMON_STOP:
		return real_daemon_stop(arg);
	case SCENARIO_DAEMON_KILL:
		return real_daemon_kill(arg);
	default:
		((struct real *)arg)->nameless = true;
		return real_daemon_forget(arg);
	}
}

static char *stage_pass(void *arg, uint64_t ns)
{
	struct timespec time = { .tv_sec = (time_t)(ns / 1000000000),
				 .tv_nsec = (long)(ns % 1000000000) };

	clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
	return NULL;
}

static char *make_directories(struct real *real)
{
	_cleanup_free_ char *state = scenario_sentence("%s/state", real->run);

	real->files = scenario_sentence("%s/files", real->run);
	if (mkdir(real->files, 0755) < 0 || mkdir(state, 0700) < 0)
		return scenario_sentence("%s: %s", real->run, strerror(errno));
	return NULL;
}

static char *stage_begin(void *arg, const struct scenario *scenario)
{
	struct real *real = arg;
	struct origin_options options = { 0 };
	char *trouble = make_directories(real);
	int r;

	if (trouble)
		return trouble;
	options.root = real->files;
	r = origin_start(&real->origin, &options);
	if (r < 0)
		return scenario_sentence("origin: %s", strerror(-r));
	real->scenario = scenario;
	for (size_t i = 0; i < scenario->n_settings; i++)
		if (scenario->steps[i].verb == SCENARIO_DAEMON)
			real_daemon_set(real, &scenario->steps[i]);
	return real_daemon_start(real);
}

static char *find_leftovers(const struct real *real)
{
	_cleanup_free_ char *state = scenario_sentence("%s/state", real->run);
	_cleanup_free_ char *found = NULL;
	const struct leftovers where = { real->cache, state, real->daemon.pid, real->nameless };

	found = leftovers_find(&where);
	return found ? scenario_sentence("left behind: %s", found) : NULL;
}

/* Readers first: who waits for bytes holds the mount. */
static char *stage_end(void *arg)
{
	struct real *real = arg;
	struct real_reader *reader;
	struct real_mount *mount;
	struct real_object *object;
	char *trouble = NULL;

	while ((reader = TAILQ_FIRST(&real->readers))) {
		TAILQ_REMOVE(&real->readers, reader, link);
		real_child_kill(&reader->child);
		if (!trouble && !real_child_ended(&reader->child, REAL_WAIT_MS))
			trouble = scenario_sentence("a reader cannot be killed");
		real_reader_free(reader);
	}
	while ((mount = TAILQ_FIRST(&real->mounts))) {
		TAILQ_REMOVE(&real->mounts, mount, link);
		real_mount_abandon(mount);
	}
	if (!trouble)
		trouble = find_leftovers(real);
	if (real->daemon.pid) {
		char *left = real_daemon_stop(real);

		if (trouble)
			free(left);
		else
			trouble = left;
	}
	real_child_free(&real->daemon);
	real->origin = origin_stop(real->origin);
	while ((object = TAILQ_FIRST(&real->objects))) {
		TAILQ_REMOVE(&real->objects, object, link);
		free(object);
	}
	free(real->files);
	return trouble;
}

static const struct scenario_stage stage = {
	.place = SCENARIO_REAL,
	.begin = stage_begin,
	.end = stage_end,
	.daemon = stage_daemon,
	.origin = stage_origin,
	.pass = stage_pass,
	.open = stage_open,
	.umount = stage_umount,
	.start = stage_start,
	.read = stage_read,
	.done = stage_done,
	.kill = stage_kill,
	.recount = stage_recount,
	.measure = stage_measure,
	.again = stage_again,
};

/* ---- main -------------------------------------------------------------------------------- */

static int run(const struct scenario *scenario)
{
	struct real real = {
		.run = getenv("RUN"),
		.cache = getenv("CACHE"),
		.program = getenv("DAEMON"),
	};
	_cleanup_free_ char *trouble = NULL;

	if (!real.run || !real.cache || !real.program) {
		fprintf(stderr, "scenario-real: RUN, CACHE and DAEMON have to be set\n");
		return EXIT_FAILURE;
	}
	TAILQ_INIT(&real.objects);
	TAILQ_INIT(&real.mounts);
	TAILQ_INIT(&real.readers);
	if (scenario_runs_on(scenario, SCENARIO_REAL))
		trouble = scenario_run(scenario, &stage, &real);
	else
		trouble = scenario_sentence("%s is not for a real kernel", scenario->file);
	if (trouble)
		printf("FAILED: %s\n", trouble);
	return trouble ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	_cleanup_free_ char *fault_text = NULL;
	struct scenario *scenario;
	int status;

	if (argc > 3 && strcmp(argv[1], "--mount") == 0)
		return real_work_mount(argc - 2, argv + 2);
	if (argc == 10 && strcmp(argv[1], "--read") == 0)
		return real_work_read(argc - 2, argv + 2);
	if (argc != 2) {
		fprintf(stderr, "usage: scenario-real FILE.scn\n");
		return 2;
	}
	scenario = scenario_load(argv[1], &fault_text);
	if (!scenario) {
		printf("FAILED: %s\n", fault_text);
		return EXIT_FAILURE;
	}
	status = run(scenario);
	scenario_free(scenario);
	return status;
}
