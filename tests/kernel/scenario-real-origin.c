/* SPDX-License-Identifier: MIT */
/* What a scenario does to its objects, in terms of the web server. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/kernel/scenario-real.h"

struct real_object *real_object_find(struct real *real, const char *name)
{
	struct real_object *object;

	TAILQ_FOREACH(object, &real->objects, link)
		if (strcmp(object->name, name) == 0)
			return object;
	return NULL;
}

static char *put(struct real *real, struct real_object *object, const struct scenario_step *step)
{
	unsigned int flags = object->flags;

	if (object->versions == REAL_VERSIONS)
		return scenario_sentence("'%s' has too many versions", object->name);
	if (scenario_has(step, "same-validator"))
		flags |= ORIGIN_SAME_VALIDATOR;
	object->sizes[object->versions++] = scenario_number(step, "size", 0);
	origin_put_as(real->origin, object->key, object->sizes[object->versions - 1], flags);
	return NULL;
}

static char *serve(struct real *real, const struct scenario_step *step)
{
	struct real_object *object = calloc(1, sizeof(*object));

	if (!object)
		return scenario_sentence("no memory");
	object->name = step->object;
	scenario_key(step->object, object->key, sizeof(object->key) - 1);
	if (scenario_has(step, "no-validator"))
		object->flags |= ORIGIN_NO_VALIDATOR;
	if (scenario_has(step, "compressed"))
		object->flags |= ORIGIN_COMPRESSED;
	TAILQ_INSERT_TAIL(&real->objects, object, link);
	return put(real, object, step);
}

/* An answer that the daemon understands so. */
static void fail_with(struct origin_treatment *treatment, uint64_t error)
{
	switch (error) {
	case ENOENT:
		treatment->status = 404;
		break;
	case EACCES:
		treatment->status = 403;
		break;
	case ESTALE:
		treatment->status = 412;
		break;
	case ECONNREFUSED:
	case ECONNRESET:
	case EHOSTUNREACH:
		treatment->reset = true;
		break;
	default:
		treatment->status = 500;
	}
}

static unsigned int ms_of(const struct scenario_step *step, const char *key)
{
	return (unsigned int)(scenario_number(step, key, 0) / 1000000);
}

static void fault_looks(struct origin_treatment *looks, const struct scenario_step *step)
{
	if (scenario_has(step, "look"))
		fail_with(looks, scenario_number(step, "look", 0));
	if (scenario_has(step, "look-stall"))
		looks->hang = true;
	if (scenario_has(step, "look-delay"))
		looks->delay_ms = ms_of(step, "look-delay");
	if (scenario_has(step, "down"))
		looks->reset = true;
}

static void fault_reads(struct origin_treatment *reads, const struct scenario_step *step)
{
	uint64_t at = scenario_number(step, "at", ORIGIN_NOWHERE);

	if (scenario_has(step, "fail") && at != ORIGIN_NOWHERE)
		reads->break_at = at;
	else if (scenario_has(step, "fail"))
		fail_with(reads, scenario_number(step, "fail", 0));
	if (scenario_has(step, "stall") && at != ORIGIN_NOWHERE)
		reads->stall_at = at;
	else if (scenario_has(step, "stall"))
		reads->hang = true;
	if (scenario_has(step, "delay"))
		reads->delay_ms = ms_of(step, "delay");
	reads->step = scenario_number(step, "step", reads->step);
	if (scenario_has(step, "step-time"))
		reads->step_ms = ms_of(step, "step-time");
	if (scenario_has(step, "down"))
		reads->reset = true;
}

static char *fault(struct real *real, struct real_object *object, const struct scenario_step *step)
{
	if (!object->faulty)
		object->looks = object->reads =
			(struct origin_treatment){ .stall_at = ORIGIN_NOWHERE,
						   .break_at = ORIGIN_NOWHERE };
	object->faulty = true;
	fault_looks(&object->looks, step);
	fault_reads(&object->reads, step);
	origin_treat(real->origin, object->key, &object->looks, &object->reads);
	return NULL;
}

char *real_origin_step(struct real *real, const struct scenario_step *step)
{
	struct real_object *object = real_object_find(real, step->object);

	if (step->verb == SCENARIO_SERVE)
		return serve(real, step);
	if (step->verb == SCENARIO_REPLACE)
		return put(real, object, step);
	if (step->verb == SCENARIO_FAULT)
		return fault(real, object, step);
	object->faulty = false;
	origin_treat(real->origin, object->key, NULL, NULL);
	return NULL;
}
