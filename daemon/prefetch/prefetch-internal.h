/* SPDX-License-Identifier: MIT */
/* What prefetch.c, job*.c and store.c share. */
#pragma once

#include <sys/queue.h>

#include "daemon/prefetch/prefetch.h"
#include "daemon/prefetch/ranges.h"

/* Where a job is in its list: bytes of one range, from its front. */
struct place {
	size_t at; /* n: at the end of the list */
	uint64_t off;
};

/* Why a job that has not ended begins nothing new. */
enum job_wait {
	JOB_WAITS_NOT, /* or for its own fetches, or its rate */
	JOB_WAITS_OPEN,
	JOB_WAITS_DISK,
	JOB_WAITS_RETRY,
	JOB_WAITS_SOON, /* others fetch what it wants, the kernel is not ready, more ranges come */
};

struct job;

struct job_fetch {
	struct job *job;
	struct engine_prefetch work;
	size_t at; /* the range */
	bool runs;
};

struct job {
	struct prefetch *prefetch;
	uint64_t number;
	struct prefetch_wishes wishes; /* name: owned */
	char *name;
	struct ranges ranges;
	size_t n_ranges, n_objects; /* when it ended, as is this: */
	uint64_t bytes;		    /* 0: not known */
	uint64_t done;		    /* then, or when it came to the end of its list */

	struct place place;
	struct place again; /* the first that was passed over; at SIZE_MAX: none was */
	uint64_t skipped;   /* bytes that were */
	bool unopened;	    /* some for that; */
	bool soon;	    /* and some for other reasons */
	uint64_t attached;  /* prefetch->attached when it began to look from `again` on */

	struct job_fetch fetches[PREFETCH_REQUESTS_MAX];
	unsigned int running;
	uint64_t due;	/* ns: the rate allows the next one then */
	uint64_t until; /* ns: nothing is begun before */
	enum job_wait wait;
	struct loop_timer timer;
	struct loop_deferred run;

	enum prefetch_state state; /* PREFETCH_RUNNING, or how it ended */
	unsigned int errors;	   /* in a row */
	int err;
	char error[FETCH_ERROR_MAX + 32];
	uint64_t fetched, began, ended;

	uint64_t reads, met;	     /* as in the view */
	uint64_t window, window_met; /* of those, since it was judged last */
	uint64_t window_fetched;     /* what it had fetched then */
	unsigned int bad;	     /* windows in a row */
	bool useless;		     /* it is to end */
	TAILQ_ENTRY(job) link;
	bool queued; /* in prefetch->queue */
	TAILQ_ENTRY(job) turn;
};

struct prefetch {
	struct prefetch_config config;
	struct engine_observer observer;
	TAILQ_HEAD(job_list, job) jobs; /* by number */
	unsigned int n_running, n_ended;
	struct job_list queue; /* for their turn */
	struct job *called;    /* whose turn it is, or NULL */
	unsigned int running;  /* fetches */
	uint64_t due;	       /* ns: the rate of all allows the next one then */
	struct loop_timer timer;
	uint64_t numbers;  /* given so far */
	uint64_t attached; /* objects, so far */
	char *dir;	   /* owned; NULL: nothing is kept */
	bool stopped;
	struct prefetch_stats stats;
};

/* ---- job.c: one of them ------------------------------------------------------------------- */

/* At the end of the list; -ENOMEM. number: 0 for the next one. */
int job_new(struct job **ret, struct prefetch *prefetch, uint64_t number,
	    const struct prefetch_wishes *wishes);
void job_free(struct job *job);

/* Something may have changed for it. */
void job_kick(struct job *job);
void job_end(struct job *job, enum prefetch_state state);

static inline uint64_t job_now(const struct job *job)
{
	return loop_now(job->prefetch->config.loop);
}

/* ---- turn.c: the limits of all together ----------------------------------------------------- */

void turn_init(struct prefetch *prefetch);
/* It may begin a fetch now; or else it is kicked when it may. */
bool turn_take(struct job *job);
/* It has begun one; so many have ended; it begins none now; none any more. */
void turn_begun(struct job *job, uint64_t bytes);
void turn_ended(struct prefetch *prefetch, unsigned int fetches);
void turn_pass(struct job *job);
void turn_leave(struct job *job);

/* ns that so many bytes take at a rate in bytes/s. */
static inline uint64_t rate_time(uint64_t rate, uint64_t bytes)
{
	return (uint64_t)((__uint128_t)bytes * NSEC_PER_SEC / rate);
}

/* ---- job-look.c, job-judge.c -------------------------------------------------------------- */

void job_look(const struct job *job, struct prefetch_view *ret);
/* Of its ranges, as far as they are cached; it has not ended. */
uint64_t job_done_bytes(const struct job *job);

/* A reader has missed bytes [off, off + len) of an object. */
void job_judge(struct job *job, struct bytes volume, struct bytes cookie, uint64_t off,
	       uint64_t len);

/* ---- store.c: those that have not ended, on the disk ---------------------------------------- */

/* Makes the directory, and jobs of what is in there. */
void store_load(struct prefetch *prefetch, const char *dir);
/* What cannot be written is said, and ends with the daemon. */
void store_put(const struct job *job);
void store_remove(const struct job *job);
