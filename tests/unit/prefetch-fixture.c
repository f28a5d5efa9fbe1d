/* SPDX-License-Identifier: MIT */
#include "tests/unit/prefetch-fixture.h"

#include <check.h>
#include <stdio.h>
#include <unistd.h>

#include "daemon/util/checked.h"
#include "proto/plan.h"
#include "tests/lib/temporary.h"

struct prefetch_rig jobs;

void jobs_start(void)
{
	struct prefetch_config config = { .dir = jobs.dir,
					  .rate = jobs.rate,
					  .requests = jobs.requests };

	if (!rig.engine)
		rig_start();
	config.loop = rig.loop;
	config.engine = rig.engine;
	ck_assert_int_eq(prefetch_new(&jobs.prefetch, &config), 0);
}

void jobs_begin(void)
{
	temporary_dir(jobs.dir, TEMPORARY_ANY);
	rig_begin();
	jobs_start();
}

/* As the daemon does it: what is under way ends with the engine. */
void jobs_stop(void)
{
	jobs.prefetch = prefetch_free(jobs.prefetch);
	rig_stop();
}

void jobs_end(void)
{
	jobs.prefetch = prefetch_free(jobs.prefetch);
	rig_end();
}

void jobs_add(uint64_t number, const char *cookie, uint64_t off, uint64_t len)
{
	ck_assert_int_eq(prefetch_add(jobs.prefetch, number, bytes_str(RIG_VOLUME),
				      bytes_str(cookie), off, len),
			 0);
}

uint64_t jobs_fetch(const struct prefetch_wishes *wishes, const char *cookie, uint64_t off,
		    uint64_t len)
{
	uint64_t number = 0;

	ck_assert_int_eq(prefetch_begin(jobs.prefetch, wishes, &number), 0);
	jobs_add(number, cookie, off, len);
	ck_assert_int_eq(prefetch_added(jobs.prefetch, number, wishes->more), 0);
	return number;
}

uint64_t jobs_fetch_all(const char *cookie)
{
	const struct prefetch_wishes wishes = { .name = cookie, .requests = PREFETCH_REQUESTS };

	return jobs_fetch(&wishes, cookie, 0, PLAN_TO_THE_END);
}

struct prefetch_view jobs_look(uint64_t number)
{
	struct prefetch_view view;

	ck_assert_int_eq(prefetch_look(jobs.prefetch, number, &view), 0);
	return view;
}

enum prefetch_state jobs_state(uint64_t number)
{
	return jobs_look(number).state;
}

struct fake_origin *jobs_begin_slow(uint64_t size, uint64_t delay)
{
	struct fake_origin *origin;

	jobs_begin();
	origin = rig_serve("blob", size);
	origin->delay = delay;
	return origin;
}

void jobs_assert_whole(const struct fake_origin *origin)
{
	ck_assert_uint_eq(rig_present(origin), round_up_u64(origin->bytes.size, CACHE_BLOCK));
	ck_assert_uint_eq(origin->blocks_asked_twice, 0);
	ck_assert_uint_eq(origin->bytes_asked, origin->bytes.size - JOBS_HEAD);
}

bool jobs_is_on_disk(uint64_t number)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/prefetch/%llu", jobs.dir, (unsigned long long)number);
	return access(path, F_OK) == 0;
}
