/* SPDX-License-Identifier: MIT */
#include "tests/lib/scenario.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/cleanup.h"

char *scenario_sentence(const char *format, ...)
{
	char *text;
	va_list args;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		abort();
	va_end(args);
	return text;
}

/* ---- what a step says ------------------------------------------------------------------- */

const struct scenario_option *scenario_option(const struct scenario_step *step, const char *key)
{
	for (size_t i = 0; i < step->n_options; i++)
		if (strcmp(step->options[i].key, key) == 0)
			return &step->options[i];
	return NULL;
}

bool scenario_has(const struct scenario_step *step, const char *key)
{
	return scenario_option(step, key) != NULL;
}

uint64_t scenario_number(const struct scenario_step *step, const char *key, uint64_t otherwise)
{
	const struct scenario_option *option = scenario_option(step, key);

	return option ? option->number : otherwise;
}

const char *scenario_word(const struct scenario_step *step, const char *key, const char *otherwise)
{
	const struct scenario_option *option = scenario_option(step, key);

	return option ? option->text : otherwise;
}

size_t scenario_key(const char *object, void *buf, size_t n)
{
	char hex[3] = "";
	uint8_t *to = buf;
	size_t i;

	for (i = 0; *object && i < n; i++) {
		if (*object != '%') {
			to[i] = (uint8_t)*object++;
			continue;
		}
		memcpy(hex, object + 1, 2);
		to[i] = (uint8_t)strtoul(hex, NULL, 16);
		object += 3;
	}
	return i;
}

/* ---- running ---------------------------------------------------------------------------- */

bool scenario_runs_on(const struct scenario *scenario, enum scenario_place place)
{
	return scenario->place == SCENARIO_BOTH || scenario->place == place;
}

bool scenario_result_fits(const struct scenario_result *expected,
			  const struct scenario_result *seen, bool any_error)
{
	return expected->outcome == seen->outcome &&
	       (any_error || expected->outcome != SCENARIO_FAILS || expected->error == 0 ||
		expected->error == seen->error);
}

static const char *result_text(const struct scenario_result *result)
{
	switch (result->outcome) {
	case SCENARIO_OK:
		return "ok";
	case SCENARIO_WAITING:
		return "waiting";
	default:
		return result->error ? strerrorname_np(-result->error) : "fails";
	}
}

static bool is_mount(const struct scenario *scenario, const char *label)
{
	for (size_t i = 0; i < scenario->n_steps; i++)
		if (scenario->steps[i].verb != SCENARIO_DONE && scenario->steps[i].label &&
		    strcmp(scenario->steps[i].label, label) == 0)
			return scenario->steps[i].verb != SCENARIO_START;
	return false;
}

static char *compare(const struct scenario *scenario, const struct scenario_step *step,
		     const struct scenario_stage *stage, const struct scenario_result *seen)
{
	bool mount = step->label && is_mount(scenario, step->label);

	if (scenario_result_fits(&step->result, seen, mount && stage->place == SCENARIO_REAL))
		return NULL;
	return scenario_sentence("'%s' is %s, expected %s", step->label ? step->label : step->mount,
				 result_text(seen), result_text(&step->result));
}

static char *run_read(const struct scenario *scenario, const struct scenario_stage *stage,
		      void *arg, const struct scenario_step *step)
{
	struct scenario_result seen = { 0 };
	char *trouble = stage->read(arg, step, &seen);

	return trouble ? trouble : compare(scenario, step, stage, &seen);
}

static char *run_done(const struct scenario *scenario, const struct scenario_stage *stage,
		      void *arg, const struct scenario_step *step)
{
	struct scenario_result seen = { 0 };
	bool wait = step->result.outcome != SCENARIO_WAITING;
	char *trouble = stage->done(arg, step->label, wait, &step->result, &seen);

	return trouble ? trouble : compare(scenario, step, stage, &seen);
}

static char *run_mount(const struct scenario *scenario, const struct scenario_stage *stage,
		       void *arg, const struct scenario_step *step)
{
	char *trouble = stage->open(arg, step);

	return trouble ? trouble : run_done(scenario, stage, arg, step);
}

static bool holds(const struct scenario_term *term, uint64_t number)
{
	switch (term->relation) {
	case SCENARIO_AT_MOST:
		return number <= term->number;
	case SCENARIO_AT_LEAST:
		return number >= term->number;
	default:
		return number == term->number;
	}
}

static char *run_term(const struct scenario_stage *stage, void *arg,
		      const struct scenario_term *term)
{
	uint64_t number = 0;
	char *trouble;

	for (unsigned int tries = 0;; tries++) {
		trouble = stage->measure(arg, term, &number);
		if (trouble)
			return trouble;
		if (holds(term, number))
			return NULL;
		if (!stage->again || !stage->again(arg, tries))
			return scenario_sentence("expected %s, it is %ju", term->text,
						 (uintmax_t)number);
	}
}

static char *run_expect(const struct scenario_stage *stage, void *arg,
			const struct scenario_step *step)
{
	char *trouble = NULL;

	if (step->place != SCENARIO_BOTH && step->place != stage->place)
		return NULL;
	for (size_t i = 0; i < step->n_terms && !trouble; i++)
		trouble = run_term(stage, arg, &step->terms[i]);
	return trouble;
}

static char *run_step(const struct scenario *scenario, const struct scenario_stage *stage,
		      void *arg, const struct scenario_step *step)
{
	switch (step->verb) {
	case SCENARIO_SERVE:
	case SCENARIO_REPLACE:
	case SCENARIO_FAULT:
	case SCENARIO_HEAL:
		return stage->origin(arg, step);
	case SCENARIO_OPEN:
		return stage->open(arg, step);
	case SCENARIO_MOUNT:
		return run_mount(scenario, stage, arg, step);
	case SCENARIO_UMOUNT:
		return stage->umount(arg, step);
	case SCENARIO_START:
		return stage->start(arg, step);
	case SCENARIO_READ:
		return run_read(scenario, stage, arg, step);
	case SCENARIO_DONE:
		return run_done(scenario, stage, arg, step);
	case SCENARIO_KILL:
		return stage->kill(arg, step);
	case SCENARIO_PASS:
		return stage->pass(arg, step->time);
	case SCENARIO_RECOUNT:
		return stage->recount(arg);
	case SCENARIO_EXPECT:
		return run_expect(stage, arg, step);
	case SCENARIO_DAEMON_START:
	case SCENARIO_DAEMON_STOP:
	case SCENARIO_DAEMON_KILL:
	case SCENARIO_DAEMON_FORGET:
	case SCENARIO_DAEMON_PURGE:
		return stage->daemon(arg, step);
	default:
		return stage->kernel(arg, step);
	}
}

char *scenario_run(const struct scenario *scenario, const struct scenario_stage *stage, void *arg)
{
	const struct scenario_step *step = &scenario->steps[0];
	_cleanup_free_ char *trouble = stage->begin(arg, scenario);
	_cleanup_free_ char *left = NULL;

	for (size_t i = scenario->n_settings; i < scenario->n_steps && !trouble; i++) {
		step = &scenario->steps[i];
		trouble = run_step(scenario, stage, arg, step);
	}
	left = stage->end(arg);
	if (trouble)
		return scenario_sentence("%s:%u: %s%s%s", scenario->file, step->line, trouble,
					 left ? "; at the end: " : "", left ? left : "");
	return left ? scenario_sentence("%s: at the end: %s", scenario->file, left) : NULL;
}
