/* SPDX-License-Identifier: MIT */
/*
 * Who looks on: recordings of requests, and the control socket.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/main.h"
#include "daemon/util/log.h"

/* ---- recording ---------------------------------------------------------------------------- */

static void record_source(void *arg, uint32_t number, const struct engine_source_config *source)
{
	recorder_source(arg, number, source->name, source->place);
}

static void record_handle(void *arg, uint32_t object_id, struct object *object)
{
	recorder_handle(arg, object_id, object);
}

static void record_open(void *arg, uint32_t msg_id, uint32_t object_id, struct bytes volume,
			struct bytes cookie)
{
	recorder_waiting_open(arg, msg_id, object_id, volume, cookie);
}

static void record_read(void *arg, uint32_t msg_id, uint32_t object_id, uint64_t off, uint64_t len)
{
	recorder_waiting_read(arg, msg_id, object_id, off, len);
}

/* Into this file, or the next to it. error: RECORDER_ERROR_MAX bytes. */
static int daemon_record(struct daemon *d, const char *path, char *error)
{
	static const struct frontend_visitor visitor = { record_handle, record_open, record_read };
	int err = recorder_start(d->recorder, path, error);

	if (err < 0)
		return err;
	engine_each_source(d->engine, record_source, d->recorder);
	if (d->frontend)
		frontend_visit(d->frontend, &visitor, d->recorder);
	return 0;
}

int daemon_record_configured(struct daemon *d)
{
	char error[RECORDER_ERROR_MAX];
	int err = daemon_record(d, d->config->trace, error);

	if (err < 0)
		log_error("cannot record into %s", error);
	return err;
}

void daemon_toggle_recording(struct daemon *d)
{
	if (d->stopping || d->replacing)
		return;
	if (!d->config->trace)
		log_warning("SIGUSR1: nothing is recorded, since no file is configured: start with "
			    "--trace FILE, or `trace = FILE` in the configuration");
	else if (recorder_stats(d->recorder).recording)
		recorder_stop(d->recorder, NULL, NULL);
	else
		daemon_record_configured(d);
}

/* ---- control ------------------------------------------------------------------------------ */

static int control_trace_start(void *arg, const char *path, char *error)
{
	struct daemon *d = arg;

	static_assert(RECORDER_ERROR_MAX <= CONTROL_ERROR_MAX, "a sentence of one fits the other");
	path = path ? path : d->config->trace;
	return path ? daemon_record(d, path, error) : -ENOENT;
}

static void control_trace_stop(void *arg)
{
	struct daemon *d = arg;

	recorder_stop(d->recorder, NULL, NULL);
}

static void control_trace(void *arg, struct control_trace *ret)
{
	struct daemon *d = arg;
	struct recorder_stats s = recorder_stats(d->recorder);

	*ret = (struct control_trace){ s.recording, s.path, s.records, s.lost, s.bytes };
}

static void control_each_health(void *arg,
				void (*visit)(void *to, uint32_t source,
					      const struct fetch_health *health),
				void *to)
{
	struct daemon *d = arg;

	origins_each_health(d->origins, visit, to);
}

static int control_list_images(void *arg, int64_t after, size_t limit, images_visit_summary *visit,
			       void *to)
{
	struct daemon *d = arg;

	return image_catalog_list(d->images, after, limit, visit, to);
}

struct later {
	void (*visit)(void *to, const char *key);
	void *to;
};

static void tell_later(void *arg, const char *key, enum config_when when)
{
	struct later *later = arg;

	if (when == CONFIG_LATER)
		later->visit(later->to, key);
}

static int control_reload_check(void *arg, struct control_reload *ret,
				void (*visit)(void *to, const char *key), void *to, char *error)
{
	struct later later = { visit, to };
	struct daemon *d = arg;
	struct config *config;
	int err = daemon_check_successor(d, &config, error);

	if (err < 0)
		return err;
	ret->sources = config->n_sources;
	snprintf(ret->socket, sizeof(ret->socket), "%s", config->control_socket);
	config_changes(d->config, config, tell_later, &later);
	config_free(config);
	return 0;
}

static void daemon_reload(struct loop_deferred *reload)
{
	daemon_replace(container_of(reload, struct daemon, reload), "reload");
}

static void control_reload(void *arg)
{
	struct daemon *d = arg;

	if (!d->stopping)
		loop_defer(d->loop, &d->reload);
}

void daemon_control(struct daemon *d)
{
	static const struct control_ops ops = { control_trace_start,  control_trace_stop,
						control_trace,	      control_each_health,
						control_reload_check, control_reload,
						control_list_images };
	const struct control_config config = {
		.loop = d->loop,
		.engine = d->engine,
		.space = d->space,
		.prefetch = d->prefetch,
		.audit = d->audit,
		.cache_dir = d->config->cache_dir,
		.state_dir = d->config->state_dir,
		.ops = &ops,
		.arg = d,
	};
	char error[CONTROL_ERROR_MAX];

	d->reload.run = daemon_reload;
	if (strcmp(d->config->control_socket, "none") == 0)
		return;
	if (control_new(&d->control, &config) < 0)
		log_error("out of memory: there is no control socket");
	else if (control_listen(d->control, d->config->control_socket, d->config->control_group,
				error) < 0)
		log_error("there is no control socket: %s", error);
}
