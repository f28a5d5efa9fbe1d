/* SPDX-License-Identifier: MIT */
#include "daemon/config-field.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config-source.h"
#include "daemon/config-value.h"
#include "daemon/util/checked.h"
#include "daemon/util/locator.h"
#include "daemon/util/log.h"

/* ---- numbers ----------------------------------------------------------------------------- */

static bool read_word(const char *text, const char *const *words, uint64_t *ret)
{
	for (size_t i = 0; words[i]; i++) {
		if (strcmp(text, words[i]) != 0)
			continue;
		*ret = i;
		return true;
	}
	return false;
}

static const char *const policies[] = { "whole", "refuse", NULL };
static const char *const filters[] = { "no", "yes", "log", NULL };

static bool read_number(enum config_kind kind, const char *text, uint64_t *ret)
{
	bool yes;
	int level;

	switch (kind) {
	case KIND_SIZE:
		return config_value_size(text, ret);
	case KIND_TIME:
		return config_value_time(text, ret);
	case KIND_PERCENT:
		return config_value_percent(text, ret);
	case KIND_COUNT:
		return config_value_count(text, ret);
	case KIND_BOOL:
		if (!config_value_bool(text, &yes))
			return false;
		*ret = yes;
		return true;
	case KIND_LEVEL:
		level = log_level_of(text);
		*ret = (uint64_t)level;
		return level >= 0;
	case KIND_FILTER:
		return read_word(text, filters, ret);
	default:
		return read_word(text, policies, ret);
	}
}

static void store_number(enum config_kind kind, void *field, uint64_t v)
{
	switch (kind) {
	case KIND_SIZE:
		*(uint64_t *)field = round_down_u64(v, CACHE_BLOCK);
		break;
	case KIND_TIME:
	case KIND_COUNT:
		*(uint32_t *)field = (uint32_t)v;
		break;
	case KIND_PERCENT:
		*(uint8_t *)field = (uint8_t)v;
		break;
	case KIND_BOOL:
		*(bool *)field = v != 0;
		break;
	case KIND_LEVEL:
		*(int *)field = (int)v;
		break;
	case KIND_FILTER:
		*(enum syscall_filter *)field = (enum syscall_filter)v;
		break;
	default:
		*(enum compressed_policy *)field = (enum compressed_policy)v;
	}
}

static enum config_verdict complain(const struct config_field *key, const char *value, char *error)
{
	char shown[80];

	snprintf(error, CONFIG_ERROR_MAX, "%s needs %s, not '%s'", key->name, key->wants,
		 bytes_print(bytes_str(value), shown, sizeof(shown)));
	return CONFIG_BAD;
}

static bool is_domain(const char *value)
{
	for (; *value; value++)
		if (*value <= ' ' || *value >= 0x7f || *value == ',' || *value == '/')
			return false;
	return true;
}

/* Its digits, where no key makes them, can be counted now. */
static bool is_digest(const char *value)
{
	const char *digest = value + sizeof(LOCATOR_VERIFIED);

	if (!locator_is_verified(value) || strpbrk(value, ",;"))
		return false;
	if (strchr(value, '{'))
		return true;
	return strncmp(digest, "sha256:", 7) == 0 && strlen(digest) == 7 + 64 &&
	       strspn(digest + 7, "0123456789abcdef") == 64;
}

static bool text_fits(const struct config_field *key, const char *value)
{
	if (*value == '\0' || strlen(value) > key->max)
		return false;
	if (key->kind == KIND_DOMAIN)
		return is_domain(value);
	if (key->kind == KIND_SOCKET)
		return *value == '/' || strcmp(value, "none") == 0;
	if (key->kind == KIND_DIGEST)
		return is_digest(value);
	return key->kind != KIND_PATH || *value == '/';
}

static enum config_verdict check_text(const struct config_field *key, const char *value,
				      char *error)
{
	const char *why;
	size_t at;

	if (!text_fits(key, value))
		return complain(key, value, error);
	if (key->kind < KIND_TEMPLATE || resolve_check_template(value, &at, &why) == 0)
		return CONFIG_SET;
	snprintf(error, CONFIG_ERROR_MAX, "%s: %s (at character %zu)", key->name, why, at + 1);
	return CONFIG_BAD;
}

static enum config_verdict add_alternative(struct config_source *source, const char *value,
					   char *error)
{
	int err = config_source_add_alternative(source, value);

	if (err == 0)
		return CONFIG_SET;
	if (err == -E2BIG)
		snprintf(error, CONFIG_ERROR_MAX, "more than %d alternatives",
			 CONFIG_ALTERNATIVES_MAX);
	else
		snprintf(error, CONFIG_ERROR_MAX, "out of memory");
	return CONFIG_BAD;
}

static enum config_verdict set_text(const struct config_field *key, void *base, const char *value,
				    char *error)
{
	char **field = (char **)((char *)base + key->offset);
	char *copy;

	if (check_text(key, value, error) == CONFIG_BAD)
		return CONFIG_BAD;
	if (key->kind == KIND_ALTERNATIVE)
		return add_alternative(base, value, error);
	copy = strdup(value);
	if (!copy) {
		snprintf(error, CONFIG_ERROR_MAX, "out of memory");
		return CONFIG_BAD;
	}
	free(*field);
	*field = copy;
	return CONFIG_SET;
}

enum config_verdict config_field_set(const struct config_field *key, void *base, const char *value,
				     char *error)
{
	void *field = (char *)base + key->offset;
	uint64_t v;

	if (key->kind <= KIND_ALTERNATIVE)
		return set_text(key, base, value, error);
	if (!read_number(key->kind, value, &v) || v < key->min || v > key->max)
		return complain(key, value, error);
	/* It would be stored as 0, which means that there is no limit. */
	if (key->kind == KIND_SIZE && v > 0 && v < CACHE_BLOCK)
		return complain(key, value, error);
	store_number(key->kind, field, v);
	return CONFIG_SET;
}

/* ---- back to text ------------------------------------------------------------------------ */

/* buf: 32 bytes, or static text. */
static const char *print_number(enum config_kind kind, const void *field, char *buf)
{
	switch (kind) {
	case KIND_SIZE:
		snprintf(buf, 32, "%llu", (unsigned long long)*(const uint64_t *)field);
		return buf;
	case KIND_TIME:
		snprintf(buf, 32, "%ums", *(const uint32_t *)field);
		return buf;
	case KIND_COUNT:
		snprintf(buf, 32, "%u", *(const uint32_t *)field);
		return buf;
	case KIND_PERCENT:
		snprintf(buf, 32, "%u%%", *(const uint8_t *)field);
		return buf;
	case KIND_BOOL:
		return *(const bool *)field ? "yes" : "no";
	case KIND_LEVEL:
		return log_level_name(*(const int *)field);
	case KIND_FILTER:
		return filters[*(const enum syscall_filter *)field];
	default:
		return policies[*(const enum compressed_policy *)field];
	}
}

void config_field_tell(const struct config_field *key, const void *base, config_visit *visit,
		       void *arg)
{
	const void *field = (const char *)base + key->offset;
	char buf[LOCATOR_MAX];
	const char *text;

	if (key->kind == KIND_IGNORED || key->kind == KIND_ALTERNATIVE)
		return;
	if (key->kind > KIND_ALTERNATIVE) {
		visit(arg, key->name, print_number(key->kind, field, buf), true);
		return;
	}
	text = *(const char *const *)field;
	if (text && key->kind == KIND_TEMPLATE)
		text = locator_print(text, buf, sizeof(buf));
	if (text)
		visit(arg, key->name, text, false);
}
