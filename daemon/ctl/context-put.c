/* SPDX-License-Identifier: MIT */
/* What is stored at origins, waited for. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/context-wait.h"

#define AT_ONCE 3

/* Who gets a blob may read it once more before there is an answer; requests have limits too. */
#define DEADLINE_MS 600000u

struct put {
	struct fetch_put base;
	struct puts *all;
	struct context_put *of;
	struct origin origin;
	bool started, done;
	int err;
};

struct puts {
	struct context_wait wait;
	struct put *puts;
	size_t n, next;
};

static void puts_start(struct puts *p);

static ssize_t put_read(struct fetch_put *base, void *buf, size_t n, uint64_t off)
{
	struct put *put = container_of(base, struct put, base);

	context_wait_alive(&put->all->wait);
	return put->of->read(put->of, buf, n, off);
}

static void put_done(struct fetch_put *base, int err)
{
	struct put *put = container_of(base, struct put, base);
	struct puts *all = put->all;

	put->done = true;
	put->err = err;
	put->of->existed = base->existed;
	put->of->linked = base->linked;
	all->wait.pending--;
	context_wait_alive(&all->wait);
	if (err == 0 && put->of->stored)
		put->of->stored(put->of);
	/* What is not whole is of no use: the others need not go on. */
	if (err < 0)
		context_wait_stop(&all->wait, -ECANCELED);
	puts_start(all);
}

static void puts_start(struct puts *p)
{
	while (p->wait.err == 0 && p->next < p->n && p->wait.pending < AT_ONCE) {
		struct put *put = &p->puts[p->next++];

		put->started = true;
		p->wait.pending++;
		put->origin.fetcher->ops->put(put->origin.fetcher, &put->base);
	}
}

static void puts_cancel(struct context_wait *wait)
{
	struct puts *p = container_of(wait, struct puts, wait);

	for (size_t i = 0; i < p->n; i++) {
		struct put *put = &p->puts[i];

		if (put->started && !put->done)
			put->origin.fetcher->ops->cancel_put(put->origin.fetcher, &put->base);
	}
}

static int put_prepare(struct puts *p, struct put *put, struct context_put *of, char *error)
{
	int r;

	*put = (struct put){
		.base = { .locator = of->locator,
			  .media_type = of->media_type,
			  .size = of->size,
			  .read = put_read,
			  .done = put_done },
		.all = p,
		.of = of,
	};
	of->existed = of->linked = false;
	r = context_origin(p->wait.context, of->locator, &put->origin, error);
	if (r == 0 && !put->origin.fetcher->ops->put) {
		snprintf(error, CONTEXT_ERROR_MAX, "nothing can be stored there");
		r = -EOPNOTSUPP;
	}
	return r;
}

/* The first that failed by itself is the reason for all others. */
static int puts_verdict(const struct puts *p, char *error)
{
	int r = 0;

	for (size_t i = 0; i < p->n; i++) {
		const struct put *put = &p->puts[i];

		if (!put->started || put->err == 0)
			continue;
		if (put->err != -ECANCELED) {
			snprintf(error, CONTEXT_ERROR_MAX, "%s", put->base.error);
			return put->err;
		}
		r = context_wait_verdict(&p->wait, put->err, put->of->locator, put->base.error,
					 error);
	}
	return r < 0 ? r : p->wait.err;
}

int context_put(struct context *context, struct context_put *const *puts, size_t n, char *error)
{
	struct puts p = { .wait.cancel = puts_cancel, .n = n };
	int r = 0;

	p.puts = calloc(n + 1, sizeof(*p.puts));
	p.wait.context = context;
	if (!p.puts)
		r = -ENOMEM;
	for (size_t i = 0; r == 0 && i < n; i++) {
		r = put_prepare(&p, &p.puts[i], puts[i], error);
		if (r < 0) {
			free(p.puts);
			return r;
		}
	}
	if (r == 0)
		r = context_wait_begin(&p.wait, context, DEADLINE_MS);
	if (r < 0) {
		snprintf(error, CONTEXT_ERROR_MAX, "%s", strerror(-r));
	} else {
		puts_start(&p);
		context_wait_end(&p.wait);
		r = puts_verdict(&p, error);
	}
	free(p.puts);
	return r;
}
