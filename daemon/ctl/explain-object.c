/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/ctl/explain.h"
#include "daemon/ctl/json.h"
#include "daemon/engine/resolve.h"
#include "daemon/state.h"
#include "daemon/util/cleanup.h"
#include "daemon/util/locator.h"
#include "proto/cachename.h"

static void set_text(json_t *object, const char *name, const char *text)
{
	json_set_text(object, name, bytes_str(text));
}

static void set_locator(json_t *object, const char *name, const char *locator)
{
	char text[LOCATOR_MAX];

	set_text(object, name, locator_print(locator, text, sizeof(text)));
}

static json_t *locator_json(const char *locator)
{
	char text[LOCATOR_MAX];

	return json_string(locator_print(locator, text, sizeof(text)));
}

/* ---- what the keys become -----------------------------------------------------------------------
 */

struct owners {
	const char *cookie, *locator; /* one of them */
	json_t *names;
};

static bool is_it(const struct owners *o, const struct images_object *object)
{
	return o->cookie ? strcmp(object->cookie, o->cookie) == 0
			 : strcmp(object->locator, o->locator) == 0;
}

static int visit_image(void *arg, const struct images_image *image)
{
	struct owners *o = arg;
	bool has = false;

	for (size_t i = 0; i < image->n_layers; i++) {
		const struct images_layer *layer = &image->layers[i];

		has = has || is_it(o, &layer->primary);
		for (size_t j = 0; j < layer->n_devices; j++)
			has = has || is_it(o, &layer->devices[j]);
	}
	if (has)
		json_array_append_new(o->names, json_string(image->name));
	return 0;
}

/* The images that have it. */
static json_t *owners(struct explain *e, const char *cookie, const char *locator)
{
	struct owners o = { cookie, locator, json_array() };

	if (e->context.images)
		images_each(e->context.images, visit_image, &o);
	return o.names;
}

/* false: no image has it. */
static bool find_in_images(struct explain *e, struct bytes volume, struct bytes cookie,
			   json_t *object, char locator[LOCATOR_MAX])
{
	const char *domain = e->context.config->image_domain;
	struct images_object found;
	char images_volume[128];

	snprintf(images_volume, sizeof(images_volume), "erofs,%s", domain);
	if (!e->context.images || !bytes_equal(volume, bytes_str(images_volume)) ||
	    images_find(e->context.images, cookie, &found) < 0)
		return false;
	snprintf(locator, LOCATOR_MAX, "%s", found.locator);
	set_text(object, "by", "image");
	json_object_set_new(object, "images", owners(e, found.cookie, NULL));
	json_object_set_new(object, "size", json_integer((json_int_t)found.size));
	set_text(object, "validator", found.validator);
	images_object_end(&found);
	return true;
}

static bool find_by_rule(struct explain *e, struct bytes volume, struct bytes cookie,
			 json_t *object, char locator[LOCATOR_MAX])
{
	const struct config *c = e->context.config;
	enum resolve_verdict verdict = RESOLVE_NO_RULE;
	size_t i, which;

	for (i = 0; i < c->n_sources && verdict == RESOLVE_NO_RULE; i++) {
		struct resolve_rule rule = config_rule_of(&c->sources[i]);

		verdict = resolve_key(&rule, 1, volume, cookie, &which, locator);
	}
	if (verdict != RESOLVE_OK) {
		set_text(object, "by", "nothing");
		set_text(object, "error", resolve_verdict_text(verdict));
		return false;
	}
	set_text(object, "by", "source");
	set_text(object, "rule", c->sources[i - 1].name);
	set_text(object, "where", c->sources[i - 1].where);
	return true;
}

/* ---- who fetches it -----------------------------------------------------------------------------
 */

static void add_decorators(const char *locator, json_t *chain)
{
	for (;;) {
		_cleanup_free_ char *first = NULL, *second = NULL;
		size_t scheme = strcspn(locator, ":");
		const char *inner;
		json_t *link;

		if (locator_is_verified(locator)
			    ? locator_split_verified(locator, &first, &second, &inner) < 0
			    : locator_split_indexed(locator, &first, &inner) < 0)
			return;
		link = json_pack("{ss}", "by", locator_is_verified(locator) ? "verify" : "index");
		json_object_set_new(link, "kind", json_stringn(locator, scheme));
		set_text(link, "with", first);
		json_array_append_new(chain, link);
		locator = inner;
	}
}

static void add_fetchers(const struct config_source *s, json_t *chain)
{
	const struct fetcher_class *class = fetcher_class_find(s->rule.locator);
	json_t *origins = json_array();

	json_array_append_new(origins, locator_json(s->rule.locator));
	for (size_t i = 0; i < s->n_alternatives; i++)
		json_array_append_new(origins, locator_json(s->alternatives[i]));
	if (s->retries > 0)
		json_array_append_new(chain,
				      json_pack("{ss si sf sf}", "by", "retry", "retries",
						(int)s->retries, "backoff", s->backoff_ms / 1000.0,
						"backoff_max", s->backoff_max_ms / 1000.0));
	if (s->n_alternatives > 0)
		json_array_append_new(chain, json_pack("{ss si}", "by", "alternatives", "origins",
						       (int)json_array_size(origins)));
	json_array_append_new(chain, json_pack("{ss so}", "by", class ? class->name : "nobody",
					       "origins", origins));
}

static bool add_source(struct explain *e, const char *locator, json_t *object)
{
	json_t *chain = json_array(), *source = json_object();
	char error[ORIGINS_ERROR_MAX];
	struct origin origin;
	int err = origins_find(e->context.origins, locator, &origin, error);

	set_locator(object, "locator", locator);
	json_object_set_new(object, "fetchers", chain);
	json_object_set_new(object, "source", source);
	if (err < 0) {
		set_text(source, "error", error);
		return false;
	}
	set_text(source, "name", origin.source->name);
	if (origin.source->where)
		set_text(source, "where", origin.source->where);
	add_decorators(locator, chain);
	add_fetchers(origin.source, chain);
	return true;
}

/* ---- what there is of it ------------------------------------------------------------------------
 */

static void add_record(struct explain *e, struct bytes volume, struct bytes cookie, json_t *object)
{
	struct state_object record;
	json_t *recorded = json_object();
	int err = state_peek(e->context.state_dir, volume, cookie, &record);

	if (err == -ENOENT) {
		json_decref(recorded);
		return;
	}
	json_object_set_new(object, "recorded", recorded);
	if (err < 0) {
		set_text(recorded, "error", strerror(-err));
		return;
	}
	json_object_set_new(recorded, "size", json_integer((json_int_t)record.size));
	set_text(recorded, "locator", record.locator);
	set_text(recorded, "validator", record.validator);
	json_object_set_new(recorded, "whole", json_boolean(record.whole));
}

/* Looked at from outside: whoever reads a cache file in use would be in the daemon's way. */
static void add_cached(struct explain *e, struct bytes volume, struct bytes cookie, json_t *object)
{
	_cleanup_close_ int dir =
		open(e->context.config->cache_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char path[CACHENAME_PATH_MAX];
	struct stat st;
	json_t *cached;
	int r = dir < 0 ? -errno : cachename_path(volume, cookie, path);

	if (r == 0 && fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		r = -errno;
	if (r == -ENOENT)
		return;
	cached = json_object();
	json_object_set_new(object, "cached", cached);
	if (r < 0) {
		set_text(cached, "error", strerror(-r));
		return;
	}
	json_object_set_new(cached, "bytes", json_integer((json_int_t)st.st_blocks * 512));
	json_object_set_new(cached, "used", json_integer((json_int_t)st.st_atim.tv_sec));
}

/* ---- now ----------------------------------------------------------------------------------------
 */

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* What is on record is of another version; validators of different places mean nothing to each
 * other. */
static bool has_changed(const json_t *object, const struct fetch_identity *now)
{
	const json_t *recorded = json_object_get(object, "recorded");
	const char *validator = daemon_text(recorded, "validator");

	if (!recorded || json_object_get(recorded, "error"))
		return false;
	return daemon_number(recorded, "size") != now->size ||
	       (*validator && *now->validator && strncmp(validator, "via:", 4) != 0 &&
		strncmp(now->validator, "via:", 4) != 0 && strcmp(validator, now->validator) != 0);
}

static bool add_now(struct explain *e, const char *locator, json_t *object)
{
	struct context_look look = { .locator = locator };
	double began = seconds();
	json_t *now = json_object();

	context_look(&e->context, &look, 1);
	json_object_set_new(object, "now", now);
	json_object_set_new(now, "works", json_boolean(look.err == 0));
	json_object_set_new(now, "seconds", json_real(seconds() - began));
	if (look.err < 0) {
		set_text(now, "error", look.error);
		return false;
	}
	json_object_set_new(now, "size", json_integer((json_int_t)look.identity.size));
	set_text(now, "validator", look.identity.validator);
	json_object_set_new(now, "changed", json_boolean(has_changed(object, &look.identity)));
	return true;
}

/* ---- the whole ----------------------------------------------------------------------------------
 */

bool explain_object(struct explain *e, struct bytes volume, struct bytes cookie, json_t *object)
{
	json_t *resolved = json_object();
	char locator[LOCATOR_MAX];
	bool found = find_in_images(e, volume, cookie, resolved, locator) ||
		     find_by_rule(e, volume, cookie, resolved, locator);

	json_set_key(object, "volume", volume);
	json_set_key(object, "cookie", cookie);
	json_object_set_new(object, "resolved", resolved);
	add_record(e, volume, cookie, object);
	add_cached(e, volume, cookie, object);
	return found && add_source(e, locator, object) && add_now(e, locator, object);
}

bool explain_locator(struct explain *e, const char *locator, json_t *object)
{
	json_t *resolved = json_object(), *images = owners(e, NULL, locator);

	json_object_set_new(object, "resolved", resolved);
	set_text(resolved, "by", "locator");
	json_object_set_new(resolved, "images", images);
	return add_source(e, locator, object) && add_now(e, locator, object);
}
