/* SPDX-License-Identifier: MIT */
/*
 * Jobs, readers, mounts, failures and daemons in an order that is drawn by lot. The oracle of the
 * emulated kernel looks on; and what a job says that it has done is there.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "tests/lib/run-suite.h"
#include "tests/unit/prefetch-fixture.h"

#define OBJECTS 3
#define JOBS	64
#define STEPS	150

static const char *const cookies[OBJECTS] = { "blob", "two", "three" };

struct wanted {
	uint64_t number;
	unsigned int object;
	uint64_t off, len;
};

static struct {
	struct fake_origin *origins[OBJECTS];
	struct emu_mount *mounts[OBJECTS]; /* or NULL */
	struct wanted jobs[JOBS];
	unsigned int n_jobs;
	unsigned short seed[3];
} world;

static uint64_t draw(uint64_t n)
{
	return (uint64_t)nrand48(world.seed) % n;
}

static void begin_world(int seed)
{
	static const uint64_t buffers[] = { MIB, 2 * MIB, 16 * MIB };

	world.n_jobs = 0;
	world.seed[0] = (unsigned short)seed;
	world.seed[1] = world.seed[2] = 7;
	rig_setup();
	rig.kernel.in_memory = true;
	rig.config.buffers = buffers[draw(3)];
	rig.source.max_requests = 1 + (unsigned int)draw(8);
	jobs.requests = (unsigned int)draw(4);
	jobs.rate = draw(3) == 0 ? (1 + draw(64)) * 256 * KIB : 0;
	jobs_begin();
	for (unsigned int i = 0; i < OBJECTS; i++) {
		world.origins[i] = rig_serve(cookies[i], 4 * KIB * draw(2000) + draw(4096) + 1);
		world.origins[i]->delay = draw(20) * MS;
		world.mounts[i] = NULL;
	}
}

static bool has_ended(const struct wanted *w)
{
	struct prefetch_view view;

	return prefetch_look(jobs.prefetch, w->number, &view) < 0 || prefetch_has_ended(view.state);
}

static void begin_job(void)
{
	const struct prefetch_wishes wishes = {
		.name = "",
		.rate = draw(3) == 0 ? (1 + draw(64)) * 256 * KIB : 0,
		.requests = 1 + (unsigned int)draw(PREFETCH_REQUESTS_MAX),
	};
	unsigned int object = (unsigned int)draw(OBJECTS);
	struct wanted *w = &world.jobs[world.n_jobs];
	uint64_t size = world.origins[object]->bytes.size;

	if (world.n_jobs == JOBS)
		return;
	w->object = object;
	w->off = draw(2) ? draw(size) : 0;
	w->len = draw(2) ? 1 + draw(size) : size;
	w->number = jobs_fetch(&wishes, cookies[object], w->off, w->len);
	world.n_jobs++;
}

static void umount(unsigned int object)
{
	if (world.mounts[object])
		rig_umount(world.mounts[object]);
	world.mounts[object] = NULL;
}

static void mount(unsigned int object)
{
	if (!world.mounts[object])
		world.mounts[object] = rig_mount(world.origins[object]);
}

/* Jobs that have ended are forgotten with it, and their numbers may be given again. */
static void next_daemon(void)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < world.n_jobs; i++)
		if (!has_ended(&world.jobs[i]))
			world.jobs[n++] = world.jobs[i];
	world.n_jobs = n;
	jobs_stop();
	for (unsigned int i = 0; i < OBJECTS; i++)
		umount(i);
	jobs_start();
}

static void step(void)
{
	unsigned int object = (unsigned int)draw(OBJECTS);
	struct fake_origin *origin = world.origins[object];

	switch (draw(12)) {
	case 0:
		umount(object);
		return;
	case 1:
	case 2:
		mount(object);
		return;
	case 3:
	case 4:
		if (world.mounts[object])
			emu_read(world.mounts[object], draw(origin->bytes.size),
				 1 + draw(256 * KIB));
		return;
	case 5:
	case 6:
		begin_job();
		return;
	case 7:
		if (world.n_jobs > 0)
			prefetch_cancel(jobs.prefetch, world.jobs[draw(world.n_jobs)].number);
		return;
	case 8:
		origin->read_error = draw(3) == 0 ? -EIO : 0;
		origin->fail_at = draw(origin->bytes.size);
		return;
	case 9:
		if (draw(8) == 0)
			next_daemon();
		return;
	default:
		rig_run(draw(100) * MS);
	}
}

static bool all_have_ended(void)
{
	for (unsigned int i = 0; i < world.n_jobs; i++)
		if (!has_ended(&world.jobs[i]))
			return false;
	return true;
}

/* Without an origin. */
static void check_job(const struct wanted *w)
{
	uint64_t size = world.origins[w->object]->bytes.size;
	struct prefetch_view view;

	/* One may have been forgotten since it ended. */
	if (prefetch_look(jobs.prefetch, w->number, &view) < 0 || view.state != PREFETCH_DONE)
		return;
	ck_assert_int_eq(rig_read(world.mounts[w->object], w->off,
				  w->len < size - w->off ? w->len : size - w->off),
			 0);
}

START_TEST(whatever_happens_what_is_done_is_there)
{
	begin_world(_i);
	for (unsigned int i = 0; i < STEPS; i++)
		step();
	for (unsigned int i = 0; i < OBJECTS; i++) {
		world.origins[i]->read_error = 0;
		mount(i);
	}
	begin_job(); /* there is one at least */
	rig_wait(all_have_ended());
	for (unsigned int i = 0; i < OBJECTS; i++) {
		world.origins[i]->fail_always = true;
		world.origins[i]->read_error = -EIO;
	}
	for (unsigned int i = 0; i < world.n_jobs; i++)
		check_job(&world.jobs[i]);
	for (unsigned int i = 0; i < OBJECTS; i++)
		umount(i);
	jobs_end();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("prefetch at random");
	TCase *tc = tcase_create("lives");

	tcase_add_loop_test(tc, whatever_happens_what_is_done_is_there, 0, 20);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
