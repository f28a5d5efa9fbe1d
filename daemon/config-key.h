/* SPDX-License-Identifier: MIT */
/*
 * The keys of cachefilld.conf(5): names, types, bounds, and where their values go. Internal to
 * daemon/config*.c and to the lint of the manual.
 */
#pragma once

#include "daemon/config.h"

enum config_verdict {
	CONFIG_SET,
	CONFIG_IGNORED, /* a key of cachefilesd.conf that means nothing here */
	CONFIG_UNKNOWN,
	CONFIG_BAD, /* error holds a sentence without a place */
};

/* A key of the top level; n values. */
enum config_verdict config_key_set(struct config *config, const char *key,
				   const char *const *values, size_t n, char *error);

/* A key of a source section that is not its fetcher's; twice is once too often. */
enum config_verdict config_key_set_source(struct config_source *source, const char *key,
					  const char *const *values, size_t n, char *error);

/* Exactly one value, or a sentence in error. */
enum config_verdict config_key_single(const char *key, size_t n, char *error);

/* Where the source is silent, what `defaults` says. */
void config_key_inherit(struct config_source *source, const struct config_source *defaults);

/* The i-th key there is (in the order of the table), or NULL past the end. */
const char *config_key_name(size_t i);
