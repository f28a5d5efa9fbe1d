/* SPDX-License-Identifier: MIT */
#include "daemon/config-value.h"

#include <stddef.h>
#include <string.h>

struct unit {
	const char *name;
	uint64_t factor;
};

/* Digits, and then one of the units; ends with a NULL name. */
static bool read_number(const char *text, const struct unit *units, uint64_t *ret)
{
	uint64_t v = 0, product;
	const char *at = text;

	for (; *at >= '0' && *at <= '9'; at++)
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*at - '0'), &v))
			return false;
	if (at == text)
		return false;
	for (; units->name; units++) {
		if (strcmp(at, units->name) != 0)
			continue;
		if (__builtin_mul_overflow(v, units->factor, &product))
			return false;
		*ret = product;
		return true;
	}
	return false;
}

bool config_value_size(const char *text, uint64_t *ret)
{
	static const struct unit units[] = {
		{ "", 1 },	    { "K", 1 << 10 }, { "KiB", 1 << 10 }, { "M", 1 << 20 },
		{ "MiB", 1 << 20 }, { "G", 1 << 30 }, { "GiB", 1 << 30 },
		{ "T", 1ull << 40 }, { "TiB", 1ull << 40 }, { NULL },
	};

	return read_number(text, units, ret);
}

bool config_value_time(const char *text, uint64_t *ret_ms)
{
	static const struct unit units[] = {
		{ "ms", 1 }, { "s", 1000 }, { "min", 60000 }, { "h", 3600000 }, { NULL },
	};

	return read_number(text, units, ret_ms);
}

bool config_value_percent(const char *text, uint64_t *ret)
{
	static const struct unit units[] = { { "%", 1 }, { NULL } };

	return read_number(text, units, ret);
}

bool config_value_count(const char *text, uint64_t *ret)
{
	static const struct unit units[] = { { "", 1 }, { NULL } };

	return read_number(text, units, ret);
}

bool config_value_bool(const char *text, bool *ret)
{
	static const char *const words[] = { "no", "yes", "false", "true", "off", "on" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(text, words[i]) != 0)
			continue;
		*ret = i % 2;
		return true;
	}
	return false;
}
