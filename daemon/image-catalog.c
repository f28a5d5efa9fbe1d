/* SPDX-License-Identifier: MIT */
#include "daemon/image-catalog.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/cleanup.h"
#include "daemon/util/log.h"

struct image_catalog {
	struct engine_catalog base;
	struct fetch_notes notes;
	struct images_follow *images; /* owned */
	struct origins *origins;
	char *volume;		     /* owned */
	struct images_object object; /* owned: what was found last */
	char *name;		     /* owned: the image that was told last */
	size_t n_configured, n_added;
	struct engine_source_config added[IMAGE_CATALOG_SPARE]; /* by number, behind n_configured */
};

struct engine_source_config image_catalog_source(const struct origin *origin)
{
	const struct config_source *c = origin->source;

	return (struct engine_source_config){
		.name = c->name,
		.place = c->rule.locator,
		.rule = config_rule_of(c),
		.fetcher = origin->fetcher,
		.open_deadline = c->open_deadline_ms * NSEC_PER_MSEC,
		.read_deadline = c->read_deadline_ms * NSEC_PER_MSEC,
		.positive_ttl = c->positive_ttl_ms * NSEC_PER_MSEC,
		.negative_ttl = c->negative_ttl_ms * NSEC_PER_MSEC,
		.max_requests = c->max_requests,
		.revalidate = c->revalidate,
		.refuse_compressed = c->compressed == COMPRESSED_REFUSE,
	};
}

/* An implicit origin as a source of the engine. */
static int make_source(struct image_catalog *c, size_t number,
		       const struct engine_source_config **ret, char *error)
{
	struct engine_source_config *source = &c->added[number - c->n_configured];
	struct origin origin;
	int err = origins_get(c->origins, number, &origin, error);

	if (err < 0)
		return err;
	*source = image_catalog_source(&origin);
	*ret = source;
	return 0;
}

/* Implicit origins and added sources have the same numbers: both are given in the same order. */
static int add_sources(struct image_catalog *c, struct engine *engine, uint32_t number, char *error)
{
	const struct engine_source_config *source;
	uint32_t added;
	int err = 0;

	while (err == 0 && c->n_configured + c->n_added <= number) {
		err = make_source(c, c->n_configured + c->n_added, &source, error);
		if (err == 0)
			err = engine_add_source(engine, source, &added);
		if (err == 0)
			c->n_added++;
	}
	return err;
}

/* There is no room for its origin, unless one that nobody uses makes some. */
static int replace_origin(struct image_catalog *c, struct engine *engine, const char *locator,
			  struct origin *ret, char *error)
{
	const struct engine_source_config *source;
	uint32_t idle;
	int err = -EMFILE;

	if (engine_idle_source(engine, &idle))
		err = origins_find_instead(c->origins, idle, locator, ret, error);
	if (err < 0 || ret->number != idle)
		return err;
	err = make_source(c, idle, &source, error);
	if (err == 0)
		engine_replace_source(engine, idle, source);
	return err;
}

/* Who fetches it, as a source of the engine. */
static int find_origin(struct image_catalog *c, struct engine *engine, const char *locator,
		       struct origin *ret, char *error)
{
	int err = origins_find(c->origins, locator, ret, error);

	if (err == -EMFILE)
		err = replace_origin(c, engine, locator, ret, error);
	return err < 0 ? err : add_sources(c, engine, ret->number, error);
}

static const char *catalog_image(struct engine_catalog *base, struct bytes volume,
				 struct bytes cookie)
{
	struct image_catalog *c = container_of(base, struct image_catalog, base);

	if (!bytes_equal(volume, bytes_str(c->volume)))
		return NULL;
	free(c->name);
	c->name = images_follow_name_of(c->images, cookie);
	return c->name;
}

static int fail(struct image_catalog *c, struct bytes cookie, const char *why, int err)
{
	const struct log_subject subject = {
		.volume = bytes_str(c->volume),
		.cookie = cookie,
		.image = catalog_image(&c->base, bytes_str(c->volume), cookie),
	};
	char text[512];

	log_about(LOG_ERR, &subject, "image object %s: cannot open: %s",
		  bytes_print(cookie, text, sizeof(text)), why);
	/* The rules are not for what the store knows. */
	return err == -ENOENT ? -EIO : err;
}

static int catalog_find(struct engine_catalog *base, struct engine *engine, struct bytes volume,
			struct bytes cookie, struct engine_known *ret)
{
	struct image_catalog *c = container_of(base, struct image_catalog, base);
	char error[ORIGINS_ERROR_MAX] = "";
	struct images_object object;
	struct origin origin;
	int err;

	if (!bytes_equal(volume, bytes_str(c->volume)))
		return -ENOENT;
	err = images_follow_find(c->images, cookie, &object);
	if (err < 0)
		return err;
	images_object_end(&c->object);
	c->object = object;
	if (strlen(object.validator) >= sizeof(ret->identity.validator))
		return fail(c, cookie, "the validator on record is too long", -EINVAL);
	err = find_origin(c, engine, object.locator, &origin, error);
	if (err < 0)
		return fail(c, cookie, error, err);
	*ret = (struct engine_known){
		.locator = object.locator,
		.identity.size = object.size,
		.whole = object.whole,
		.source = origin.number,
		.fetcher = origin.fetcher,
	};
	strcpy(ret->identity.validator, object.validator);
	return 0;
}

static int catalog_place(struct engine_catalog *base, struct engine *engine, const char *locator,
			 uint32_t *ret_source, struct fetcher **ret_fetcher)
{
	struct image_catalog *c = container_of(base, struct image_catalog, base);
	char error[ORIGINS_ERROR_MAX];
	struct origin origin;
	int err = find_origin(c, engine, locator, &origin, error);

	if (err < 0)
		return err;
	*ret_source = origin.number;
	*ret_fetcher = origin.fetcher;
	return 0;
}

static_assert((int)FETCH_NOTE_MAX == (int)IMAGES_HINT_MAX, "a note is kept as a hint");

static bool catalog_recall(struct fetch_notes *notes, const char *name, char ret[FETCH_NOTE_MAX])
{
	struct image_catalog *c = container_of(notes, struct image_catalog, notes);

	return images_follow_recall(c->images, name, ret) == 0;
}

static void catalogp(struct image_catalog **catalog)
{
	image_catalog_free(*catalog);
}

int image_catalog_new(struct image_catalog **ret, const char *state_dir, const char *domain,
		      struct origins *origins)
{
	_cleanup_(catalogp) struct image_catalog *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	c->base.find = catalog_find;
	c->base.place = catalog_place;
	c->base.image = catalog_image;
	c->notes.recall = catalog_recall;
	c->origins = origins;
	c->n_configured = origins_configured(origins);
	if (asprintf(&c->volume, "erofs,%s", domain) < 0) {
		c->volume = NULL;
		return -ENOMEM;
	}
	err = images_follow_new(&c->images, state_dir);
	if (err == 0)
		*ret = steal(&c);
	return err;
}

struct image_catalog *image_catalog_free(struct image_catalog *c)
{
	if (!c)
		return NULL;
	images_follow_free(c->images);
	images_object_end(&c->object);
	free(c->name);
	free(c->volume);
	free(c);
	return NULL;
}

struct engine_catalog *image_catalog_of(struct image_catalog *catalog)
{
	return &catalog->base;
}

struct fetch_notes *image_catalog_notes(struct image_catalog *catalog)
{
	return &catalog->notes;
}

int image_catalog_list(struct image_catalog *c, int64_t after, size_t limit,
		       images_visit_summary *visit, void *to)
{
	return images_follow_list(c->images, after, limit, visit, to);
}
