/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/context-wait.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/util/locator.h"

int context_origin(struct context *c, const char *locator, struct origin *ret, char *error)
{
	char why[ORIGINS_ERROR_MAX] = "";
	int r = origins_find(c->origins, locator, ret, why);

	if (r < 0)
		snprintf(error, CONTEXT_ERROR_MAX, "%s", why);
	return r;
}

void context_wait_stop(struct context_wait *w, int err)
{
	if (w->err < 0)
		return;
	w->err = err;
	w->cancel(w);
}

void context_wait_alive(struct context_wait *w)
{
	/* It is armed, so that it needs no memory. */
	loop_timer_set(w->context->loop, &w->timer, loop_now(w->context->loop) + w->deadline);
}

static void wait_expired(struct loop_timer *timer)
{
	context_wait_stop(container_of(timer, struct context_wait, timer), -ETIMEDOUT);
}

static void wait_signalled(struct loop_signal *sig, int signo)
{
	context_wait_stop(container_of(sig, struct context_wait, signals), -EINTR);
}

static void do_nothing(struct loop_deferred *deferred)
{
}

int context_wait_begin(struct context_wait *w, struct context *context, uint32_t deadline_ms)
{
	static const int ending[] = { SIGINT, SIGTERM, SIGHUP };
	struct loop_deferred nothing = { .run = do_nothing };
	int r;

	w->context = context;
	w->deadline = deadline_ms * NSEC_PER_MSEC;
	w->timer.fire = wait_expired;
	w->signals.caught = wait_signalled;
	sigprocmask(SIG_SETMASK, NULL, &w->mask);
	r = loop_signal_add(context->loop, &w->signals, ending, sizeof(ending) / sizeof(ending[0]));
	if (r < 0)
		return r;
	/* The loop's time is that of its last turn, which may be long ago. */
	loop_defer(context->loop, &nothing);
	r = loop_turn(context->loop);
	if (r == 0)
		r = loop_timer_set(context->loop, &w->timer, loop_now(context->loop) + w->deadline);
	if (r < 0) {
		loop_signal_remove(&w->signals);
		sigprocmask(SIG_SETMASK, &w->mask, NULL);
		return r;
	}
	/* A server may go away while it is written to. */
	sigaction(SIGPIPE, &(struct sigaction){ .sa_handler = SIG_IGN }, &w->pipe);
	return 0;
}

void context_wait_end(struct context_wait *w)
{
	int r = 0;

	while (w->pending > 0 && r == 0)
		r = loop_turn(w->context->loop);
	if (r < 0) {
		/* Nothing can be unwound without a loop. */
		ctl_error("the event loop failed: %s", strerror(-r));
		_exit(CTL_FAILED);
	}
	loop_timer_cancel(&w->timer);
	loop_signal_remove(&w->signals);
	sigaction(SIGPIPE, &w->pipe, NULL);
	sigprocmask(SIG_SETMASK, &w->mask, NULL);
}

int context_wait_verdict(const struct context_wait *w, int err, const char *locator,
			 const char *text, char *error)
{
	char place[256];

	if (err < 0 && (w->err == 0 || err != -ECANCELED)) {
		snprintf(error, CONTEXT_ERROR_MAX, "%s", text);
		return err;
	}
	if (err == 0 || w->err == 0)
		return err;
	locator_print(locator, place, sizeof(place));
	if (w->err == -ETIMEDOUT)
		snprintf(error, CONTEXT_ERROR_MAX, "no answer for %llu s: %s",
			 (unsigned long long)(w->deadline / NSEC_PER_SEC), place);
	else
		snprintf(error, CONTEXT_ERROR_MAX, "interrupted: %s", place);
	return w->err;
}
