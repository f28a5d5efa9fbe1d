/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/ctl.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct unit {
	const char *name;
	uint64_t factor;
};

#define SECOND 1000000000ull

/* ---- for people -------------------------------------------------------------------------- */

/* In the largest unit that the value has, with three digits or so. */
static char *print_scaled(uint64_t v, const struct unit *unit, char *buf, size_t n)
{
	double x;

	/* 0.9995: what would be rounded up to 1000 is 1 of the next. */
	while (unit[1].name && (double)v >= (double)unit[1].factor * 0.9995)
		unit++;
	x = (double)v / (double)unit->factor;
	if (x >= 99.95 || fabs(x - round(x)) < 0.05)
		snprintf(buf, n, "%.0f %s", x, unit->name);
	else
		snprintf(buf, n, "%.1f %s", x, unit->name);
	return buf;
}

char *ctl_bytes(uint64_t bytes, char *buf, size_t n)
{
	static const struct unit units[] = {
		{ "B", 1 },
		{ "KiB", 1ull << 10 },
		{ "MiB", 1ull << 20 },
		{ "GiB", 1ull << 30 },
		{ "TiB", 1ull << 40 },
		{ "PiB", 1ull << 50 },
		{ "EiB", 1ull << 60 },
		{ NULL },
	};

	return print_scaled(bytes, units, buf, n);
}

char *ctl_time(uint64_t ns, char *buf, size_t n)
{
	static const struct unit units[] = {
		{ "ns", 1 },	 { "us", 1000 },	 { "ms", 1000000 },
		{ "s", SECOND }, { "min", 60 * SECOND }, { "h", 3600 * SECOND },
		{ NULL },
	};

	return print_scaled(ns, units, buf, n);
}

/* ---- from people ------------------------------------------------------------------------- */

/* "1", "1.5": the whole part, and the fraction as digits / 10^places. */
struct decimal {
	uint64_t whole, digits, scale;
};

/* Returns what follows the number, or NULL. */
static const char *read_decimal(const char *at, struct decimal *ret)
{
	const char *begin = at;

	*ret = (struct decimal){ .scale = 1 };
	for (; *at >= '0' && *at <= '9'; at++)
		if (__builtin_mul_overflow(ret->whole, 10, &ret->whole) ||
		    __builtin_add_overflow(ret->whole, (uint64_t)(*at - '0'), &ret->whole))
			return NULL;
	if (at == begin)
		return NULL;
	if (*at != '.')
		return at;
	begin = ++at;
	for (; *at >= '0' && *at <= '9' && at - begin < 9; at++) {
		ret->digits = ret->digits * 10 + (uint64_t)(*at - '0');
		ret->scale *= 10;
	}
	return at == begin ? NULL : at;
}

static int read_scaled(const char *text, const struct unit *unit, uint64_t *ret)
{
	struct decimal d;
	const char *name = read_decimal(text, &d);
	uint64_t v;

	if (!name)
		return -EINVAL;
	for (; unit->name; unit++) {
		if (strcmp(name, unit->name) != 0)
			continue;
		if (__builtin_mul_overflow(d.whole, unit->factor, &v) ||
		    __builtin_add_overflow(
			    v, (uint64_t)((__uint128_t)d.digits * unit->factor / d.scale), &v))
			return -EINVAL;
		*ret = v;
		return 0;
	}
	return -EINVAL;
}

int ctl_parse_bytes(const char *text, uint64_t *ret)
{
	static const struct unit units[] = {
		{ "", 1 },	    { "K", 1 << 10 }, { "KiB", 1 << 10 }, { "M", 1 << 20 },
		{ "MiB", 1 << 20 }, { "G", 1 << 30 }, { "GiB", 1 << 30 }, { NULL },
	};

	return read_scaled(text, units, ret);
}

int ctl_parse_time(const char *text, uint64_t *ret)
{
	static const struct unit units[] = {
		{ "ns", 1 },	 { "us", 1000 },	 { "ms", 1000000 },
		{ "s", SECOND }, { "min", 60 * SECOND }, { "h", 3600 * SECOND },
		{ NULL },
	};

	return read_scaled(text, units, ret);
}
