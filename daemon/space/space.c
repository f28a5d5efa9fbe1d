/* SPDX-License-Identifier: MIT */
#include "daemon/space/space.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/space/space-internal.h"
#include "daemon/util/log.h"

/* The disk is looked at this often, whoever fills it, and after so many bytes of our own. */
#define CHECK_TIME  (30 * NSEC_PER_SEC)
#define CHECK_BYTES ((uint64_t)64 << 20)

/* A pass that found nothing to cull is not repeated before. */
#define QUIET (1 * NSEC_PER_SEC)

static unsigned long long mib(uint64_t bytes)
{
	return (unsigned long long)(bytes >> 20);
}

/* ---- limits ------------------------------------------------------------------------------- */

static void say_room_again(struct space *s)
{
	if (!s->full)
		return;
	s->full = s->stuck = false;
	log_notice("%s: there is room again, %llu MiB are free: what is read is cached",
		   s->config.cache_dir, mib(s->disk.bytes_free));
}

void space_check(struct space *s)
{
	struct space_need need;

	if (!s->worker)
		return;
	s->unchecked = 0;
	if (space_disk_read(&s->disk, s->dir_fd) < 0)
		return;
	need = space_need(&s->config.limits, &s->disk, s->used, false);
	s->room.scarce = need.bytes > 0 || (s->above && need.size > 0);
	if (need.bytes == 0)
		say_room_again(s);
	if (need.size == 0)
		s->above = false;
	if (space_needs(&need) && s->phase == SPACE_IDLE &&
	    loop_now(s->config.loop) >= s->quiet_until)
		space_pass(s, true);
}

static void space_tick(struct loop_timer *timer)
{
	struct space *s = container_of(timer, struct space, tick);

	space_check(s);
	loop_timer_set(s->config.loop, timer, loop_now(s->config.loop) + CHECK_TIME);
}

/* ---- the end of a pass -------------------------------------------------------------------- */

static void say_what_went(const struct space *s)
{
	if (s->pass_objects > 0)
		log_notice("%s: culled %llu object%s of %llu MiB, unused for longest; %llu MiB are "
			   "cached, %llu MiB of the disk are free",
			   s->config.cache_dir, (unsigned long long)s->pass_objects,
			   s->pass_objects == 1 ? "" : "s", mib(s->pass_bytes), mib(s->used),
			   mib(s->disk.bytes_free));
	if (s->pass_records > 0)
		log_info("%s: dropped %llu record%s of what is not cached", s->config.cache_dir,
			 (unsigned long long)s->pass_records, s->pass_records == 1 ? "" : "s");
}

static void say_stuck(struct space *s)
{
	if (s->stuck)
		return;
	s->stuck = true;
	log_error("%s: the disk is full (%llu of %llu MiB are free, bstop is %u%%) and nothing can "
		  "be culled: all that is cached is in use or pinned. Reads of what is not cached "
		  "fail (EIO) until there is room: free some, or unmount images",
		  s->config.cache_dir, mib(s->disk.bytes_free), mib(s->disk.bytes),
		  s->config.limits.kernel.bstop);
}

static void say_above(struct space *s)
{
	if (s->above)
		return;
	s->above = true;
	log_warning("%s: %llu MiB are cached, more than size-limit (%llu MiB), and nothing more "
		    "can be culled: the rest is in use or pinned",
		    s->config.cache_dir, mib(s->used), mib(s->config.limits.size));
}

void space_passed(struct space *s)
{
	uint64_t now = loop_now(s->config.loop);
	struct space_need need = space_need(&s->config.limits, &s->disk, s->used, false);
	bool made = s->pass_objects > 0 || !space_is_full(&s->config.limits, &s->disk);

	say_what_went(s);
	/* A limit that nothing could be done about, or a refusal that nothing explains. */
	if (space_needs(&need) || (s->asked && s->pass_objects == 0))
		s->quiet_until = now + QUIET;
	if (need.size > 0)
		say_above(s);
	if (s->asked && !made)
		say_stuck(s);
	if (s->asked) {
		s->asked = false;
		engine_room_made(s->engine, made);
	}
	space_check(s);
	if (!STAILQ_EMPTY(&s->collections) && s->phase == SPACE_IDLE)
		space_pass(s, false);
}

int space_collect(struct space *s, struct space_collection *collection)
{
	if (!s->worker)
		return -EOPNOTSUPP;
	STAILQ_INSERT_TAIL(&s->collections, collection, link);
	if (s->phase == SPACE_IDLE)
		space_pass(s, false);
	return 0;
}

/* ---- what the engine asks ------------------------------------------------------------------ */

static bool room_is_full(struct engine_room *room)
{
	struct space *s = container_of(room, struct space, room);
	struct space_disk disk;

	return s->worker && space_disk_read(&disk, s->dir_fd) == 0 &&
	       space_is_full(&s->config.limits, &disk);
}

static bool room_wanted(struct engine_room *room)
{
	struct space *s = container_of(room, struct space, room);

	if (!s->worker)
		return false;
	(void)space_disk_read(&s->disk, s->dir_fd);
	if (s->phase == SPACE_IDLE && loop_now(s->config.loop) < s->quiet_until) {
		say_stuck(s);
		return false;
	}
	if (!s->full)
		log_warning("%s: the disk is full, %llu of %llu MiB are free: what is idle is "
			    "culled, and reads of what is not cached wait",
			    s->config.cache_dir, mib(s->disk.bytes_free), mib(s->disk.bytes));
	s->full = s->room.scarce = true;
	s->asked = true;
	if (s->phase == SPACE_IDLE)
		space_pass(s, true);
	return true;
}

static void space_stored(struct engine_observer *observer, struct object *object,
			 const struct engine_work *work, enum engine_class class)
{
	struct space *s = container_of(observer, struct space, observer);
	uint64_t limit = s->config.limits.size;

	s->used += work->len;
	s->unchecked += work->len;
	if (s->unchecked >= CHECK_BYTES || s->full || (limit > 0 && s->used > limit && !s->above))
		space_check(s);
}

static void space_closed(struct engine_observer *observer, struct object *object)
{
	struct space *s = container_of(observer, struct space, observer);

	s->record_job.closed = true;
	space_touch(s, object);
}

/* ---- life --------------------------------------------------------------------------------- */

int space_new(struct space **ret, const struct space_config *config)
{
	struct space *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->config = *config;
	s->dir_fd = -1;
	s->room = (struct engine_room){
		.wanted = room_wanted,
		.is_full = room_is_full,
	};
	s->observer.stored = space_stored;
	s->observer.closed = space_closed;
	s->tick.fire = space_tick;
	s->touch_timer.fire = space_touch_fire;
	s->settle.fire = space_settle;
	STAILQ_INIT(&s->touches);
	LIST_INIT(&s->evictions);
	STAILQ_INIT(&s->collections);
	*ret = s;
	return 0;
}

struct engine_room *space_room(struct space *s)
{
	return &s->room;
}

void space_start(struct space *s, struct engine *engine, struct port *port, int dir_fd)
{
	int err = worker_new(&s->worker, s->config.loop);

	if (err == 0)
		err = loop_timer_set(s->config.loop, &s->tick,
				     loop_now(s->config.loop) + CHECK_TIME);
	if (err < 0) {
		log_warning("no thread can have a working directory of its own (%s), which the "
			    "kernel wants for culling: nothing is culled",
			    strerror(-err));
		s->worker = worker_free(s->worker);
		return;
	}
	s->engine = engine;
	s->port = port;
	s->dir_fd = dir_fd;
	engine_observe(engine, &s->observer);
	space_pass(s, false);
}

void space_stop(struct space *s)
{
	if (!s || !s->worker)
		return;
	engine_unobserve(s->engine, &s->observer);
	loop_timer_cancel(&s->tick);
	loop_timer_cancel(&s->touch_timer);
	loop_timer_cancel(&s->settle);
	loop_defer_cancel(s->config.loop, &s->match);
	loop_defer_cancel(s->config.loop, &s->record);
	s->worker = worker_free(s->worker);
	s->phase = SPACE_IDLE;
	s->asked = false; /* the engine ends what waits */
	space_pass_free(s);
	space_collect_end(s);
	space_evict_end(s);
	space_touch_end(s);
}

struct space *space_free(struct space *s)
{
	if (!s)
		return NULL;
	space_stop(s);
	free(s);
	return NULL;
}

struct space_stats space_stats(const struct space *s)
{
	struct space_stats stats = s->stats;

	stats.busy = s->phase != SPACE_IDLE;
	stats.used = s->used;
	stats.disk = s->disk;
	stats.scarce = s->room.scarce;
	stats.full = s->full;
	return stats;
}
