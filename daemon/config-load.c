/* SPDX-License-Identifier: MIT */
#include "daemon/config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/config-key.h"
#include "daemon/config-source.h"
#include "daemon/config-text.h"
#include "daemon/util/cleanup.h"
#include "daemon/util/log.h"

#define CONFIG_FILE_MAX (1 << 20) /* bytes */

/* One text on its way into a configuration. */
struct load {
	struct config *config;
	const char *name; /* of the file, for errors */
	char *error;
	struct config_reader reader;
	struct config_entry entry;
	struct config_source *source;	       /* the section that is open, or NULL */
	unsigned int source_line;	       /* where it began */
	unsigned int lines[CONFIG_PARAMS_MAX]; /* of the section's parameters */
};

__attribute__((format(printf, 3, 4))) static int fail(struct load *load, unsigned int line,
						      const char *fmt, ...)
{
	int n = snprintf(load->error, CONFIG_ERROR_MAX, "%.512s:%u: ", load->name, line);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(load->error + n, (size_t)(CONFIG_ERROR_MAX - n), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* Puts the place before a sentence that is in load->error already. */
static int fail_here(struct load *load)
{
	char sentence[CONFIG_ERROR_MAX];

	memcpy(sentence, load->error, sizeof(sentence));
	return fail(load, load->entry.line, "%s", sentence);
}

/* ---- sections ---------------------------------------------------------------------------- */

static int open_source(struct load *load)
{
	const struct config_entry *e = &load->entry;
	char where[CONFIG_ERROR_MAX];

	if (load->source)
		return fail(load, e->line, "a section in a section; is a '}' missing above?");
	if (strcmp(e->key, "source") != 0)
		return fail(load, e->line, "'%.64s' is not a section; only source is", e->key);
	if (e->n_values > 1)
		return fail(load, e->line, "a source has one name; put one with blanks in quotes");
	snprintf(where, sizeof(where), "%.512s:%u", load->name, e->line);
	if (config_source_add(load->config, e->n_values ? e->values[0] : NULL, where, &load->source,
			      load->error) < 0)
		return fail_here(load);
	load->source_line = e->line;
	return 0;
}

static bool class_has(const struct fetcher_class *class, const char *key)
{
	for (const struct fetcher_key *k = class->keys; k && k->key; k++)
		if (strcmp(k->key, key) == 0)
			return true;
	return false;
}

/* Only now is it known whose keys these are: `url` may come last. */
static int close_source(struct load *load)
{
	const struct config_source *s = load->source;
	const struct fetcher_class *class;

	if (!s)
		return fail(load, load->entry.line, "'}' without a section");
	if (!s->rule.locator)
		return fail(load, load->source_line, "the source has no url");
	class = fetcher_class_find(s->rule.locator);
	if (!class)
		return fail(load, load->source_line, "no fetcher for '%.*s:' was built in",
			    (int)strcspn(s->rule.locator, ":"), s->rule.locator);
	for (size_t i = 0; s->params[i].key; i++)
		if (!class_has(class, s->params[i].key))
			return fail(load, load->lines[i],
				    "unknown key '%.64s': neither of a source nor of '%s'",
				    s->params[i].key, class->name);
	load->source = NULL;
	return 0;
}

static int add_param(struct load *load)
{
	const struct config_entry *e = &load->entry;
	size_t n = 0;
	int r;

	if (config_key_single(e->key, e->n_values, load->error) == CONFIG_BAD)
		return fail_here(load);
	while (load->source->params[n].key)
		n++;
	r = config_source_add_param(load->source, e->key, e->values[0]);
	if (r < 0)
		return fail(load, e->line, "%s", strerror(-r));
	load->lines[n] = e->line;
	return 0;
}

static int take_entry(struct load *load)
{
	const struct config_entry *e = &load->entry;
	enum config_verdict verdict;

	if (load->source)
		verdict = config_key_set_source(load->source, e->key, e->values, e->n_values,
						load->error);
	else
		verdict = config_key_set(load->config, e->key, e->values, e->n_values, load->error);
	switch (verdict) {
	case CONFIG_SET:
		return 0;
	case CONFIG_IGNORED:
		log_warning("%s:%u: %s has no meaning here and is ignored", load->name, e->line,
			    e->key);
		return 0;
	case CONFIG_BAD:
		return fail_here(load);
	case CONFIG_UNKNOWN:
		break;
	}
	if (load->source)
		return add_param(load);
	return fail(load, e->line, "unknown key '%.64s'", e->key);
}

static int take_all(struct load *load)
{
	for (;;) {
		enum config_item item = config_read(&load->reader, &load->entry);
		int r = 0;

		switch (item) {
		case CONFIG_END:
			if (!load->source)
				return 0;
			return fail(load, load->source_line, "the source has no closing '}'");
		case CONFIG_ENTRY:
			r = take_entry(load);
			break;
		case CONFIG_BLOCK:
			r = open_source(load);
			break;
		case CONFIG_BLOCK_END:
			r = close_source(load);
			break;
		case CONFIG_FAULT:
			r = fail(load, load->reader.line, "%s", load->entry.fault);
			break;
		}
		if (r < 0)
			return r;
	}
}

int config_parse(struct config *config, const char *name, const char *text, size_t len, char *error)
{
	struct load load = {
		.config = config,
		.name = name,
		.error = error,
		.reader = config_reader_of(text, len),
	};

	int r = take_all(&load);

	explicit_bzero(&load, sizeof(load));
	return r;
}

/* ---- files ------------------------------------------------------------------------------- */

static int read_all(int fd, char *buf, size_t size, size_t *ret_len)
{
	size_t len = 0;

	while (len < size) {
		ssize_t n = read(fd, buf + len, size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0) {
			*ret_len = len;
			return 0;
		}
		len += (size_t)n;
	}
	return -EFBIG;
}

static int load_file(struct config *config, const char *file, char *error)
{
	_cleanup_free_ char *text = malloc(CONFIG_FILE_MAX);
	_cleanup_close_ int fd = open(file, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	int r = text ? 0 : -ENOMEM;

	if (fd < 0)
		r = -errno;
	if (r == 0)
		r = read_all(fd, text, CONFIG_FILE_MAX, &len);
	if (r < 0)
		snprintf(error, CONFIG_ERROR_MAX, "%.512s: %s", file, strerror(-r));
	else
		r = config_parse(config, file, text, len, error);
	/* Fields for a server, or a password in a URL. */
	if (text)
		explicit_bzero(text, len);
	return r;
}

static int is_conf(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name);

	return entry->d_name[0] != '.' && n > 5 && strcmp(entry->d_name + n - 5, ".conf") == 0;
}

/* Not alphasort(): the order must not depend on the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int load_directory(struct config *config, const char *dir, char *error)
{
	struct dirent **entries;
	char path[PATH_MAX];
	int n = scandir(dir, &entries, is_conf, by_name), r = 0;

	if (n < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (n < 0) {
		r = -errno;
		snprintf(error, CONFIG_ERROR_MAX, "%.512s: %s", dir, strerror(-r));
		return r;
	}
	for (int i = 0; i < n; i++) {
		if (r == 0 && snprintf(path, sizeof(path), "%s/%s", dir, entries[i]->d_name) <
				      (int)sizeof(path))
			r = load_file(config, path, error);
		free(entries[i]);
	}
	free(entries);
	return r;
}

int config_load(struct config *config, const char *file, char *error)
{
	char dir[PATH_MAX];
	int missing = load_file(config, file, error), r;

	if (missing < 0 && missing != -ENOENT)
		return missing;
	if (snprintf(dir, sizeof(dir), "%s.d", file) >= (int)sizeof(dir))
		return missing;
	/* What the directory says wrong comes first; error still names the file if it is missing.
	 */
	r = load_directory(config, dir, error);
	return r < 0 ? r : missing;
}
