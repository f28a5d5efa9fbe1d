/* SPDX-License-Identifier: MIT */
/* One pass: what is there is looked at, and what may go is culled, some at a time. */
#include <errno.h>
#include <malloc.h>
#include <string.h>

#include "daemon/kernel/scrub.h"
#include "daemon/space/cull.h"
#include "daemon/space/owners.h"
#include "daemon/space/space-internal.h"
#include "daemon/util/log.h"

/* Records that are looked for in one go. */
#define MATCH_BATCH 32

static void cull_next(struct space *s);

void space_pass_free(struct space *s)
{
	s->survey_job.survey = survey_free(s->survey_job.survey);
	s->survey = survey_free(s->survey);
}

/* done() may ask for the next one. */
static void collected(struct space *s, int err)
{
	struct space_collection *collection = s->collecting;

	s->collecting = NULL;
	if (collection)
		collection->done(collection, err);
}

void space_collect_end(struct space *s)
{
	struct space_collection *collection;

	collected(s, -ECANCELED);
	while ((collection = STAILQ_FIRST(&s->collections))) {
		STAILQ_REMOVE_HEAD(&s->collections, link);
		collection->done(collection, -ECANCELED);
	}
}

static void pass_end(struct space *s)
{
	collected(s, s->pass_err);
	s->phase = SPACE_IDLE;
	s->stats.passes++;
	space_pass_free(s);
	malloc_trim(0); /* of 100,000 objects it is 30 MiB, which a thread has taken piece by piece */
	if (s->cull_job.dry && s->asked)
		space_pass(s, true); /* for those who have waited for this one to end */
	else
		space_passed(s);
}

/* ---- directories that are empty now -------------------------------------------------------- */

/* 257 directories of a volume are 1 MiB on ext4, and as many inodes. */
static void sweep_work(struct worker_job *job)
{
	const struct space *s = container_of(job, struct space, sweep_job);
	struct scrub_result result;
	struct survey *survey;

	if (survey_take(&survey, s->dir_fd) == 0) {
		for (size_t i = 0; i < survey->n_empty; i++)
			(void)cull_volume(s->port, s->dir_fd, survey->empty[i]);
		survey_free(survey);
	}
	(void)scrub_graveyard(s->dir_fd, &result);
}

static void sweep_done(struct worker_job *job)
{
	pass_end(container_of(job, struct space, sweep_job));
}

void space_sweep(struct space *s)
{
	bool wanted = !s->cull_job.dry && (s->pass_objects > 0 || s->survey->n_empty > 0);

	if (!wanted) {
		pass_end(s);
		return;
	}
	s->phase = SPACE_SWEEP;
	s->sweep_job.work = sweep_work;
	s->sweep_job.done = sweep_done;
	worker_run(s->worker, &s->sweep_job);
}

/* ---- culling ------------------------------------------------------------------------------ */

static void cull_work(struct worker_job *job)
{
	struct cull_job *j = container_of(job, struct cull_job, job);

	for (size_t i = 0; i < j->n; i++)
		j->err[i] = (j->dry ? cull_would : cull_object)(j->space->port, j->space->dir_fd,
								j->objects[i]->path, &j->bytes[i]);
}

static void culled(struct space *s, const struct survey_object *o, uint64_t bytes)
{
	engine_forget(s->engine, o->volume, o->cookie);
	s->used -= bytes < s->used ? bytes : s->used;
	s->pass_objects++;
	s->pass_bytes += bytes;
	s->stats.culled++;
	s->stats.culled_bytes += bytes;
	log_debug("%s: culled, %llu bytes", o->path, (unsigned long long)bytes);
}

static bool is_garbage(const struct space *s, const struct survey_object *o)
{
	return s->collecting && o->value < SURVEY_CACHED;
}

static void say_found(struct space *s, const struct survey_object *o, int err, uint64_t bytes)
{
	struct space_garbage garbage = {
		.kind = o->value == SURVEY_UNKNOWN ? SPACE_UNKNOWN : SPACE_UNOWNED,
		.volume = o->volume,
		.cookie = o->cookie,
		.bytes = bytes,
		.used = o->used,
		.err = cull_is_busy(err) ? -EBUSY : err,
	};

	if (is_garbage(s, o))
		s->collecting->found(s->collecting, &garbage);
}

/* Forgetting a record waits for the disk: one a turn, so that requests come in between. */
static void settle_next(struct space *s)
{
	struct cull_job *j = &s->cull_job;

	while (j->settled < j->n) {
		size_t i = j->settled++;

		say_found(s, j->objects[i], j->err[i],
			  j->err[i] < 0 ? j->objects[i]->bytes : j->bytes[i]);
		if (j->dry)
			continue;
		if (j->err[i] < 0) {
			/* In use: opened meanwhile, or by a mount that survived a daemon. */
			log_debug("%s: not culled: %s", j->objects[i]->path, strerror(-j->err[i]));
			continue;
		}
		culled(s, j->objects[i], j->bytes[i]);
		if (loop_timer_set(s->config.loop, &s->settle, loop_now(s->config.loop)) == 0)
			return;
	}
	cull_next(s);
}

void space_settle(struct loop_timer *timer)
{
	settle_next(container_of(timer, struct space, settle));
}

static void cull_done(struct worker_job *job)
{
	struct space *s = container_of(job, struct space, cull_job.job);
	struct cull_job *j = &s->cull_job;
	bool some = false;

	for (size_t i = 0; i < j->n; i++)
		some |= j->err[i] == 0 && !j->dry;
	if (some && s->asked) {
		s->asked = false;
		engine_room_made(s->engine, true);
	}
	j->settled = 0;
	settle_next(s);
}

static bool may_go(const struct space *s, const struct survey_object *o,
		   const struct space_need *need)
{
	return o->value != SURVEY_PINNED && (o->bytes > 0 || need->files > 0 || is_garbage(s, o));
}

/* As many as are needed, as far as can be told before. */
static void cull_gather(struct space *s, const struct space_need *need)
{
	struct cull_job *j = &s->cull_job;
	uint64_t bytes = 0;

	for (j->n = 0; j->n < CULL_BATCH && s->next < s->survey->n; s->next++) {
		struct survey_object *o = s->survey->objects[s->next];

		if (bytes >= space_need_bytes(need) && j->n >= need->files && !is_garbage(s, o))
			break;
		if (!may_go(s, o, need))
			continue;
		if (engine_is_open(s->engine, o->volume, o->cookie)) {
			say_found(s, o, -EBUSY, o->bytes);
			continue;
		}
		j->objects[j->n++] = o;
		bytes += o->bytes;
	}
}

static void cull_next(struct space *s)
{
	struct cull_job *j = &s->cull_job;
	struct space_need need;

	(void)space_disk_read(&s->disk, s->dir_fd);
	need = space_need(&s->config.limits, &s->disk, s->used, s->culling);
	if (j->dry)
		need = (struct space_need){ 0 };
	s->culling |= space_needs(&need);
	cull_gather(s, &need);
	if (j->n == 0) {
		space_records(s);
		return;
	}
	j->space = s;
	j->job.work = cull_work;
	j->job.done = cull_done;
	worker_run(s->worker, &j->job);
}

/* ---- looking ------------------------------------------------------------------------------ */

/* A connection of this thread's own. Where the store cannot be asked nobody knows what is pinned.
 */
static int mark_owners(struct survey *survey, const struct space_config *config)
{
	char error[IMAGES_ERROR_MAX];
	struct images *images = NULL;
	int err = 0;

	if (config->state_dir)
		err = images_open(&images, config->state_dir, IMAGES_READ, error);
	if (err == -ENOENT)
		return 0;
	if (err == 0)
		err = survey_mark(survey, images, config->image_domain);
	images_close(images);
	return err;
}

static void survey_work(struct worker_job *job)
{
	struct survey_job *j = container_of(job, struct survey_job, job);

	j->err = survey_take(&j->survey, j->space->dir_fd);
	if (j->err < 0)
		return;
	j->unmarked = mark_owners(j->survey, &j->space->config) < 0;
	for (size_t i = 0; j->unmarked && i < j->survey->n; i++)
		j->survey->objects[i]->value = SURVEY_PINNED;
}

/* Objects of a first use have no name yet: what they take, they have stored themselves. */
static bool count_unnamed(void *arg, const struct object *object)
{
	struct space *s = arg;

	if (!survey_find(s->survey, object_volume(object), object_cookie(object)))
		s->used += object_stored(object);
	return true;
}

/* A query each: some at a time, so that nobody waits for all of them. */
static void match_some(struct loop_deferred *match)
{
	struct space *s = container_of(match, struct space, match);
	size_t end = s->next + MATCH_BATCH;

	for (; s->next < s->survey->n && s->next < end; s->next++) {
		struct survey_object *o = s->survey->objects[s->next];

		if (o->value != SURVEY_PINNED &&
		    !engine_is_recorded(s->engine, o->volume, o->cookie))
			o->value = SURVEY_UNKNOWN;
	}
	if (s->next < s->survey->n) {
		loop_defer(s->config.loop, &s->match);
		return;
	}
	survey_sort(s->survey);
	s->next = 0;
	s->phase = SPACE_CULL;
	cull_next(s);
}

static void survey_done(struct worker_job *job)
{
	struct space *s = container_of(job, struct space, survey_job.job);
	struct survey_job *j = &s->survey_job;

	if (j->err < 0) {
		log_warning("%s cannot be looked through (%s): nothing is culled",
			    s->config.cache_dir, strerror(-j->err));
		s->pass_err = j->err;
		pass_end(s);
		return;
	}
	s->survey = j->survey;
	j->survey = NULL;
	s->used = s->survey->bytes;
	s->stats.objects = s->survey->n;
	engine_each_object(s->engine, 0, count_unnamed, s);
	s->pass_err = j->unmarked ? -EIO : 0;
	if (j->unmarked)
		log_warning("%s: the store of images cannot be read, so that nobody knows what is "
			    "pinned: nothing is culled",
			    s->config.state_dir);
	s->next = 0;
	s->phase = SPACE_MATCH;
	s->match.run = match_some;
	loop_defer(s->config.loop, &s->match);
}

void space_pass(struct space *s, bool culling)
{
	s->phase = SPACE_SURVEY;
	s->culling = culling;
	s->pass_err = 0;
	s->collecting = culling ? NULL : STAILQ_FIRST(&s->collections);
	if (s->collecting)
		STAILQ_REMOVE_HEAD(&s->collections, link);
	s->cull_job.dry = s->collecting && s->collecting->dry;
	s->pass_objects = s->pass_bytes = s->pass_records = 0;
	space_touch_now(s); /* before, and in this order */
	s->survey_job.space = s;
	s->survey_job.job.work = survey_work;
	s->survey_job.job.done = survey_done;
	worker_run(s->worker, &s->survey_job.job);
}
