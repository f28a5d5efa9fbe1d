/* SPDX-License-Identifier: MIT */
/* Answers, and what the parts of a request mean. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/control/control-internal.h"
#include "daemon/util/cleanup.h"
#include "daemon/util/json.h"
#include "daemon/util/locator.h"

/* ---- answers ------------------------------------------------------------------------------ */

void control_answer_text(struct control_answer *a, const char *type, char *text, size_t len)
{
	free(a->body);
	a->type = type;
	a->body = text;
	a->len = len;
}

void control_answer_json(struct control_answer *a, json_t *value)
{
	char *text = value ? json_dumps(value, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
	size_t len = text ? strlen(text) : 0;
	char *line = text ? realloc(text, len + 2) : NULL;

	json_decref(value);
	if (!line) {
		free(text);
		a->status = 503; /* without a body */
		return;
	}
	memcpy(line + len, "\n", 2);
	control_answer_text(a, NULL, line, len + 1);
}

void control_fail(struct control_answer *a, unsigned int status, const char *hint, const char *fmt,
		  ...)
{
	char text[1024];
	json_t *value = json_object();
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	a->status = status;
	if (value && (control_set_text(value, "error", text) < 0 ||
		      control_set_text(value, "hint", hint) < 0 ||
		      json_object_set_new(value, "status", json_integer(status)) < 0)) {
		json_decref(value);
		value = NULL;
	}
	control_answer_json(a, value);
}

/* ---- parts of a request ------------------------------------------------------------------- */

static bool is_number(const char *text, uint64_t *ret)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*ret = strtoull(text, &end, 10);
	return errno == 0 && *end == '\0';
}

bool control_number(const struct control_request *r, struct control_answer *a, const char *name,
		    uint64_t min, uint64_t max, uint64_t *ret)
{
	const char *text = uri_param(r->uri, name);
	uint64_t value;

	if (!text)
		return true;
	if (is_number(text, &value) && value >= min && value <= max) {
		*ret = value;
		return true;
	}
	control_fail(a, 400, "Give it in decimal digits.", "%s needs a number from %llu to %llu",
		     name, (unsigned long long)min, (unsigned long long)max);
	return false;
}

static bool take_key(struct control_answer *a, const char *name, const char *text,
		     struct control_key *ret)
{
	size_t len;

	if (bytes_parse(text, ret->data, sizeof(ret->data), &len) < 0) {
		control_fail(a, 400,
			     "Write other bytes than printable ASCII, and the backslash, as \\xNN, "
			     "as they are printed.",
			     "%s is no key", name);
		return false;
	}
	ret->bytes = bytes_of(ret->data, len);
	ret->given = true;
	return true;
}

bool control_param_key(const struct control_request *r, struct control_answer *a, const char *name,
		       struct control_key *ret)
{
	const char *text = uri_param(r->uri, name);

	ret->given = false;
	return !text || take_key(a, name, text, ret);
}

bool control_field_text(const struct control_request *r, struct control_answer *a, const char *name,
			const char **ret)
{
	const json_t *value = json_object_get(r->fields, name);

	*ret = NULL;
	if (value && (!json_is_string(value) ||
		      strlen(json_string_value(value)) != json_string_length(value))) {
		control_fail(a, 400, "Put it in quotes.", "\"%s\" has to be a text", name);
		return false;
	}
	if (value)
		*ret = json_string_value(value);
	return true;
}

bool control_field_bool(const struct control_request *r, struct control_answer *a, const char *name,
			bool *ret)
{
	const json_t *value = json_object_get(r->fields, name);

	if (value && !json_is_boolean(value)) {
		control_fail(a, 400, "Give it without quotes.", "\"%s\" has to be true or false",
			     name);
		return false;
	}
	if (value)
		*ret = json_is_true(value);
	return true;
}

bool control_field_number(const struct control_request *r, struct control_answer *a,
			  const char *name, uint64_t min, uint64_t max, uint64_t *ret)
{
	const json_t *value = json_object_get(r->fields, name);
	json_int_t number = json_integer_value(value);

	if (!value)
		return true;
	if (json_is_integer(value) && number >= 0 && (uint64_t)number >= min &&
	    (uint64_t)number <= max) {
		*ret = (uint64_t)number;
		return true;
	}
	control_fail(a, 400, "Give it in decimal digits, without quotes.",
		     "\"%s\" has to be a number from %llu to %llu", name, (unsigned long long)min,
		     (unsigned long long)max);
	return false;
}

bool control_field_key(const struct control_request *r, struct control_answer *a, const char *name,
		       struct control_key *ret)
{
	const char *text;

	ret->given = false;
	return control_field_text(r, a, name, &text) && (!text || take_key(a, name, text, ret));
}

/* ---- JSON --------------------------------------------------------------------------------- */

int control_set_number(json_t *object, const char *name, uint64_t value)
{
	return json_object_set_new(object, name,
				   json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value));
}

int control_set_time(json_t *object, const char *name, uint64_t ns)
{
	/* Six digits after the point: no noise of binary fractions. */
	return json_object_set_new(object, name, json_real((double)(ns / 1000) / 1e6));
}

int control_set_text(json_t *object, const char *name, const char *text)
{
	return json_set_text(object, name, bytes_str(text));
}

int control_set_locator(json_t *object, const char *name, const char *locator)
{
	char shown[4096];

	return control_set_text(object, name, locator_print(locator, shown, sizeof(shown)));
}

int control_set_names(json_t *object, const struct object *o)
{
	return control_set_number(object, "object", object_number(o)) < 0 ||
			       json_set_key(object, "volume", object_volume(o)) < 0 ||
			       json_set_key(object, "cookie", object_cookie(o)) < 0
		       ? -1
		       : 0;
}
