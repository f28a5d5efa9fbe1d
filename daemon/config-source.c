/* SPDX-License-Identifier: MIT */
#include "daemon/config-source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/cleanup.h"
#include "daemon/util/secret.h"

static bool name_fits(const struct config *config, const char *name, char *error)
{
	if (*name == '\0' || strlen(name) > 64) {
		snprintf(error, CONFIG_ERROR_MAX, "the name of a source has 1 to 64 characters");
		return false;
	}
	for (size_t i = 0; i < config->n_sources; i++) {
		if (strcmp(config->sources[i].name, name) != 0)
			continue;
		snprintf(error, CONFIG_ERROR_MAX, "there is a source '%s' already (%s)", name,
			 config->sources[i].where);
		return false;
	}
	return true;
}

int config_source_add(struct config *config, const char *name, const char *where,
		      struct config_source **ret, char *error)
{
	struct config_source source = { .for_keys = true }, *sources;
	char number[32];

	snprintf(number, sizeof(number), "source-%zu", config->n_sources + 1);
	if (!name)
		name = number;
	if (!name_fits(config, name, error))
		return -EINVAL;
	if (config->n_sources == CONFIG_SOURCES_MAX) {
		snprintf(error, CONFIG_ERROR_MAX, "more than %d sources", CONFIG_SOURCES_MAX);
		return -EINVAL;
	}
	sources = realloc(config->sources, (config->n_sources + 1) * sizeof(*sources));
	if (sources)
		config->sources = sources;
	source.name = strdup(name);
	source.where = strdup(where);
	source.params = calloc(1, sizeof(*source.params));
	if (!sources || !source.name || !source.where || !source.params) {
		config_source_clear(&source);
		snprintf(error, CONFIG_ERROR_MAX, "out of memory");
		return -ENOMEM;
	}
	*ret = &sources[config->n_sources++];
	**ret = source;
	return 0;
}

static size_t count_params(const struct config_source *source)
{
	size_t n = 0;

	while (source->params[n].key)
		n++;
	return n;
}

int config_source_add_param(struct config_source *source, const char *key, const char *value)
{
	size_t n = count_params(source);
	_cleanup_free_ char *own_key = strdup(key);
	_cleanup_(secret_freep) char *own_value = strdup(value);
	struct fetcher_param *params;

	if (n == CONFIG_PARAMS_MAX)
		return -E2BIG;
	params = realloc(source->params, (n + 2) * sizeof(*params));
	if (params)
		source->params = params;
	if (!params || !own_key || !own_value)
		return -ENOMEM;
	params[n] = (struct fetcher_param){ .key = steal(&own_key), .value = steal(&own_value) };
	params[n + 1] = (struct fetcher_param){ 0 };
	return 0;
}

int config_source_add_alternative(struct config_source *source, const char *template)
{
	size_t n = source->n_alternatives;
	char **alternatives;

	if (n == CONFIG_ALTERNATIVES_MAX)
		return -E2BIG;
	alternatives = realloc(source->alternatives, (n + 1) * sizeof(*alternatives));
	if (!alternatives)
		return -ENOMEM;
	source->alternatives = alternatives;
	alternatives[n] = strdup(template);
	if (!alternatives[n])
		return -ENOMEM;
	source->n_alternatives++;
	return 0;
}

void config_source_clear(struct config_source *source)
{
	for (size_t i = 0; source->params && source->params[i].key; i++) {
		free((char *)source->params[i].key);
		secret_free((char *)source->params[i].value);
	}
	free(source->params);
	for (size_t i = 0; i < source->n_alternatives; i++)
		secret_free(source->alternatives[i]);
	free(source->alternatives);
	free((char *)source->rule.volume);
	free((char *)source->rule.cookie);
	secret_free((char *)source->rule.locator);
	free(source->verify);
	secret_free(source->verified);
	free(source->name);
	free(source->where);
}
