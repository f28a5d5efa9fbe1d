/* SPDX-License-Identifier: MIT */
/*
 * Bytes of others as members of a JSON object, by jansson. 0 or -ENOMEM.
 */
#pragma once

#include <jansson.h>

#include "daemon/util/bytes.h"

/*
 * A key: printable ASCII as it is, all else as \xNN (backslashes too), and only when that is not
 * what the bytes are, "NAME_hex" with all of them.
 */
int json_set_key(json_t *object, const char *name, struct bytes value);

/* Text for people: as it is when it is good UTF-8, else like a key. */
int json_set_text(json_t *object, const char *name, struct bytes value);
