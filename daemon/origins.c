/* SPDX-License-Identifier: MIT */
#include "daemon/origins.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/util/cleanup.h"
#include "daemon/util/locator.h"
#include "fetchers/tarmap.h"

struct place {
	const struct config_source *source;
	struct config_source own; /* what source is of an implicit one; text owned */
	char *fixed;		  /* owned: as canonical() writes it */
	struct fetcher *fetcher;  /* owned; NULL: not made yet */
	struct fetcher *tarmap;	  /* owned, in front of fetcher; NULL likewise */
};

struct origins {
	struct loop *loop;
	const struct config *config;
	struct place *places; /* owned; room for all that there can be */
	size_t n;
};

/* ---- locators as they are compared ------------------------------------------------------- */

/* A piece of canonical text that is being written; locators are bounded, and so is this. */
struct text {
	char at[LOCATOR_MAX + 8];
	size_t len;
	size_t root; /* bytes that name scheme and host: "https://host/" */
};

static void put(struct text *text, const char *from, size_t n, bool lower)
{
	for (size_t i = 0; i < n && text->len + 1 < sizeof(text->at); i++)
		text->at[text->len++] = lower ? (char)tolower((unsigned char)from[i]) : from[i];
	text->at[text->len] = '\0';
}

static const char *default_port(const char *scheme)
{
	if (strcmp(scheme, "https:") == 0)
		return ":443";
	return strcmp(scheme, "http:") == 0 ? ":80" : NULL;
}

/* "user@Host:443" -> "host"; a bucket is a name of its owner's choice. */
static void put_host(struct text *text, const char *host, size_t n)
{
	const char *port = default_port(text->at);
	const char *user = memrchr(host, '@', n);
	bool is_bucket = strcmp(text->at, "s3:") == 0;

	if (user) {
		n -= (size_t)(user + 1 - host);
		host = user + 1;
	}
	if (port && n > strlen(port) && strncmp(host + n - strlen(port), port, strlen(port)) == 0)
		n -= strlen(port);
	put(text, "//", 2, false);
	put(text, host, n, !is_bucket);
}

/* file:/PATH, file:///PATH and file://localhost/PATH are the same. */
static const char *skip_local_host(const char *rest)
{
	if (strncmp(rest, "//localhost/", 12) == 0)
		return rest + 11;
	return strncmp(rest, "///", 3) == 0 ? rest + 2 : rest;
}

/* Of a locator; false: it is none. */
static bool canonical(struct text *ret, const char *locator)
{
	size_t scheme = strcspn(locator, ":/?#"), host;
	const char *rest = locator + scheme + 1;

	ret->len = 0;
	if (scheme == 0 || locator[scheme] != ':' || strlen(locator) >= LOCATOR_MAX)
		return false;
	put(ret, locator, scheme + 1, true);
	if (strcmp(ret->at, "file:") == 0) {
		rest = skip_local_host(rest);
		if (rest[0] != '/' || rest[1] == '/')
			return false;
	} else {
		host = strncmp(rest, "//", 2) == 0 ? strcspn(rest + 2, "/?#") : 0;
		if (host == 0)
			return false;
		put_host(ret, rest + 2, host);
		rest += 2 + host;
	}
	put(ret, "/", 1, false);
	ret->root = ret->len;
	rest += *rest == '/';
	put(ret, rest, strlen(rest), false);
	return true;
}

/* What stands in a template before its first key, with {{ and }} as they are meant. */
static void template_fixed(char ret[LOCATOR_MAX], const char *template)
{
	size_t n = 0;

	for (const char *t = template; *t && n < LOCATOR_MAX - 1; t++) {
		if (*t == '{' && t[1] != '{')
			break;
		if (*t == '{' || (*t == '}' && t[1] == '}'))
			t++;
		ret[n++] = *t;
	}
	ret[n] = '\0';
}

/* Owned by the caller; NULL: no memory. The template was checked: it names a host. */
static char *fixed_of(const char *template)
{
	char fixed[LOCATOR_MAX];
	struct text text;

	template_fixed(fixed, template);
	if (!canonical(&text, fixed))
		return strdup("");
	if (strncmp(text.at, "oci:", 4) == 0)
		*(strrchr(text.at, '/') + 1) = '\0';
	return strdup(text.at);
}

/* ---- life -------------------------------------------------------------------------------- */

static void place_end(struct place *place)
{
	if (place->tarmap)
		place->tarmap->ops->free(place->tarmap);
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
		place->fixed = fixed_of(place->source->rule.locator);
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

static int make_fetcher(struct origins *o, struct place *place, char *error)
{
	static const struct fetcher_param none[] = { { NULL, NULL } };
	const struct config_source *source = place->source;
	const struct fetcher_class *class = fetcher_class_find(source->rule.locator);
	char why[FETCH_ERROR_MAX] = "";
	int err;

	if (place->fetcher)
		return 0;
	if (!class) {
		snprintf(error, ORIGINS_ERROR_MAX, "no fetcher for '%.*s:' was built in",
			 (int)strcspn(source->rule.locator, ":"), source->rule.locator);
		return -EPROTONOSUPPORT;
	}
	err = class->create(&place->fetcher, o->loop, source->rule.locator,
			    source->params ? source->params : none, why);
	if (err < 0)
		snprintf(error, ORIGINS_ERROR_MAX, "source '%s': %s: %s", source->name, why,
			 strerror(-err));
	return err;
}

/* Of tar layers, in front of the fetcher that is there. */
static int make_tarmap(struct origins *o, struct place *place, char *error)
{
#ifdef HAVE_TARMAP
	return tarmap_new(&place->tarmap, o->loop, place->fetcher) < 0 ? no_memory(error) : 0;
#else
	snprintf(error, ORIGINS_ERROR_MAX, "no fetcher for tar layers was built in");
	return -EPROTONOSUPPORT;
#endif
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

/* root: "https://host/" */
static int add_place(struct origins *o, const char *root, struct place **ret, char *error)
{
	struct place *place = &o->places[o->n];
	int err;

	if (o->n == o->config->n_sources + ORIGINS_IMPLICIT_MAX) {
		snprintf(error, ORIGINS_ERROR_MAX,
			 "%.200s: images come from more than %d origins that no source of the "
			 "configuration names; name it in a source section",
			 root, ORIGINS_IMPLICIT_MAX);
		return -EMFILE;
	}
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
	if (err < 0) {
		place_end(place);
		return err;
	}
	o->n++;
	*ret = place;
	return 0;
}

static int refuse(const char *locator, const char *why, char *error)
{
	char origin[256];

	snprintf(error, ORIGINS_ERROR_MAX, "%s: %s", locator_print(locator, origin, sizeof(origin)),
		 why);
	return -EINVAL;
}

/* The place of a locator that is not a tar layer's. */
static int place_of(struct origins *o, const char *locator, struct place **ret, char *error)
{
	struct place *place;
	struct text text;

	if (!canonical(&text, locator))
		return refuse(locator, "not a locator: SCHEME://HOST/PATH, or file:/PATH", error);
	place = find_place(o, text.at);
	if (!place) {
		text.at[text.root] = '\0';
		return add_place(o, text.at, ret, error);
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

static int find_tarmap(struct origins *o, const char *locator, struct origin *ret, char *error)
{
	_cleanup_free_ char *map = NULL;
	struct place *place;
	const char *inner;
	int err = locator_split_tarmap(locator, &map, &inner);

	if (err == -ENOMEM)
		return no_memory(error);
	if (err < 0 || locator_is_tarmap(inner))
		return refuse(locator, "not a locator: tarmap:MAP;LOCATOR", error);
	err = place_of(o, inner, &place, error);
	if (err == 0 && !place->tarmap)
		err = make_tarmap(o, place, error);
	if (err == 0)
		answer(o, place, place->tarmap, ret);
	return err;
}

int origins_find(struct origins *o, const char *locator, struct origin *ret, char *error)
{
	struct place *place;
	int err;

	if (locator_is_tarmap(locator))
		return find_tarmap(o, locator, ret, error);
	err = place_of(o, locator, &place, error);
	if (err == 0)
		answer(o, place, place->fetcher, ret);
	return err;
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
	int err = make_fetcher(o, place, error);

	if (err == 0)
		answer(o, place, place->fetcher, ret);
	return err;
}
