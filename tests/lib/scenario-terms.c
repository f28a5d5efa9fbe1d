/* SPDX-License-Identifier: MIT */
/* What is expected. */
#include <string.h>

#include "tests/lib/scenario-internal.h"
#include "tests/lib/scenario-value.h"

static bool term_thing(struct scenario_parser *p, const struct scenario_term_form *form,
		       const char *thing)
{
	uint64_t id;

	if (!thing) {
		if (form->thing && !form->optional)
			return scenario_fault(p, "of what is '%s' meant?", form->name);
		return true;
	}
	if (!form->thing)
		return scenario_fault(p, "'%s' is of nothing", form->name);
	if (form->thing == 'i')
		return scenario_value_count(thing, &id) ||
		       scenario_fault(p, "'%s' is no number", thing);
	return scenario_is_known(p->scenario, form->thing, thing) ||
	       scenario_fault(p, "'%s' is not %s that is known here", thing,
			      scenario_kind_text(form->thing));
}

/* "<=7", cut off where it begins. */
static bool term_relation(struct scenario_parser *p, struct scenario_term *term, char *at,
			  bool time)
{
	char sign = *at;
	const char *value;

	*at = '\0';
	if (sign == '=') {
		term->relation = SCENARIO_EQUAL;
		value = at + 1;
	} else {
		term->relation = sign == '<' ? SCENARIO_AT_MOST : SCENARIO_AT_LEAST;
		if (at[1] != '=')
			return scenario_fault(p, "relations are =, <= and >=");
		value = at + 2;
	}
	if (!(time ? scenario_value_time : scenario_value_size)(value, &term->number))
		return scenario_fault(p, "'%s' is no %s", value, time ? "time" : "number");
	return true;
}

static const struct scenario_term_form *term_form(const char *name)
{
	const struct scenario_term_form *form = scenario_terms;

	while (form->name && strcmp(form->name, name) != 0)
		form++;
	return form->name ? form : NULL;
}

/* "NAME(THING)", taken apart. */
static bool term_name(struct scenario_parser *p, char *name, struct scenario_term *term)
{
	char *open = strchr(name, '('), *close;

	term->name = name;
	if (!open)
		return true;
	close = strchr(open, ')');
	if (!close || close[1])
		return scenario_fault(p, "'%s' is no NAME(THING)", name);
	*open = *close = '\0';
	term->thing = open + 1;
	return true;
}

/* As it stands in the file, where the parser does not cut. */
static const char *written(const struct scenario_parser *p, const char *word)
{
	return p->scenario->written + (word - p->scenario->text);
}

static bool take_term(struct scenario_parser *p, struct scenario_step *step)
{
	char *word = scenario_next_word(p), *relation = word + strcspn(word, "=<>"), name[16] = "";
	size_t n = strcspn(word, "(=<>");
	const struct scenario_term_form *form;
	struct scenario_term *term = &step->terms[step->n_terms];

	if (step->n_terms == SCENARIO_TERMS_MAX)
		return scenario_fault(p, "no more than %d terms fit into a line",
				      SCENARIO_TERMS_MAX);
	term->text = written(p, word);
	if (n < sizeof(name))
		memcpy(name, word, n);
	form = term_form(name);
	if (!form || !*relation)
		return scenario_fault(p, "'%s' cannot be expected", word);
	if (!form->real && p->scenario->place != SCENARIO_EMULATED &&
	    step->place != SCENARIO_EMULATED)
		return scenario_fault(p, "'%s' is known to 'expect emulated' alone", form->name);
	if (!term_relation(p, term, relation, form->time) || !term_name(p, word, term))
		return false;
	step->n_terms++;
	return term_thing(p, form, term->thing);
}

bool scenario_take_terms(struct scenario_parser *p, struct scenario_step *step)
{
	if (p->at < p->n_words &&
	    (strcmp(p->words[p->at], "emulated") == 0 || strcmp(p->words[p->at], "real") == 0))
		scenario_take_place(p, &step->place);
	while (p->at < p->n_words)
		if (!take_term(p, step))
			return false;
	return step->n_terms > 0 || scenario_fault(p, "nothing is expected");
}
