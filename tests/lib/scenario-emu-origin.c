/* SPDX-License-Identifier: MIT */
/* Objects at the scripted origin. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/scenario-emu-internal.h"

struct stage_object *stage_object(const struct scenario_emu *stage, const char *name)
{
	struct stage_object *object;

	TAILQ_FOREACH(object, &stage->objects, link)
		if (strcmp(object->name, name) == 0)
			break;
	return object;
}

struct bytes stage_key(const struct stage_object *object)
{
	return bytes_of(object->key, object->key_len);
}

static char *serve(struct scenario_emu *stage, const struct scenario_step *step)
{
	struct stage_object *object = calloc(1, sizeof(*object));
	struct fake_origin *origin = rig_serve(step->object, scenario_number(step, "size", 0));

	if (!object)
		abort();
	object->name = step->object;
	object->key_len = scenario_key(step->object, object->key, sizeof(object->key));
	stage_volume(NULL, object->volume);
	object->versions[object->n_versions++] = origin;
	TAILQ_INSERT_TAIL(&stage->objects, object, link);
	if (scenario_has(step, "no-validator"))
		origin->validator = "";
	/* What is held until it is whole has no deadline but that bytes come. */
	origin->compressed = origin->bytes.patient = scenario_has(step, "compressed");
	return NULL;
}

static char *replace(struct stage_object *object, const struct scenario_step *step)
{
	static const char *const validators[STAGE_VERSIONS] = { "v1", "v2", "v3", "v4", "v5",
								"v6", "v7", "v8", "v9" };
	struct fake_origin *old;
	const char *validator;

	if (object->n_versions == STAGE_VERSIONS)
		return scenario_sentence("no more than %d versions", STAGE_VERSIONS);
	old = object->versions[object->n_versions - 1];
	validator = scenario_has(step, "same-validator") ? old->validator
							 : validators[object->n_versions];
	object->versions[object->n_versions++] =
		fake_replace(rig.fake, old, scenario_number(step, "size", 0), validator);
	return NULL;
}

static void fault_reads(struct fake_origin *origin, const struct scenario_step *step)
{
	bool everywhere = !scenario_has(step, "at");
	uint64_t at = scenario_number(step, "at", FAKE_NOWHERE);

	if (scenario_has(step, "fail")) {
		origin->read_error = -(int)scenario_number(step, "fail", 0);
		origin->fail_always = everywhere;
		origin->fail_at = at;
	}
	if (scenario_has(step, "stall")) {
		origin->stall_always = everywhere;
		origin->stall_at = at;
	}
	origin->delay = scenario_number(step, "delay", origin->delay);
	origin->step = scenario_number(step, "step", origin->step);
	origin->step_time = scenario_number(step, "step-time", origin->step_time);
}

static void fault(struct fake_origin *origin, const struct scenario_step *step)
{
	if (scenario_has(step, "look"))
		origin->look_error = -(int)scenario_number(step, "look", 0);
	origin->look_stalls |= scenario_has(step, "look-stall");
	origin->look_delay = scenario_number(step, "look-delay", origin->look_delay);
	fault_reads(origin, step);
	if (scenario_has(step, "down")) {
		origin->look_error = origin->read_error = -EHOSTUNREACH;
		origin->fail_always = true;
	}
}

static void heal(struct fake_origin *origin)
{
	origin->look_error = origin->read_error = 0;
	origin->fail_always = false;
	origin->look_delay = origin->delay = 0;
	origin->step = origin->step_time = 0;
	fake_unstall(rig.fake, origin);
}

char *stage_origin(void *arg, const struct scenario_step *step)
{
	struct scenario_emu *stage = arg;
	struct stage_object *object = stage_object(stage, step->object);

	if (step->verb == SCENARIO_SERVE)
		return serve(stage, step);
	if (step->verb == SCENARIO_REPLACE)
		return replace(object, step);
	/* Those who are attached to an earlier version meet the same origin. */
	for (unsigned int i = 0; i < object->n_versions; i++) {
		if (step->verb == SCENARIO_FAULT)
			fault(object->versions[i], step);
		else
			heal(object->versions[i]);
	}
	return NULL;
}
