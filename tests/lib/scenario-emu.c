/* SPDX-License-Identifier: MIT */
/* Life of the stage; daemon and kernel. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/checked.h"
#include "daemon/util/cleanup.h"
#include "fetchers/retry.h"
#include "proto/cachefiles-abi.h"
#include "tests/lib/leaks.h"
#include "tests/lib/scenario-emu-internal.h"

/* ---- settings --------------------------------------------------------------------------- */

/* "erofs,DOMAIN": the volume key that mounts in it have. */
const char *stage_volume(const char *domain, char buf[STAGE_KEY_MAX])
{
	snprintf(buf, STAGE_KEY_MAX, domain ? "erofs,%s" : RIG_VOLUME, domain);
	return buf;
}

static void set_source(struct engine_source_config *source, const struct scenario_step *step)
{
	char volume[STAGE_KEY_MAX];

	source->open_deadline = scenario_number(step, "open-deadline", source->open_deadline);
	source->read_deadline = scenario_number(step, "read-deadline", source->read_deadline);
	source->max_requests =
		(unsigned int)scenario_number(step, "requests", source->max_requests);
	if (scenario_has(step, "domain")) /* freed at the end */
		source->rule.volume =
			strdup(stage_volume(scenario_word(step, "domain", NULL), volume));
}

static struct retry_config retry_config = { .backoff_max = 5 * SEC, .seed = 1 };

static struct fetcher *add_retry(struct fetcher *next)
{
	struct fetcher *fetcher = NULL;

	ck_assert_int_eq(retry_new(&fetcher, rig.loop, next, &retry_config), 0);
	return fetcher;
}

static void set_daemon(const struct scenario_step *step)
{
	set_source(&rig.source, step);
	rig.source.positive_ttl = scenario_number(step, "positive-ttl", rig.source.positive_ttl);
	rig.source.negative_ttl = scenario_number(step, "negative-ttl", rig.source.negative_ttl);
	retry_config.retries = (unsigned int)scenario_number(step, "retries", 0);
	retry_config.backoff = scenario_number(step, "backoff", 200 * MS);
	rig.front = retry_config.retries > 0 ? add_retry : NULL;
	rig.config.names_max = scenario_number(step, "names-max", rig.config.names_max);
	rig.config.buffers = scenario_number(step, "buffers", rig.config.buffers);
	rig.config.readahead_max = scenario_number(step, "readahead-max", rig.config.readahead_max);
	rig.limits.size = scenario_number(step, "size-limit", rig.limits.size);
	rig.culls |= rig.limits.size > 0;
	rig.source.revalidate |= scenario_has(step, "revalidate");
	rig.source.refuse_compressed |= scenario_has(step, "refuse-compressed");
}

static char *add_source(const struct scenario_step *step)
{
	struct engine_source_config *other = &rig.others[rig.n_others];

	if (rig.n_others == RIG_OTHERS)
		return scenario_sentence("no more than %d sources", RIG_OTHERS);
	rig.n_others++;
	*other = rig.source;
	other->name = step->object;
	set_source(other, step);
	return NULL;
}

static void set_kernel(const struct scenario_step *step)
{
	rig.kernel.first_msg_id = (uint32_t)scenario_number(step, "first-id", 0);
	rig.kernel.ready_delay = scenario_number(step, "ready-delay", 0);
	rig.kernel.holder = scenario_has(step, "holder");
	rig.kernel.disk = scenario_number(step, "disk", 0);
	rig.culls |= rig.kernel.disk > 0;
}

/* What the kernel's oracle takes for late: the latest that any source may be. A request that
 * outlives its daemon has no deadline. */
static void set_deadlines(void)
{
	rig.kernel.open_deadline = rig.source.open_deadline;
	rig.kernel.read_deadline = rig.source.read_deadline;
	for (size_t i = 0; i < rig.n_others; i++) {
		rig.kernel.open_deadline =
			max_u64(rig.kernel.open_deadline, rig.others[i].open_deadline);
		rig.kernel.read_deadline =
			max_u64(rig.kernel.read_deadline, rig.others[i].read_deadline);
	}
	if (rig.kernel.holder)
		rig.kernel.open_deadline = rig.kernel.read_deadline = 0;
}

static char *set(const struct scenario_step *step)
{
	switch (step->verb) {
	case SCENARIO_DAEMON:
		set_daemon(step);
		return NULL;
	case SCENARIO_SOURCE:
		return add_source(step);
	case SCENARIO_KERNEL:
		set_kernel(step);
		return NULL;
	default:
		return NULL;
	}
}

/* Sources take over what `daemon` says, wherever it stands: it is read first. */
static char *begin(void *arg, const struct scenario *scenario)
{
	struct scenario_emu *stage = arg;
	char *trouble = NULL;

	rig_setup();
	for (size_t i = 0; i < scenario->n_settings; i++)
		if (scenario->steps[i].verb == SCENARIO_DAEMON)
			set(&scenario->steps[i]);
	for (size_t i = 0; i < scenario->n_settings && !trouble; i++)
		if (scenario->steps[i].verb != SCENARIO_DAEMON)
			trouble = set(&scenario->steps[i]);
	if (trouble)
		return trouble;
	set_deadlines();
	rig_begin();
	stage->begun = true;
	return NULL;
}

static char *end(void *arg)
{
	struct scenario_emu *stage = arg;
	_cleanup_free_ char *leak = NULL;
	char *verdict;

	if (stage->begun && !stage->nameless)
		leak = leaks_find(rig.state, emu_cache_dir(rig.emu), false);
	if (leak)
		emu_complain(rig.emu, "left behind: ", leak);
	verdict = stage->begun ? rig_end_verdict() : NULL;
	free((char *)rig.source.rule.volume);
	for (size_t i = 0; i < rig.n_others; i++)
		free((char *)rig.others[i].rule.volume);
	return verdict;
}

struct scenario_emu *scenario_emu_new(void)
{
	struct scenario_emu *stage = calloc(1, sizeof(*stage));

	if (!stage)
		abort();
	TAILQ_INIT(&stage->objects);
	TAILQ_INIT(&stage->mounts);
	TAILQ_INIT(&stage->readers);
	TAILQ_INIT(&stage->baselines);
	return stage;
}

struct scenario_emu *scenario_emu_free(struct scenario_emu *stage)
{
	struct stage_baseline *baseline;
	struct stage_object *object;
	struct stage_mount *mount;
	struct stage_reader *reader;

	if (!stage)
		return NULL;
	while ((object = TAILQ_FIRST(&stage->objects))) {
		TAILQ_REMOVE(&stage->objects, object, link);
		free(object);
	}
	while ((mount = TAILQ_FIRST(&stage->mounts))) {
		TAILQ_REMOVE(&stage->mounts, mount, link);
		free(mount);
	}
	while ((reader = TAILQ_FIRST(&stage->readers))) {
		TAILQ_REMOVE(&stage->readers, reader, link);
		free(reader->pieces);
		free(reader);
	}
	while ((baseline = TAILQ_FIRST(&stage->baselines))) {
		TAILQ_REMOVE(&stage->baselines, baseline, link);
		free(baseline);
	}
	free(stage);
	return NULL;
}

/* ---- time ------------------------------------------------------------------------------- */

bool stage_wait(bool (*cond)(const void *arg), const void *arg)
{
	bool came = false;

	rig_wait_begin();
	while (!(came = cond(arg)) && !rig.limit_hit)
		rig_turn("what the script waits for");
	rig_wait_end();
	return came;
}

static char *pass(void *arg, uint64_t ns)
{
	rig_run(ns);
	return NULL;
}

/* ---- daemon ----------------------------------------------------------------------------- */

static char *start(struct scenario_emu *stage, const struct scenario_step *step)
{
	if (rig.frontend)
		return scenario_sentence("the daemon runs already");
	if (stage->forgotten) {
		state_close(rig.state);
		ck_assert_int_eq(state_open(&rig.state, NULL), 0);
		stage->forgotten = false;
	}
	set_daemon(step);
	stage->dead = false;
	rig_start();
	return NULL;
}

static void purge(const struct scenario_emu *stage, const struct scenario_step *step)
{
	struct bytes cookie = stage_key(stage_object(stage, step->object));
	char volume[STAGE_KEY_MAX];

	stage_volume(scenario_word(step, "in", NULL), volume);
	engine_purge(rig.engine, bytes_str(volume), scenario_has(step, "volume") ? NULL : &cookie);
}

static char *daemon_step(void *arg, const struct scenario_step *step)
{
	struct scenario_emu *stage = arg;

	if (step->verb == SCENARIO_DAEMON_START)
		return start(stage, step);
	if (step->verb == SCENARIO_DAEMON_FORGET) {
		stage->forgotten = stage->nameless = true;
		return rig.frontend ? scenario_sentence("the daemon still runs") : NULL;
	}
	if (!rig.frontend)
		return scenario_sentence("the daemon does not run");
	if (step->verb == SCENARIO_DAEMON_PURGE)
		purge(stage, step);
	else if (step->verb == SCENARIO_DAEMON_KILL)
		rig_kill();
	else
		rig_stop();
	return NULL;
}

/* ---- kernel ----------------------------------------------------------------------------- */

static void cull_or_populate(struct scenario_emu *stage, const struct scenario_step *step)
{
	struct stage_object *object = stage_object(stage, step->object);
	const char *in = scenario_word(step, "in", NULL);

	stage_volume(in, object->volume);
	stage->nameless |= step->verb == SCENARIO_KERNEL_POPULATE;
	if (step->verb == SCENARIO_KERNEL_CULL)
		emu_cull(rig.emu, bytes_str(object->volume), stage_key(object));
	else
		emu_populate(rig.emu, bytes_str(object->volume), stage_key(object),
			     &object->versions[object->n_versions - 1]->bytes, step->off,
			     step->len);
}

static void fault_writes(const struct scenario_step *step)
{
	size_t max = (size_t)scenario_number(step, "short", 0);
	int error = -(int)scenario_number(step, "fail", 0);
	unsigned int count = (unsigned int)scenario_number(step, "count", 1);

	emu_fail_writes(rig.emu, max || error ? count : 0, max, error);
}

/* Words of the payload, after the header; *ret_fd_at: where a descriptor goes. */
static char *fill_payload(const char *words, uint32_t *to, size_t n, int *ret_fd_at)
{
	char *end;

	for (size_t i = 0; *words; i++, words = *end ? end + 1 : end) {
		if (i == n)
			return scenario_sentence("no more than %zu words", n);
		if (strncmp(words, "fd", 2) == 0) {
			*ret_fd_at = (int)(sizeof(struct cachefiles_msg_header) + i * sizeof(*to));
			end = (char *)words + 2;
		} else {
			to[i] = (uint32_t)strtoull(words, &end, 0);
		}
		if (*end && *end != ',')
			return scenario_sentence("'%s' is no word", words);
	}
	return NULL;
}

static char *inject(const struct scenario_emu *stage, const struct scenario_step *step)
{
	uint8_t raw[CACHEFILES_MSG_MAX_SIZE];
	size_t n = (size_t)scenario_number(step, "bytes", 32);
	struct cachefiles_msg_header header = {
		.msg_id = (uint32_t)scenario_number(step, "id", 0),
		.opcode = (uint32_t)scenario_number(step, "op", 0),
		.len = (uint32_t)scenario_number(step, "len", n),
		.object_id = (uint32_t)scenario_number(step, "object", 0),
	};
	const char *of = scenario_word(step, "of", NULL);
	uint32_t words[8];
	int fd_at = -1;
	char *trouble;

	if (of && !stage_mount(stage, of))
		return scenario_sentence("'%s' is no mount", of);
	if (of)
		header.object_id = emu_mount_object_id(stage_mount(stage, of)->mount);
	memset(raw, 'x', sizeof(raw));
	memcpy(words, raw, sizeof(words));
	trouble = fill_payload(scenario_word(step, "payload", ""), words,
			       sizeof(words) / sizeof(*words), &fd_at);
	if (trouble)
		return trouble;
	memcpy(raw, &header, sizeof(header));
	memcpy(raw + sizeof(header), words, sizeof(words));
	emu_inject_raw(rig.emu, raw, n < sizeof(raw) ? n : sizeof(raw), fd_at);
	return NULL;
}

static char *kernel_step(void *arg, const struct scenario_step *step)
{
	struct scenario_emu *stage = arg;

	switch (step->verb) {
	case SCENARIO_KERNEL_EMFILE:
		emu_fail_delivery(rig.emu, -EMFILE);
		return NULL;
	case SCENARIO_KERNEL_DIE:
		emu_kill_device(rig.emu);
		stage->dead = true;
		return NULL;
	case SCENARIO_KERNEL_RESTORE:
		emu_restore(rig.emu);
		return NULL;
	case SCENARIO_KERNEL_WRITES:
		fault_writes(step);
		return NULL;
	case SCENARIO_KERNEL_FILL:
		emu_fill_disk(rig.emu, scenario_number(step, "others", 0));
		return NULL;
	case SCENARIO_KERNEL_MESSAGE:
		return inject(stage, step);
	default:
		cull_or_populate(stage, step);
		return NULL;
	}
}

const struct scenario_stage scenario_emulated = {
	.place = SCENARIO_EMULATED,
	.begin = begin,
	.end = end,
	.daemon = daemon_step,
	.kernel = kernel_step,
	.origin = stage_origin,
	.pass = pass,
	.open = stage_open,
	.umount = stage_umount,
	.start = stage_start,
	.read = stage_read,
	.done = stage_done,
	.kill = stage_kill,
	.recount = stage_recount,
	.measure = stage_measure,
};
