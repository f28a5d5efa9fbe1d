/* SPDX-License-Identifier: MIT */
/*
 * When objects were used last: their cache files' access times. A new object's file gets its name a
 * moment after the kernel has said CLOSE, so this comes later, for all at once.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/space/space-internal.h"

#define TOUCH_AFTER NSEC_PER_SEC
#define TOUCH_TRIES 3

static void touch_later(struct space *s)
{
	if (!STAILQ_EMPTY(&s->touches) && !loop_timer_armed(&s->touch_timer))
		(void)loop_timer_set(s->config.loop, &s->touch_timer,
				     loop_now(s->config.loop) + TOUCH_AFTER);
}

void space_touch(struct space *s, const struct object *object)
{
	char path[CACHENAME_PATH_MAX];
	struct timespec now;
	struct touch *t;

	if (cachename_path(object_volume(object), object_cookie(object), path) < 0)
		return;
	t = calloc(1, sizeof(*t) + strlen(path) + 1);
	if (!t)
		return; /* it counts as used when it was opened */
	strcpy(t->path, path);
	clock_gettime(CLOCK_REALTIME, &now);
	t->used = now.tv_sec * (int64_t)NSEC_PER_SEC + now.tv_nsec;
	STAILQ_INSERT_TAIL(&s->touches, t, link);
	touch_later(s);
}

static void touch_work(struct worker_job *job)
{
	struct touch_job *j = container_of(job, struct touch_job, job);
	struct touch *t;

	STAILQ_FOREACH(t, &j->list, link)
	t->err = survey_touch(j->dir_fd, t->path, t->used);
}

static void touch_done(struct worker_job *job)
{
	struct space *s = container_of(job, struct space, touch_job.job);
	struct touch *t;

	s->touch_job.running = false;
	while ((t = STAILQ_FIRST(&s->touch_job.list))) {
		STAILQ_REMOVE_HEAD(&s->touch_job.list, link);
		if (t->err == -ENOENT && ++t->tries < TOUCH_TRIES)
			STAILQ_INSERT_TAIL(&s->touches, t, link);
		else
			free(t);
	}
	touch_later(s);
	/* What is idle now may be what was missing. */
	s->quiet_until = 0;
	space_check(s);
}

void space_touch_now(struct space *s)
{
	struct touch_job *j = &s->touch_job;

	if (j->running || STAILQ_EMPTY(&s->touches))
		return;
	loop_timer_cancel(&s->touch_timer);
	j->job.work = touch_work;
	j->job.done = touch_done;
	j->dir_fd = s->dir_fd;
	j->running = true;
	STAILQ_INIT(&j->list);
	STAILQ_CONCAT(&j->list, &s->touches);
	worker_run(s->worker, &j->job);
}

void space_touch_fire(struct loop_timer *timer)
{
	struct space *s = container_of(timer, struct space, touch_timer);

	space_touch_now(s);
	touch_later(s);
}

static void touch_list_end(struct touch_list *list, int dir_fd)
{
	struct touch *t;

	while ((t = STAILQ_FIRST(list))) {
		STAILQ_REMOVE_HEAD(list, link);
		(void)survey_touch(dir_fd, t->path, t->used);
		free(t);
	}
}

void space_touch_end(struct space *s)
{
	touch_list_end(&s->touches, s->dir_fd);
	if (s->touch_job.running)
		touch_list_end(&s->touch_job.list, s->dir_fd);
	s->touch_job.running = false;
}
