/* SPDX-License-Identifier: MIT */
/*
 * The text of a plan: what to fetch before it is needed, in this order. One range a line,
 *
 *	cachefill-plan 1
 *	OFFSET+LENGTH VOLUME/COOKIE
 *
 * in bytes; in the keys all but printable ASCII, the slash and the percent sign is %XX. A line that
 * begins with # says nothing, nor does an empty one. cachefillctl-trace(1) describes it to people.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "daemon/util/bytes.h"

#define PLAN_FIRST_LINE "cachefill-plan 1"
#define PLAN_KEY_MAX	256	   /* bytes of a key, at most */
#define PLAN_LINE_MAX	2048	   /* of text; a longer line is none of ours */
#define PLAN_RANGES_MAX 8192	   /* of an image's own plan, as many as a job may have */
#define PLAN_TO_THE_END UINT64_MAX /* a length: all behind the offset */

struct plan_range {
	uint64_t off, len;
	struct bytes volume, cookie; /* in `keys` */
	uint8_t keys[2 * PLAN_KEY_MAX];
};

enum plan_line {
	PLAN_NOTHING, /* says nothing */
	PLAN_RANGE,
	PLAN_BAD,
};

/* A line without its end; why: what is wrong with a bad one, static. Pure. */
enum plan_line plan_parse_line(const char *line, size_t n, struct plan_range *ret,
			       const char **ret_why);

void plan_write_key(FILE *out, struct bytes key);
void plan_write_range(FILE *out, uint64_t off, uint64_t len, struct bytes volume,
		      struct bytes cookie);
