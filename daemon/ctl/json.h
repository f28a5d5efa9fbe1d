/* SPDX-License-Identifier: MIT */
/*
 * How the commands print large numbers and lines with --json, by jansson. All return 0 or -ENOMEM.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "daemon/util/json.h"

/* An integer; above INT64_MAX, which no sound trace holds, its digits as a string. */
int ctl_json_u64(json_t *object, const char *name, uint64_t value);
int ctl_json_s64(json_t *object, const char *name, int64_t value);

/* Prints one line, and drops the reference. */
int ctl_json_line(json_t *value);
