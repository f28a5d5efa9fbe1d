/* SPDX-License-Identifier: MIT */
#include "daemon/replay/replay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/replay/fault.h"
#include "daemon/replay/replay-internal.h"
#include "daemon/state.h"
#include "daemon/util/checked.h"
#include "daemon/util/cleanup.h"

#define CHECKS_MAX 1024 /* that wait for the origin: the trace waits as well */

/* ---- the end ----------------------------------------------------------------------------- */

static void recorder_stopped(void *arg)
{
	loop_stop(((struct replay *)arg)->config.loop);
}

/* The last answer has been given, and the device is closed. */
static void frontend_stopped(void *arg)
{
	struct replay *r = arg;

	feed_finish(r->feed);
	if (r->recorder)
		recorder_stop(r->recorder, recorder_stopped, r);
	else
		loop_stop(r->config.loop);
}

/* From the loop, since the end may be seen from inside a call of the front end. */
static void stop_now(struct loop_deferred *stop)
{
	struct replay *r = container_of(stop, struct replay, stop);
	struct engine_stats stats = engine_stats(r->engine);

	if (r->stopping || check_pending(r->check) > 0)
		return;
	r->stopping = true;
	loop_timer_cancel(&r->stuck);
	r->report.here.fetches = stats.fetches;
	r->report.here.fetched = stats.fetch_bytes;
	r->report.here.stored = stats.stored_bytes;
	r->report.here.time = r->ended - r->begun;
	frontend_stop(r->frontend, frontend_stopped, r);
}

static void feed_ended(void *arg, const char *why)
{
	struct replay *r = arg;

	if (r->over)
		return;
	r->over = true;
	r->ended = loop_now(r->config.loop);
	feed_stop(r->feed);
	if (why)
		snprintf(r->report.why, sizeof(r->report.why), "%s", why);
	loop_defer(r->config.loop, &r->stop);
}

void replay_interrupt(struct replay *r)
{
	r->report.interrupted = true;
	feed_ended(r, NULL);
	check_stop(r->check);
}

static bool feed_may_go(void *arg)
{
	return check_pending(((struct replay *)arg)->check) < CHECKS_MAX;
}

/* Without memory for a timer nobody watches, and the daemon's own deadlines answer. */
static void watch_life(struct replay *r)
{
	r->answers_seen = r->answers;
	r->stored_seen = engine_stats(r->engine).stored_bytes;
	loop_timer_set(r->config.loop, &r->stuck, loop_now(r->config.loop) + r->patience);
}

/* Nothing has been answered for longer than any deadline is, and nothing stored. */
static void look_for_life(struct loop_timer *timer)
{
	struct replay *r = container_of(timer, struct replay, stuck);
	uint64_t stored = engine_stats(r->engine).stored_bytes;

	if (feed_stats(r->feed).outstanding == 0 || r->over)
		return;
	if (r->answers == r->answers_seen && stored == r->stored_seen) {
		r->gave_up = true;
		feed_ended(r, NULL);
		return;
	}
	watch_life(r);
}

static void feed_delivered(void *arg, struct feed_request *m)
{
	struct replay *r = arg;

	if (!loop_timer_armed(&r->stuck))
		watch_life(r);
}

/* ---- the beginning ----------------------------------------------------------------------- */

/* Names in the cache directory are the kernel's affair, and here there are none: the front end
 * finds nothing that it would have to drop. */
static int open_empty_dir(const char *where)
{
	_cleanup_free_ char *path = NULL;
	int fd;

	if (asprintf(&path, "%s/cachefill-replay-XXXXXX", where) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	if (!mkdtemp(path))
		return -errno;
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	rmdir(path);
	return fd < 0 ? -errno : fd;
}

static int decorate(struct replay *r)
{
	const struct replay_config *c = &r->config;

	for (size_t i = 0; c->script && c->script->n > 0 && i < c->origin->n_sources; i++) {
		struct engine_source_config *source = &c->origin->sources[i];
		int err = fault_new(&source->fetcher, source->fetcher, c->loop, c->catalog,
				    c->script);

		if (err < 0)
			return err;
	}
	return 0;
}

static void device_lost(void *arg, const char *why)
{
	feed_ended(arg, why);
}

static int make_frontend(struct replay *r)
{
	struct frontend_config config = {
		.loop = r->config.loop,
		.engine = r->engine,
		.cache_dir_fd = r->empty_dir_fd,
		.lost = device_lost,
		.arg = r,
	};
	int err = port_replay_new(&r->port, &config.port, r->files, &feed_port_events, r->feed);

	if (err == 0 && r->recorder)
		err = recorder_port(r->recorder, &config.port, config.port);
	if (err == 0)
		err = frontend_new(&r->frontend, &config);
	if (err < 0 && r->port)
		config.port->ops->free(config.port);
	return err;
}

static int make_engine(struct replay *r)
{
	const struct replay_config *c = &r->config;

	r->engine_config = (struct engine_config){
		.loop = c->loop,
		.state = r->state,
		.sources = c->origin->sources,
		.n_sources = c->origin->n_sources,
		.buffers = c->buffers,
		.readahead_max = c->readahead_max,
		.observer = r->recorder ? recorder_observer(r->recorder) : NULL,
	};
	return engine_new(&r->engine, &r->engine_config);
}

static int make_feed(struct replay *r, char *error)
{
	const struct replay_config *c = &r->config;
	struct feed_config config = {
		.loop = c->loop,
		.catalog = c->catalog,
		.trace = c->trace,
		.speed = c->speed,
		.virtual_time = c->virtual_time,
		.events = {
			.delivered = feed_delivered,
			.answered = judge_answer,
			.judged = judge_request,
			.worked = judge_work,
			.breach = judge_breach,
			.may_go = feed_may_go,
			.ended = feed_ended,
		},
		.arg = r,
	};

	return feed_new(&r->feed, &config, error);
}

static int start_recording(struct replay *r, char *error)
{
	const struct replay_origin *origin = r->config.origin;
	char why[RECORDER_ERROR_MAX];
	int err = recorder_start(r->recorder, r->config.record, why);

	if (err < 0)
		snprintf(error, CATALOG_ERROR_MAX, "%.500s", why);
	for (size_t i = 0; err == 0 && i < origin->n_sources; i++)
		recorder_source(r->recorder, (uint32_t)i, origin->sources[i].name,
				origin->sources[i].rule.locator);
	return err;
}

static int make_parts(struct replay *r, char *error)
{
	const struct replay_config *c = &r->config;
	int err = cachefiles_new(&r->files, c->cache_dir, error);

	if (err == 0)
		err = make_feed(r, error);
	if (err < 0)
		return err;
	snprintf(error, CATALOG_ERROR_MAX, "out of memory");
	r->empty_dir_fd = open_empty_dir(c->cache_dir);
	err = r->empty_dir_fd < 0 ? r->empty_dir_fd : state_open(&r->state, NULL);
	if (err == 0 && c->record)
		err = recorder_new(&r->recorder, c->loop);
	if (err == 0)
		err = decorate(r);
	if (err == 0)
		err = check_new(&r->check, c->loop, r->files, c->origin, judge_checked, r);
	if (err == 0)
		err = make_engine(r);
	/* From here on only frontend_stop() takes it apart. */
	if (err == 0 && r->recorder)
		err = start_recording(r, error);
	if (err == 0)
		err = make_frontend(r);
	return err;
}

static void begin_report(struct replay *r)
{
	const struct replay_config *c = &r->config;

	r->report.trace = c->trace;
	r->report.origin = c->origin->sources[0].name;
	r->report.speed = c->speed;
	r->report.virtual_time = c->virtual_time;
	r->report.faults = c->script && c->script->n > 0;
	r->report.checked = c->check;
	r->report.objects = c->catalog->n_objects;
	r->report.lost = c->catalog->lost;
	r->report.cut = c->catalog->rest;
	r->report.complete = c->catalog->complete;
}

int replay_new(struct replay **ret, const struct replay_config *config, char *error)
{
	struct replay *r = calloc(1, sizeof(*r));
	int err;

	if (!r) {
		snprintf(error, CATALOG_ERROR_MAX, "out of memory");
		return -ENOMEM;
	}
	r->config = *config;
	r->empty_dir_fd = -1;
	r->stop.run = stop_now;
	r->stuck.fire = look_for_life;
	for (size_t i = 0; i < config->origin->n_sources; i++) {
		const struct engine_source_config *source = &config->origin->sources[i];

		r->patience =
			max_u64(r->patience, max_u64(source->open_deadline, source->read_deadline) +
						     REPLAY_GRACE);
	}
	err = make_parts(r, error);
	if (err < 0) {
		replay_free(r);
		return err;
	}
	begin_report(r);
	cachefiles_on_end(r->files, judge_file, r);
	*ret = r;
	return 0;
}

int replay_run(struct replay *r, const struct report **ret)
{
	struct feed_stats stats;
	int err;

	r->begun = loop_now(r->config.loop);
	feed_start(r->feed, r->port);
	err = loop_run(r->config.loop);
	if (err < 0)
		return err;
	stats = feed_stats(r->feed);
	r->report.whole = stats.whole;
	r->report.strays = stats.strays;
	r->report.recorded.time = stats.recorded_time;
	r->files = cachefiles_free(r->files);
	*ret = &r->report;
	return 0;
}

struct replay *replay_free(struct replay *r)
{
	if (!r)
		return NULL;
	loop_timer_cancel(&r->stuck);
	loop_defer_cancel(r->config.loop, &r->stop);
	frontend_free(r->frontend);
	engine_free(r->engine);
	if (r->recorder && recorder_stats(r->recorder).recording) {
		/* It did not come to a start. */
		recorder_stop(r->recorder, recorder_stopped, r);
		loop_run(r->config.loop);
	}
	recorder_free(r->recorder);
	feed_free(r->feed);
	port_replay_free(r->port);
	cachefiles_free(r->files);
	check_free(r->check);
	state_close(r->state);
	close_fdp(&r->empty_dir_fd);
	report_deinit(&r->report);
	free(r);
	return NULL;
}
