/* SPDX-License-Identifier: MIT */
#include "fetchers/alternatives.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/locator.h"
#include "daemon/util/log.h"
#include "fetchers/alternatives-internal.h"

#define DIGEST_HEX 64 /* of a SHA-256; longer ones will do */

/* ---- locators --------------------------------------------------------------------------- */

static bool has_digest(const char *text)
{
	while (*text) {
		size_t hex = strspn(text, "0123456789abcdef");

		if (hex >= DIGEST_HEX)
			return true;
		text += hex > 0 ? hex : 1;
	}
	return false;
}

uint32_t alternatives_allowed(const struct alternatives *alt, const char *locator)
{
	const char *prefix = alt->origins[0].prefix;
	size_t len = strlen(prefix);

	if (strncmp(locator, prefix, len) != 0 || !(alt->trusted || has_digest(locator + len)))
		return 1;
	return (1u << alt->n) - 1;
}

char *alternatives_locator(const struct alternatives *alt, size_t i, const char *locator)
{
	char *there;

	if (i == 0)
		return strdup(locator);
	return asprintf(&there, "%s%s", alt->origins[i].prefix,
			locator + strlen(alt->origins[0].prefix)) < 0
		       ? NULL
		       : there;
}

/* ---- whom to ask ------------------------------------------------------------------------ */

/* The first that works; where none does, the one that is to be asked again first of all. */
static size_t choose(const struct alternatives *alt, const struct alt_tries *tries)
{
	uint64_t now = loop_now(alt->loop);
	uint32_t left = tries->allowed & ~tries->tried;
	size_t least = alt->n;

	if (left & ~tries->last_of_all)
		left &= ~tries->last_of_all;
	for (size_t i = 0; i < alt->n; i++) {
		const struct fetch_health *h = &alt->origins[i].health;

		if (!(left & 1u << i))
			continue;
		if (health_usable(h, now))
			return i;
		if (least == alt->n || h->avoided_until < alt->origins[least].health.avoided_until)
			least = i;
	}
	return least;
}

static void say_avoided(const struct alternatives *alt, struct alt_tries *tries)
{
	for (size_t i = 0; i < alt->n; i++)
		if (tries->allowed & ~tries->tried & 1u << i)
			fetch_error_add(tries->error, "; %s is avoided",
					alt->origins[i].health.name);
}

bool alternatives_next(struct alternatives *alt, struct alt_tries *tries, uint64_t deadline)
{
	uint64_t now = loop_now(alt->loop);
	bool avoided;

	tries->at = choose(alt, tries);
	if (tries->at == alt->n || (tries->tried && deadline && now >= deadline))
		return false;
	avoided = !health_usable(&alt->origins[tries->at].health, now);
	if (avoided && tries->desperate) {
		say_avoided(alt, tries);
		return false;
	}
	tries->desperate |= avoided;
	tries->tried |= 1u << tries->at;
	tries->begun = now;
	health_begin(&alt->origins[tries->at].health, now);
	return true;
}

/* What the source itself says about an object is true, whatever others have. */
static bool is_final(size_t i, int err)
{
	if (health_is_ours(err))
		return true;
	return i == 0 && (err == -ENOENT || err == -EACCES || err == -ESTALE);
}

/* That of the source itself, unless another one may pass and this one may not. */
static void keep_error(struct alternatives *alt, struct alt_tries *tries, int err,
		       uint64_t retry_after, const char *error)
{
	bool first = tries->err == 0;
	bool passes;

	/* "There is none" is not for an alternative to say. */
	if (tries->at > 0 && !fetch_may_pass(err))
		err = -EIO;
	passes = fetch_may_pass(err);
	if (first)
		memcpy(tries->error, error, sizeof(tries->error));
	else
		fetch_error_add(tries->error, "; %s: %s", alt->origins[tries->at].health.name,
				strerror(-err));
	if (first || retry_after < tries->retry_after)
		tries->retry_after = retry_after;
	if (first || (passes && !fetch_may_pass(tries->err)) ||
	    (tries->at == 0 && passes == fetch_may_pass(tries->err)))
		tries->err = err;
}

static void say(const struct alternatives *alt, const struct fetch_health *h, const char *error)
{
	uint64_t left = h->avoided_until - loop_now(alt->loop);

	if (alt->n > 1)
		log_about(LOG_WARNING, &(struct log_subject){ .origin = alt->front.base.source },
			  "%s: it fails and is avoided for %llu s", error,
			  (unsigned long long)((left + NSEC_PER_SEC - 1) / NSEC_PER_SEC));
}

bool alternatives_ended(struct alternatives *alt, struct alt_tries *tries, int err,
			uint64_t retry_after, const char *error)
{
	struct fetch_health *h = &alt->origins[tries->at].health;
	enum health_state before = h->state;

	health_end(h, loop_now(alt->loop), err, retry_after, error);
	if (before != HEALTH_WORKS && h->state == HEALTH_WORKS && alt->n > 1)
		log_about(LOG_NOTICE, &(struct log_subject){ .origin = alt->front.base.source },
			  "%s works again", h->name);
	if (err == 0)
		return true;
	if (before == HEALTH_WORKS && h->state != HEALTH_WORKS)
		say(alt, h, error);
	if (is_final(tries->at, err)) {
		tries->err = err;
		tries->retry_after = retry_after;
		memcpy(tries->error, error, sizeof(tries->error));
		return true;
	}
	keep_error(alt, tries, err, retry_after, error);
	return false;
}

/* ---- looks ------------------------------------------------------------------------------ */

struct alt_look {
	struct alternatives *alt;
	struct fetch_look *look; /* the caller's */
	struct fetch_look inner;
	struct alt_tries tries;
	char *locator; /* owned: of inner */
	bool canceled;
};

/* Bits: who has answered a look that somebody else is to be asked for now. */
static uint32_t who_answered(struct alternatives *alt, const struct fetch_look *look)
{
	return look->elsewhere ? fetch_answers_who(&alt->answers, look->locator) : 0;
}

/* done() may free the fetcher. */
static void look_end(struct alt_look *l, int err)
{
	struct fetch_look *look = l->look;

	if (err < 0)
		memcpy(look->error, l->tries.error, sizeof(look->error));
	look->retry_after = err < 0 ? l->tries.retry_after : 0;
	free(l->locator);
	free(l);
	look->done(look, err);
}

/* What names its content does so everywhere. False: the validator is too long. */
static bool take_identity(struct alt_look *l)
{
	const struct alt_origin *origin = &l->alt->origins[l->tries.at];
	const struct fetch_identity *seen = &l->inner.identity;
	struct fetch_identity *identity = &l->look->identity;
	const char *via = strncmp(seen->validator, "digest:", 7) == 0 ? "" : origin->via;

	identity->size = seen->size;
	return (size_t)snprintf(identity->validator, sizeof(identity->validator), "%s%s", via,
				seen->validator) < sizeof(identity->validator);
}

static bool look_try(struct alt_look *l);

static void look_done(struct fetch_look *inner, int err)
{
	struct alt_look *l = container_of(inner, struct alt_look, inner);
	char error[FETCH_ERROR_MAX];

	l->look->head_filled = inner->head_filled;
	if (err == 0) {
		health_answered(&l->alt->origins[l->tries.at].health,
				loop_now(l->alt->loop) - l->tries.begun);
		fetch_answers_note(&l->alt->answers, l->look->locator, 1u << l->tries.at);
		if (!take_identity(l)) {
			err = -EPROTO;
			fetch_error(inner->error, inner->locator, "the validator is too long");
		}
	}
	memcpy(error, inner->error, sizeof(error));
	if (alternatives_ended(l->alt, &l->tries, err, inner->retry_after, error))
		look_end(l, err);
	else if (l->canceled || !look_try(l))
		look_end(l, l->tries.err);
}

/* False: nobody is left, as tries says. */
static bool look_try(struct alt_look *l)
{
	struct alternatives *alt = l->alt;
	struct fetcher *fetcher;

	if (!alternatives_next(alt, &l->tries, l->look->deadline))
		return false;
	free(l->locator);
	l->locator = alternatives_locator(alt, l->tries.at, l->look->locator);
	if (!l->locator) {
		char error[FETCH_ERROR_MAX];

		fetch_error(error, l->look->locator, "no memory");
		alternatives_ended(alt, &l->tries, -ENOMEM, 0, error);
		return false;
	}
	fetcher = alt->origins[l->tries.at].fetcher;
	l->inner = *l->look;
	l->inner.locator = l->locator;
	l->inner.done = look_done;
	l->inner.retry_after = 0;
	fetcher->ops->look(fetcher, &l->inner);
	return true;
}

/* The one whose identity it is, besides the source itself: nobody else knows whether it changed. */
static uint32_t who_knows(const struct alternatives *alt, const struct fetch_identity *known)
{
	for (size_t i = 1; i < alt->n; i++)
		if (strncmp(known->validator, alt->origins[i].via, strlen(alt->origins[i].via)) ==
		    0)
			return 1u | 1u << i;
	return 1;
}

static void alternatives_look(struct fetcher *fetcher, struct fetch_look *look)
{
	struct alternatives *alt = container_of(fetcher, struct alternatives, front.base);
	struct alt_look *l = malloc(sizeof(*l));

	look->fetcher_private = l;
	if (l) {
		*l = (struct alt_look){ .alt = alt, .look = look };
		l->tries.allowed = alternatives_allowed(alt, look->locator);
		if (look->known)
			l->tries.allowed &= who_knows(alt, look->known);
		l->tries.last_of_all = who_answered(alt, look);
		if (look_try(l))
			return;
		free(l);
	}
	fetch_refuse_look(&alt->refusals, look);
}

static void alternatives_cancel_look(struct fetcher *fetcher, struct fetch_look *look)
{
	struct alternatives *alt = container_of(fetcher, struct alternatives, front.base);
	struct alt_look *l = look->fetcher_private;
	struct fetcher *there;

	if (fetch_refused_look(&alt->refusals, look))
		return;
	l->canceled = true;
	there = alt->origins[l->tries.at].fetcher;
	there->ops->cancel_look(there, &l->inner);
}

/* ---- life ------------------------------------------------------------------------------- */

static void alternatives_free(struct fetcher *fetcher)
{
	struct alternatives *alt = container_of(fetcher, struct alternatives, front.base);

	for (size_t i = 0; i < alt->n; i++) {
		alt->origins[i].fetcher->ops->free(alt->origins[i].fetcher);
		free(alt->origins[i].prefix);
	}
	free(alt);
}

static const struct fetcher_ops alternatives_ops = {
	.look = alternatives_look,
	.cancel_look = alternatives_cancel_look,
	.attach = alternatives_attach,
	.detach = alternatives_detach,
	.read = alternatives_read,
	.cancel_read = alternatives_cancel_read,
	.free = alternatives_free,
};

static int origin_init(struct alt_origin *origin, const struct alternative *from, bool first)
{
	char name[256];

	origin->prefix = strdup(from->prefix);
	if (!origin->prefix)
		return -ENOMEM;
	/* So it is named in identities, whatever place in the order it has later. */
	if (!first)
		snprintf(origin->via, sizeof(origin->via), ALTERNATIVES_VIA "%08x;",
			 fetch_hash(from->prefix));
	snprintf(origin->health.name, sizeof(origin->health.name), "%.90s",
		 locator_print(from->prefix, name, sizeof(name)));
	return 0;
}

int alternatives_new(struct fetcher **ret, struct loop *loop, const struct alternative *origins,
		     size_t n, bool trusted)
{
	struct alternatives *alt = calloc(1, sizeof(*alt));
	int err = alt ? 0 : -ENOMEM;

	for (size_t i = 0; err == 0 && i < n; i++)
		err = origin_init(&alt->origins[i], &origins[i], i == 0);
	if (err < 0) {
		for (size_t i = 0; alt && i < n; i++)
			free(alt->origins[i].prefix);
		free(alt);
		return err;
	}
	for (size_t i = 0; i < n; i++)
		alt->origins[i].fetcher = origins[i].fetcher;
	alt->n = n;
	alt->loop = loop;
	alt->trusted = trusted;
	fetch_refusals_init(&alt->refusals, loop);
	fetch_front_init(&alt->front, &alternatives_ops, origins[0].fetcher);
	*ret = &alt->front.base;
	return 0;
}

size_t alternatives_count(const struct fetcher *fetcher)
{
	return container_of(fetcher, struct alternatives, front.base)->n;
}

const struct fetch_health *alternatives_health(const struct fetcher *fetcher, size_t i)
{
	return &container_of(fetcher, struct alternatives, front.base)->origins[i].health;
}

const struct fetcher *alternatives_fetcher(const struct fetcher *fetcher, size_t i)
{
	return container_of(fetcher, struct alternatives, front.base)->origins[i].fetcher;
}
