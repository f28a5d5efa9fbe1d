/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/mount-record.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/cleanup.h"

#define RECORD_VERSION 1

static const char *const writable_names[] = {
	[MOUNT_READ_ONLY] = "no",
	[MOUNT_IN_MEMORY] = "memory",
	[MOUNT_IN_DIR] = "directory",
};

static void decrefp(json_t **value)
{
	json_decref(*value);
}

bool mount_cookie_good(const char *cookie)
{
	size_t n = strlen(cookie);

	if (n == 0 || n >= MOUNT_COOKIE_MAX || strcmp(cookie, ".") == 0 ||
	    strcmp(cookie, "..") == 0)
		return false;
	for (size_t i = 0; i < n; i++)
		/* A comma would end the mount option. */
		if (cookie[i] <= ' ' || cookie[i] > '~' || cookie[i] == '/' || cookie[i] == ',' ||
		    cookie[i] == '\\')
			return false;
	return true;
}

/* No "//", "." or "..", nothing at the end but in "/" itself. */
bool mount_path_good(const char *path)
{
	size_t n = strlen(path);

	if (path[0] != '/' || n >= PATH_MAX)
		return false;
	for (const char *p = path; n > 1 && p; p = strchr(p + 1, '/')) {
		size_t len = strcspn(p + 1, "/");

		if (len == 0 || (len == 1 && p[1] == '.') ||
		    (len == 2 && p[1] == '.' && p[2] == '.'))
			return false;
	}
	return true;
}

/* ---- what holds for every record ---------------------------------------------------------- */

/* NULL, or what is wrong with it. */
static const char *fault_of(const struct mount_record *record)
{
	if (!mount_path_good(record->dir))
		return "\"dir\" is no canonical path";
	if (!*record->image)
		return "\"image\" is empty";
	if (record->state_dir[0] != '/' || strlen(record->state_dir) >= PATH_MAX)
		return "\"state-dir\" is no absolute path";
	if (!mount_cookie_good(record->domain))
		return "\"domain\" cannot be one";
	if ((record->writable == MOUNT_IN_DIR) != (*record->upper != '\0'))
		return "\"upper\" does not fit \"writable\"";
	if (*record->upper && !mount_path_good(record->upper))
		return "\"upper\" is no canonical path";
	if (record->n_layers < 1 || record->n_layers > MOUNT_LAYERS_MAX)
		return "the number of layers is out of bounds";
	for (size_t i = 0; i < record->n_layers; i++)
		if (!mount_cookie_good(record->layers[i]))
			return "a layer's cookie cannot be one";
	return NULL;
}

bool mount_record_uses(const struct mount_record *record, const char *cookie)
{
	for (size_t i = 0; i < record->n_layers; i++)
		if (strcmp(record->layers[i], cookie) == 0)
			return true;
	return false;
}

bool mount_record_stacked(const struct mount_record *record)
{
	return record->n_layers > 1 || record->writable != MOUNT_READ_ONLY;
}

struct mount_record *mount_record_free(struct mount_record *record)
{
	if (!record)
		return NULL;
	for (size_t i = 0; i < record->n_layers; i++)
		free(record->layers[i]);
	free(record->layers);
	free(record->dir);
	free(record->image);
	free(record->state_dir);
	free(record->domain);
	free(record->upper);
	free(record);
	return NULL;
}

void mount_record_freep(struct mount_record **record)
{
	mount_record_free(*record);
}

/* ---- text -> record ----------------------------------------------------------------------- */

struct parsing {
	char *error;
	size_t error_max;
};

static int wrong(struct parsing *p, const char *what)
{
	snprintf(p->error, p->error_max, "%s", what);
	return -EINVAL;
}

static int take_layers(struct mount_record *record, json_t *layers)
{
	size_t n = json_array_size(layers);

	record->layers = calloc(n ? n : 1, sizeof(*record->layers));
	if (!record->layers)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const char *cookie = json_string_value(json_array_get(layers, i));

		if (!cookie)
			return -EINVAL;
		record->layers[i] = strdup(cookie);
		if (!record->layers[i])
			return -ENOMEM;
		record->n_layers++;
	}
	return 0;
}

static int take_writable(struct mount_record *record, const char *name)
{
	for (int i = MOUNT_READ_ONLY; i <= MOUNT_IN_DIR; i++)
		if (strcmp(name, writable_names[i]) == 0) {
			record->writable = (enum mount_writable)i;
			return 0;
		}
	return -EINVAL;
}

static int take(struct parsing *p, struct mount_record *record, json_t *root)
{
	const char *dir, *image, *state_dir, *domain, *upper, *writable;
	int version, transient, complete, r;
	json_int_t ns;
	json_t *layers;
	json_error_t why;

	if (json_unpack_ex(root, &why, JSON_STRICT,
			   "{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:I, s:o}", "version",
			   &version, "dir", &dir, "image", &image, "state-dir", &state_dir,
			   "domain", &domain, "writable", &writable, "upper", &upper, "transient",
			   &transient, "complete", &complete, "mount-ns", &ns, "layers",
			   &layers) != 0)
		return wrong(p, why.text);
	if (version != RECORD_VERSION)
		return wrong(p, "it is of another version");
	if (!json_is_array(layers) || json_array_size(layers) > MOUNT_LAYERS_MAX || ns < 0)
		return wrong(p, "a number is out of bounds");

	record->dir = strdup(dir);
	record->image = strdup(image);
	record->state_dir = strdup(state_dir);
	record->domain = strdup(domain);
	record->upper = strdup(upper);
	record->transient = transient;
	record->complete = complete;
	record->mount_ns = (uint64_t)ns;
	if (!record->dir || !record->image || !record->state_dir || !record->domain ||
	    !record->upper)
		return -ENOMEM;
	r = take_layers(record, layers);
	if (r == -EINVAL)
		return wrong(p, "a layer is no string");
	if (r == 0 && take_writable(record, writable) < 0)
		return wrong(p, "\"writable\" is none of its words");
	if (r == 0 && fault_of(record))
		return wrong(p, fault_of(record));
	return r;
}

int mount_record_parse(struct mount_record **ret, const char *text, size_t len, char *error,
		       size_t error_max)
{
	_cleanup_(mount_record_freep) struct mount_record *record = NULL;
	_cleanup_(decrefp) json_t *root = NULL;
	struct parsing p = { error, error_max };
	json_error_t why;
	int r;

	if (len > MOUNT_RECORD_TEXT_MAX)
		return wrong(&p, "it is too long");
	root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
	if (!root)
		return wrong(&p, why.text);
	record = calloc(1, sizeof(*record));
	if (!record)
		return -ENOMEM;
	r = take(&p, record, root);
	if (r < 0)
		return r;
	*ret = steal(&record);
	return 0;
}

/* ---- record -> text ----------------------------------------------------------------------- */

static json_t *pack_layers(const struct mount_record *record)
{
	json_t *layers = json_array();

	for (size_t i = 0; i < record->n_layers; i++)
		if (json_array_append_new(layers, json_string(record->layers[i])) != 0) {
			json_decref(layers);
			return NULL; /* which json_pack() takes for a failure */
		}
	return layers;
}

int mount_record_format(const struct mount_record *record, char **ret)
{
	_cleanup_(decrefp) json_t *root = NULL;
	_cleanup_free_ char *text = NULL;
	size_t n;

	if (fault_of(record))
		return -EINVAL;
	root = json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:I, s:o}", "version",
			 RECORD_VERSION, "dir", record->dir, "image", record->image, "state-dir",
			 record->state_dir, "domain", record->domain, "writable",
			 writable_names[record->writable], "upper", record->upper, "transient",
			 record->transient, "complete", record->complete, "mount-ns",
			 (json_int_t)record->mount_ns, "layers", pack_layers(record));
	if (!root)
		return -EINVAL; /* a path that is no UTF-8 */
	text = json_dumps(root, JSON_INDENT(1));
	if (!text)
		return -ENOMEM;
	n = strlen(text);
	if (n >= MOUNT_RECORD_TEXT_MAX)
		return -EINVAL;
	text[n] = '\n'; /* in the place of the NUL */
	*ret = strndup(text, n + 1);
	return *ret ? 0 : -ENOMEM;
}
