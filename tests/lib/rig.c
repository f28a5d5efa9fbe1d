/* SPDX-License-Identifier: MIT */
#include "tests/lib/rig.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/log.h"

#define SCHEME "fake:"

struct rig rig;

static void limit_fire(struct loop_timer *timer)
{
	rig.limit_hit = true;
}

static void rig_lost(void *arg, const char *why)
{
	rig.lost = true;
}

static void rig_stopped(void *arg)
{
	rig.stopped = true;
}

void rig_setup(void)
{
	log_set_level(LOG_CRIT); /* failures are what most tests are about */
	rig = (struct rig){
		.kernel = { .open_deadline = RIG_OPEN_DEADLINE, .read_deadline = RIG_READ_DEADLINE },
		.source = {
			.name = "fake",
			.rule = { .locator = SCHEME "{cookie}" },
			.open_deadline = RIG_OPEN_DEADLINE,
			.read_deadline = RIG_READ_DEADLINE,
			.positive_ttl = 3600 * SEC,
			.max_requests = 8,
		},
		.config = { .buffers = 16 * MIB, .readahead_max = 4 * MIB, .names_max = 64 * KIB },
		.backend = LOOP_VIRTUAL,
		.limits = { .kernel = CF_LIMITS_DEFAULT },
		.limit = { .fire = limit_fire },
	};
}

static void rig_make_space(void)
{
	struct space_config config = {
		.loop = rig.loop,
		.limits = rig.limits,
		.cache_dir = "the cache",
	};

	rig.config.room = NULL;
	if (!rig.culls)
		return;
	ck_assert_int_eq(space_new(&rig.space, &config), 0);
	rig.config.room = space_room(rig.space);
}

void rig_start(void)
{
	struct port *device;
	struct frontend_config config = {
		.loop = rig.loop,
		.cache_dir_fd = emu_cache_dir(rig.emu),
		.lost = rig_lost,
	};

	rig.lost = rig.stopped = false;
	if (rig.source_begin)
		rig.source_begin(&rig.source, rig.loop);
	else
		rig.source.fetcher = fake_fetcher(rig.fake);
	if (rig.front)
		rig.source.fetcher = rig.front(rig.source.fetcher);
	memcpy(rig.sources, rig.others, rig.n_others * sizeof(rig.source));
	rig.sources[rig.n_others] = rig.source;
	for (size_t i = 0; i < rig.n_others; i++)
		rig.sources[i].fetcher = rig.source.fetcher;
	rig.config.sources = rig.sources;
	rig.config.n_sources = rig.n_others + 1;
	rig.config.loop = rig.loop;
	rig.config.state = rig.state;
	config.restore = !rig.kernel.no_restore;
	config.take_over = config.restore && !emu_is_dead(rig.emu);
	rig_make_space();
	config.port = device = emu_port(rig.emu);
	if (rig.decorate)
		rig.decorate(&config.port);
	ck_assert_int_eq(engine_new(&rig.engine, &rig.config), 0);
	config.engine = rig.engine;
	ck_assert_int_eq(frontend_new(&rig.frontend, &config), 0);
	if (rig.space)
		space_start(rig.space, rig.engine, device, config.cache_dir_fd);
	if (rig.audits) {
		ck_assert_int_eq(audit_new(&rig.audit, rig.loop, rig.state), 0);
		audit_start(rig.audit, rig.engine, rig.space, config.cache_dir_fd);
	}
}

void rig_begin(void)
{
	rig.emu = emu_new(&rig.kernel);
	ck_assert_int_eq(loop_new(&rig.loop, rig.backend), 0);
	emu_set_clock(rig.emu, loop_now, rig.loop);
	rig.fake = fake_new(rig.loop);
	ck_assert_int_eq(state_open(&rig.state, NULL), 0);
	rig_start();
}

void rig_stop(void)
{
	audit_stop(rig.audit);
	space_stop(rig.space);
	frontend_stop(rig.frontend, rig_stopped, NULL);
	rig_wait(rig.stopped);
	rig.frontend = frontend_free(rig.frontend);
	rig.audit = audit_free(rig.audit);
	rig.space = space_free(rig.space);
	rig.engine = engine_free(rig.engine);
	if (rig.source_end)
		rig.source_end();
	else
		rig.source.fetcher->ops->free(rig.source.fetcher);
}

void rig_kill(void)
{
	emu_kill_daemon(rig.emu);
	rig_stop();
}

char *rig_end_verdict(void)
{
	char *verdict;

	if (rig.frontend)
		rig_stop();
	state_close(rig.state);
	emu_set_clock(rig.emu, NULL, NULL);
	loop_free(rig.loop);
	verdict = emu_end(rig.emu);
	fake_free(rig.fake);
	return verdict;
}

void rig_end(void)
{
	emu_judge(rig_end_verdict());
}

/* ---- time ------------------------------------------------------------------------------- */

static void limit_set(uint64_t ns)
{
	rig.limit_hit = false;
	ck_assert_int_eq(loop_timer_set(rig.loop, &rig.limit, loop_now(rig.loop) + ns), 0);
}

void rig_run(uint64_t ns)
{
	limit_set(ns);
	while (!rig.limit_hit)
		ck_assert_int_eq(loop_turn(rig.loop), 0);
}

void rig_wait_begin(void)
{
	limit_set(3600 * SEC);
}

void rig_turn(const char *cond)
{
	struct emu_counters c;

	if (rig.limit_hit) {
		c = emu_counters(rig.emu);
		ck_abort_msg("an hour has passed without: %s (%ju messages unread, %ju unanswered)",
			     cond, (uintmax_t)c.unread, (uintmax_t)c.unanswered);
	}
	ck_assert_int_eq(loop_turn(rig.loop), 0);
}

void rig_wait_end(void)
{
	loop_timer_cancel(&rig.limit);
}

/* ---- objects and readers ---------------------------------------------------------------- */

/* The locator of a cookie is SCHEME and itself: names hold nothing that would be escaped. */
struct fake_origin *rig_serve(const char *cookie, uint64_t size)
{
	char locator[256];

	snprintf(locator, sizeof(locator), SCHEME "%s", cookie);
	return fake_serve(rig.fake, locator, size);
}

static const char *cookie_of(const struct fake_origin *origin)
{
	return origin->locator + strlen(SCHEME);
}

struct emu_mount *rig_open(const struct fake_origin *origin)
{
	return emu_open(rig.emu, RIG_VOLUME, cookie_of(origin), &origin->bytes);
}

struct emu_mount *rig_mount(const struct fake_origin *origin)
{
	struct emu_mount *mount = rig_open(origin);

	rig_wait(emu_mount_state(mount) != EMU_MOUNT_OPENING &&
		 emu_mount_state(mount) != EMU_MOUNT_BLOCKED);
	ck_assert_int_eq(emu_mount_state(mount), EMU_MOUNT_OPEN);
	return mount;
}

void rig_umount(struct emu_mount *mount)
{
	emu_close(mount);
	rig_wait(emu_mount_fd(mount) < 0);
}

bool rig_waiting(const struct emu_reader *reader)
{
	return emu_reader_state(reader) == EMU_READER_WAITING;
}

int rig_finish(struct emu_reader *reader)
{
	rig_wait(!rig_waiting(reader));
	return emu_reader_error(reader);
}

int rig_read(struct emu_mount *mount, uint64_t off, uint64_t len)
{
	return rig_finish(emu_read(mount, off, len));
}

uint64_t rig_present(const struct fake_origin *origin)
{
	return emu_present(rig.emu, bytes_str(RIG_VOLUME), bytes_str(cookie_of(origin)));
}
