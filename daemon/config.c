/* SPDX-License-Identifier: MIT */
#include "daemon/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "daemon/config-key.h"
#include "daemon/config-source.h"
#include "daemon/util/checked.h"
#include "daemon/util/cleanup.h"

static void config_freep(struct config **p)
{
	config_free(*p);
}

int config_new(struct config **ret)
{
	_cleanup_(config_freep) struct config *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->cache_dir = strdup("/var/cache/cachefilld");
	c->state_dir = strdup("/var/lib/cachefilld");
	c->tag = strdup("CacheFiles");
	c->device = strdup("/dev/cachefiles");
	c->image_domain = strdup("cachefilld");
	c->control_socket = strdup("/run/cachefilld/control.sock");
	c->control_group = strdup("cachefilld");
	if (!c->control_socket || !c->control_group)
		return -ENOMEM;
	if (!c->cache_dir || !c->state_dir || !c->tag || !c->device || !c->image_domain)
		return -ENOMEM;
	c->limits = CF_LIMITS_DEFAULT;
	c->buffers = 16 << 20;
	c->readahead_max = 8 << 20;
	c->names_max = 16 << 20;
	c->slow_request_ms = 5000;
	c->seccomp = SYSCALL_FILTER_YES;
	c->log_level = LOG_INFO;
	c->defaults.open_deadline_ms = 30000;
	c->defaults.read_deadline_ms = 30000;
	c->defaults.positive_ttl_ms = 3600000;
	c->defaults.negative_ttl_ms = 10000;
	c->defaults.max_requests = 16;
	c->defaults.retries = 5;
	c->defaults.backoff_ms = 200;
	c->defaults.backoff_max_ms = 5000;
	c->defaults.compressed = COMPRESSED_WHOLE;
	*ret = steal(&c);
	return 0;
}

struct config *config_free(struct config *config)
{
	if (!config)
		return NULL;
	for (size_t i = 0; i < config->n_sources; i++)
		config_source_clear(&config->sources[i]);
	free(config->sources);
	free(config->cache_dir);
	free(config->state_dir);
	free(config->tag);
	free(config->secctx);
	free(config->device);
	free(config->image_domain);
	free(config->control_socket);
	free(config->control_group);
	free(config->trace);
	free(config);
	return NULL;
}

int config_set(struct config *config, const char *key, const char *value, char *error)
{
	switch (config_key_set(config, key, &value, 1, error)) {
	case CONFIG_SET:
		return 0;
	case CONFIG_BAD:
		return -EINVAL;
	default:
		snprintf(error, CONFIG_ERROR_MAX, "%s is not a key", key);
		return -EINVAL;
	}
}

/* "scheme:" comes first in a template, and in no sensible glob. */
static bool begins_with_scheme(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");

	return n > 0 && s[n] == ':';
}

int config_add_source(struct config *config, const char *spec, char *error)
{
	const char *sign = begins_with_scheme(spec) ? NULL : strchr(spec, '=');
	const char *template = sign ? sign + 1 : spec;
	_cleanup_free_ char *glob = sign ? strndup(spec, (size_t)(sign - spec)) : NULL;
	struct config_source *source;
	int r;

	if (sign && !glob) {
		snprintf(error, CONFIG_ERROR_MAX, "out of memory");
		return -ENOMEM;
	}
	r = config_source_add(config, NULL, "--source", &source, error);
	if (r < 0)
		return r;
	if (glob && config_key_set_source(source, "volume", (const char *const *)&glob, 1, error) !=
			    CONFIG_SET)
		return -EINVAL;
	if (config_key_set_source(source, "url", &template, 1, error) != CONFIG_SET)
		return -EINVAL;
	return 0;
}

/* ---- the whole --------------------------------------------------------------------------- */

/* Keys become locators of what is verified; images have such locators by themselves. */
static int finish_verify(struct config_source *source, char *error)
{
#ifdef HAVE_VERIFY
	if (source->verify &&
	    asprintf(&source->verified, "%s;%s", source->verify, source->rule.locator) < 0) {
		source->verified = NULL;
		snprintf(error, CONFIG_ERROR_MAX, "out of memory");
		return -ENOMEM;
	}
	return 0;
#else
	snprintf(error, CONFIG_ERROR_MAX,
		 "%s: source '%s': nothing can be verified: it was built "
		 "without libcrypto",
		 source->where, source->name);
	return source->verify ? -EINVAL : 0;
#endif
}

/* From its first key on; a template without keys ends there. */
static const char *tail_of(const char *template)
{
	for (; *template; template ++) {
		if (*template == '{' && template[1] != '{')
			break;
		if (*template == '{' || *template == '}')
			template ++;
	}
	return template;
}

const struct fetcher_param *config_params_of(const struct config *config, const char *template)
{
	static const struct fetcher_param none[] = { { NULL, NULL } };

	for (size_t i = 0; i < config->n_sources; i++)
		if (strcmp(config->sources[i].rule.locator, template) == 0)
			return config->sources[i].params;
	return none;
}

struct resolve_rule config_rule_of(const struct config_source *source)
{
	struct resolve_rule rule = source->rule;

	if (!source->for_keys)
		rule.locator = NULL;
	else if (source->verified)
		rule.locator = source->verified;
	return rule;
}

static int check_fetcher(const struct config_source *source, const char *template,
			 const struct fetcher_param *params, char *error)
{
	const struct fetcher_class *class = fetcher_class_find(template);
	char why[FETCH_ERROR_MAX] = "";
	int r;

	if (!class) {
		snprintf(error, CONFIG_ERROR_MAX,
			 "%s: source '%s': no fetcher for '%.*s:' was built in", source->where,
			 source->name, (int)strcspn(template, ":"), template);
		return -EINVAL;
	}
	r = class->create(NULL, NULL, template, params, why);
	if (r < 0)
		snprintf(error, CONFIG_ERROR_MAX, "%s: source '%s': %s", source->where,
			 source->name, why);
	return r;
}

static int check_alternative(const struct config *config, const struct config_source *source,
			     const char *template, char *error)
{
	if (strcmp(tail_of(template), tail_of(source->rule.locator)) == 0)
		return check_fetcher(source, template, config_params_of(config, template), error);
	snprintf(error, CONFIG_ERROR_MAX,
		 "%s: source '%s': an alternative is like the url from the first key on: it has to "
		 "end in '%.200s'",
		 source->where, source->name, tail_of(source->rule.locator));
	return -EINVAL;
}

static int finish_source(const struct config *config, struct config_source *source, char *error)
{
	int r;

	config_key_inherit(source, &config->defaults);
	r = check_fetcher(source, source->rule.locator, source->params, error);
	for (size_t i = 0; r == 0 && i < source->n_alternatives; i++)
		r = check_alternative(config, source, source->alternatives[i], error);
	return r < 0 ? r : finish_verify(source, error);
}

int config_finish(struct config *config, char *error)
{
	const char *why = cf_limits_check(&config->limits);

	if (why) {
		snprintf(error, CONFIG_ERROR_MAX, "%s", why);
		return -EINVAL;
	}
	/* A window that does not fit into the budget could never be filled at once. */
	config->readahead_max = min_u64(config->readahead_max, config->buffers);
	for (size_t i = 0; i < config->n_sources; i++) {
		int r = finish_source(config, &config->sources[i], error);

		if (r < 0)
			return r;
	}
	return 0;
}
