/* SPDX-License-Identifier: MIT */
/*
 * How the commands print bytes and large numbers with --json, by jansson. All return 0 or -ENOMEM.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "daemon/util/bytes.h"

/* An integer; above INT64_MAX, which no sound trace holds, its digits as a string. */
int ctl_json_u64(json_t *object, const char *name, uint64_t value);
int ctl_json_s64(json_t *object, const char *name, int64_t value);

/*
 * A key: printable ASCII as it is, all else as \xNN (backslashes too), and only when that is not
 * what the bytes are, "NAME_hex" with all of them.
 */
int ctl_json_key(json_t *object, const char *name, struct bytes value);

/* Text for people: as it is when it is good UTF-8, else like a key. */
int ctl_json_text(json_t *object, const char *name, struct bytes value);

/* Prints one line, and drops the reference. */
int ctl_json_line(json_t *value);
