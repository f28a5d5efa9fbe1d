/* SPDX-License-Identifier: MIT */
/*
 * Watches, and the signals on top of them. Level-triggered behaviour comes from one-shot polls
 * that are asked for again after each event: a multishot poll of io_uring reports changes only,
 * and what a callback left unread would stay unread.
 */
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "daemon/loop/loop-internal.h"
#include "daemon/util/cleanup.h"

/* Reported whether asked for or not, as by poll(2). */
#define EVENTS_ALWAYS (POLLERR | POLLHUP | POLLNVAL)

#define PAUSE	      (10 * NSEC_PER_MSEC)

/* ---- polls ------------------------------------------------------------------------------ */

void loop_poll_move(struct loop *loop, struct loop_poll *poll, enum loop_poll_state state)
{
	if (poll->state != POLL_PARKED)
		TAILQ_REMOVE(&loop->polls[poll->state], poll, link);
	loop_timer_cancel(&poll->pause);
	poll->state = state;
	if (state != POLL_PARKED)
		TAILQ_INSERT_TAIL(&loop->polls[state], poll, link);
}

static void poll_free(struct loop *loop, struct loop_poll *poll)
{
	loop_poll_move(loop, poll, POLL_PARKED);
	free(poll);
}

/* The watch lets go of its poll. What the kernel has not got, or has answered, ends here. */
static void poll_drop(struct loop *loop, struct loop_poll *poll)
{
	poll->watch = NULL;
	if (poll->state == POLL_ARMED)
		loop_poll_move(loop, poll, POLL_DROPPED);
	else
		poll_free(loop, poll);
}

void loop_poll_fire(struct loop *loop, struct loop_poll *poll, uint32_t revents)
{
	if (!poll->watch) {
		poll_free(loop, poll);
		return;
	}
	poll->revents = revents;
	loop_poll_move(loop, poll, revents ? POLL_READY : POLL_WANTED);
}

static void poll_resume(struct loop_timer *timer)
{
	struct loop_poll *poll = container_of(timer, struct loop_poll, pause);

	loop_poll_move(poll->watch->loop, poll, POLL_WANTED);
}

void loop_poll_pause(struct loop *loop, struct loop_poll *poll)
{
	if (!poll->watch) {
		poll_free(loop, poll);
		return;
	}
	loop_poll_move(loop, poll, POLL_PARKED);
	poll->pause.fire = poll_resume;
	if (loop_timer_set(loop, &poll->pause, loop->now + PAUSE) < 0)
		loop_poll_move(loop, poll, POLL_WANTED);
}

/* Asks again first: the callback may remove or free the watch. */
static void poll_call(struct loop *loop, struct loop_poll *poll)
{
	struct loop_watch *watch = poll->watch;
	uint32_t events = poll->revents & (watch->events | EVENTS_ALWAYS);

	loop_poll_move(loop, poll, POLL_WANTED);
	if (events)
		watch->ready(watch, events);
}

void loop_poll_dispatch(struct loop *loop)
{
	struct loop_poll *poll;

	/* Callbacks only take polls from this list; those that they add are wanted first. */
	while ((poll = TAILQ_FIRST(&loop->polls[POLL_READY])))
		poll_call(loop, poll);
}

void loop_poll_free_all(struct loop *loop)
{
	struct loop_poll *poll;

	for (int i = 0; i < POLL_N; i++)
		while ((poll = TAILQ_FIRST(&loop->polls[i])))
			poll_free(loop, poll);
}

/* ---- watch ------------------------------------------------------------------------------ */

static int watch_poll(struct loop_watch *watch)
{
	struct loop_poll *poll = calloc(1, sizeof(*poll));

	if (!poll)
		return -ENOMEM;
	poll->watch = watch;
	poll->fd = watch->fd;
	watch->poll = poll;
	return 0;
}

int loop_watch_add(struct loop *loop, struct loop_watch *watch, int fd, uint32_t events)
{
	int r = 0;

	assert(!watch->poll);
	if (loop->ops->reserve)
		r = loop->ops->reserve(loop, loop->n_watches + 1);
	watch->fd = fd;
	if (r == 0)
		r = watch_poll(watch);
	if (r < 0)
		return r;
	watch->loop = loop;
	watch->events = events;
	loop->n_watches++;
	if (events)
		loop_poll_move(loop, watch->poll, POLL_WANTED);
	return 0;
}

/*
 * An armed poll that asks for something else is dropped for a new one. Changing it in place
 * (IORING_POLL_UPDATE_EVENTS) loses the completion on kernels from 6.0 until the fix of late 2025
 * when the new events are ready at that moment (io_poll_remove()).
 */
int loop_watch_modify(struct loop_watch *watch, uint32_t events)
{
	struct loop_poll *poll = watch->poll;
	int r;

	if (poll->state == POLL_ARMED && poll->events != events) {
		r = watch_poll(watch);
		if (r < 0)
			return r;
		poll_drop(watch->loop, poll);
		poll = watch->poll;
	}
	watch->events = events;
	if (!events)
		loop_poll_move(watch->loop, poll, POLL_PARKED);
	else if (poll->state == POLL_PARKED)
		loop_poll_move(watch->loop, poll, POLL_WANTED);
	return 0;
}

void loop_watch_remove(struct loop_watch *watch)
{
	if (!watch->poll)
		return;
	poll_drop(watch->loop, watch->poll);
	watch->poll = NULL;
	watch->loop->n_watches--;
}

/* ---- signals ---------------------------------------------------------------------------- */

static void signal_ready(struct loop_watch *watch, uint32_t events)
{
	struct loop_signal *sig = container_of(watch, struct loop_signal, watch);
	struct signalfd_siginfo info;

	/* One at a time: the callback may remove sig, and the watch comes back for the rest. */
	if (read(sig->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		sig->caught(sig, (int)info.ssi_signo);
}

int loop_signal_add(struct loop *loop, struct loop_signal *sig, const int *signos, size_t n)
{
	_cleanup_close_ int fd = -1;
	sigset_t set;
	int r;

	sigemptyset(&set);
	for (size_t i = 0; i < n; i++)
		if (sigaddset(&set, signos[i]) < 0)
			return -errno;
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	sig->watch.ready = signal_ready;
	r = loop_watch_add(loop, &sig->watch, fd, POLLIN);
	if (r < 0)
		return r;
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL); /* fails for an unknown `how` only */
	sig->fd = steal_fd(&fd);
	return 0;
}

void loop_signal_remove(struct loop_signal *sig)
{
	if (!sig->watch.poll)
		return;
	loop_watch_remove(&sig->watch);
	close(sig->fd);
}
