/* SPDX-License-Identifier: MIT */
/*
 * Waiting that says for what, and that a person can end: for a lock, and for a call of the kernel
 * that cannot be interrupted.
 *
 * The mount of an EROFS file system over fscache waits for the daemon's answer, and not even
 * SIGKILL ends that. So it is made in a child. When whoever waits for the child gives up or is
 * killed, the child takes away what it has made after all, as soon as the kernel lets it.
 */
#pragma once

#include "daemon/ctl/mount-run.h"

/*
 * From now on SIGINT, SIGTERM and SIGHUP end what waits here, with -EINTR, and nothing else: what
 * is under way is brought to an end or undone in order.
 */
void mount_wait_signals(void);
bool mount_wait_interrupted(void);

/* Takes a lock; says on stderr that it waits, and for `what`. 0, -EINTR. */
int mount_wait_lock(const struct mount_run *run, enum mount_lock kind, const char *name,
		    const char *what);

struct mount_call {
	const char *what;	      /* "layer sha256:...", for the one who waits */
	int (*call)(void *arg);	      /* in the child: 0 or a negative errno */
	void (*abandoned)(void *arg); /* in the child: it has worked, and nobody waits any more */
	void *arg;
	char *text; /* shared with the child: what `call` writes there is seen here */
	size_t text_max;
};

/*
 * 0 or what call() returned. -EINTR: a signal came, and the child goes on; it holds all locks of
 * this process until it has ended. The caller leaves everything as it is and exits.
 */
int mount_wait_call(struct mount_call *call);
