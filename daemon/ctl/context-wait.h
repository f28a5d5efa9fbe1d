/* SPDX-License-Identifier: MIT */
/*
 * Waiting for requests at origins, for context-*.c: until all are done, or the origin has not said
 * anything for a while, or a signal comes.
 */
#pragma once

#include <signal.h>

#include "daemon/ctl/context.h"

/* All that one call waits for. Zero but for cancel. */
struct context_wait {
	void (*cancel)(struct context_wait *wait); /* asks what is under way to end */
	size_t pending;				   /* requests under way */
	int err; /* why it was ended early: -EINTR, -ETIMEDOUT, or of context_wait_stop() */
	/* private */
	struct context *context;
	uint64_t deadline; /* ns without a sign of life */
	struct loop_timer timer;
	struct loop_signal signals;
	struct sigaction pipe; /* what was done about SIGPIPE */
	sigset_t mask;	       /* what was blocked */
};

/* The origin of a locator, or an error of origins.h with its sentence. */
int context_origin(struct context *context, const char *locator, struct origin *ret, char *error);

/* Before the first request. Negative errno. */
int context_wait_begin(struct context_wait *wait, struct context *context, uint32_t deadline_ms);

/* Something has happened. */
void context_wait_alive(struct context_wait *wait);

/* Ends it early: no more requests are to be started. */
void context_wait_stop(struct context_wait *wait, int err);

/* Turns the loop until nothing is pending. */
void context_wait_end(struct context_wait *wait);

/*
 * What a request's error means: one that was cancelled because the wait ended early has the error
 * of the wait, and its sentence. `text` is what the request says.
 */
int context_wait_verdict(const struct context_wait *wait, int err, const char *locator,
			 const char *text, char *error);
