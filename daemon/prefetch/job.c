/* SPDX-License-Identifier: MIT */
/*
 * One job: it goes through its list, and has some fetches under way. What it cannot fetch now it
 * passes over, notes the first such place, and begins there again.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/prefetch/prefetch-internal.h"
#include "daemon/util/checked.h"
#include "daemon/util/log.h"

/* Looked at in one go, before the loop has its turn: a list that is cached is gone through fast. */
#define STEPS	  64

#define FETCH_MAX ((uint64_t)1 << 20)
/* Where the rate is limited, a fetch has what may come in a quarter of a second. */
#define FETCH_MIN   ((uint64_t)64 << 10)
#define RATE_PART   4

#define SOON	    (100 * NSEC_PER_MSEC)
#define DISK_AGAIN  (5 * NSEC_PER_SEC)
#define MORE_WITHIN (10 * NSEC_PER_SEC)

#define RETRY_FIRST NSEC_PER_SEC /* doubling */
#define RETRY_MAX   (60 * NSEC_PER_SEC)
#define GIVE_UP	    16 /* failures in a row: about eleven minutes */

static const struct place nowhere = { .at = SIZE_MAX };

/* ---- waiting ------------------------------------------------------------------------------ */

static void job_wait(struct job *j, enum job_wait why, uint64_t ns)
{
	j->wait = why;
	j->until = job_now(j) + ns;
	if (loop_timer_set(j->prefetch->config.loop, &j->timer, j->until) < 0)
		j->until = 0; /* then the next event of any kind will do */
}

static void job_fire(struct loop_timer *timer)
{
	job_kick(container_of(timer, struct job, timer));
}

void job_kick(struct job *j)
{
	if (!prefetch_has_ended(j->state) && !j->prefetch->stopped)
		loop_defer(j->prefetch->config.loop, &j->run);
}

/* ---- places ------------------------------------------------------------------------------- */

static bool is_before(struct place a, struct place b)
{
	return a.at < b.at || (a.at == b.at && a.off < b.off);
}

static void pass_over(struct job *j)
{
	if (is_before(j->place, j->again))
		j->again = j->place;
}

static void next_range(struct job *j)
{
	j->place = (struct place){ .at = j->place.at + 1 };
}

static void skip_range(struct job *j)
{
	pass_over(j);
	j->skipped += j->ranges.list[j->place.at].len - j->place.off;
	next_range(j);
}

/* Back to what was passed over first. */
static void turn_back(struct job *j)
{
	j->place = j->again;
	j->again = nowhere;
	j->unopened = j->soon = false;
	j->skipped = 0;
	j->attached = j->prefetch->attached;
}

/* ---- failures ----------------------------------------------------------------------------- */

static void job_note(struct job *j, int err, const char *error)
{
	j->err = err;
	snprintf(j->error, sizeof(j->error), "%s", error);
}

static void job_failed(struct job *j, int err, const char *error)
{
	uint64_t wait = RETRY_MAX;

	job_note(j, err, error);
	if (err == -ESTALE || j->errors == GIVE_UP) {
		job_end(j, PREFETCH_FAILED);
		return;
	}
	if (j->wait == JOB_WAITS_RETRY) /* what began at the same time has failed as well */
		return;
	if (j->errors == 0)
		log_warning("prefetch %llu (%s): %s%s%s: it is tried again",
			    (unsigned long long)j->number, j->name, error, *error ? ": " : "",
			    strerror(-err));
	if (j->errors < 6)
		wait = RETRY_FIRST << j->errors;
	j->errors++;
	job_wait(j, JOB_WAITS_RETRY, wait);
}

/* What it has not brought is looked at again. */
static void rewind_to(struct job *j, const struct job_fetch *f, uint64_t stored)
{
	uint64_t off = f->work.off + stored, first = j->ranges.list[f->at].off;
	struct place place = { .at = f->at, .off = off > first ? off - first : 0 };

	if (is_before(place, j->place))
		j->place = place;
}

static void fetch_failed(struct job *j, uint64_t stored, int err, const char *error)
{
	if (stored > 0)
		j->errors = 0;
	if (err == -ECANCELED || err == -ESHUTDOWN)
		return;
	if (err == -ENOSPC)
		job_wait(j, JOB_WAITS_DISK, DISK_AGAIN);
	else
		job_failed(j, err, error);
}

static void fetch_done(struct engine_prefetch *work, uint64_t stored, int err, const char *error)
{
	struct job_fetch *f = container_of(work, struct job_fetch, work);
	struct job *j = f->job;

	f->runs = false;
	j->running--;
	turn_ended(j->prefetch, 1);
	j->fetched += stored;
	/* Also without an error, where a reader has taken it over: it may have been cut. */
	if (stored < f->work.len)
		rewind_to(j, f, stored);
	if (err < 0) {
		fetch_failed(j, stored, err, error);
	} else if (j->wait != JOB_WAITS_RETRY) {
		j->errors = 0;
		job_note(j, 0, "");
	}
	job_kick(j);
}

/* ---- the next step ------------------------------------------------------------------------ */

static struct job_fetch *free_fetch(struct job *j)
{
	struct job_fetch *f = j->fetches;

	while (f->runs)
		f++;
	return f;
}

static uint64_t fetch_max(const struct job *j)
{
	uint64_t rate = j->wishes.rate, all = j->prefetch->config.rate, part;

	if (rate == 0 || (all > 0 && all < rate))
		rate = all;
	if (rate == 0)
		return FETCH_MAX;
	part = rate / RATE_PART;
	return round_down_u64(min_u64(max_u64(part, FETCH_MIN), FETCH_MAX), CACHE_BLOCK);
}

/* Its first fetch begins at once, each other one when what was fetched before it was due. */
static bool rate_admits(struct job *j)
{
	if (j->wishes.rate == 0 || job_now(j) >= j->due)
		return true;
	if (loop_timer_set(j->prefetch->config.loop, &j->timer, j->due) < 0)
		job_failed(j, -ENOMEM, "");
	return false;
}

static void rate_charge(struct job *j, uint64_t bytes)
{
	if (j->wishes.rate > 0)
		j->due = job_now(j) + rate_time(j->wishes.rate, bytes);
}

/* The engine fetches nothing there now. true: it may elsewhere. */
static bool job_refused(struct job *j, int err)
{
	switch (err) {
	case -ENOENT:
		j->unopened = true;
		skip_range(j);
		return true;
	case -ENOBUFS:
	case -EBUSY:
		j->soon = true;
		skip_range(j);
		return true;
	case -ESHUTDOWN:
		return false;
	default:
		job_failed(j, err,
			   err == -ESTALE ? "nobody can have the version of it that is mounted"
					  : "");
		return false;
	}
}

/* Behind what was looked through, or is being fetched. */
static void advance(struct job *j, const struct job_fetch *f)
{
	const struct range *range = &j->ranges.list[j->place.at];
	uint64_t end = f->work.off + f->work.len;

	if (f->work.busy) {
		pass_over(j);
		j->soon = true;
	}
	if (f->work.len == 0 || end >= range->off + range->len)
		next_range(j);
	else
		j->place.off = end - range->off;
}

static bool look_at_range(struct job *j)
{
	const struct range *range = &j->ranges.list[j->place.at];
	const struct ranges_object *object = &j->ranges.objects[range->object];
	struct job_fetch *f = free_fetch(j);
	int r;

	if (j->place.off >= range->len) {
		next_range(j);
		return true;
	}
	f->job = j;
	f->at = j->place.at;
	f->work.done = fetch_done;
	f->work.max = fetch_max(j);
	f->work.off = range->off + j->place.off;
	f->work.len = range->len - j->place.off;
	r = engine_prefetch(j->prefetch->config.engine, object->volume, object->cookie, &f->work);
	if (r < 0)
		return job_refused(j, r);
	ranges_set_size(&j->ranges, range->object, f->work.size);
	advance(j, f);
	if (r > 0) {
		f->runs = true;
		j->running++;
		rate_charge(j, f->work.len);
		turn_begun(j, f->work.len);
	}
	return true;
}

/* All of the list was looked at. */
static void end_of_list(struct job *j)
{
	bool opened = j->attached != j->prefetch->attached;

	j->done = job_done_bytes(j);
	if (j->again.at != SIZE_MAX) {
		bool unopened = j->unopened && !j->soon && !opened;

		turn_back(j);
		if (unopened)
			j->wait = JOB_WAITS_OPEN; /* until prefetch_attached() */
		else
			job_wait(j, JOB_WAITS_SOON, opened ? 0 : SOON);
	} else if (j->wishes.more) {
		j->wishes.more = false;
		job_wait(j, JOB_WAITS_SOON, MORE_WITHIN);
	} else {
		job_end(j, PREFETCH_DONE);
	}
}

/* false: it goes on when something happens. */
static bool job_step(struct job *j)
{
	if (j->place.at < j->ranges.n)
		return j->running < j->wishes.requests && rate_admits(j) && turn_take(j) &&
		       look_at_range(j);
	if (j->running == 0)
		end_of_list(j);
	return false;
}

static void job_go(struct job *j)
{
	unsigned int steps = 0;

	if (j->useless) {
		job_end(j, PREFETCH_USELESS);
		return;
	}
	if (job_now(j) < j->until)
		return;
	j->wait = JOB_WAITS_NOT;
	while (job_step(j))
		if (++steps == STEPS) {
			job_kick(j);
			return;
		}
}

static void job_run(struct loop_deferred *run)
{
	struct job *j = container_of(run, struct job, run);

	job_go(j);
	turn_pass(j);
}

/* ---- life --------------------------------------------------------------------------------- */

int job_new(struct job **ret, struct prefetch *p, uint64_t number,
	    const struct prefetch_wishes *wishes)
{
	struct job *j = calloc(1, sizeof(*j));

	if (j)
		j->name = strndup(wishes->name, PREFETCH_NAME_MAX - 1);
	if (!j || !j->name) {
		free(j);
		return -ENOMEM;
	}
	j->prefetch = p;
	j->number = number ? number : p->numbers + 1;
	p->numbers = max_u64(p->numbers, j->number);
	j->wishes = *wishes;
	j->wishes.name = j->name;
	j->again = nowhere;
	j->attached = p->attached;
	j->timer.fire = job_fire;
	j->run.run = job_run;
	j->began = job_now(j);
	TAILQ_INSERT_TAIL(&p->jobs, j, link);
	p->n_running++;
	p->stats.begun++;
	*ret = j;
	return 0;
}

/* Nothing of it happens any more. */
static void job_halt(struct job *j)
{
	for (size_t i = 0; i < PREFETCH_REQUESTS_MAX; i++)
		if (j->fetches[i].runs)
			engine_prefetch_drop(&j->fetches[i].work);
	for (size_t i = 0; i < PREFETCH_REQUESTS_MAX; i++)
		j->fetches[i].runs = false;
	loop_timer_cancel(&j->timer);
	loop_defer_cancel(j->prefetch->config.loop, &j->run);
	turn_ended(j->prefetch, j->running);
	j->running = 0;
	turn_leave(j);
}

void job_free(struct job *j)
{
	struct prefetch *p = j->prefetch;

	job_halt(j);
	TAILQ_REMOVE(&p->jobs, j, link);
	if (prefetch_has_ended(j->state))
		p->n_ended--;
	else
		p->n_running--;
	ranges_clear(&j->ranges);
	free(j->name);
	free(j);
}

static void say_end(const struct job *j)
{
	unsigned long long number = j->number;

	if (j->state == PREFETCH_FAILED)
		log_error("prefetch %llu (%s): given up: %s%s%s", number, j->name, j->error,
			  j->error[0] ? ": " : "", strerror(-j->err));
	else if (j->state == PREFETCH_USELESS)
		log_notice(
			"prefetch %llu (%s): stopped, since it is of no use: of %llu reads of its "
			"objects that found something missing, %llu were of what it fetches",
			number, j->name, (unsigned long long)j->reads, (unsigned long long)j->met);
	else
		log_info("prefetch %llu (%s): %s, %llu bytes were fetched", number, j->name,
			 prefetch_state_name(j->state), (unsigned long long)j->fetched);
}

static void count_end(struct prefetch_stats *stats, enum prefetch_state state)
{
	switch (state) {
	case PREFETCH_DONE:
		stats->done++;
		break;
	case PREFETCH_CANCELED:
		stats->canceled++;
		break;
	case PREFETCH_USELESS:
		stats->useless++;
		break;
	default:
		stats->failed++;
	}
}

void job_end(struct job *j, enum prefetch_state state)
{
	struct prefetch *p = j->prefetch;
	struct job *old;

	j->n_ranges = j->ranges.n;
	j->n_objects = j->ranges.n_objects;
	j->bytes = ranges_known(&j->ranges) ? j->ranges.bytes : 0;
	j->done = job_done_bytes(j);
	job_halt(j);
	j->state = state;
	j->ended = job_now(j);
	p->n_running--;
	p->n_ended++;
	count_end(&p->stats, state);
	say_end(j);
	store_remove(j);
	ranges_clear(&j->ranges);
	if (p->n_ended <= PREFETCH_ENDED_MAX)
		return;
	old = TAILQ_FIRST(&p->jobs);
	while (!prefetch_has_ended(old->state) || old == j)
		old = TAILQ_NEXT(old, link);
	job_free(old);
}
