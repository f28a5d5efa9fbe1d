/* SPDX-License-Identifier: MIT */
#include "tests/lib/scenario-value.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ERRNO_MAX 4095 /* include/linux/err.h */

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit sizes[] = {
	{ "", 1 }, { "K", 1 << 10 }, { "M", 1 << 20 }, { "G", 1 << 30 }, { "T", 1ULL << 40 }, { 0 },
};
static const struct unit times[] = {
	{ "ns", 1 },
	{ "ms", 1000000 },
	{ "s", 1000000000 },
	{ 0 },
};

/* Digits, and where they end. */
static bool digits(const char *text, int base, char **ret_end, uint64_t *ret)
{
	uint64_t n;

	if (!(base == 16 ? isxdigit((unsigned char)*text) : isdigit((unsigned char)*text)))
		return false;
	errno = 0;
	n = strtoull(text, ret_end, base);
	if (errno)
		return false;
	*ret = n;
	return true;
}

static bool with_unit(const char *text, const struct unit *units, uint64_t *ret)
{
	char *end;
	uint64_t n;

	if (!digits(text, 10, &end, &n))
		return false;
	for (; units->name; units++)
		if (strcmp(units->name, end) == 0)
			return !__builtin_mul_overflow(n, units->factor, ret);
	return false;
}

bool scenario_value_count(const char *text, uint64_t *ret)
{
	bool hex = strncmp(text, "0x", 2) == 0;
	char *end;
	uint64_t n;

	if (!digits(text + (hex ? 2 : 0), hex ? 16 : 10, &end, &n) || *end)
		return false;
	*ret = n;
	return true;
}

bool scenario_value_size(const char *text, uint64_t *ret)
{
	return with_unit(text, sizes, ret);
}

bool scenario_value_time(const char *text, uint64_t *ret)
{
	return with_unit(text, times, ret);
}

bool scenario_value_range(char *text, uint64_t *ret_off, uint64_t *ret_len)
{
	char *plus = strchr(text, '+');
	uint64_t off, len, end;
	bool right;

	if (!plus)
		return false;
	*plus = '\0';
	right = scenario_value_size(text, &off) && scenario_value_size(plus + 1, &len) && len > 0 &&
		!__builtin_add_overflow(off, len, &end);
	*plus = '+';
	if (!right)
		return false;
	*ret_off = off;
	*ret_len = len;
	return true;
}

bool scenario_value_error(const char *text, uint64_t *ret)
{
	const char *name;

	for (int i = 1; i <= ERRNO_MAX; i++) {
		name = strerrorname_np(i);
		if (name && strcmp(name, text) == 0) {
			*ret = (uint64_t)i;
			return true;
		}
	}
	return false;
}

bool scenario_value_name(const char *text, bool escapes)
{
	if (!*text)
		return false;
	for (; *text; text++) {
		if (isalnum((unsigned char)*text) || strchr("._~-", *text))
			continue;
		if (!escapes || *text != '%' || !isxdigit((unsigned char)text[1]) ||
		    !isxdigit((unsigned char)text[2]))
			return false;
		text += 2;
	}
	return true;
}
