/* SPDX-License-Identifier: MIT */
/* What the engine remembers of names, and forgets. */
#include "daemon/engine/engine-internal.h"

void engine_remember(struct engine *e, const struct engine_open *open, const struct source *source,
		     const char *locator, const struct fetch_identity *identity, bool whole)
{
	struct name name = {
		.volume = open->volume,
		.cookie = open->cookie,
		.whole = whole,
		.source = (uint32_t)(source - e->sched.sources),
		.size = identity->size,
		.locator = locator,
		.validator = identity->validator,
	};

	(void)names_put(e->names, loop_now(e->config->loop), source->config->positive_ttl, &name);
}

void engine_remember_absent(struct engine *e, const struct engine_open *open,
			    const struct source *source)
{
	uint64_t now = loop_now(e->config->loop);
	struct name name = { .volume = open->volume, .cookie = open->cookie, .absent = true };
	struct name other;

	/* Somebody who asked at the same time has been told otherwise. */
	if (names_peek(e->names, now, open->volume, open->cookie, &other) && !other.absent)
		return;
	(void)names_put(e->names, now, source->config->negative_ttl, &name);
}

size_t engine_purge(struct engine *e, struct bytes volume, const struct bytes *cookie)
{
	struct opening *p;

	TAILQ_FOREACH(p, &e->openings, link)
		if (p->open && bytes_equal(p->open->volume, volume) &&
		    (!cookie || bytes_equal(p->open->cookie, *cookie)))
			p->purged = true;
	return cookie ? names_forget(e->names, volume, *cookie)
		      : names_forget_volume(e->names, volume);
}
