/* SPDX-License-Identifier: MIT */
/*
 * A thread for calls that may block, or that want a working directory of their own: it shares none
 * with the process (CLONE_FS). Jobs are done there one after the other, in the order in which they
 * were given, and end in the loop.
 *
 * On a loop of virtual time, which cannot wait for a thread, a job is done inside the turn that
 * finds it, as file I/O is: it must leave the working directory as it was.
 */
#pragma once

#include <sys/queue.h>

#include "daemon/loop/loop.h"

struct worker;

struct worker_job {
	void (*work)(
		struct worker_job *job); /* on the thread: nothing of the loop may be touched */
	void (*done)(struct worker_job *job); /* from the loop */
	/* private */
	STAILQ_ENTRY(worker_job) link;
};

/* -EPERM and the like: this host lets no thread have a working directory of its own. */
int worker_new(struct worker **ret, struct loop *loop);

/* The same, with a thread that gets what others leave of processors and disks, as far as this host
 * allows that. */
int worker_new_idle(struct worker **ret, struct loop *loop);

/* The job must stay until done(). */
void worker_run(struct worker *worker, struct worker_job *job);

/*
 * Waits for the job that is being done, and drops the others: done() comes for none any more. Takes
 * NULL, returns NULL.
 */
struct worker *worker_free(struct worker *worker);
