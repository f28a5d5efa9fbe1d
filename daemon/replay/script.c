/* SPDX-License-Identifier: MIT */
#include "daemon/replay/script.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/config-value.h"
#include "daemon/util/checked.h"
#include "daemon/util/cleanup.h"

#define WORDS_MAX 10 /* more than the longest rule has */
#define NS_PER_MS ((uint64_t)1000000)
#define TIME_MAX  (UINT64_MAX / 4 / NS_PER_MS) /* ms: sums of times do not wrap */

/* The errors that a fetcher may give: fetchers/fetcher.h. */
static const struct {
	const char *name;
	int number;
} errors[] = {
	{ "EIO", EIO },
	{ "ENOENT", ENOENT },
	{ "EACCES", EACCES },
	{ "ESTALE", ESTALE },
	{ "ETIMEDOUT", ETIMEDOUT },
	{ "ECONNREFUSED", ECONNREFUSED },
	{ "EHOSTUNREACH", EHOSTUNREACH },
	{ "ECONNRESET", ECONNRESET },
	{ "EPROTO", EPROTO },
	{ "EOPNOTSUPP", EOPNOTSUPP },
	{ "ENOMEM", ENOMEM },
	{ "EMFILE", EMFILE },
};

struct line {
	char *words[WORDS_MAX];
	size_t n;
};

void script_deinit(struct script *script)
{
	for (size_t i = 0; i < script->n; i++)
		free(script->rules[i].glob);
	free(script->rules);
	*script = (struct script){ 0 };
}

/* ---- words -------------------------------------------------------------------------------- */

static const char *take_time(const char *word, uint64_t *ret)
{
	uint64_t ms;

	if (!config_value_time(word, &ms) || ms > TIME_MAX)
		return "a time is written as 10ms, 5s, 2min or 1h";
	*ret = ms * NS_PER_MS;
	return NULL;
}

static const char *take_size(const char *word, uint64_t *ret)
{
	return config_value_size(word, ret) ? NULL : "a size is written as 4096, 64K, 10M or 1G";
}

static const char *take_rate(const char *word, uint64_t *ret)
{
	const char *why = take_size(word, ret);

	return !why && *ret == 0 ? "a rate of nothing is a stall" : why;
}

static const char *take_place(const char *word, struct script_rule *rule)
{
	rule->look = strcmp(word, "look") == 0;
	return rule->look ? NULL : take_size(word, &rule->off);
}

static const char *take_error(const char *word, struct script_rule *rule)
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (strcmp(word, errors[i].name) == 0)
			rule->error = -errors[i].number;
	return rule->error ? NULL : "that is no error of an origin, such as EIO or ETIMEDOUT";
}

static const char *take_glob(const char *word, struct script_rule *rule)
{
	rule->glob = strdup(word);
	return rule->glob ? NULL : "out of memory";
}

/* ---- rules -------------------------------------------------------------------------------- */

static const char *take_window(struct line *line, struct script_rule *rule)
{
	const char *why;
	size_t n = line->n;

	rule->to = UINT64_MAX;
	if (n < 4 || strcmp(line->words[n - 4], "from") != 0 ||
	    strcmp(line->words[n - 2], "to") != 0)
		return NULL;
	line->n -= 4;
	why = take_time(line->words[n - 3], &rule->from);
	if (!why)
		why = take_time(line->words[n - 1], &rule->to);
	if (!why && rule->from >= rule->to)
		why = "it ends before it begins";
	return why;
}

static const char *take_error_rule(const struct line *line, struct script_rule *rule)
{
	const char *why;

	if (line->n != 4 && line->n != 5)
		return "error GLOB OFF ERRNO [COUNT]";
	why = take_glob(line->words[1], rule);
	if (!why)
		why = take_place(line->words[2], rule);
	if (!why)
		why = take_error(line->words[3], rule);
	rule->value = SCRIPT_FOREVER;
	if (!why && line->n == 5 && !config_value_count(line->words[4], &rule->value))
		why = "how often is a number";
	return why;
}

static const char *take_stall_rule(const struct line *line, struct script_rule *rule)
{
	const char *why;

	if (line->n != 4)
		return "stall GLOB OFF TIME|forever";
	why = take_glob(line->words[1], rule);
	if (!why)
		why = take_place(line->words[2], rule);
	if (why)
		return why;
	rule->value = SCRIPT_FOREVER;
	return strcmp(line->words[3], "forever") == 0 ? NULL
						      : take_time(line->words[3], &rule->value);
}

static const char *take_rule(struct line *line, struct script_rule *rule)
{
	const char *why = take_window(line, rule);
	const char *kind = line->n ? line->words[0] : "";

	if (why)
		return why;
	if (strcmp(kind, "error") == 0) {
		rule->kind = SCRIPT_ERROR;
		return take_error_rule(line, rule);
	}
	if (strcmp(kind, "stall") == 0) {
		rule->kind = SCRIPT_STALL;
		return take_stall_rule(line, rule);
	}
	if (strcmp(kind, "latency") == 0) {
		rule->kind = SCRIPT_LATENCY;
		return line->n == 2 ? take_time(line->words[1], &rule->value) : "latency TIME";
	}
	if (strcmp(kind, "bandwidth") == 0) {
		rule->kind = SCRIPT_BANDWIDTH;
		return line->n == 2 ? take_rate(line->words[1], &rule->value) : "bandwidth RATE";
	}
	return "a rule begins with latency, bandwidth, error or stall";
}

static int add_rule(struct script *script, const struct script_rule *rule)
{
	struct script_rule *rules =
		reallocarray(script->rules, script->n + 1, sizeof(*script->rules));

	if (!rules)
		return -ENOMEM;
	script->rules = rules;
	rules[script->n++] = *rule;
	return 0;
}

/* ---- text --------------------------------------------------------------------------------- */

static const char *parse_line(struct script *script, char *text)
{
	struct script_rule rule = { .from = 0 };
	struct line line = { .n = 0 };
	const char *why;
	char *save = NULL, *word;

	for (word = strtok_r(text, " \t\r", &save); word; word = strtok_r(NULL, " \t\r", &save)) {
		if (line.n == 0 && word[0] == '#')
			return NULL;
		if (line.n == WORDS_MAX)
			return "there is more on this line than belongs to a rule";
		line.words[line.n++] = word;
	}
	if (line.n == 0)
		return NULL;
	if (script->n == SCRIPT_RULES_MAX)
		return "more rules than are taken";
	why = take_rule(&line, &rule);
	if (!why && add_rule(script, &rule) < 0)
		why = "out of memory";
	if (why)
		free(rule.glob);
	return why;
}

int script_parse(struct script *script, const char *name, const char *text, size_t len, char *error)
{
	_cleanup_free_ char *copy = malloc(len + 1);
	unsigned int number = 1;
	const char *why = copy ? NULL : "out of memory";

	if (copy) {
		memcpy(copy, text, len);
		copy[len] = '\0';
	}
	if (!why && memchr(text, '\0', len))
		why = "a NUL byte";
	for (char *at = copy; at && !why; number++) {
		char *end = strchr(at, '\n');

		if (end)
			*end = '\0';
		why = parse_line(script, at);
		at = end ? end + 1 : NULL;
		if (why)
			break;
	}
	if (why)
		snprintf(error, SCRIPT_ERROR_MAX, "%.200s:%u: %s", name, number, why);
	return why ? -EINVAL : 0;
}

int script_load(struct script *script, const char *path, char *error)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *text = malloc(SCRIPT_TEXT_MAX + 1);
	size_t used = 0;
	ssize_t n = fd < 0 || !text ? -1 : 1;

	while (n > 0 && used <= SCRIPT_TEXT_MAX) {
		n = read(fd, text + used, SCRIPT_TEXT_MAX + 1 - used);
		used += n > 0 ? (size_t)n : 0;
	}
	if (n < 0 || used > SCRIPT_TEXT_MAX) {
		int err = n < 0 ? errno : EFBIG;

		snprintf(error, SCRIPT_ERROR_MAX, "%.200s: %s", path, strerror(err));
		return -err;
	}
	return script_parse(script, path, text, used, error);
}

bool script_holds(const struct script_rule *rule, uint64_t time, const char *name)
{
	return time >= rule->from && time < rule->to && rule->value > 0 &&
	       (!rule->glob || fnmatch(rule->glob, name, 0) == 0);
}
