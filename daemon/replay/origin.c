/* SPDX-License-Identifier: MIT */
#include "daemon/replay/origin.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/cleanup.h"

#define DEADLINE     (30 * NSEC_PER_SEC)
#define MAX_REQUESTS 16

struct replay_origin *origin_free(struct replay_origin *origin)
{
	if (!origin)
		return NULL;
	for (size_t i = 0; i < origin->n_sources; i++) {
		if (origin->sources && origin->sources[i].fetcher)
			origin->sources[i].fetcher->ops->free(origin->sources[i].fetcher);
		if (origin->again && origin->again[i])
			origin->again[i]->ops->free(origin->again[i]);
	}
	free(origin->sources);
	free(origin->again);
	free(origin->template);
	config_free(origin->config);
	free(origin);
	return NULL;
}

static void origin_freep(struct replay_origin **origin)
{
	origin_free(*origin);
}

int origin_make(struct replay_origin **ret, struct loop *loop, struct catalog *catalog, size_t n,
		bool again, char *error)
{
	_cleanup_(origin_freep) struct replay_origin *origin = calloc(1, sizeof(*origin));

	snprintf(error, CATALOG_ERROR_MAX, "out of memory");
	if (!origin)
		return -ENOMEM;
	origin->loop = loop;
	origin->catalog = catalog;
	origin->n_sources = n;
	origin->sources = calloc(n, sizeof(*origin->sources));
	origin->again = again ? calloc(n, sizeof(*origin->again)) : NULL;
	if (!origin->sources || (again && !origin->again))
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		origin->sources[i].open_deadline = DEADLINE;
		origin->sources[i].read_deadline = DEADLINE;
		origin->sources[i].max_requests = MAX_REQUESTS;
		/* An object changes only for who asks whether it has. */
		origin->sources[i].revalidate = catalog->changes;
	}
	*ret = steal(&origin);
	return 0;
}

int origin_resolve(struct replay_origin *origin, char *error)
{
	struct resolve_rule *rules = calloc(origin->n_sources, sizeof(*rules));
	int err = rules ? 0 : -ENOMEM;

	for (size_t i = 0; err == 0 && i < origin->n_sources; i++)
		rules[i] = origin->sources[i].rule;
	if (err == 0)
		err = catalog_resolve(origin->catalog, rules, origin->n_sources);
	free(rules);
	if (err < 0)
		snprintf(error, CATALOG_ERROR_MAX, "out of memory");
	return err;
}

/* ---- those whose locators we make up ------------------------------------------------------ */

int origin_synthetic_new(struct replay_origin **ret, struct loop *loop, struct catalog *catalog,
			 char *error)
{
	_cleanup_(origin_freep) struct replay_origin *origin = NULL;
	int err = origin_make(&origin, loop, catalog, 1, false, error);

	if (err < 0)
		return err;
	origin->local = true;
	origin->sources[0].name = "synthetic";
	/* The letters: so that no key alone can be a dot segment. */
	origin->sources[0].rule.locator = "synthetic:v-{volume}/c-{cookie}";
	err = synthetic_fetcher_new(&origin->sources[0].fetcher, loop, catalog);
	if (err == 0)
		err = origin_resolve(origin, error);
	if (err == 0)
		*ret = steal(&origin);
	return err;
}

int origin_recorded_new(struct replay_origin **ret, struct loop *loop, struct catalog *catalog,
			char *error)
{
	_cleanup_(origin_freep) struct replay_origin *origin = NULL;
	int err = origin_make(&origin, loop, catalog, 1, true, error);

	if (err < 0)
		return err;
	origin->local = recorded_is_local(catalog);
	origin->sources[0].name = "recorded";
	origin->sources[0].rule.locator = "recorded:v-{volume}/c-{cookie}";
	err = recorded_fetcher_new(&origin->sources[0].fetcher, loop, catalog);
	if (err == 0)
		err = recorded_fetcher_new(&origin->again[0], loop, catalog);
	if (err == 0)
		err = origin_resolve(origin, error);
	if (err == 0)
		*ret = steal(&origin);
	return err;
}

/* ---- templates ---------------------------------------------------------------------------- */

/* Bytes of a path that mean something in a template are written as they are meant. */
static char *directory_template(const char *dir, char *error)
{
	static const char tail[] = "/{cookie}";
	char path[PATH_MAX];
	char *template, *to;

	if (!realpath(dir, path)) {
		snprintf(error, CATALOG_ERROR_MAX, "%.200s: %s", dir, strerror(errno));
		return NULL;
	}
	template = malloc(strlen(path) * 3 + sizeof(tail) + 8);
	if (!template) {
		snprintf(error, CATALOG_ERROR_MAX, "out of memory");
		return NULL;
	}
	to = stpcpy(template, "file:");
	for (const char *at = strcmp(path, "/") == 0 ? "" : path; *at; at++)
		to += isalnum((unsigned char)*at) || strchr("/._~-", *at)
			      ? sprintf(to, "%c", *at)
			      : sprintf(to, "%%%02X", (unsigned char)*at);
	strcpy(to, tail);
	return template;
}

static int check_template(const char *template, char *error)
{
	const char *why;
	size_t at;
	int err = resolve_check_template(template, &at, &why);

	if (err < 0)
		snprintf(error, CATALOG_ERROR_MAX, "%.200s: at byte %zu: %s", template, at, why);
	return err;
}

static int make_fetcher(struct fetcher **ret, struct loop *loop, const char *template,
			const struct fetcher_param *params, char *error)
{
	static const struct fetcher_param none[] = { { NULL, NULL } };
	const struct fetcher_class *class = fetcher_class_find(template);
	char why[FETCH_ERROR_MAX] = "";
	int err;

	if (!class) {
		snprintf(error, CATALOG_ERROR_MAX, "%.200s: no fetcher for it was built in",
			 template);
		return -EPROTONOSUPPORT;
	}
	err = class->create(ret, loop, template, params ? params : none, why);
	if (err < 0)
		snprintf(error, CATALOG_ERROR_MAX, "%.250s", *why ? why : strerror(-err));
	return err;
}

static bool is_local(const char *template)
{
	return strncmp(template, "file:", 5) == 0;
}

int origin_template_new(struct replay_origin **ret, struct loop *loop, struct catalog *catalog,
			const char *template, char *error)
{
	_cleanup_(origin_freep) struct replay_origin *origin = NULL;
	bool is_template = fetcher_class_find(template) != NULL;
	int err = origin_make(&origin, loop, catalog, 1, true, error);

	if (err < 0)
		return err;
	origin->template = is_template ? strdup(template) : directory_template(template, error);
	if (!origin->template)
		return -EINVAL;
	origin->local = is_local(origin->template);
	origin->sources[0].name = "origin";
	origin->sources[0].rule.locator = origin->template;
	err = check_template(origin->template, error);
	if (err == 0)
		err = make_fetcher(&origin->sources[0].fetcher, loop, origin->template, NULL,
				   error);
	if (err == 0)
		err = make_fetcher(&origin->again[0], loop, origin->template, NULL, error);
	if (err == 0)
		err = origin_resolve(origin, error);
	if (err == 0)
		*ret = steal(&origin);
	return err;
}

/* ---- a configuration ---------------------------------------------------------------------- */

static int config_source_take(struct replay_origin *origin, size_t i, char *error)
{
	const struct config_source *c = &origin->config->sources[i];
	struct engine_source_config *source = &origin->sources[i];
	int err;

	source->name = c->name;
	source->rule = c->rule;
	if (!c->for_keys)
		source->rule.locator = NULL;
	source->open_deadline = c->open_deadline_ms * NSEC_PER_MSEC;
	source->read_deadline = c->read_deadline_ms * NSEC_PER_MSEC;
	source->max_requests = c->max_requests;
	source->revalidate = c->revalidate || origin->catalog->changes;
	source->refuse_compressed = c->compressed == COMPRESSED_REFUSE;
	origin->local &= is_local(c->rule.locator);
	err = make_fetcher(&source->fetcher, origin->loop, c->rule.locator, c->params, error);
	if (err == 0)
		err = make_fetcher(&origin->again[i], origin->loop, c->rule.locator, c->params,
				   error);
	return err;
}

static int config_read(struct config **ret, const char *file, char *error)
{
	char why[CONFIG_ERROR_MAX] = "out of memory";
	struct config *config = NULL;
	int err = config_new(&config);

	if (err == 0)
		err = config_load(config, file, why);
	if (err == 0)
		err = config_finish(config, why);
	if (err < 0) {
		snprintf(error, CATALOG_ERROR_MAX, "%.500s", why);
		config_free(config);
		return err;
	}
	*ret = config;
	return 0;
}

int origin_config_new(struct replay_origin **ret, struct loop *loop, struct catalog *catalog,
		      const char *file, char *error)
{
	_cleanup_(origin_freep) struct replay_origin *origin = NULL;
	struct config *config;
	int err = config_read(&config, file, error);

	if (err < 0)
		return err;
	err = origin_make(&origin, loop, catalog, config->n_sources, true, error);
	if (err < 0) {
		config_free(config);
		return err;
	}
	origin->config = config;
	origin->local = true;
	if (config->n_sources == 0) {
		snprintf(error, CATALOG_ERROR_MAX, "%.400s has no source", file);
		return -EINVAL;
	}
	for (size_t i = 0; err == 0 && i < config->n_sources; i++)
		err = config_source_take(origin, i, error);
	if (err == 0)
		err = origin_resolve(origin, error);
	if (err == 0)
		*ret = steal(&origin);
	return err;
}
