/* SPDX-License-Identifier: MIT */
/* Nothing is known of what may be a name: so all is one that is not known to be something else. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/bugreport.h"
#include "daemon/util/cleanup.h"

static bool is_among(const char *const *words, const char *word, size_t n)
{
	for (; *words; words++)
		if (strlen(*words) == n && memcmp(*words, word, n) == 0)
			return true;
	return false;
}

/* Borrowed of `known`. */
static json_t *name_of(json_t *known, const char *text)
{
	json_t *name = json_object_get(known, text);
	char made[32];

	if (name)
		return name;
	snprintf(made, sizeof(made), "name-%zu", json_object_size(known) + 1);
	json_object_set_new(known, text, json_string(made));
	return json_object_get(known, text);
}

/* ---- JSON -------------------------------------------------------------------------------------
 */

/* Members, with all that is in them, that are made of our own words and of numbers. A remedy is
 * one of a table; what it is for has names in it. */
static const char *const harmless[] = {
	"check", "class",    "event",	"kernel",  "log_level", "remedy",
	"state", "settings", "verdict", "version", NULL,
};

static json_t *changed(json_t *known, const json_t *value);

static json_t *changed_object(json_t *known, const json_t *object)
{
	json_t *copy = json_object(), *value;
	const char *key;

	json_object_foreach((json_t *)object, key, value)
	{
		if (is_among(harmless, key, strlen(key)))
			json_object_set(copy, key, value);
		else
			json_object_set_new(copy, key, changed(known, value));
	}
	return copy;
}

static json_t *changed(json_t *known, const json_t *value)
{
	json_t *copy, *item;
	size_t i;

	if (json_is_object(value))
		return changed_object(known, value);
	if (json_is_string(value))
		return json_incref(name_of(known, json_string_value(value)));
	if (!json_is_array(value))
		return json_incref((json_t *)value);
	copy = json_array();
	json_array_foreach(value, i, item) json_array_append_new(copy, changed(known, item));
	return copy;
}

static int print_changed(json_t *known, const char *line, FILE *file)
{
	json_t *value = json_loads(line, 0, NULL), *copy;
	int r;

	if (!value)
		return 0;
	copy = changed(known, value);
	r = json_dumpf(copy, file, JSON_COMPACT);
	fputc('\n', file);
	json_decref(copy);
	json_decref(value);
	return r;
}

char *report_names_json(json_t *known, char *text)
{
	char *result = NULL, *line;
	size_t n = 0;
	FILE *file = open_memstream(&result, &n);
	int r = 0;

	if (!file)
		return NULL;
	while ((line = strsep(&text, "\n")))
		r = print_changed(known, line, file) < 0 ? -1 : r;
	if (fclose(file) != 0 || r < 0) {
		free(result);
		return NULL;
	}
	return result;
}

/* ---- metrics ----------------------------------------------------------------------------------
 */

static const char *const harmless_labels[] = {
	"by", "class", "le", "op", "result", "version", NULL
};

/* What ends a value: a quotation mark that is not escaped, or the text. */
static size_t value_len(const char *value)
{
	size_t n = 0;

	while (value[n] && value[n] != '"' && value[n] != '\n')
		n += value[n] == '\\' && value[n + 1] ? 2 : 1;
	return n;
}

/* label="value", from the quotation mark on; begin: where the line does. */
static const char *put_value(json_t *known, const char *begin, const char *quote, FILE *file)
{
	const char *label = quote - 1; /* its "=" */
	size_t n = value_len(quote + 1);
	_cleanup_free_ char *value = strndup(quote + 1, n);
	const char *end = label;

	while (label > begin && label[-1] != '{' && label[-1] != ',')
		label--;
	if (!value || is_among(harmless_labels, label, (size_t)(end - label)))
		fprintf(file, "\"%s", value ?: "");
	else
		fprintf(file, "\"%s", json_string_value(name_of(known, value)) ?: "");
	return quote + 1 + n;
}

char *report_names_metrics(json_t *known, const char *text)
{
	const char *begin = text;
	char *result = NULL;
	size_t n = 0;
	FILE *file = open_memstream(&result, &n);

	if (!file)
		return NULL;
	while (*text) {
		if (*text == '\n')
			begin = text + 1;
		if (*text == '"' && text > begin && text[-1] == '=')
			text = put_value(known, begin, text, file);
		else
			fputc(*text++, file);
	}
	if (fclose(file) != 0) {
		free(result);
		return NULL;
	}
	return result;
}
