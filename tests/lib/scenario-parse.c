/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/cleanup.h"
#include "tests/lib/scenario-internal.h"

#define FILE_MAX ((size_t)64 << 10)

static bool take_step(struct scenario_parser *p, const struct scenario_form *form,
		      struct scenario_step *step)
{
	const char *arg = form->args;

	for (; *arg && !strchr(">T", *arg); arg++)
		if (!scenario_take_arg(p, *arg, step))
			return false;
	if (*arg == 'T')
		return scenario_take_terms(p, step);
	if (!scenario_take_options(p, form, step))
		return false;
	if (*arg == '>')
		return scenario_take_outcome(p, form->number == SCENARIO_DONE, &step->result);
	return p->at == p->n_words ||
	       scenario_fault(p, "'%s' is not expected here", p->words[p->at]);
}

/* Also steps over the words of the verb. */
static const struct scenario_form *take_verb(struct scenario_parser *p)
{
	const struct scenario_form *form = scenario_forms;
	size_t n;

	for (; form->verb; form++) {
		n = strcspn(form->verb, " ");
		if (strlen(p->words[0]) != n || strncmp(form->verb, p->words[0], n) != 0)
			continue;
		p->at = form->verb[n] ? 2 : 1;
		if (p->at == 1 || (p->n_words > 1 && strcmp(form->verb + n + 1, p->words[1]) == 0))
			return form;
	}
	return NULL;
}

/* What stands in the way of this verb here. */
static bool check_verb(struct scenario_parser *p, const struct scenario_form *form)
{
	struct scenario *s = p->scenario;

	if (form->emulated && s->place != SCENARIO_EMULATED)
		return scenario_fault(p, "'%s' needs 'on emulated'", form->verb);
	if (form->setting && s->n_settings < s->n_steps)
		return scenario_fault(p, "'%s' is a setting: it stands before all steps",
				      form->verb);
	if (form->number == SCENARIO_ON && s->n_steps > 0)
		return scenario_fault(p, "'on' is the first of all");
	return true;
}

static struct scenario_step *add_step(struct scenario *s)
{
	struct scenario_step *steps = reallocarray(s->steps, s->n_steps + 1, sizeof(*steps));

	if (!steps)
		abort();
	s->steps = steps;
	memset(&steps[s->n_steps], 0, sizeof(*steps));
	return &steps[s->n_steps];
}

static bool parse_step(struct scenario_parser *p)
{
	const struct scenario_form *form = take_verb(p);
	struct scenario *s = p->scenario;
	struct scenario_step *step;

	if (!form)
		return scenario_fault(p, "no step is called '%s'", p->words[0]);
	if (!check_verb(p, form))
		return false;
	step = add_step(s);
	step->verb = form->number;
	step->line = p->line;
	if (!take_step(p, form, step))
		return false;
	if (step->verb == SCENARIO_ON)
		s->place = step->place;
	s->n_steps++;
	if (form->setting)
		s->n_settings = s->n_steps;
	return true;
}

/* Cuts the line into words, in the copy that stays as written too. */
static bool split(struct scenario_parser *p, char *line)
{
	char *at = line, *end;

	p->n_words = p->at = 0;
	for (;;) {
		at += strspn(at, " \t");
		if (!*at)
			return true;
		if (p->n_words == SCENARIO_WORDS_MAX)
			return scenario_fault(p, "more than %d words", SCENARIO_WORDS_MAX);
		p->words[p->n_words++] = at;
		end = at + strcspn(at, " \t");
		at = *end ? end + 1 : end;
		*end = '\0';
		p->scenario->written[end - p->scenario->text] = '\0';
	}
}

static bool parse_comment(struct scenario_parser *p, char *line)
{
	if (!p->scenario->sentence)
		p->scenario->sentence = line + 1 + strspn(line + 1, " \t");
	return true;
}

static bool parse_line(struct scenario_parser *p, char *line)
{
	line += strspn(line, " \t");
	if (*line == '#')
		return parse_comment(p, line);
	if (!split(p, line))
		return false;
	if (p->n_words == 0)
		return true;
	if (!p->scenario->sentence || !*p->scenario->sentence)
		return scenario_fault(p, "a comment that says what is shown comes first");
	return parse_step(p);
}

static bool parse_lines(struct scenario_parser *p, size_t n)
{
	char *line = p->scenario->text, *end;

	if (memchr(line, '\0', n)) {
		p->line = 1;
		return scenario_fault(p, "this is no text");
	}
	do {
		p->line++;
		end = line + strcspn(line, "\n");
		n = *end != '\0';
		*end = '\0';
		if (!parse_line(p, line))
			return false;
		line = end + n;
	} while (*line);
	return p->scenario->n_steps > p->scenario->n_settings ||
	       scenario_fault(p, "nothing happens");
}

/* ---- files ------------------------------------------------------------------------------ */

struct scenario *scenario_free(struct scenario *scenario)
{
	if (!scenario)
		return NULL;
	free(scenario->steps);
	free(scenario->text);
	free(scenario->written);
	free(scenario);
	return NULL;
}

struct scenario *scenario_parse(const char *file, const char *text, size_t n, char **ret_fault)
{
	struct scenario_parser p = { .scenario = calloc(1, sizeof(*p.scenario)) };

	if (!p.scenario)
		abort();
	p.scenario->file = file;
	p.scenario->text = calloc(1, n + 1);
	p.scenario->written = calloc(1, n + 1);
	if (!p.scenario->text || !p.scenario->written)
		abort();
	memcpy(p.scenario->text, text, n);
	memcpy(p.scenario->written, text, n);
	if (parse_lines(&p, n))
		return p.scenario;
	*ret_fault = p.fault;
	return scenario_free(p.scenario);
}

struct scenario *scenario_load(const char *file, char **ret_fault)
{
	_cleanup_free_ char *text = malloc(FILE_MAX);
	FILE *f = fopen(file, "re");
	size_t n;
	bool failed;

	if (!text)
		abort();
	if (!f) {
		*ret_fault = scenario_sentence("%s: %s", file, strerror(errno));
		return NULL;
	}
	n = fread(text, 1, FILE_MAX, f);
	failed = ferror(f);
	fclose(f);
	if (failed || n == FILE_MAX) {
		*ret_fault = scenario_sentence("%s: cannot be read, or is too long", file);
		return NULL;
	}
	return scenario_parse(file, text, n, ret_fault);
}
