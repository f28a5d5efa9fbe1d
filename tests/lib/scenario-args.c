/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/cleanup.h"
#include "tests/lib/scenario-internal.h"
#include "tests/lib/scenario-value.h"

#define PASS_MAX ((uint64_t)3000000000) /* ns of real time that a file may take */

bool scenario_fault(struct scenario_parser *p, const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		abort();
	va_end(args);
	p->fault = scenario_sentence("%s:%u: %s", p->scenario->file, p->line, text);
	return false;
}

char *scenario_next_word(struct scenario_parser *p)
{
	return p->at < p->n_words ? p->words[p->at++] : NULL;
}

/* ---- names ------------------------------------------------------------------------------ */

static bool same(const char *a, const char *b)
{
	return a && b && strcmp(a, b) == 0;
}

static bool serves(const struct scenario_step *step, const char *object)
{
	return step->verb == SCENARIO_SERVE && same(step->object, object);
}

static bool makes_mount(const struct scenario_step *step, const char *label)
{
	return (step->verb == SCENARIO_MOUNT || step->verb == SCENARIO_OPEN) &&
	       same(step->label, label);
}

static bool makes_reader(const struct scenario_step *step, const char *label)
{
	return step->verb == SCENARIO_START && same(step->label, label);
}

bool scenario_is_known(const struct scenario *s, char kind, const char *name)
{
	for (size_t i = 0; i < s->n_steps; i++)
		if ((kind == 'o' && serves(&s->steps[i], name)) ||
		    ((kind == 'm' || kind == 'l') && makes_mount(&s->steps[i], name)) ||
		    ((kind == 'r' || kind == 'l') && makes_reader(&s->steps[i], name)))
			return true;
	return false;
}

const char *scenario_kind_text(char kind)
{
	switch (kind) {
	case 'o':
		return "an object";
	case 'm':
		return "a mount";
	case 'r':
		return "a reader";
	default:
		return "a mount or a reader";
	}
}

static bool take_known(struct scenario_parser *p, char kind, const char **ret)
{
	const char *name = scenario_next_word(p);

	if (!name)
		return scenario_fault(p, "%s is missing", scenario_kind_text(kind));
	if (!scenario_is_known(p->scenario, kind, name))
		return scenario_fault(p, "'%s' is not %s that is known here", name,
				      scenario_kind_text(kind));
	*ret = name;
	return true;
}

/* kind: o or l. */
static bool take_new(struct scenario_parser *p, char kind, const char **ret)
{
	const char *name = scenario_next_word(p);

	if (!name)
		return scenario_fault(p, "a name is missing");
	if (!scenario_value_name(name, kind == 'o'))
		return scenario_fault(p, "'%s' is no name", name);
	if (scenario_is_known(p->scenario, kind, name))
		return scenario_fault(p, "'%s' is the name of another", name);
	*ret = name;
	return true;
}

/* "as NAME" */
static bool take_label(struct scenario_parser *p, const char **ret)
{
	const char *as = scenario_next_word(p);

	if (!same(as, "as"))
		return scenario_fault(p, "'as NAME' is missing");
	return take_new(p, 'l', ret);
}

/* ---- arguments -------------------------------------------------------------------------- */

bool scenario_take_place(struct scenario_parser *p, enum scenario_place *ret)
{
	const char *word = scenario_next_word(p);

	if (same(word, "emulated"))
		*ret = SCENARIO_EMULATED;
	else if (same(word, "real"))
		*ret = SCENARIO_REAL;
	else
		return scenario_fault(p, "'emulated' or 'real' is missing");
	return true;
}

static bool take_time(struct scenario_parser *p, uint64_t *ret)
{
	const char *word = scenario_next_word(p);

	if (!word || !scenario_value_time(word, ret))
		return scenario_fault(p, "'%s' is no time", word ? word : "");
	p->passed += *ret;
	if (p->scenario->place != SCENARIO_EMULATED && p->passed > PASS_MAX)
		return scenario_fault(p, "a file for the real kernel may let 3 s pass in all");
	return true;
}

static bool take_range(struct scenario_parser *p, struct scenario_step *step)
{
	char *word = scenario_next_word(p);

	if (!word || !scenario_value_range(word, &step->off, &step->len))
		return scenario_fault(p, "'%s' is no range of bytes", word ? word : "");
	return true;
}

bool scenario_take_outcome(struct scenario_parser *p, bool wait, struct scenario_result *ret)
{
	const char *word;
	uint64_t error;

	if (p->at == p->n_words)
		return true;
	if (!same(scenario_next_word(p), "->"))
		return scenario_fault(p, "'%s' is not expected here", p->words[p->at - 1]);
	word = scenario_next_word(p);
	if (same(word, "ok"))
		return true;
	if (same(word, "waiting") && wait) {
		ret->outcome = SCENARIO_WAITING;
		return true;
	}
	if (!same(word, "fails") && !(word && scenario_value_error(word, &error)))
		return scenario_fault(p, "'%s' is no outcome", word ? word : "");
	ret->outcome = SCENARIO_FAILS;
	ret->error = same(word, "fails") ? 0 : -(int)error;
	return true;
}

/* ---- options ---------------------------------------------------------------------------- */

static bool option_value(struct scenario_parser *p, const struct scenario_option_form *form,
			 struct scenario_option *option)
{
	bool right;

	switch (form->kind) {
	case SCENARIO_COUNT:
		right = scenario_value_count(option->text, &option->number);
		break;
	case SCENARIO_SIZE:
		right = scenario_value_size(option->text, &option->number);
		break;
	case SCENARIO_TIME:
		right = scenario_value_time(option->text, &option->number);
		break;
	case SCENARIO_ERROR:
		right = scenario_value_error(option->text, &option->number);
		break;
	case SCENARIO_NAME:
		right = scenario_value_name(option->text, false);
		break;
	default:
		right = *option->text != '\0';
	}
	return right || scenario_fault(p, "'%s' is no value of '%s'", option->text, option->key);
}

static const struct scenario_option_form *option_form(const struct scenario_form *form,
						      const char *key)
{
	const struct scenario_option_form *o = form->options;

	while (o && o->key && strcmp(o->key, key) != 0)
		o++;
	return o && o->key ? o : NULL;
}

static bool take_option(struct scenario_parser *p, const struct scenario_form *form,
			struct scenario_step *step)
{
	char *key = scenario_next_word(p), *equals = strchr(key, '=');
	struct scenario_option *option = &step->options[step->n_options];
	const struct scenario_option_form *known;

	if (equals)
		*equals = '\0';
	known = option_form(form, key);
	if (!known)
		return scenario_fault(p, "'%s' knows no '%s'", form->verb, key);
	if (scenario_has(step, key))
		return scenario_fault(p, "'%s' is there twice", key);
	if ((known->kind == SCENARIO_FLAG) == (equals != NULL))
		return scenario_fault(p, "'%s' %s", key, equals ? "has no value" : "needs a value");
	step->n_options++; /* no key is there twice: there is room for all that a form has */
	option->key = key;
	option->text = equals ? equals + 1 : "";
	option->number = 1;
	return known->kind == SCENARIO_FLAG || option_value(p, known, option);
}

bool scenario_take_options(struct scenario_parser *p, const struct scenario_form *form,
			   struct scenario_step *step)
{
	while (p->at < p->n_words && !same(p->words[p->at], "->"))
		if (!take_option(p, form, step))
			return false;
	for (const struct scenario_option_form *o = form->options; o && o->key; o++)
		if (o->needed && !scenario_has(step, o->key))
			return scenario_fault(p, "'%s' needs %s=", form->verb, o->key);
	return true;
}

/* ---- the whole of them ------------------------------------------------------------------ */

bool scenario_take_arg(struct scenario_parser *p, char kind, struct scenario_step *step)
{
	switch (kind) {
	case 'p':
		return scenario_take_place(p, &step->place);
	case 't':
		return take_time(p, &step->time);
	case 'n':
	case 'N':
		return take_new(p, 'o', &step->object);
	case 'o':
		return take_known(p, 'o', &step->object);
	case 'm':
		return take_known(p, 'm', &step->mount);
	case 'l':
	case 'r':
		return take_known(p, kind, &step->label);
	case 'R':
		return take_range(p, step);
	default: /* M and S */
		return take_label(p, &step->label);
	}
}
