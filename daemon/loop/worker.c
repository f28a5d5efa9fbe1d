/* SPDX-License-Identifier: MIT */
#include "daemon/loop/worker.h"

#include <errno.h>
#include <linux/ioprio.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/util/cleanup.h"

#define NICE_MAX 19

STAILQ_HEAD(job_list, worker_job);

struct worker {
	struct loop *loop;
	struct loop_deferred now; /* virtual time: there is no thread */
	struct job_list queue;	  /* guarded by mutex, where there is one; as all below */
	struct job_list ended;
	struct loop_watch watch;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	int event;   /* owned: counts what has ended; -1: virtual time */
	int started; /* 1: it runs, negative: it could not */
	bool threaded, stop, idle;
};

/* ---- the thread --------------------------------------------------------------------------- */

static void worker_tell(struct worker *w, int started)
{
	pthread_mutex_lock(&w->mutex);
	w->started = started;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->mutex);
}

/* The next job; NULL: it is over. */
static struct worker_job *worker_take(struct worker *w)
{
	struct worker_job *job = NULL;

	pthread_mutex_lock(&w->mutex);
	while (!w->stop && STAILQ_EMPTY(&w->queue))
		pthread_cond_wait(&w->changed, &w->mutex);
	if (!w->stop) {
		job = STAILQ_FIRST(&w->queue);
		STAILQ_REMOVE_HEAD(&w->queue, link);
	}
	pthread_mutex_unlock(&w->mutex);
	return job;
}

static void worker_ended(struct worker *w, struct worker_job *job)
{
	uint64_t one = 1;

	pthread_mutex_lock(&w->mutex);
	STAILQ_INSERT_TAIL(&w->ended, job, link);
	pthread_mutex_unlock(&w->mutex);
	/* Only a counter at its end, which nobody has seen, could refuse. */
	(void)!write(w->event, &one, sizeof(one));
}

/* Of this thread alone. Nothing that must be: a filter of system calls may be in the way. */
static void give_way(void)
{
	(void)setpriority(PRIO_PROCESS, 0, NICE_MAX);
	(void)syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0,
		      IOPRIO_CLASS_IDLE << IOPRIO_CLASS_SHIFT);
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	struct worker_job *job;

	if (w->idle)
		give_way();
	if (unshare(CLONE_FS) < 0) {
		worker_tell(w, -errno);
		return NULL;
	}
	worker_tell(w, 1);
	while ((job = worker_take(w))) {
		job->work(job);
		worker_ended(w, job);
	}
	return NULL;
}

/* ---- the loop ----------------------------------------------------------------------------- */

static struct worker_job *worker_next_ended(struct worker *w)
{
	struct worker_job *job;

	pthread_mutex_lock(&w->mutex);
	job = STAILQ_FIRST(&w->ended);
	if (job)
		STAILQ_REMOVE_HEAD(&w->ended, link);
	pthread_mutex_unlock(&w->mutex);
	return job;
}

/* One a call, the others in the next turns: done() may end the worker. */
static void worker_ready(struct loop_watch *watch, uint32_t events)
{
	struct worker *w = container_of(watch, struct worker, watch);
	struct worker_job *job;
	uint64_t count;

	if (read(w->event, &count, sizeof(count)) != sizeof(count))
		return;
	job = worker_next_ended(w);
	if (job)
		job->done(job);
}

static void worker_do_now(struct loop_deferred *now)
{
	struct worker *w = container_of(now, struct worker, now);
	struct worker_job *job = STAILQ_FIRST(&w->queue);

	STAILQ_REMOVE_HEAD(&w->queue, link);
	if (!STAILQ_EMPTY(&w->queue))
		loop_defer(w->loop, &w->now);
	job->work(job);
	job->done(job);
}

void worker_run(struct worker *w, struct worker_job *job)
{
	if (w->event < 0) {
		STAILQ_INSERT_TAIL(&w->queue, job, link);
		loop_defer(w->loop, &w->now);
		return;
	}
	pthread_mutex_lock(&w->mutex);
	STAILQ_INSERT_TAIL(&w->queue, job, link);
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->mutex);
}

/* ---- life --------------------------------------------------------------------------------- */

static int worker_start(struct worker *w)
{
	int err = -pthread_create(&w->thread, NULL, worker_main, w);

	if (err < 0)
		return err;
	w->threaded = true;
	pthread_mutex_lock(&w->mutex);
	while (w->started == 0)
		pthread_cond_wait(&w->changed, &w->mutex);
	err = w->started < 0 ? w->started : 0;
	pthread_mutex_unlock(&w->mutex);
	return err < 0 ? err : loop_watch_add(w->loop, &w->watch, w->event, POLLIN);
}

static void worker_stop(struct worker *w)
{
	pthread_mutex_lock(&w->mutex);
	w->stop = true;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->mutex);
	if (w->threaded)
		pthread_join(w->thread, NULL);
	pthread_cond_destroy(&w->changed);
	pthread_mutex_destroy(&w->mutex);
	close(w->event);
}

static int worker_make(struct worker **ret, struct loop *loop, bool idle)
{
	struct worker *w = calloc(1, sizeof(*w));
	int err;

	if (!w)
		return -ENOMEM;
	w->loop = loop;
	w->event = -1;
	w->idle = idle;
	w->now.run = worker_do_now;
	w->watch.ready = worker_ready;
	STAILQ_INIT(&w->queue);
	STAILQ_INIT(&w->ended);
	if (loop_is_virtual(loop)) {
		*ret = w;
		return 0;
	}
	w->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE);
	if (w->event < 0) {
		err = -errno;
		free(w);
		return err;
	}
	pthread_mutex_init(&w->mutex, NULL);
	pthread_cond_init(&w->changed, NULL);
	err = worker_start(w);
	if (err < 0) {
		worker_free(w);
		return err;
	}
	*ret = w;
	return 0;
}

int worker_new(struct worker **ret, struct loop *loop)
{
	return worker_make(ret, loop, false);
}

int worker_new_idle(struct worker **ret, struct loop *loop)
{
	return worker_make(ret, loop, true);
}

struct worker *worker_free(struct worker *w)
{
	if (!w)
		return NULL;
	if (w->event < 0) {
		loop_defer_cancel(w->loop, &w->now);
	} else {
		loop_watch_remove(&w->watch);
		worker_stop(w);
	}
	free(w);
	return NULL;
}
