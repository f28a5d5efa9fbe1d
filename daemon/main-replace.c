/* SPDX-License-Identifier: MIT */
/*
 * The next program takes over in this process, with the device, for an upgrade or another
 * configuration: SIGHUP, SIGUSR2 and POST /v1/reload. What would not let it start is found out
 * before, and then this one goes on as it is.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/main.h"
#include "daemon/util/cleanup.h"
#include "daemon/util/log.h"

/* ---- may it be? --------------------------------------------------------------------------- */

static void originsp(struct origins **origins)
{
	origins_free(*origins);
}

/* What is open from a source that has to say who we are, where there is no such source any more. */
struct leaving {
	const struct config *from;
	struct origins *to;
	const struct config_source *source; /* the first; NULL: none */
	uint64_t n;
};

static bool count_leaving(void *arg, const struct object *object)
{
	struct leaving *l = arg;
	uint32_t number = object_source(object);
	const struct config_source *source;

	if (number >= l->from->n_sources || !*object_locator(object))
		return true;
	source = &l->from->sources[number];
	if (!source->params || !source->params->key ||
	    origins_is_named(l->to, object_locator(object)))
		return true;
	if (!l->source)
		l->source = source;
	l->n += l->source == source;
	return true;
}

/* The next process would ask for it as anybody may. */
static int check_open(struct daemon *d, struct origins *origins, char *error)
{
	struct leaving leaving = { .from = d->config, .to = origins };

	engine_each_object(d->engine, 0, count_leaving, &leaving);
	if (!leaving.source)
		return 0;
	snprintf(error, CONTROL_ERROR_MAX,
		 "source '%.200s' has parameters, such as credentials, by which %llu objects are "
		 "fetched that are mounted: leave it where it is, with `rule = no`, until they are "
		 "unmounted",
		 leaving.source->name, (unsigned long long)leaving.n);
	return -EBUSY;
}

/* Fetchers read certificates, keys and lists of hosts when they are made. */
static int check_sources(struct daemon *d, const struct config *config, char *error)
{
	_cleanup_(originsp) struct origins *origins = NULL;
	char why[ORIGINS_ERROR_MAX];
	struct origin origin;
	int err = origins_new(&origins, d->loop, config);

	if (err < 0)
		snprintf(error, CONTROL_ERROR_MAX, "out of memory");
	for (size_t i = 0; err == 0 && i < config->n_sources; i++) {
		err = origins_get(origins, i, &origin, why);
		if (err < 0)
			snprintf(error, CONTROL_ERROR_MAX, "%s", why);
	}
	return err == 0 ? check_open(d, origins, error) : err;
}

static int check_trace(const struct config *config, char *error)
{
	int err = config->trace ? options_check_trace(config->trace) : 0;

	if (err < 0)
		snprintf(error, CONTROL_ERROR_MAX, "trace: cannot create %.256s: %s", config->trace,
			 strerror(-err));
	return err;
}

/* The words of what cannot be another one while images are mounted. */
static void note_lost(void *arg, const char *key, enum config_when when)
{
	char *keys = arg;
	size_t n = strlen(keys);

	if (when == CONFIG_STOPPED)
		snprintf(keys + n, CONTROL_ERROR_MAX - n, "%s%s", n > 0 ? ", " : "", key);
}

static int check_keys(struct daemon *d, const struct config *config, char *error)
{
	char keys[CONTROL_ERROR_MAX] = "";

	config_changes(d->config, config, note_lost, keys);
	if (!*keys)
		return 0;
	snprintf(
		error, CONTROL_ERROR_MAX,
		"what is mounted would be lost by another value of %.200s: put it back, or unmount "
		"all images, stop the service and start it",
		keys);
	return -EBUSY;
}

/* As the next one will find it. config is the caller's, also after an error. */
static int read_config(struct daemon *d, struct config **config, char *error)
{
	char text[OPTIONS_ERROR_MAX];
	struct options options;
	int argc = 0, err = config_new(config);

	if (err < 0) {
		snprintf(error, CONTROL_ERROR_MAX, "out of memory");
		return err;
	}
	while (d->program.argv[argc])
		argc++;
	if (options_read(&options, *config, argc, d->program.argv, text) == OPTIONS_RUN)
		return 0;
	snprintf(error, CONTROL_ERROR_MAX, "%.*s", CONTROL_ERROR_MAX - 1, text);
	return -EINVAL;
}

static int check_config(struct daemon *d, struct config **config, char *error)
{
	int err = handover_enter(&d->program);

	if (err == 0 && access(d->program.path, X_OK) < 0)
		err = -errno;
	if (err < 0)
		snprintf(error, CONTROL_ERROR_MAX, "cannot start %.256s: %s", d->program.path,
			 strerror(-err));
	if (err == 0)
		err = read_config(d, config, error);
	handover_leave();
	if (err == 0)
		err = check_sources(d, *config, error);
	if (err == 0)
		err = check_trace(*config, error);
	return err == 0 ? check_keys(d, *config, error) : err;
}

int daemon_check_successor(struct daemon *d, struct config **ret, char *error)
{
	_cleanup_(config_freep) struct config *config = NULL;
	int err;

	if (!d->restore) {
		snprintf(error, CONTROL_ERROR_MAX,
			 "this kernel has no `restore`, so that no other process can go on with "
			 "what is open: stop the service, and start it again");
		return -EOPNOTSUPP;
	}
	if (d->stopping || d->replacing) {
		snprintf(error, CONTROL_ERROR_MAX, "another process is about to go on");
		return -EALREADY;
	}
	err = check_config(d, &config, error);
	if (err == 0)
		*ret = steal(&config);
	return err;
}

/* ---- the change --------------------------------------------------------------------------- */

/* The recording is closed. What is in flight is asked for again by the next process. */
static void daemon_exec(void *arg)
{
	struct daemon *d = arg;
	int err = handover_exec(&d->program, d->device, d->name);

	log_error("cannot start %s: %s: this process goes on", d->program.path, strerror(-err));
	d->replacing = false;
	if (d->stop_wanted)
		daemon_stop(d);
	else if (d->resume_recording && d->config->trace)
		daemon_record_configured(d);
}

static void say_later(void *arg, const char *key, enum config_when when)
{
	if (when == CONFIG_LATER)
		log_warning("%s: another value comes into force when the service is stopped and "
			    "started",
			    key);
}

void daemon_replace(struct daemon *d, const char *why)
{
	_cleanup_(config_freep) struct config *config = NULL;
	char error[CONTROL_ERROR_MAX];

	if (d->stopping || d->replacing)
		return;
	if (daemon_check_successor(d, &config, error) < 0) {
		log_error("%s: %s: this process goes on", why, error);
		return;
	}
	config_changes(d->config, config, say_later, NULL);
	log_info("%s: %s goes on", why, d->program.path);
	d->replacing = true;
	d->resume_recording = d->recorder && recorder_stats(d->recorder).recording;
	if (d->recorder)
		recorder_stop(d->recorder, daemon_exec, d);
	else
		daemon_exec(d);
}
