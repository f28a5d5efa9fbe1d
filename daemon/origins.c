/* SPDX-License-Identifier: MIT */
#include "daemon/origins.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/origins-name.h"
#include "daemon/util/cleanup.h"
#include "daemon/util/locator.h"
#include "fetchers/alternatives.h"
#include "fetchers/gunzip.h"
#include "fetchers/retry.h"
#include "fetchers/tarmap.h"
#include "fetchers/verify.h"

#define DEPTH_MAX 3 /* decorators in front of each other */

/* A kind of fetcher that stands in front of another, which it borrows. */
struct decorator {
	const char *scheme;
	int (*create)(struct fetcher **ret, struct loop *loop, struct fetcher *next);
};

static const struct decorator decorators[] = {
#ifdef HAVE_TARMAP
	{ "tarmap:", tarmap_new },
	{ "gunzip:", gunzip_new },
#endif
#ifdef HAVE_VERIFY
	{ LOCATOR_VERIFIED ":", verify_new },
#endif
	{ NULL },
};

/* One of them; those behind it are further on in the list. */
struct front {
	const struct decorator *decorator;
	struct fetcher *fetcher; /* owned */
	const struct fetcher *next;
	struct front *older;
};

struct place {
	const struct config_source *source;
	struct config_source own;     /* what source is of an implicit one; text owned */
	char *fixed;		      /* owned: as origins_name() writes it */
	struct fetcher *fetcher;      /* owned, with all behind it; NULL: not made yet */
	struct fetcher *alternatives; /* behind it: whose health is known; or NULL */
	struct front *fronts;	      /* owned */
};

struct origins {
	struct loop *loop;
	const struct config *config;
	struct place *places; /* owned; room for all that there can be */
	size_t n;
};

/* ---- life -------------------------------------------------------------------------------- */

static void place_end(struct place *place)
{
	while (place->fronts) {
		struct front *front = place->fronts;

		place->fronts = front->older;
		front->fetcher->ops->free(front->fetcher);
		free(front);
	}
	if (place->fetcher)
		place->fetcher->ops->free(place->fetcher);
	free(place->fixed);
	free(place->own.name);
	free((char *)place->own.rule.locator);
}

static void originsp(struct origins **origins)
{
	origins_free(*origins);
}

int origins_new(struct origins **ret, struct loop *loop, const struct config *config)
{
	_cleanup_(originsp) struct origins *o = calloc(1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	o->loop = loop;
	o->config = config;
	o->places = calloc(config->n_sources + ORIGINS_IMPLICIT_MAX, sizeof(*o->places));
	if (!o->places)
		return -ENOMEM;
	for (size_t i = 0; i < config->n_sources; i++) {
		struct place *place = &o->places[o->n++];

		place->source = &config->sources[i];
		place->fixed = origins_fixed(place->source->rule.locator);
		if (!place->fixed)
			return -ENOMEM;
	}
	*ret = steal(&o);
	return 0;
}

struct origins *origins_free(struct origins *o)
{
	if (!o)
		return NULL;
	for (size_t i = 0; i < o->n; i++)
		place_end(&o->places[i]);
	free(o->places);
	free(o);
	return NULL;
}

/* ---- fetchers ---------------------------------------------------------------------------- */

static int no_memory(char *error)
{
	snprintf(error, ORIGINS_ERROR_MAX, "out of memory");
	return -ENOMEM;
}

static int create(struct origins *o, const struct config_source *source, const char *template,
		  const struct fetcher_param *params, struct fetcher **ret, char *error)
{
	const struct fetcher_class *class = fetcher_class_find(template);
	char why[FETCH_ERROR_MAX] = "";
	int err;

	if (!class) {
		snprintf(error, ORIGINS_ERROR_MAX, "no fetcher for '%.*s:' was built in",
			 (int)strcspn(template, ":"), template);
		return -EPROTONOSUPPORT;
	}
	err = class->create(ret, o->loop, template, params, why);
	if (err < 0)
		snprintf(error, ORIGINS_ERROR_MAX, "source '%s': %s: %s", source->name, why,
			 strerror(-err));
	else if (o->loop)
		(*ret)->source = source->name;
	return err;
}

/* Origin i of a source: itself, whose fetcher there is, or an alternative. */
static int add_origin(struct origins *o, struct place *place, size_t i, struct alternative *ret,
		      char *error)
{
	const struct config_source *source = place->source;
	const char *template = i > 0 ? source->alternatives[i - 1] : source->rule.locator;

	ret->prefix = origins_prefix(template);
	if (!ret->prefix)
		return no_memory(error);
	ret->fetcher = place->fetcher;
	if (i == 0)
		return 0;
	ret->fetcher = NULL;
	return create(o, source, template, config_params_of(o->config, template), &ret->fetcher,
		      error);
}

static int add_alternatives(struct origins *o, struct place *place, char *error)
{
	const struct config_source *source = place->source;
	struct alternative origins[ALTERNATIVES_MAX] = { { NULL } };
	size_t n = 1 + source->n_alternatives;
	int err = 0;

	for (size_t i = 0; err == 0 && i < n; i++)
		err = add_origin(o, place, i, &origins[i], error);
	if (err == 0 && alternatives_new(&place->alternatives, o->loop, origins, n,
					 source->trust_alternatives) < 0)
		err = no_memory(error);
	for (size_t i = 0; i < n; i++) {
		if (err < 0 && i > 0 && origins[i].fetcher)
			origins[i].fetcher->ops->free(origins[i].fetcher);
		free((char *)origins[i].prefix);
	}
	if (err == 0)
		place->fetcher = place->alternatives;
	return err;
}

/* What failed is tried again behind each decorator: a piece of a file, not all of it. */
static int add_retry(struct origins *o, struct place *place, char *error)
{
	const struct config_source *source = place->source;
	struct retry_config config = {
		.retries = source->retries,
		.backoff = source->backoff_ms * NSEC_PER_MSEC,
		.backoff_max = source->backoff_max_ms * NSEC_PER_MSEC,
	};

	if (source->retries == 0 ||
	    retry_new(&place->fetcher, o->loop, place->fetcher, &config) == 0)
		return 0;
	return no_memory(error);
}

/* With neither, a fetcher is used as it is. */
static int decorate(struct origins *o, struct place *place, char *error)
{
	const struct config_source *source = place->source;
	int err = 0;

	if (source->n_alternatives > 0 || source->retries > 0)
		err = add_alternatives(o, place, error);
	if (err == 0)
		err = add_retry(o, place, error);
	if (err < 0) {
		place->fetcher->ops->free(place->fetcher);
		place->fetcher = place->alternatives = NULL;
	}
	return err;
}

static int make_fetcher(struct origins *o, struct place *place, char *error)
{
	static const struct fetcher_param none[] = { { NULL, NULL } };
	const struct config_source *source = place->source;
	int err;

	if (place->fetcher)
		return 0;
	err = create(o, source, source->rule.locator, source->params ? source->params : none,
		     &place->fetcher, error);
	return err < 0 ? err : decorate(o, place, error);
}

/* One for all objects of this origin that are read in this way. */
static int put_front(struct origins *o, struct place *place, const struct decorator *decorator,
		     struct fetcher **fetcher, char *error)
{
	struct front *front = place->fronts;

	while (front && (front->decorator != decorator || front->next != *fetcher))
		front = front->older;
	if (!front) {
		front = malloc(sizeof(*front));
		if (!front)
			return no_memory(error);
		*front = (struct front){ decorator, NULL, *fetcher, place->fronts };
		if (decorator->create(&front->fetcher, o->loop, *fetcher) < 0) {
			free(front);
			return no_memory(error);
		}
		place->fronts = front;
	}
	*fetcher = front->fetcher;
	return 0;
}

/* ---- places ------------------------------------------------------------------------------ */

static struct place *find_place(struct origins *o, const char *canonical)
{
	struct place *best = NULL;
	size_t longest = 0;

	for (size_t i = 0; i < o->n; i++) {
		const char *fixed = o->places[i].fixed;
		size_t n = strlen(fixed);

		if (n <= longest || strncmp(fixed, canonical, n) != 0)
			continue;
		best = &o->places[i];
		longest = n;
	}
	return best;
}

static int place_begin(struct origins *o, struct place *place, const char *root, char *error)
{
	int err;

	*place = (struct place){
		.source = &place->own,
		.own = o->config->defaults,
		.fixed = strdup(root),
	};
	place->own.name = strdup(root);
	place->own.rule.locator = strdup(root);
	err = place->fixed && place->own.name && place->own.rule.locator
		      ? make_fetcher(o, place, error)
		      : no_memory(error);
	if (err < 0)
		place_end(place);
	return err;
}

static int refuse_place(const char *root, char *error)
{
	snprintf(error, ORIGINS_ERROR_MAX,
		 "%.200s: images are in use from %d other origins that no source of the "
		 "configuration names, and more are not possible; name it in a source section, or "
		 "unmount all that comes from one of them",
		 root, ORIGINS_IMPLICIT_MAX);
	return -EMFILE;
}

/* root: "https://host/"; old: is given up for it where there is no room, or NULL. */
static int add_place(struct origins *o, const char *root, struct place *old, struct place **ret,
		     char *error)
{
	bool full = o->n == o->config->n_sources + ORIGINS_IMPLICIT_MAX;
	struct place *at = full ? old : &o->places[o->n];
	struct place place;
	int err;

	if (!at)
		return refuse_place(root, error);
	err = place_begin(o, &place, root, error);
	if (err < 0)
		return err;
	if (full)
		place_end(at);
	else
		o->n++;
	*at = place;
	at->source = &at->own;
	*ret = at;
	return 0;
}

static int refuse(const char *locator, const char *why, char *error)
{
	char origin[256];

	snprintf(error, ORIGINS_ERROR_MAX, "%s: %s", locator_print(locator, origin, sizeof(origin)),
		 why);
	return -EINVAL;
}

/* The place of a locator without decorators. */
static int place_of(struct origins *o, const char *locator, struct place *old, struct place **ret,
		    char *error)
{
	struct place *place;
	struct origins_name name;

	if (!origins_name(&name, locator))
		return refuse(locator, "not a locator: SCHEME://HOST/PATH, or file:/PATH", error);
	place = find_place(o, name.text);
	if (!place) {
		name.text[name.root] = '\0';
		return add_place(o, name.text, old, ret, error);
	}
	*ret = place;
	return make_fetcher(o, place, error);
}

static void answer(const struct origins *o, const struct place *place, struct fetcher *fetcher,
		   struct origin *ret)
{
	*ret = (struct origin){
		.number = (uint32_t)(place - o->places),
		.source = place->source,
		.fetcher = fetcher,
	};
}

static const struct decorator *find_decorator(const char *locator)
{
	for (const struct decorator *d = decorators; d->scheme; d++)
		if (strncmp(locator, d->scheme, strlen(d->scheme)) == 0)
			return d;
	return NULL;
}

/* What is behind a decorator. */
static int split(const char *locator, const char **ret_inner)
{
	_cleanup_free_ char *first = NULL, *second = NULL;

	return locator_is_verified(locator)
		       ? locator_split_verified(locator, &first, &second, ret_inner)
		       : locator_split_indexed(locator, &first, ret_inner);
}

/* What a decorated locator is of, and by which decorators: the first is in front of all. */
static int undecorate(const char **locator, const struct decorator *ret[DEPTH_MAX], size_t *ret_n,
		      char *error)
{
	const struct decorator *decorator;
	const char *at = *locator;
	size_t n = 0;

	while ((decorator = find_decorator(at))) {
		int err = n < DEPTH_MAX ? split(at, &at) : -EINVAL;

		if (err == -ENOMEM)
			return no_memory(error);
		if (err < 0)
			return refuse(*locator, "not a locator: SCHEME:ARGUMENT;LOCATOR", error);
		ret[n++] = decorator;
	}
	*locator = at;
	*ret_n = n;
	return 0;
}

static int find(struct origins *o, const char *locator, struct place *old, struct origin *ret,
		char *error)
{
	const struct decorator *fronts[DEPTH_MAX];
	struct fetcher *fetcher;
	struct place *place;
	size_t n;
	int err = undecorate(&locator, fronts, &n, error);

	if (err == 0)
		err = place_of(o, locator, old, &place, error);
	if (err < 0)
		return err;
	fetcher = place->fetcher;
	while (err == 0 && n > 0)
		err = put_front(o, place, fronts[--n], &fetcher, error);
	if (err == 0)
		answer(o, place, fetcher, ret);
	return err;
}

int origins_find(struct origins *o, const char *locator, struct origin *ret, char *error)
{
	return find(o, locator, NULL, ret, error);
}

int origins_find_instead(struct origins *o, uint32_t number, const char *locator,
			 struct origin *ret, char *error)
{
	return find(o, locator, &o->places[number], ret, error);
}

bool origins_is_named(struct origins *o, const char *locator)
{
	const struct decorator *fronts[DEPTH_MAX];
	char error[ORIGINS_ERROR_MAX];
	struct origins_name name;
	struct place *place = NULL;
	size_t n;

	if (undecorate(&locator, fronts, &n, error) == 0 && origins_name(&name, locator))
		place = find_place(o, name.text);
	return place && place->source != &place->own;
}

static void visit_mirrors(const struct fetcher *fetcher, uint32_t number,
			  origins_visit_health *visit, void *arg)
{
	const struct fetch_health *health;

	for (size_t i = 0; fetcher->ops->health && (health = fetcher->ops->health(fetcher, i)); i++)
		visit(arg, number, health);
}

static void visit_place(const struct place *place, uint32_t number, origins_visit_health *visit,
			void *arg)
{
	const struct fetcher *alternatives = place->alternatives;

	/* Then it is decorated by nobody. */
	if (!alternatives && place->fetcher)
		visit_mirrors(place->fetcher, number, visit, arg);
	for (size_t i = 0; alternatives && i < alternatives_count(alternatives); i++) {
		visit(arg, number, alternatives_health(alternatives, i));
		visit_mirrors(alternatives_fetcher(alternatives, i), number, visit, arg);
	}
}

void origins_each_health(const struct origins *o, origins_visit_health *visit, void *arg)
{
	for (size_t i = 0; i < o->n; i++)
		visit_place(&o->places[i], (uint32_t)i, visit, arg);
}

size_t origins_count(const struct origins *o)
{
	return o->n;
}

size_t origins_configured(const struct origins *o)
{
	return o->config->n_sources;
}

int origins_get(struct origins *o, size_t number, struct origin *ret, char *error)
{
	struct place *place = &o->places[number];
	const char *verified = place->source->verified;
	struct fetcher *fetcher;
	int err = make_fetcher(o, place, error);

	if (err < 0)
		return err;
	fetcher = place->fetcher;
	if (verified)
		err = put_front(o, place, find_decorator(verified), &fetcher, error);
	if (err == 0)
		answer(o, place, fetcher, ret);
	return err;
}
