/* SPDX-License-Identifier: MIT */
/* What was seen, in numbers. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/checked.h"
#include "tests/lib/scenario-emu-internal.h"

static struct stage_counts counts_of(const struct fake_origin *origin)
{
	return (struct stage_counts){
		.requests = origin->reads,
		.looks = origin->looks,
		.fetched = origin->bytes_asked,
		.twice = origin->blocks_asked_twice * CACHE_BLOCK,
	};
}

static void counts_add(struct stage_counts *to, const struct stage_counts *from)
{
	to->requests += from->requests;
	to->looks += from->looks;
	to->fetched += from->fetched;
	to->twice += from->twice;
}

/* What was counted before the last `recount`. */
static struct stage_counts counts_before(const struct scenario_emu *stage,
					 const struct fake_origin *origin)
{
	const struct stage_baseline *baseline;

	TAILQ_FOREACH(baseline, &stage->baselines, link)
		if (baseline->origin == origin)
			return baseline->counts;
	return (struct stage_counts){ 0 };
}

/* All versions of one object, or of all (NULL). */
static struct stage_counts count(const struct scenario_emu *stage, const char *name)
{
	struct stage_counts sum = { 0 }, before = { 0 }, part;
	const struct stage_object *object;

	TAILQ_FOREACH(object, &stage->objects, link) {
		if (name && strcmp(object->name, name) != 0)
			continue;
		for (unsigned int i = 0; i < object->n_versions; i++) {
			part = counts_of(object->versions[i]);
			counts_add(&sum, &part);
			part = counts_before(stage, object->versions[i]);
			counts_add(&before, &part);
		}
	}
	sum.requests -= before.requests;
	sum.looks -= before.looks;
	sum.fetched -= before.fetched;
	sum.twice -= before.twice;
	return sum;
}

static uint64_t attached(const struct scenario_emu *stage, const char *name)
{
	const struct stage_object *object;
	uint64_t sum = 0;

	TAILQ_FOREACH(object, &stage->objects, link)
		for (unsigned int i = 0; i < object->n_versions; i++)
			if (!name || strcmp(object->name, name) == 0)
				sum += object->versions[i]->attached;
	return sum;
}

char *stage_recount(void *arg)
{
	struct scenario_emu *stage = arg;
	struct stage_baseline *baseline;
	struct stage_object *object;

	stage->counters = emu_counters(rig.emu);
	while ((baseline = TAILQ_FIRST(&stage->baselines))) {
		TAILQ_REMOVE(&stage->baselines, baseline, link);
		free(baseline);
	}
	TAILQ_FOREACH(object, &stage->objects, link)
		for (unsigned int i = 0; i < object->n_versions; i++) {
			baseline = calloc(1, sizeof(*baseline));
			if (!baseline)
				abort();
			baseline->origin = object->versions[i];
			baseline->counts = counts_of(baseline->origin);
			TAILQ_INSERT_TAIL(&stage->baselines, baseline, link);
		}
	return NULL;
}

/* ---- of the kernel ---------------------------------------------------------------------- */

struct kernel_number {
	const char *name;
	size_t at;   /* in struct emu_counters */
	bool counts; /* since `recount` */
};

#define AT(member) offsetof(struct emu_counters, member)

static const struct kernel_number kernel_numbers[] = {
	{ "opens", AT(opens), true },
	{ "reads", AT(reads), true },
	{ "closes", AT(closes), true },
	{ "completions", AT(completions), true },
	{ "empty", AT(completions_empty), true },
	{ "late", AT(late_answers), true },
	{ "written", AT(bytes_written), true },
	{ "rewritten", AT(bytes_rewritten), true },
	{ "refused", AT(writes_refused), true },
	{ "culled", AT(culls), true },
	{ "fds", AT(fds), false },
	{ "unread", AT(unread), false },
	{ "unanswered", AT(unanswered), false },
	{ "answered", AT(answer_ns_max), false },
	{ 0 },
};

static bool measure_kernel(const struct scenario_emu *stage, const char *name, uint64_t *ret)
{
	struct emu_counters now = emu_counters(rig.emu);
	const struct kernel_number *n = kernel_numbers;
	uint64_t before;

	while (n->name && strcmp(n->name, name) != 0)
		n++;
	if (!n->name)
		return false;
	memcpy(ret, (const char *)&now + n->at, sizeof(*ret));
	memcpy(&before, (const char *)&stage->counters + n->at, sizeof(before));
	if (n->counts)
		*ret -= before;
	return true;
}

/* ---- of the daemon and its requests ----------------------------------------------------- */

static bool measure_origin(const struct scenario_emu *stage, const struct scenario_term *term,
			   uint64_t *ret)
{
	struct stage_counts counts = count(stage, term->thing);

	if (strcmp(term->name, "contacts") == 0)
		*ret = counts.looks + counts.requests;
	else if (strcmp(term->name, "requests") == 0)
		*ret = counts.requests;
	else if (strcmp(term->name, "looks") == 0)
		*ret = counts.looks;
	else if (strcmp(term->name, "fetched") == 0)
		*ret = counts.fetched;
	else if (strcmp(term->name, "twice") == 0)
		*ret = counts.twice;
	else if (strcmp(term->name, "attached") == 0)
		*ret = attached(stage, term->thing);
	else
		return false;
	return true;
}

static bool measure_all(const struct scenario_term *term, uint64_t *ret)
{
	if (strcmp(term->name, "running") == 0)
		*ret = fake_running(rig.fake);
	else if (strcmp(term->name, "concurrent") == 0)
		*ret = fake_running_max(rig.fake);
	else if (strcmp(term->name, "held") == 0)
		*ret = fake_bytes_max(rig.fake);
	else if (strcmp(term->name, "cached") == 0)
		*ret = rig.space ? space_stats(rig.space).used : 0;
	else if (strcmp(term->name, "lost") == 0)
		*ret = rig.lost;
	else if (strcmp(term->name, "answers") == 0)
		*ret = emu_answers(rig.emu, (uint32_t)strtoull(term->thing, NULL, 0));
	else
		return false;
	return true;
}

static bool measure_reader(const struct scenario_emu *stage, const struct scenario_term *term,
			   uint64_t *ret)
{
	const struct stage_reader *reader;
	uint64_t waited = 0, cost = 0;

	if (strcmp(term->name, "waited") != 0 && strcmp(term->name, "cost") != 0)
		return false;
	reader = stage_reader(stage, term->thing);
	for (size_t i = 0; i < reader->n_pieces; i++) {
		waited = max_u64(waited, emu_reader_waited(reader->pieces[i]));
		cost += emu_reader_requests(reader->pieces[i]);
	}
	*ret = strcmp(term->name, "waited") == 0 ? waited : cost;
	return true;
}

static bool measure_object(const struct scenario_emu *stage, const struct scenario_term *term,
			   uint64_t *ret)
{
	const struct stage_object *object;

	if (strcmp(term->name, "size") == 0) {
		*ret = emu_mount_size(stage_mount(stage, term->thing)->mount);
		return true;
	}
	if (strcmp(term->name, "present") != 0)
		return false;
	object = stage_object(stage, term->thing);
	*ret = emu_present(rig.emu, bytes_str(object->volume), stage_key(object));
	return true;
}

char *stage_measure(void *arg, const struct scenario_term *term, uint64_t *ret)
{
	const struct scenario_emu *stage = arg;

	if (measure_kernel(stage, term->name, ret) || measure_origin(stage, term, ret) ||
	    measure_all(term, ret) || measure_reader(stage, term, ret) ||
	    measure_object(stage, term, ret))
		return NULL;
	return scenario_sentence("'%s' cannot be told here", term->name);
}
