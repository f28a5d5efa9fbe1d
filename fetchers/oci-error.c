/* SPDX-License-Identifier: MIT */
#include "fetchers/oci-error.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

void oci_error_parse(char ret[OCI_ERROR_MAX], const char *body)
{
	json_auto_t *answer = json_loads(body, 0, NULL);
	const json_t *error = json_array_get(json_object_get(answer, "errors"), 0);
	const char *code = json_string_value(json_object_get(error, "code"));
	const char *message = json_string_value(json_object_get(error, "message"));

	snprintf(ret, OCI_ERROR_MAX, "%s%s%s", code ?: "", code && message ? ": " : "",
		 message ?: "");
	for (char *c = ret; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
}
