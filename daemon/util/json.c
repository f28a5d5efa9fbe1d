/* SPDX-License-Identifier: MIT */
#include "daemon/util/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/util/cleanup.h"

/* Consumes the value, which may be NULL. */
static int set(json_t *object, const char *name, json_t *value)
{
	return json_object_set_new(object, name, value) < 0 ? -ENOMEM : 0;
}

static int set_hex(json_t *object, const char *name, struct bytes value)
{
	_cleanup_free_ char *hex = malloc(value.len * 2 + 1);
	char hex_name[64];

	if (!hex)
		return -ENOMEM;
	for (size_t i = 0; i < value.len; i++)
		snprintf(hex + 2 * i, 3, "%02x", value.data[i]);
	snprintf(hex_name, sizeof(hex_name), "%s_hex", name);
	return set(object, hex_name, json_stringn(hex, value.len * 2));
}

int json_set_key(json_t *object, const char *name, struct bytes value)
{
	size_t n = value.len * 4 + 4; /* nothing is cut */
	_cleanup_free_ char *text = malloc(n);
	int r;

	if (!text)
		return -ENOMEM;
	bytes_print(value, text, n);
	r = set(object, name, json_string(text));
	if (r == 0 && !bytes_equal(value, bytes_str(text)))
		r = set_hex(object, name, value);
	return r;
}

int json_set_text(json_t *object, const char *name, struct bytes value)
{
	json_t *text = json_stringn((const char *)value.data, value.len);

	return text ? set(object, name, text) : json_set_key(object, name, value);
}
