/* SPDX-License-Identifier: MIT */
#include "daemon/replay/fault.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/checked.h"
#include "fetchers/common.h"

#define PIECE	((size_t)64 << 10) /* of a link with a rate: readers share it in such pieces */
#define NOWHERE SIZE_MAX

struct fault {
	struct fetcher base;
	struct fetcher *inner; /* owned */
	struct loop *loop;
	const struct catalog *catalog;
	struct script *script;
	struct fetch_refusals refusals;
	uint64_t start;	  /* loop time that the script counts from */
	uint64_t link_at; /* loop time from which the link is free */
};

struct fault_object {
	struct fetch_object base;
	struct fault *fault;
	struct fetch_object *inner; /* owned */
	char name[CATALOG_NAME_MAX];
};

/* A look, or a read with what has come of it and what of that has been shown. */
struct fault_request {
	struct fault *fault;
	struct fault_object *object;   /* of a read */
	struct fetch_look look;	       /* the inner one */
	struct fetch_read read;	       /* the inner one */
	struct fetch_look *outer_look; /* one of these two */
	struct fetch_read *outer_read;
	struct loop_timer timer;  /* armed: nothing is to be done before */
	struct loop_deferred end; /* of one that was canceled */
	size_t filled, shown;	  /* bytes of a read */
	size_t piece;		  /* on the link: shown when the timer fires */
	size_t fail_at, stall_at;
	uint64_t stall;	    /* ns */
	uint64_t resume_at; /* loop time */
	int error;	    /* at fail_at; of a look anywhere */
	int err;	    /* of the inner one */
	bool begun, arrived, canceled, given_up;
};

/* ---- the script --------------------------------------------------------------------------- */

static uint64_t script_time(const struct fault *f)
{
	return loop_now(f->loop) - f->start;
}

/* The last rule of a kind that holds. */
static uint64_t current(const struct fault *f, enum script_kind kind)
{
	uint64_t value = 0;

	for (size_t i = 0; i < f->script->n; i++) {
		const struct script_rule *rule = &f->script->rules[i];

		if (rule->kind == kind && script_holds(rule, script_time(f), ""))
			value = rule->value;
	}
	return value;
}

static bool is_met(const struct script_rule *rule, const struct fault_request *r)
{
	if (r->outer_look)
		return rule->look;
	return !rule->look && rule->off >= r->outer_read->off &&
	       rule->off - r->outer_read->off < r->outer_read->len;
}

/* What stands in the way of this request; an error is used up by being met. */
static void arrange(struct fault_request *r, const char *name)
{
	const struct fault *f = r->fault;

	r->fail_at = r->stall_at = NOWHERE;
	for (size_t i = 0; i < f->script->n; i++) {
		struct script_rule *rule = &f->script->rules[i];
		size_t at = 0;

		if ((rule->kind != SCRIPT_ERROR && rule->kind != SCRIPT_STALL) ||
		    !script_holds(rule, script_time(f), name) || !is_met(rule, r))
			continue;
		if (r->outer_read)
			at = (size_t)(rule->off - r->outer_read->off);
		if (rule->kind == SCRIPT_STALL && at < r->stall_at) {
			r->stall_at = at;
			r->stall = rule->value;
		} else if (rule->kind == SCRIPT_ERROR && at < r->fail_at) {
			r->fail_at = at;
			r->error = rule->error;
			rule->value -= rule->value != SCRIPT_FOREVER;
		}
	}
}

/* When n bytes will have come over the link. */
static uint64_t link_take(struct fault *f, size_t n)
{
	uint64_t rate = current(f, SCRIPT_BANDWIDTH), now = loop_now(f->loop);

	if (rate == 0)
		return now;
	f->link_at = max_u64(f->link_at, now) + (uint64_t)((__uint128_t)n * NSEC_PER_SEC / rate);
	return f->link_at;
}

/* ---- requests ----------------------------------------------------------------------------- */

static void request_end(struct fault_request *r, int err)
{
	struct fetch_look *look = r->outer_look;
	struct fetch_read *read = r->outer_read;
	char *error = look ? look->error : read->error;

	if (r->arrived && r->err < 0 && err == r->err)
		memcpy(error, look ? r->look.error : r->read.error, FETCH_ERROR_MAX);
	else if (err < 0)
		snprintf(error, FETCH_ERROR_MAX, "the script of the replay says so");
	loop_timer_cancel(&r->timer);
	loop_defer_cancel(r->fault->loop, &r->end);
	free(r);
	if (look)
		look->done(look, err);
	else
		read->done(read, err);
}

/* false: there is no memory for a timer; it goes on at once. */
static bool wait_until(struct fault_request *r, uint64_t when)
{
	return loop_timer_set(r->fault->loop, &r->timer, when) == 0;
}

static void begin(struct fault_request *r)
{
	struct fetcher *inner = r->fault->inner;

	r->begun = true;
	if (r->outer_look)
		inner->ops->look(inner, &r->look);
	else
		inner->ops->read(r->object->inner, &r->read);
}

/* How far it may be shown now. */
static size_t limit(const struct fault_request *r)
{
	size_t to = r->filled < r->fail_at ? r->filled : r->fail_at;

	if (r->stall_at < to && loop_now(r->fault->loop) < r->resume_at)
		to = r->stall_at;
	return to;
}

static void request_show(struct fault_request *r)
{
	struct fetch_read *read = r->outer_read;

	r->shown += r->piece;
	r->piece = 0;
	if (r->shown < read->len && read->progress)
		read->progress(read, r->shown);
}

/* Takes the next piece on its way; false: it has arrived, or there is none. */
static bool request_wait_for_piece(struct fault_request *r)
{
	size_t left = limit(r) - r->shown;
	uint64_t when;

	r->piece = current(r->fault, SCRIPT_BANDWIDTH) && left > PIECE ? PIECE : left;
	when = link_take(r->fault, r->piece);
	return when > loop_now(r->fault->loop) && wait_until(r, when);
}

/* Rests at the place of a stall; false: it has no such place, or has rested. */
static bool request_rest(struct fault_request *r)
{
	uint64_t now = loop_now(r->fault->loop);

	if (r->shown != r->stall_at)
		return false;
	if (r->resume_at == UINT64_MAX - 1)
		r->resume_at = r->stall == SCRIPT_FOREVER ? UINT64_MAX : now + r->stall;
	if (now >= r->resume_at)
		return false;
	return r->stall == SCRIPT_FOREVER || wait_until(r, r->resume_at);
}

/* The inner request is to end before we may. */
static void request_give_up(struct fault_request *r)
{
	if (r->arrived) {
		request_end(r, r->error);
	} else if (!r->given_up) {
		r->given_up = true;
		r->fault->inner->ops->cancel_read(r->object->inner, &r->read);
	}
}

static void read_pump(struct fault_request *r)
{
	while (!loop_timer_armed(&r->timer) && !r->canceled && limit(r) > r->shown) {
		if (request_wait_for_piece(r))
			return;
		request_show(r);
	}
	if (loop_timer_armed(&r->timer) || r->canceled || request_rest(r))
		return;
	if (limit(r) > r->shown)
		read_pump(r); /* rested */
	else if (r->shown == r->fail_at)
		request_give_up(r);
	else if (r->arrived)
		request_end(r, r->err);
}

static void look_pump(struct fault_request *r)
{
	struct fetch_look *look = r->outer_look;

	if (request_rest(r))
		return;
	if (r->error < 0) {
		request_end(r, r->error);
		return;
	}
	look->identity = r->look.identity;
	look->head_filled = r->look.head_filled;
	request_end(r, r->err);
}

static void fire(struct loop_timer *timer)
{
	struct fault_request *r = container_of(timer, struct fault_request, timer);

	if (!r->begun) {
		begin(r);
	} else if (r->outer_look) {
		look_pump(r);
	} else {
		if (r->piece)
			request_show(r);
		read_pump(r);
	}
}

static void end_canceled(struct loop_deferred *deferred)
{
	request_end(container_of(deferred, struct fault_request, end), -ECANCELED);
}

static void read_progress(struct fetch_read *read, size_t filled)
{
	struct fault_request *r = container_of(read, struct fault_request, read);

	r->filled = filled;
	read_pump(r);
}

static void read_done(struct fetch_read *read, int err)
{
	struct fault_request *r = container_of(read, struct fault_request, read);

	r->arrived = true;
	r->err = err;
	if (err == 0)
		r->filled = read->len;
	if (r->canceled)
		request_end(r, -ECANCELED);
	else if (r->given_up)
		request_end(r, r->error);
	else
		read_pump(r);
}

static void look_done(struct fetch_look *look, int err)
{
	struct fault_request *r = container_of(look, struct fault_request, look);
	uint64_t when;

	r->arrived = true;
	r->err = err;
	if (r->canceled) {
		request_end(r, -ECANCELED);
		return;
	}
	when = link_take(r->fault, err == 0 ? look->head_filled : 0);
	if (when <= loop_now(r->fault->loop) || !wait_until(r, when))
		look_pump(r);
}

static void cancel(struct fault_request *r)
{
	struct fetcher *inner = r->fault->inner;

	r->canceled = true;
	if (!r->begun || r->arrived) {
		loop_timer_cancel(&r->timer);
		loop_defer(r->fault->loop, &r->end);
	} else if (r->outer_look) {
		inner->ops->cancel_look(inner, &r->look);
	} else if (!r->given_up) {
		r->given_up = true;
		inner->ops->cancel_read(r->object->inner, &r->read);
	}
}

static struct fault_request *request_new(struct fault *f)
{
	struct fault_request *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->fault = f;
	r->timer.fire = fire;
	r->end.run = end_canceled;
	r->resume_at = UINT64_MAX - 1; /* not yet at that place */
	if (wait_until(r, loop_now(f->loop) + current(f, SCRIPT_LATENCY)))
		return r;
	free(r);
	return NULL;
}

/* ---- the contract ------------------------------------------------------------------------- */

static struct fault *fault_of(struct fetcher *fetcher)
{
	return container_of(fetcher, struct fault, base);
}

static void name_of(const struct fault *f, const char *locator, char name[CATALOG_NAME_MAX])
{
	const struct catalog_object *object = catalog_find(f->catalog, locator);

	name[0] = '\0';
	if (object)
		catalog_name(object, name);
}

static void fault_look(struct fetcher *fetcher, struct fetch_look *look)
{
	struct fault *f = fault_of(fetcher);
	struct fault_request *r = request_new(f);
	char name[CATALOG_NAME_MAX];

	if (!r) {
		fetch_refuse_look(&f->refusals, look);
		return;
	}
	look->fetcher_private = r;
	r->outer_look = look;
	r->look.locator = look->locator;
	r->look.head = look->head;
	r->look.head_len = look->head_len;
	r->look.done = look_done;
	name_of(f, look->locator, name);
	arrange(r, name);
}

static void fault_cancel_look(struct fetcher *fetcher, struct fetch_look *look)
{
	if (!fetch_refused_look(&fault_of(fetcher)->refusals, look))
		cancel(look->fetcher_private);
}

static int fault_attach(struct fetcher *fetcher, struct fetch_object **ret, const char *locator,
			const struct fetch_identity *identity)
{
	struct fault *f = fault_of(fetcher);
	struct fault_object *o = calloc(1, sizeof(*o));
	int err;

	if (!o)
		return -ENOMEM;
	err = f->inner->ops->attach(f->inner, &o->inner, locator, identity);
	if (err < 0) {
		free(o);
		return err;
	}
	o->base.fetcher = fetcher;
	o->fault = f;
	name_of(f, locator, o->name);
	*ret = &o->base;
	return 0;
}

static void fault_detach(struct fetch_object *base)
{
	struct fault_object *o = container_of(base, struct fault_object, base);

	o->fault->inner->ops->detach(o->inner);
	free(o);
}

static void fault_read(struct fetch_object *base, struct fetch_read *read)
{
	struct fault_object *o = container_of(base, struct fault_object, base);
	struct fault_request *r = request_new(o->fault);

	if (!r) {
		fetch_refuse_read(&o->fault->refusals, read);
		return;
	}
	read->fetcher_private = r;
	r->object = o;
	r->outer_read = read;
	r->read.off = read->off;
	r->read.len = read->len;
	r->read.buf = read->buf;
	r->read.progress = read_progress;
	r->read.done = read_done;
	arrange(r, o->name);
}

static void fault_cancel_read(struct fetch_object *base, struct fetch_read *read)
{
	struct fault_object *o = container_of(base, struct fault_object, base);

	if (!fetch_refused_read(&o->fault->refusals, read))
		cancel(read->fetcher_private);
}

static void fault_free(struct fetcher *fetcher)
{
	struct fault *f = fault_of(fetcher);

	f->inner->ops->free(f->inner);
	free(f);
}

static const struct fetcher_ops fault_ops = {
	.look = fault_look,
	.cancel_look = fault_cancel_look,
	.attach = fault_attach,
	.detach = fault_detach,
	.read = fault_read,
	.cancel_read = fault_cancel_read,
	.free = fault_free,
};

int fault_new(struct fetcher **ret, struct fetcher *inner, struct loop *loop,
	      const struct catalog *catalog, struct script *script)
{
	struct fault *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->base.ops = &fault_ops;
	f->inner = inner;
	f->loop = loop;
	f->catalog = catalog;
	f->script = script;
	f->start = loop_now(loop);
	fetch_refusals_init(&f->refusals, loop);
	*ret = &f->base;
	return 0;
}
