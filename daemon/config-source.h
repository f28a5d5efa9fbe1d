/* SPDX-License-Identifier: MIT */
/*
 * The list of sources while it is being built. Internal to daemon/config*.c.
 */
#pragma once

#include "daemon/config.h"

#define CONFIG_SOURCES_MAX 1024
#define CONFIG_PARAMS_MAX  64

/*
 * Appends a source without rule; name NULL: "source-N". *ret lives until the next one is added.
 * -EINVAL with a sentence without a place: too many, or the name is taken.
 */
int config_source_add(struct config *config, const char *name, const char *where,
		      struct config_source **ret, char *error);

/* One parameter for its fetcher; -E2BIG over CONFIG_PARAMS_MAX, -ENOMEM. */
int config_source_add_param(struct config_source *source, const char *key, const char *value);

/* One more alternative, which was checked. -E2BIG, -ENOMEM. */
int config_source_add_alternative(struct config_source *source, const char *template);

void config_source_clear(struct config_source *source);
