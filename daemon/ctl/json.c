/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/util/cleanup.h"

/* Consumes the value, which may be NULL. */
static int set(json_t *object, const char *name, json_t *value)
{
	return json_object_set_new(object, name, value) < 0 ? -ENOMEM : 0;
}

int ctl_json_s64(json_t *object, const char *name, int64_t value)
{
	return set(object, name, json_integer(value));
}

int ctl_json_u64(json_t *object, const char *name, uint64_t value)
{
	char digits[24];

	if (value <= INT64_MAX)
		return ctl_json_s64(object, name, (int64_t)value);
	snprintf(digits, sizeof(digits), "%" PRIu64, value);
	return set(object, name, json_string(digits));
}

int ctl_json_line(json_t *value)
{
	_cleanup_free_ char *line = json_dumps(value, JSON_COMPACT);

	json_decref(value);
	if (!line)
		return -ENOMEM;
	puts(line);
	return 0;
}
