/* SPDX-License-Identifier: MIT */
#include "daemon/trace/outcome.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "daemon/util/checked.h"

/* A request that is not judged yet. While it is `watched`, work on its object is noted in it. */
struct pending {
	struct trace_request request; /* as it ended, or began */
	uint64_t begin, end;	      /* of its range, inside its object */
	bool watched, ended, waited;
	/* What of its range was not known to be stored when it ended. */
	struct intervals holes;
	/* Of the last work on it that failed. */
	int32_t error;
	uint64_t error_begin, error_end;
	bool late; /* a fetch of one of its holes ended only behind it */
	/* Moments of its wait: stored; stored or fetched; stored, fetched or queued. */
	struct intervals storing, origin, queued;
	TAILQ_ENTRY(pending) by_age, by_object;
};

TAILQ_HEAD(pending_list, pending);

struct object_state {
	struct intervals stored;
	struct pending_list watched;
};

struct trace_outcomes {
	struct trace_outcomes_callbacks callbacks;
	void *arg;
	struct intervals_budget *budget;
	struct trace_requests *requests; /* owned */
	struct object_state **states;	 /* owned, by the index of the object */
	size_t n_states;
	struct pending_list watched; /* oldest first */
	size_t n_watched;
	struct pending_list unwatched; /* outstanding, but too many are younger */
	int err;		       /* the first one from inside a callback */
};

static void note(struct trace_outcomes *o, int r)
{
	if (r < 0 && o->err == 0)
		o->err = r;
}

static struct object_state *state_of(const struct trace_outcomes *o,
				     const struct trace_object *object)
{
	return object && object->index < o->n_states ? o->states[object->index] : NULL;
}

static int states_reserve(struct trace_outcomes *o, uint32_t index)
{
	size_t n = o->n_states ? o->n_states : 16;
	struct object_state **states;

	if (index < o->n_states)
		return 0;
	while (n <= index)
		n *= 2;
	states = reallocarray(o->states, n, sizeof(struct object_state *));
	if (!states)
		return -ENOMEM;
	for (size_t i = o->n_states; i < n; i++)
		states[i] = NULL;
	o->states = states;
	o->n_states = n;
	return 0;
}

static struct object_state *state_make(struct trace_outcomes *o, const struct trace_object *object)
{
	struct object_state *state = state_of(o, object);

	if (state || states_reserve(o, object->index) < 0)
		return state;
	state = calloc(1, sizeof(*state));
	if (!state)
		return NULL;
	state->stored.budget = o->budget;
	TAILQ_INIT(&state->watched);
	o->states[object->index] = state;
	return state;
}

/* ---- judging ----------------------------------------------------------------------------- */

static void pending_free(struct pending *p)
{
	intervals_deinit(&p->holes);
	intervals_deinit(&p->storing);
	intervals_deinit(&p->origin);
	intervals_deinit(&p->queued);
	free(p);
}

static void unwatch(struct trace_outcomes *o, struct pending *p)
{
	struct object_state *state = state_of(o, p->request.object);

	TAILQ_REMOVE(&o->watched, p, by_age);
	if (state)
		TAILQ_REMOVE(&state->watched, p, by_object);
	p->watched = false;
	o->n_watched--;
}

static void decide(const struct pending *p, struct trace_judged *judged)
{
	const struct trace_request *request = &p->request;

	if (!request->answered) {
		judged->outcome = TRACE_UNANSWERED;
	} else if (request->error < 0) {
		judged->outcome = TRACE_FAILED;
		judged->error = request->error;
	} else if (!request->object) {
		judged->outcome = TRACE_UNCLEAR;
	} else if (request->kind == TRACE_READ && p->error < 0 &&
		   intervals_covered(&p->holes, p->error_begin, p->error_end) > 0) {
		judged->outcome = TRACE_FAILED;
		judged->error = p->error;
	} else if (p->late) {
		judged->outcome = TRACE_FAILED;
		judged->error = -ETIMEDOUT;
	} else {
		judged->outcome = p->waited ? TRACE_WAITED : TRACE_HIT;
	}
}

/* Sets that were joined for want of memory need not contain each other. */
static uint64_t behind(uint64_t all, uint64_t part)
{
	return all > part ? all - part : 0;
}

static void divide(const struct pending *p, struct trace_judged *judged)
{
	uint64_t begun = p->request.begun, ended = p->request.ended;

	if (!p->request.answered)
		return;
	judged->storing = intervals_covered(&p->storing, begun, ended);
	judged->origin = behind(intervals_covered(&p->origin, begun, ended), judged->storing);
	judged->queued = behind(intervals_covered(&p->queued, begun, ended),
				judged->storing + judged->origin);
}

/* It is on no list any more. */
static void judge(struct trace_outcomes *o, struct pending *p)
{
	struct trace_judged judged = { .request = &p->request };

	decide(p, &judged);
	divide(p, &judged);
	if (o->callbacks.judged)
		note(o, o->callbacks.judged(o->arg, &judged));
	pending_free(p);
}

static void forget_oldest(struct trace_outcomes *o)
{
	struct pending *p = TAILQ_FIRST(&o->watched);

	unwatch(o, p);
	if (p->ended)
		judge(o, p);
	else
		TAILQ_INSERT_TAIL(&o->unwatched, p, by_age);
}

/* ---- requests ---------------------------------------------------------------------------- */

static void set_range(struct pending *p)
{
	const struct trace_request *request = &p->request;

	p->begin = request->off;
	p->end = interval_end(request->off, request->len);
	if (request->object && request->object->size_known)
		p->end = min_u64(p->end, request->object->size);
}

static int watch(struct trace_outcomes *o, struct pending *p)
{
	struct object_state *state = NULL;

	if (p->request.object) {
		state = state_make(o, p->request.object);
		if (!state)
			return -ENOMEM;
		TAILQ_INSERT_TAIL(&state->watched, p, by_object);
	}
	TAILQ_INSERT_TAIL(&o->watched, p, by_age);
	p->watched = true;
	if (++o->n_watched > TRACE_JUDGED_LATE)
		forget_oldest(o);
	return 0;
}

static int begin(struct trace_outcomes *o, struct trace_request *request)
{
	struct pending *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	p->request = *request;
	p->holes.budget = p->storing.budget = p->origin.budget = p->queued.budget = o->budget;
	set_range(p);
	r = watch(o, p);
	if (r < 0) {
		pending_free(p);
		return r;
	}
	request->data = p;
	return o->callbacks.begun ? o->callbacks.begun(o->arg, request) : 0;
}

static void begun(void *arg, struct trace_request *request)
{
	struct trace_outcomes *o = arg;

	note(o, begin(o, request));
}

static int find_holes(struct trace_outcomes *o, struct pending *p)
{
	const struct object_state *state = state_of(o, p->request.object);
	int r = 0;

	if (!state || p->request.kind != TRACE_READ)
		return 0;
	for (uint64_t at = p->begin; r == 0 && at < p->end;) {
		struct interval gap = intervals_gap(&state->stored, &at, p->end);

		r = intervals_add(&p->holes, gap.begin, gap.end, NULL);
	}
	return r;
}

static void ended(void *arg, struct trace_request *request)
{
	struct trace_outcomes *o = arg;
	struct pending *p = request->data;

	if (o->callbacks.ended)
		note(o, o->callbacks.ended(o->arg, request));
	if (!p)
		return;
	p->request = *request;
	p->ended = true;
	note(o, find_holes(o, p));
	if (!p->watched) {
		TAILQ_REMOVE(&o->unwatched, p, by_age);
		judge(o, p);
	}
}

/* ---- work -------------------------------------------------------------------------------- */

/* What was going on between begun and ended belongs to a wait that had not begun later. */
static int add_time(struct pending *p, struct intervals *set, uint64_t from, uint64_t to)
{
	return intervals_add(set, max_u64(from, p->request.begun), to, NULL);
}

static uint64_t before(uint64_t time, uint64_t ns)
{
	return time > ns ? time - ns : 0;
}

static int add_times(struct pending *p, const struct trace_record *record)
{
	uint64_t from = before(record->time, record->took);
	uint64_t queued = before(from, record->queued);
	int r = 0;

	if (record->kind == TRACE_STORE)
		r = add_time(p, &p->storing, from, record->time);
	if (r == 0)
		r = add_time(p, &p->origin, from, record->time);
	if (r == 0)
		r = add_time(p, &p->queued, queued, record->time);
	return r;
}

static bool concerns(const struct pending *p, const struct trace_record *record)
{
	if (record->kind == TRACE_LOOK)
		return p->request.kind == TRACE_OPEN;
	return p->request.kind == TRACE_READ && record->off < p->end &&
	       interval_end(record->off, record->len) > p->begin;
}

/* Work that ended while the request was outstanding; its record may come a little later. */
static int note_meanwhile(struct pending *p, const struct trace_record *record)
{
	uint64_t end = interval_end(record->off, record->len);

	p->waited = true;
	if (record->error < 0) {
		p->error = record->error;
		p->error_begin = record->off;
		p->error_end = end;
	} else if (record->kind == TRACE_STORE && p->ended) {
		return intervals_remove(&p->holes, record->off, end, NULL);
	}
	return 0;
}

static int note_work(struct pending *p, const struct trace_record *record)
{
	uint64_t wished = before(before(record->time, record->took), record->queued);
	int r = 0;

	if (!concerns(p, record))
		return 0;
	if (!p->ended || record->time <= p->request.ended) {
		if (record->time < p->request.begun)
			return 0;
		r = note_meanwhile(p, record);
	} else if (wished >= p->request.ended) {
		return 0;
	} else if (record->kind == TRACE_FETCH &&
		   intervals_covered(&p->holes, record->off,
				     interval_end(record->off, record->len)) > 0) {
		p->late = true;
	}
	return r < 0 ? r : add_times(p, record);
}

static int note_stored(struct trace_outcomes *o, const struct trace_object *object,
		       const struct trace_record *record)
{
	struct object_state *state = state_make(o, object);

	if (!state)
		return -ENOMEM;
	return intervals_add(&state->stored, record->off, interval_end(record->off, record->len),
			     NULL);
}

static int work(struct trace_outcomes *o, struct trace_object *object,
		const struct trace_record *record)
{
	struct object_state *state = state_of(o, object);
	struct pending *p;
	int r = 0;

	if (state)
		TAILQ_FOREACH(p, &state->watched, by_object) {
			r = note_work(p, record);
			if (r < 0)
				return r;
		}
	if (object && record->kind == TRACE_STORE && record->error == 0)
		r = note_stored(o, object, record);
	if (r == 0 && o->callbacks.worked)
		r = o->callbacks.worked(o->arg, object, record);
	return r;
}

static void worked(void *arg, struct trace_object *object, const struct trace_record *record)
{
	struct trace_outcomes *o = arg;

	note(o, work(o, object, record));
}

/* ---- life -------------------------------------------------------------------------------- */

int trace_outcomes_new(struct trace_outcomes **ret,
		       const struct trace_outcomes_callbacks *callbacks, void *arg,
		       struct intervals_budget *budget)
{
	static const struct trace_requests_callbacks ours = { begun, ended, NULL, worked };
	struct trace_outcomes *o = calloc(1, sizeof(*o));
	int r;

	if (!o)
		return -ENOMEM;
	r = trace_requests_new(&o->requests, &ours, o);
	if (r < 0) {
		free(o);
		return r;
	}
	o->callbacks = *callbacks;
	o->arg = arg;
	o->budget = budget;
	TAILQ_INIT(&o->watched);
	TAILQ_INIT(&o->unwatched);
	*ret = o;
	return 0;
}

static void free_list(struct pending_list *list)
{
	struct pending *p;

	while ((p = TAILQ_FIRST(list))) {
		TAILQ_REMOVE(list, p, by_age);
		pending_free(p);
	}
}

struct trace_outcomes *trace_outcomes_free(struct trace_outcomes *o)
{
	if (!o)
		return NULL;
	free_list(&o->watched);
	free_list(&o->unwatched);
	for (size_t i = 0; i < o->n_states; i++) {
		if (o->states[i])
			intervals_deinit(&o->states[i]->stored);
		free(o->states[i]);
	}
	free(o->states);
	trace_requests_free(o->requests);
	free(o);
	return NULL;
}

int trace_outcomes_feed(struct trace_outcomes *o, const struct trace_record *record)
{
	int r = trace_requests_feed(o->requests, record);

	return r < 0 ? r : o->err;
}

int trace_outcomes_finish(struct trace_outcomes *o)
{
	trace_requests_finish(o->requests);
	while (!TAILQ_EMPTY(&o->watched))
		forget_oldest(o);
	return o->err;
}

struct trace_requests *trace_outcomes_requests(struct trace_outcomes *o)
{
	return o->requests;
}

const char *trace_outcome_name(enum trace_outcome outcome)
{
	static const char *const names[TRACE_OUTCOMES] = {
		[TRACE_HIT] = "hit",	     [TRACE_WAITED] = "waited",
		[TRACE_FAILED] = "failed",   [TRACE_UNANSWERED] = "unanswered",
		[TRACE_UNCLEAR] = "unclear",
	};

	return outcome < TRACE_OUTCOMES ? names[outcome] : "unclear";
}
