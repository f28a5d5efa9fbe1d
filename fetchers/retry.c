/* SPDX-License-Identifier: MIT */
#include "fetchers/retry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "daemon/util/checked.h"
#include "fetchers/common.h"
#include "fetchers/front.h"

struct retry {
	struct fetch_front front;
	struct loop *loop;
	struct retry_config config;
	struct fetch_refusals refusals;
	uint64_t random; /* state of the generator */
	uint64_t spent;	 /* ns: when all tries that were begun will have been paid for */
};

/* What looks and reads have in common. */
struct attempt {
	struct retry *owner;
	struct loop_timer timer; /* until the next try */
	uint64_t begun;
	unsigned int tries, retries; /* all; and those that count */
	bool canceled;
};

struct retry_look {
	struct attempt attempt;
	struct fetch_look *look; /* the caller's */
	struct fetch_look inner;
	size_t head_len; /* of the next try */
};

struct retry_object {
	struct fetch_object base;
	struct fetch_object *next; /* owned */
};

struct retry_read {
	struct attempt attempt;
	struct fetch_read *read; /* the caller's */
	struct retry_object *object;
	struct fetch_read inner;
	size_t filled; /* by the tries before */
	size_t got;    /* by this one */
};

/* ---- when ------------------------------------------------------------------------------- */

/* splitmix64 */
static uint64_t random_below(struct retry *retry, uint64_t n)
{
	uint64_t z = retry->random += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	z ^= z >> 31;
	return n > 0 ? z % n : 0;
}

/* A try that comes at the last moment is worth nothing: half of what is left is for itself. */
static uint64_t backoff(struct attempt *a, uint64_t left)
{
	const struct retry_config *c = &a->owner->config;
	unsigned int doublings = a->retries < 32 ? a->retries : 32;
	uint64_t most = c->backoff;

	while (doublings-- > 0 && most < c->backoff_max)
		most *= 2;
	return random_below(a->owner, min_u64(min_u64(most, c->backoff_max), left / 2) + 1);
}

/* The budget: when the next try may begin at the earliest. */
static uint64_t budget_from(const struct retry *retry)
{
	uint64_t spent = max_u64(retry->spent, loop_now(retry->loop)) + RETRY_INTERVAL;

	return spent - min_u64(spent, RETRY_BURST * RETRY_INTERVAL);
}

static void budget_take(struct retry *retry)
{
	retry->spent = max_u64(retry->spent, loop_now(retry->loop)) + RETRY_INTERVAL;
}

static void budget_give_back(struct retry *retry)
{
	retry->spent -= min_u64(retry->spent, RETRY_INTERVAL);
}

/* Arms the timer for one more try, if there may be one. */
static bool attempt_again(struct attempt *a, int err, uint64_t retry_after, uint64_t deadline)
{
	struct retry *retry = a->owner;
	uint64_t end = deadline ? deadline : a->begun + RETRY_PATIENCE;
	uint64_t from = max_u64(loop_now(retry->loop) + retry_after, budget_from(retry));

	if (a->canceled || !fetch_may_pass(err) || a->retries == retry->config.retries ||
	    from >= end)
		return false;
	if (loop_timer_set(retry->loop, &a->timer, from + backoff(a, end - from)) < 0)
		return false;
	a->retries++;
	budget_take(retry);
	return true;
}

/* Whoever cancels has not to hear of a failure that would have been tried again. */
static int attempt_word(const struct attempt *a, int err)
{
	return a->canceled && fetch_may_pass(err) ? -ECANCELED : err;
}

static void attempt_init(struct attempt *a, struct retry *retry,
			 void (*fire)(struct loop_timer *timer))
{
	*a = (struct attempt){ .owner = retry, .timer.fire = fire, .begun = loop_now(retry->loop) };
}

/* The end: what is said of an error, and what a success is worth. */
static void attempt_end(struct attempt *a, int err, uint64_t retry_after, char *error)
{
	uint64_t took = (loop_now(a->owner->loop) - a->begun) / (NSEC_PER_SEC / 10);

	if (err == 0)
		budget_give_back(a->owner);
	if (err == 0 || err == -ECANCELED)
		return;
	if (a->tries > 1)
		fetch_error_add(error, "; tried %u times in %llu.%llu s", a->tries,
				(unsigned long long)took / 10, (unsigned long long)took % 10);
	if (retry_after > 0)
		fetch_error_add(error, "; it wants to be asked again in %llu s",
				(unsigned long long)(retry_after / NSEC_PER_SEC));
}

/* The request is held, and its end comes from the timer; or it is under way. */
static bool attempt_cancel(struct attempt *a)
{
	a->canceled = true;
	if (!loop_timer_armed(&a->timer))
		return false;
	loop_timer_set(a->owner->loop, &a->timer, loop_now(a->owner->loop));
	return true;
}

/* ---- looks ------------------------------------------------------------------------------ */

/* done() may free the fetcher. */
static void look_end(struct retry_look *l, int err)
{
	struct fetch_look *look = l->look;

	look->identity = l->inner.identity;
	look->head_filled = l->inner.head_filled;
	look->retry_after = l->inner.retry_after;
	attempt_end(&l->attempt, err, l->inner.retry_after, look->error);
	free(l);
	look->done(look, err);
}

/* There is no identity yet for which it could go on: what is asked for has to come in one piece. */
static void look_ask_less(struct retry_look *l)
{
	size_t came = l->inner.head_filled;

	if (came > 0 && came < l->head_len)
		l->head_len = min_u64(l->head_len, max_u64(FETCH_HEAD_LEAST, came / 2));
}

static void look_done(struct fetch_look *inner, int err)
{
	struct retry_look *l = container_of(inner, struct retry_look, inner);

	if (err < 0) {
		memcpy(l->look->error, inner->error, sizeof(inner->error));
		look_ask_less(l);
	}
	err = attempt_word(&l->attempt, err);
	if (err == 0 || !attempt_again(&l->attempt, err, inner->retry_after, l->look->deadline))
		look_end(l, err);
}

static void look_try(struct loop_timer *timer)
{
	struct retry_look *l = container_of(timer, struct retry_look, attempt.timer);
	struct fetcher *next = l->attempt.owner->front.next;

	if (l->attempt.canceled) {
		fetch_error(l->look->error, l->look->locator, "canceled");
		look_end(l, -ECANCELED);
		return;
	}
	l->attempt.tries++;
	l->inner = *l->look;
	l->inner.done = look_done;
	l->inner.head_len = l->head_len;
	l->inner.head_filled = 0;
	l->inner.retry_after = 0;
	next->ops->look(next, &l->inner);
}

static void retry_look(struct fetcher *fetcher, struct fetch_look *look)
{
	struct retry *retry = container_of(fetcher, struct retry, front.base);
	struct retry_look *l = malloc(sizeof(*l));

	look->fetcher_private = l;
	if (!l) {
		fetch_refuse_look(&retry->refusals, look);
		return;
	}
	l->look = look;
	l->head_len = look->head_len;
	attempt_init(&l->attempt, retry, look_try);
	look_try(&l->attempt.timer);
}

static void retry_cancel_look(struct fetcher *fetcher, struct fetch_look *look)
{
	struct retry *retry = container_of(fetcher, struct retry, front.base);
	struct retry_look *l = look->fetcher_private;

	if (!fetch_refused_look(&retry->refusals, look) && !attempt_cancel(&l->attempt))
		retry->front.next->ops->cancel_look(retry->front.next, &l->inner);
}

/* ---- objects ---------------------------------------------------------------------------- */

static int retry_attach(struct fetcher *fetcher, struct fetch_object **ret, const char *locator,
			const struct fetch_identity *identity)
{
	struct retry *retry = container_of(fetcher, struct retry, front.base);
	struct retry_object *object = malloc(sizeof(*object));
	int err;

	if (!object)
		return -ENOMEM;
	object->base.fetcher = fetcher;
	err = retry->front.next->ops->attach(retry->front.next, &object->next, locator, identity);
	if (err < 0)
		free(object);
	else
		*ret = &object->base;
	return err;
}

static void retry_detach(struct fetch_object *base)
{
	struct retry_object *object = container_of(base, struct retry_object, base);

	object->next->fetcher->ops->detach(object->next);
	free(object);
}

/* ---- reads ------------------------------------------------------------------------------ */

static void read_end(struct retry_read *r, int err)
{
	struct fetch_read *read = r->read;

	read->retry_after = r->inner.retry_after;
	attempt_end(&r->attempt, err, r->inner.retry_after, read->error);
	free(r);
	read->done(read, err);
}

static void read_progress(struct fetch_read *inner, size_t got)
{
	struct retry_read *r = container_of(inner, struct retry_read, inner);

	r->got = got;
	if (r->read->progress)
		r->read->progress(r->read, r->filled + got);
}

static void read_done(struct fetch_read *inner, int err)
{
	struct retry_read *r = container_of(inner, struct retry_read, inner);
	struct fetch_read *read = r->read;

	if (err < 0) {
		memcpy(read->error, inner->error, sizeof(inner->error));
		r->filled += r->got;
		/* All came, and then something else went wrong. */
		if (r->filled == read->len && err != -ECANCELED)
			err = 0;
		if (r->got >= RETRY_ENOUGH)
			r->attempt.retries = 0;
	}
	err = attempt_word(&r->attempt, err);
	if (err == 0 || !attempt_again(&r->attempt, err, inner->retry_after, read->deadline))
		read_end(r, err);
}

static void read_try(struct loop_timer *timer)
{
	struct retry_read *r = container_of(timer, struct retry_read, attempt.timer);
	struct fetch_object *next = r->object->next;
	const struct fetch_read *read = r->read;

	if (r->attempt.canceled) {
		snprintf(r->read->error, sizeof(r->read->error), "canceled");
		read_end(r, -ECANCELED);
		return;
	}
	r->attempt.tries++;
	r->got = 0;
	r->inner = (struct fetch_read){
		.elsewhere = read->elsewhere,
		.off = read->off + r->filled,
		.len = read->len - r->filled,
		.buf = (uint8_t *)read->buf + r->filled,
		.deadline = read->deadline,
		.progress = read_progress,
		.done = read_done,
	};
	next->fetcher->ops->read(next, &r->inner);
}

static void retry_read(struct fetch_object *base, struct fetch_read *read)
{
	struct retry_object *object = container_of(base, struct retry_object, base);
	struct retry *retry = container_of(base->fetcher, struct retry, front.base);
	struct retry_read *r = malloc(sizeof(*r));

	read->fetcher_private = r;
	if (!r) {
		fetch_refuse_read(&retry->refusals, read);
		return;
	}
	r->read = read;
	r->object = object;
	r->filled = 0;
	attempt_init(&r->attempt, retry, read_try);
	read_try(&r->attempt.timer);
}

static void retry_cancel_read(struct fetch_object *base, struct fetch_read *read)
{
	struct retry *retry = container_of(base->fetcher, struct retry, front.base);
	struct retry_read *r = read->fetcher_private;
	struct fetch_object *next;

	if (fetch_refused_read(&retry->refusals, read))
		return;
	next = r->object->next;
	if (!attempt_cancel(&r->attempt))
		next->fetcher->ops->cancel_read(next, &r->inner);
}

/* ---- life ------------------------------------------------------------------------------- */

static void retry_free(struct fetcher *fetcher)
{
	struct retry *retry = container_of(fetcher, struct retry, front.base);

	retry->front.next->ops->free(retry->front.next);
	free(retry);
}

static const struct fetcher_ops retry_ops = {
	.look = retry_look,
	.cancel_look = retry_cancel_look,
	.attach = retry_attach,
	.detach = retry_detach,
	.read = retry_read,
	.cancel_read = retry_cancel_read,
	.free = retry_free,
};

int retry_new(struct fetcher **ret, struct loop *loop, struct fetcher *next,
	      const struct retry_config *config)
{
	struct retry *retry = calloc(1, sizeof(*retry));

	if (!retry)
		return -ENOMEM;
	retry->loop = loop;
	retry->config = *config;
	retry->random = config->seed;
	if (retry->random == 0 &&
	    getrandom(&retry->random, sizeof(retry->random), GRND_NONBLOCK) < 0)
		retry->random = loop_now(loop) ^ (uint64_t)(uintptr_t)retry;
	fetch_refusals_init(&retry->refusals, loop);
	fetch_front_init(&retry->front, &retry_ops, next);
	*ret = &retry->front.base;
	return 0;
}
