/* SPDX-License-Identifier: MIT */
/* What whoever makes room in the cache asks, and says. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "daemon/engine/engine-internal.h"
#include "daemon/engine/flight.h"
#include "daemon/util/cleanup.h"

void engine_room_made(struct engine *e, bool made)
{
	struct flight *f;

	/* None is parked anew from in here: a write ends in the loop. */
	while ((f = TAILQ_FIRST(&e->sched.parked)))
		flight_unpark(f, made);
}

bool engine_is_open(const struct engine *e, struct bytes volume, struct bytes cookie)
{
	const struct opening *p;

	TAILQ_FOREACH(p, &e->openings, link)
		if (p->open && bytes_equal(p->open->volume, volume) &&
		    bytes_equal(p->open->cookie, cookie))
			return true;
	return engine_open_object(e, volume, cookie);
}

bool engine_is_recorded(const struct engine *e, struct bytes volume, struct bytes cookie)
{
	struct state_object *record;
	_cleanup_free_ char *own = malloc(sizeof(*record));
	int err;

	record = (struct state_object *)own;
	err = record ? state_get(e->config->state, volume, cookie, record) : -ENOMEM;
	/* Where nobody can tell, it may well be. */
	return err == 0 ? record->check != STATE_WRONG : err != -ENOENT;
}

void engine_checked(struct engine *e, struct bytes volume, struct bytes cookie, bool right)
{
	struct object *o = engine_open_object(e, volume, cookie);

	state_set_check(e->config->state, volume, cookie, right ? STATE_RIGHT : STATE_WRONG);
	if (!right)
		names_forget(e->names, volume, cookie);
	if (o)
		o->verified = right ? VERIFIED_WHOLE : VERIFIED_FAILED;
}

static_assert(STATE_KEYS_MAX == ENGINE_KEY_MAX, "keys of a record");

int engine_next_record(const struct engine *e, struct bytes *volume, struct bytes *cookie,
		       uint8_t buf[static ENGINE_KEY_MAX])
{
	return state_next(e->config->state, volume, cookie, buf);
}

void engine_forget(struct engine *e, struct bytes volume, struct bytes cookie)
{
	if (engine_is_open(e, volume, cookie))
		return;
	names_forget(e->names, volume, cookie);
	/* A record without bytes is harmless: it only pins the version that is fetched next. */
	(void)state_forget(e->config->state, volume, cookie);
}

int engine_forget_record(struct engine *e, struct bytes volume, struct bytes cookie)
{
	if (engine_is_open(e, volume, cookie))
		return -EBUSY;
	names_forget(e->names, volume, cookie);
	return state_prune(e->config->state, volume, cookie);
}
