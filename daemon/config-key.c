/* SPDX-License-Identifier: MIT */
#include "daemon/config-key.h"

#include <stdio.h>
#include <string.h>

#include "daemon/config-field.h"
#include "daemon/util/checked.h"
#include "daemon/util/locator.h"
#include "daemon/util/log.h"

#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

#define LIMIT(field)                                                                \
	{                                                                           \
#field, KIND_PERCENT, offsetof(struct config, limits.field), 0, 99, \
			"a percentage from 0% to 99%"                               \
	}

static const struct config_field top_keys[] = {
	{ "dir", KIND_PATH, offsetof(struct config, cache_dir), 0, 3072, "an absolute path" },
	{ "tag", KIND_TEXT, offsetof(struct config, tag), 0, 64, "a name" },
	{ "secctx", KIND_TEXT, offsetof(struct config, secctx), 0, 1024, "a security context" },
	LIMIT(brun),
	LIMIT(bcull),
	LIMIT(bstop),
	LIMIT(frun),
	LIMIT(fcull),
	LIMIT(fstop),
	{ "size-limit", KIND_SIZE, offsetof(struct config, size_limit), 0, (uint64_t)1 << 60,
	  "a size from 4KiB to 1EiB, or 0 for none" },
	{ "state-dir", KIND_PATH, offsetof(struct config, state_dir), 0, 3072, "an absolute path" },
	{ "device", KIND_PATH, offsetof(struct config, device), 0, 3072, "an absolute path" },
	{ "image-domain", KIND_DOMAIN, offsetof(struct config, image_domain), 0, 100,
	  "up to 100 printable characters but blanks, commas and slashes" },
	{ "credential-helpers", KIND_BOOL, offsetof(struct config, credential_helpers), 0, 1,
	  "yes or no" },
	{ "seccomp", KIND_FILTER, offsetof(struct config, seccomp), 0, SYSCALL_FILTER_LOG,
	  "yes, no or log" },
	{ "trace", KIND_PATH, offsetof(struct config, trace), 0, 3072, "an absolute path" },
	{ "control-socket", KIND_SOCKET, offsetof(struct config, control_socket), 0, 107,
	  "an absolute path of up to 107 bytes, or none" },
	{ "control-group", KIND_TEXT, offsetof(struct config, control_group), 0, 64,
	  "the name of a group" },
	{ "buffers", KIND_SIZE, offsetof(struct config, buffers), MIB, 64 * GIB,
	  "a size from 1MiB to 64GiB" },
	{ "readahead-max", KIND_SIZE, offsetof(struct config, readahead_max), CACHE_BLOCK, GIB,
	  "a size from 4KiB to 1GiB" },
	{ "names-max", KIND_SIZE, offsetof(struct config, names_max), 0, GIB,
	  "a size from 4KiB to 1GiB, or 0" },
	{ "prefetch-rate", KIND_SIZE, offsetof(struct config, prefetch_rate), 0, (uint64_t)1 << 60,
	  "a size from 4KiB, so much in a second, or 0 for no limit" },
	{ "prefetch-requests", KIND_COUNT, offsetof(struct config, prefetch_requests), 0, 1024,
	  "a number of up to 1024, 0 for no limit" },
	{ "slow-request", KIND_TIME, offsetof(struct config, slow_request_ms), 0, 3600000,
	  "a time of up to 1h" },
	{ "log-level", KIND_LEVEL, offsetof(struct config, log_level), 0, LOG_DEBUG,
	  "error, warning, notice, info or debug" },
	{ "culltable", KIND_IGNORED },
	{ "debug", KIND_IGNORED },
	{ "nocull", KIND_IGNORED },
	{ "resume_thresholds", KIND_IGNORED },
};

#define N_TOP_KEYS (sizeof(top_keys) / sizeof(top_keys[0]))

/* The policy of a source comes first: at the top level these keys give all sources defaults. */
enum {
	SOURCE_OPEN_DEADLINE,
	SOURCE_READ_DEADLINE,
	SOURCE_POSITIVE_TTL,
	SOURCE_NEGATIVE_TTL,
	SOURCE_MAX_REQUESTS,
	SOURCE_RETRIES,
	SOURCE_BACKOFF,
	SOURCE_BACKOFF_MAX,
	SOURCE_REVALIDATE,
	SOURCE_COMPRESSED,
	N_POLICY_KEYS,
	SOURCE_VOLUME = N_POLICY_KEYS,
	SOURCE_COOKIE,
	SOURCE_URL,
	SOURCE_RULE,
	SOURCE_ALTERNATIVE,
	SOURCE_TRUST_ALTERNATIVES,
	SOURCE_VERIFY,
	N_SOURCE_KEYS,
};

#define SOURCE(field) offsetof(struct config_source, field)
#define HOUR_MS	      ((uint64_t)3600000)

static const struct config_field source_keys[] = {
	[SOURCE_OPEN_DEADLINE] = { "open-deadline", KIND_TIME, SOURCE(open_deadline_ms), 100,
				   HOUR_MS, "a time from 100ms to 1h" },
	[SOURCE_READ_DEADLINE] = { "read-deadline", KIND_TIME, SOURCE(read_deadline_ms), 100,
				   HOUR_MS, "a time from 100ms to 1h" },
	[SOURCE_POSITIVE_TTL] = { "positive-ttl", KIND_TIME, SOURCE(positive_ttl_ms), 0,
				  24 * HOUR_MS, "a time of up to 24h" },
	[SOURCE_NEGATIVE_TTL] = { "negative-ttl", KIND_TIME, SOURCE(negative_ttl_ms), 0, HOUR_MS,
				  "a time of up to 1h" },
	[SOURCE_MAX_REQUESTS] = { "max-requests", KIND_COUNT, SOURCE(max_requests), 1, 1024,
				  "a number from 1 to 1024" },
	[SOURCE_RETRIES] = { "retries", KIND_COUNT, SOURCE(retries), 0, 100, "a number up to 100" },
	[SOURCE_BACKOFF] = { "backoff", KIND_TIME, SOURCE(backoff_ms), 1, HOUR_MS,
			     "a time from 1ms to 1h" },
	[SOURCE_BACKOFF_MAX] = { "backoff-max", KIND_TIME, SOURCE(backoff_max_ms), 1, HOUR_MS,
				 "a time from 1ms to 1h" },
	[SOURCE_REVALIDATE] = { "revalidate", KIND_BOOL, SOURCE(revalidate), 0, 1, "yes or no" },
	[SOURCE_COMPRESSED] = { "compressed", KIND_COMPRESSED, SOURCE(compressed), 0,
				COMPRESSED_REFUSE, "whole or refuse" },
	[SOURCE_VOLUME] = { "volume", KIND_TEXT, SOURCE(rule.volume), 0, 1024, "a glob" },
	[SOURCE_COOKIE] = { "cookie", KIND_TEXT, SOURCE(rule.cookie), 0, 1024, "a glob" },
	[SOURCE_URL] = { "url", KIND_TEMPLATE, SOURCE(rule.locator), 0, LOCATOR_MAX - 1,
			 "a template" },
	[SOURCE_RULE] = { "rule", KIND_BOOL, SOURCE(for_keys), 0, 1, "yes or no" },
	[SOURCE_ALTERNATIVE] = { "alternative", KIND_ALTERNATIVE, 0, 0, LOCATOR_MAX - 1,
				 "a template" },
	[SOURCE_TRUST_ALTERNATIVES] = { "trust-alternatives", KIND_BOOL, SOURCE(trust_alternatives),
					0, 1, "yes or no" },
	[SOURCE_VERIFY] = { "verify", KIND_DIGEST, SOURCE(verify), 0, 1024,
			    "fs-verity:sha256:DIGEST, where DIGEST is 64 digits of lower case or "
			    "{cookie}" },
};

/* ---- values ------------------------------------------------------------------------------ */

enum config_verdict config_key_single(const char *key, size_t n, char *error)
{
	if (n == 1)
		return CONFIG_SET;
	snprintf(error, CONFIG_ERROR_MAX,
		 n == 0 ? "%s needs a value" : "%s takes one value; put text with blanks in quotes",
		 key);
	return CONFIG_BAD;
}

static enum config_verdict set(const struct config_field *key, void *base,
			       const char *const *values, size_t n, char *error)
{
	if (key->kind == KIND_IGNORED)
		return CONFIG_IGNORED;
	if (config_key_single(key->name, n, error) == CONFIG_BAD)
		return CONFIG_BAD;
	return config_field_set(key, base, values[0], error);
}

/* ---- keys -------------------------------------------------------------------------------- */

static const struct config_field *find(const struct config_field *keys, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	return NULL;
}

enum config_verdict config_key_set(struct config *config, const char *name,
				   const char *const *values, size_t n, char *error)
{
	const struct config_field *key = find(top_keys, N_TOP_KEYS, name);

	if (key)
		return set(key, config, values, n, error);
	key = find(source_keys, N_POLICY_KEYS, name);
	if (key)
		return set(key, &config->defaults, values, n, error);
	if (find(source_keys, N_SOURCE_KEYS, name)) {
		snprintf(error, CONFIG_ERROR_MAX, "%s belongs into a source section", name);
		return CONFIG_BAD;
	}
	return CONFIG_UNKNOWN;
}

enum config_verdict config_key_set_source(struct config_source *source, const char *name,
					  const char *const *values, size_t n, char *error)
{
	const struct config_field *key = find(source_keys, N_SOURCE_KEYS, name);
	uint32_t bit;

	if (!key) {
		if (!find(top_keys, N_TOP_KEYS, name))
			return CONFIG_UNKNOWN;
		snprintf(error, CONFIG_ERROR_MAX, "%s does not belong into a source section", name);
		return CONFIG_BAD;
	}
	bit = (uint32_t)1 << (key - source_keys);
	if (source->set & bit && key->kind != KIND_ALTERNATIVE) {
		snprintf(error, CONFIG_ERROR_MAX, "%s is given twice", name);
		return CONFIG_BAD;
	}
	source->set |= bit;
	return set(key, source, values, n, error);
}

void config_key_inherit(struct config_source *source, const struct config_source *defaults)
{
	uint32_t silent = ~source->set;

	if (silent & 1u << SOURCE_OPEN_DEADLINE)
		source->open_deadline_ms = defaults->open_deadline_ms;
	if (silent & 1u << SOURCE_READ_DEADLINE)
		source->read_deadline_ms = defaults->read_deadline_ms;
	if (silent & 1u << SOURCE_POSITIVE_TTL)
		source->positive_ttl_ms = defaults->positive_ttl_ms;
	if (silent & 1u << SOURCE_NEGATIVE_TTL)
		source->negative_ttl_ms = defaults->negative_ttl_ms;
	if (silent & 1u << SOURCE_MAX_REQUESTS)
		source->max_requests = defaults->max_requests;
	if (silent & 1u << SOURCE_RETRIES)
		source->retries = defaults->retries;
	if (silent & 1u << SOURCE_BACKOFF)
		source->backoff_ms = defaults->backoff_ms;
	if (silent & 1u << SOURCE_BACKOFF_MAX)
		source->backoff_max_ms = defaults->backoff_max_ms;
	if (silent & 1u << SOURCE_REVALIDATE)
		source->revalidate = defaults->revalidate;
	if (silent & 1u << SOURCE_COMPRESSED)
		source->compressed = defaults->compressed;
}

const char *config_key_name(size_t i)
{
	if (i < N_TOP_KEYS)
		return top_keys[i].name;
	i -= N_TOP_KEYS;
	return i < N_SOURCE_KEYS ? source_keys[i].name : NULL;
}

/* ---- what they are -------------------------------------------------------------------------- */

static bool is_harmless(const struct config_source *source, const char *name)
{
	const struct fetcher_class *class = fetcher_class_find(source->rule.locator);

	for (const struct fetcher_key *k = class ? class->keys : NULL; k && k->key; k++)
		if (strcmp(k->key, name) == 0)
			return k->harmless;
	return false;
}

static void tell_source(const struct config_source *source, config_visit *visit, void *arg)
{
	char buf[LOCATOR_MAX];

	for (size_t i = 0; i < N_SOURCE_KEYS; i++)
		config_field_tell(&source_keys[i], source, visit, arg);
	for (size_t i = 0; i < source->n_alternatives; i++)
		visit(arg, "alternative", locator_print(source->alternatives[i], buf, sizeof(buf)),
		      false);
	for (const struct fetcher_param *p = source->params; p && p->key; p++)
		visit(arg, p->key, is_harmless(source, p->key) ? p->value : "(set)", false);
}

void config_each(const struct config *config, const struct config_source *source,
		 config_visit *visit, void *arg)
{
	if (source) {
		tell_source(source, visit, arg);
		return;
	}
	for (size_t i = 0; i < N_TOP_KEYS; i++)
		config_field_tell(&top_keys[i], config, visit, arg);
	for (size_t i = 0; i < N_POLICY_KEYS; i++)
		config_field_tell(&source_keys[i], &config->defaults, visit, arg);
}
