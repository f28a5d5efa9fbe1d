/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/log.h"
#include "fetchers/alternatives-internal.h"

struct alt_object {
	struct fetch_object base;
	struct alternatives *alt;
	char *locator; /* owned: at the first origin */
	uint32_t allowed;
	/* What is pinned, with the validator of the origin where it was seen; "": nobody's. */
	struct fetch_identity identity;
	struct fetch_object *ways[ALTERNATIVES_MAX]; /* owned; NULL: not asked yet */
	uint32_t answered; /* bit of the origin that was the last to give bytes */
};

/* One read, of one origin after the other. One where the object is not known is looked at first. */
struct alt_read {
	struct alt_object *object;
	struct fetch_read *read; /* the caller's */
	struct fetch_read inner;
	struct fetch_look look;
	struct alt_tries tries;
	char *locator; /* owned: of look */
	size_t filled; /* by those before */
	size_t got;    /* of inner */
	bool looking, canceled;
};

/* ---- objects ---------------------------------------------------------------------------- */

/* Whose identity it is, and what it is without that: n for one that is not there any more. */
static size_t split_identity(const struct alternatives *alt, const struct fetch_identity *identity,
			     struct fetch_identity *ret)
{
	size_t i;

	*ret = *identity;
	if (strncmp(identity->validator, ALTERNATIVES_VIA, strlen(ALTERNATIVES_VIA)) != 0)
		return 0;
	for (i = 1; i < alt->n; i++) {
		size_t len = strlen(alt->origins[i].via);

		if (strncmp(identity->validator, alt->origins[i].via, len) != 0)
			continue;
		snprintf(ret->validator, sizeof(ret->validator), "%s", identity->validator + len);
		return i;
	}
	ret->validator[0] = '\0';
	return alt->n;
}

static int attach_way(struct alt_object *object, size_t i, const struct fetch_identity *identity)
{
	struct fetcher *fetcher = object->alt->origins[i].fetcher;
	char *locator = alternatives_locator(object->alt, i, object->locator);
	int err = locator ? fetcher->ops->attach(fetcher, &object->ways[i], locator, identity)
			  : -ENOMEM;

	free(locator);
	return err;
}

int alternatives_attach(struct fetcher *fetcher, struct fetch_object **ret, const char *locator,
			const struct fetch_identity *identity)
{
	struct alternatives *alt = container_of(fetcher, struct alternatives, front.base);
	struct alt_object *object = malloc(sizeof(*object));
	size_t pinned;
	int err = 0;

	if (!object)
		return -ENOMEM;
	*object = (struct alt_object){ .base.fetcher = fetcher,
				       .alt = alt,
				       .locator = strdup(locator),
				       .allowed = alternatives_allowed(alt, locator) };
	pinned = split_identity(alt, identity, &object->identity);
	if (!object->locator)
		err = -ENOMEM;
	else if (object->allowed & 1u << pinned)
		err = attach_way(object, pinned, &object->identity);
	if (err < 0) {
		free(object->locator);
		free(object);
		return err;
	}
	*ret = &object->base;
	return 0;
}

void alternatives_detach(struct fetch_object *base)
{
	struct alt_object *object = container_of(base, struct alt_object, base);

	for (size_t i = 0; i < object->alt->n; i++)
		if (object->ways[i])
			object->ways[i]->fetcher->ops->detach(object->ways[i]);
	free(object->locator);
	free(object);
}

/* ---- the same object? ------------------------------------------------------------------- */

static bool is_digest(const char *validator)
{
	return strncmp(validator, "digest:", 7) == 0;
}

/* As far as it can be told: validators of two servers have nothing to do with each other. */
static bool is_same(const struct fetch_identity *pinned, const struct fetch_identity *seen)
{
	if (pinned->size != seen->size)
		return false;
	return !is_digest(pinned->validator) || !is_digest(seen->validator) ||
	       strcmp(pinned->validator, seen->validator) == 0;
}

/* For as long as the object is attached. */
static void bar(struct alt_read *r, const char *why)
{
	struct alt_object *object = r->object;

	if (!(object->allowed & 1u << r->tries.at))
		return;
	object->allowed &= ~(1u << r->tries.at);
	log_about(LOG_WARNING, &(struct log_subject){ .origin = object->alt->front.base.source },
		  "%s: not read there any more: it is another object than that of %s", why,
		  object->alt->origins[0].health.name);
}

/* ---- reads ------------------------------------------------------------------------------ */

static bool read_try(struct alt_read *r);

/* done() may free the fetcher. */
static void read_end(struct alt_read *r, int err)
{
	struct fetch_read *read = r->read;

	if (err < 0)
		memcpy(read->error, r->tries.error, sizeof(read->error));
	read->retry_after = err < 0 ? r->tries.retry_after : 0;
	free(r->locator);
	free(r);
	read->done(read, err);
}

/* The origin that is asked has failed: the next one, or the end. */
static void read_failed(struct alt_read *r, int err, uint64_t retry_after, const char *error)
{
	struct alternatives *alt = r->object->alt;

	if (err == -ESTALE && r->tries.at > 0)
		bar(r, error);
	r->tries.allowed = r->object->allowed;
	if (alternatives_ended(alt, &r->tries, err, retry_after, error) || r->canceled ||
	    !read_try(r))
		read_end(r, r->tries.err);
}

static void note_answer(struct alt_read *r)
{
	struct alternatives *alt = r->object->alt;

	r->object->answered = 1u << r->tries.at;
	if (r->got == 0)
		health_answered(&alt->origins[r->tries.at].health,
				loop_now(alt->loop) - r->tries.begun);
}

static void read_progress(struct fetch_read *inner, size_t got)
{
	struct alt_read *r = container_of(inner, struct alt_read, inner);

	note_answer(r);
	r->got = got;
	if (r->read->progress)
		r->read->progress(r->read, r->filled + got);
}

static void read_done(struct fetch_read *inner, int err)
{
	struct alt_read *r = container_of(inner, struct alt_read, inner);
	struct alternatives *alt = r->object->alt;
	char error[FETCH_ERROR_MAX];

	if (err < 0)
		r->filled += r->got;
	/* All came, and then something else went wrong. */
	if (err < 0 && err != -ECANCELED && r->filled == r->read->len)
		err = 0;
	if (err < 0) {
		memcpy(error, inner->error, sizeof(error));
		read_failed(r, err, inner->retry_after, error);
		return;
	}
	note_answer(r);
	health_received(&alt->origins[r->tries.at].health, inner->len,
			loop_now(alt->loop) - r->tries.begun);
	alternatives_ended(alt, &r->tries, 0, 0, NULL);
	read_end(r, 0);
}

static void read_start(struct alt_read *r)
{
	struct fetch_object *way = r->object->ways[r->tries.at];
	const struct fetch_read *read = r->read;

	r->looking = false;
	r->got = 0;
	r->inner = (struct fetch_read){
		.off = read->off + r->filled,
		.len = read->len - r->filled,
		.buf = (uint8_t *)read->buf + r->filled,
		.deadline = read->deadline,
		.progress = read_progress,
		.done = read_done,
	};
	way->fetcher->ops->read(way, &r->inner);
}

/* What an origin has under that name is the same object, or nothing for us. */
static void look_done(struct fetch_look *look, int err)
{
	struct alt_read *r = container_of(look, struct alt_read, look);
	struct alt_object *object = r->object;
	char error[FETCH_ERROR_MAX];

	memcpy(error, look->error, sizeof(error));
	if (err == 0 && r->canceled) {
		err = -ECANCELED;
		fetch_error(error, look->locator, "canceled");
	} else if (err == 0 && !is_same(&object->identity, &look->identity)) {
		err = -ESTALE;
		fetch_error(error, look->locator, "%llu bytes where %llu are wanted",
			    (unsigned long long)look->identity.size,
			    (unsigned long long)object->identity.size);
	}
	/* Another read may have been as fast. */
	if (err == 0 && !object->ways[r->tries.at]) {
		err = attach_way(object, r->tries.at, &look->identity);
		if (err < 0)
			fetch_error(error, look->locator, "%s", strerror(-err));
	}
	if (err < 0)
		read_failed(r, err, look->retry_after, error);
	else
		read_start(r);
}

static void look_start(struct alt_read *r)
{
	struct fetcher *fetcher = r->object->alt->origins[r->tries.at].fetcher;

	r->looking = true;
	r->look = (struct fetch_look){
		.locator = r->locator,
		.deadline = r->read->deadline,
		.done = look_done,
	};
	fetcher->ops->look(fetcher, &r->look);
}

/* False: nobody is left, as tries says. */
static bool read_try(struct alt_read *r)
{
	struct alternatives *alt = r->object->alt;
	char error[FETCH_ERROR_MAX] = "no memory";

	if (!alternatives_next(alt, &r->tries, r->read->deadline))
		return false;
	if (r->object->ways[r->tries.at]) {
		read_start(r);
		return true;
	}
	free(r->locator);
	r->locator = alternatives_locator(alt, r->tries.at, r->object->locator);
	if (!r->locator) {
		alternatives_ended(alt, &r->tries, -ENOMEM, 0, error);
		return false;
	}
	look_start(r);
	return true;
}

void alternatives_read(struct fetch_object *base, struct fetch_read *read)
{
	struct alt_object *object = container_of(base, struct alt_object, base);
	struct alt_read *r = malloc(sizeof(*r));

	read->fetcher_private = r;
	if (r) {
		*r = (struct alt_read){ .object = object, .read = read };
		r->tries.allowed = object->allowed;
		r->tries.last_of_all = read->elsewhere ? object->answered : 0;
		if (read_try(r))
			return;
		free(r);
	}
	fetch_refuse_read(&object->alt->refusals, read);
}

void alternatives_cancel_read(struct fetch_object *base, struct fetch_read *read)
{
	struct alt_object *object = container_of(base, struct alt_object, base);
	struct alt_read *r = read->fetcher_private;
	struct fetcher *there;

	if (fetch_refused_read(&object->alt->refusals, read))
		return;
	r->canceled = true;
	there = object->alt->origins[r->tries.at].fetcher;
	if (r->looking)
		there->ops->cancel_look(there, &r->look);
	else
		there->ops->cancel_read(object->ways[r->tries.at], &r->inner);
}
