/* SPDX-License-Identifier: MIT */
/*
 * The daemon against the emulated kernel: thousands of steps in an order that nobody has thought
 * of. There is nothing to expect but what always holds, which the oracle knows: each request is
 * answered once and in time, each byte is the origin's, each descriptor comes back; and a reader
 * on an origin that is well gets its bytes.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/rig.h"
#include "tests/lib/run-suite.h"

#define RUNS	12
#define STEPS	400
#define ORIGINS 8
#define MOUNTS	12
#define READERS 64

static uint64_t random_state;
static struct fake_origin *origins[ORIGINS];
static struct emu_mount *mounts[MOUNTS];
static struct fake_origin *mounted[MOUNTS]; /* what mounts[i] is a mount of */
static struct emu_reader *readers[READERS];

/* xorshift64*: the same everywhere for one seed. */
static uint64_t pick(uint64_t n)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (random_state * 0x2545f4914f6cdd1d >> 16) % n;
}

static void make_origins(void)
{
	char cookie[16];

	for (int i = 0; i < ORIGINS; i++) {
		uint64_t size = pick(4) ? pick(6 * MIB) : pick(5) * 4096;

		snprintf(cookie, sizeof(cookie), "blob%d", i);
		origins[i] = rig_serve(cookie, size);
		origins[i]->compressed = i == 0 && size > 8192;
		origins[i]->bytes.patient = origins[i]->compressed;
	}
}

/* ---- steps ------------------------------------------------------------------------------ */

static bool is_open(const struct emu_mount *mount)
{
	return mount && emu_mount_state(mount) == EMU_MOUNT_OPEN;
}

static void step_mount(void)
{
	uint64_t i = pick(MOUNTS);

	if (is_open(mounts[i]))
		emu_close(mounts[i]);
	else if (mounts[i] && emu_mount_state(mounts[i]) != EMU_MOUNT_FAILED &&
		 emu_mount_state(mounts[i]) != EMU_MOUNT_CLOSED)
		return;
	mounted[i] = origins[pick(ORIGINS)];
	mounts[i] = rig_open(mounted[i]);
}

static void step_umount(void)
{
	uint64_t i = pick(MOUNTS);

	if (is_open(mounts[i]))
		emu_close(mounts[i]);
}

static void step_read(void)
{
	uint64_t i = pick(MOUNTS), off, len;
	struct emu_reader **slot = &readers[pick(READERS)];

	if (!is_open(mounts[i]))
		return;
	off = pick(emu_mount_size(mounts[i]) + 8192);
	len = 1 + (pick(3) ? pick(128 * KIB) : pick(2 * MIB));
	*slot = pick(4) ? emu_read(mounts[i], off, len)
			: emu_read_pages(mounts[i], off, len % 65536);
}

static void step_kill_reader(void)
{
	struct emu_reader *reader = readers[pick(READERS)];

	if (reader)
		emu_kill_reader(reader);
}

static void step_weather(void)
{
	struct fake_origin *origin = origins[pick(ORIGINS)];

	origin->delay = pick(3) * pick(200) * MS;
	origin->step = pick(3) * 4096 * pick(20);
	origin->step_time = pick(10) * MS;
	origin->look_delay = pick(100) * MS;
	origin->look_error = pick(4) ? 0 : -ETIMEDOUT;
	origin->read_error = pick(4) ? 0 : -ECONNRESET;
	origin->fail_at = pick(origin->bytes.size + 1);
	if (pick(6) == 0)
		origin->stall_at = pick(origin->bytes.size + 1);
	else
		fake_unstall(rig.fake, origin);
	origin->look_stalls = pick(10) == 0;
}

static void step_disk(void)
{
	static const int errors[] = { -ENOSPC, -ENOBUFS, -EIO, -EINTR };

	if (pick(3))
		emu_fail_writes(rig.emu, (unsigned int)pick(6), 4096 * pick(5), -ENOBUFS);
	else
		emu_fail_writes(rig.emu, (unsigned int)pick(6), 0, errors[pick(4)]);
}

static void step(void)
{
	switch (pick(16)) {
	case 0:
		step_mount();
		break;
	case 1:
		step_umount();
		break;
	case 2:
		step_kill_reader();
		break;
	case 3:
		step_weather();
		break;
	case 4:
		step_disk();
		break;
	case 5:
		rig_run(pick(5) ? pick(50) * MS : pick(40) * SEC);
		break;
	case 6:
	case 7:
		rig_run(pick(2 * MS));
		break;
	default:
		step_read();
	}
}

/* ---- the end ---------------------------------------------------------------------------- */

/* Good weather: whoever waits is served or failed, and then everything can be read. */
static void clear_up(void)
{
	emu_fail_writes(rig.emu, 0, 0, 0);
	for (int i = 0; i < ORIGINS; i++) {
		origins[i]->look_error = origins[i]->read_error = 0;
		origins[i]->look_delay = origins[i]->delay = 0;
		fake_unstall(rig.fake, origins[i]);
	}
	rig_run(120 * SEC);
	for (int i = 0; i < READERS; i++)
		ck_assert(!readers[i] || !rig_waiting(readers[i]));
}

static void read_everything(void)
{
	for (int i = 0; i < MOUNTS; i++) {
		if (!is_open(mounts[i]) || emu_mount_size(mounts[i]) == 0)
			continue;
		ck_assert_int_eq(rig_read(mounts[i], 0, emu_mount_size(mounts[i])), 0);
		ck_assert_uint_eq(rig_present(mounted[i]),
				  (mounted[i]->bytes.size + 4095) / 4096 * 4096);
	}
}

static void umount_all(void)
{
	for (int i = 0; i < MOUNTS; i++)
		if (is_open(mounts[i]))
			emu_close(mounts[i]);
	rig_run(SEC);
	ck_assert_uint_eq(emu_counters(rig.emu).fds, 0);
	ck_assert_uint_eq(fake_running(rig.fake), 0);
}

static void begin(int seed)
{
	random_state = (uint64_t)seed * 0x9e3779b97f4a7c15 + 1;
	memset(mounts, 0, sizeof(mounts));
	memset(readers, 0, sizeof(readers));
	rig_setup();
	rig.config.buffers = (1 + pick(8)) * MIB;
	rig.config.readahead_max = pick(5) * MIB / 2;
	rig.source.max_requests = 1 + (unsigned int)pick(8);
	rig_begin();
	make_origins();
}

START_TEST(any_order_of_things)
{
	begin(_i);
	for (int i = 0; i < STEPS; i++)
		step();
	clear_up();
	read_everything();
	umount_all();
	rig_end();
}
END_TEST

/* The same, but the daemon ends where it is. */
START_TEST(any_order_of_things_and_an_early_end)
{
	begin(_i + 1000);
	for (int i = 0; i < STEPS / 2; i++)
		step();
	rig_stop();
	for (int i = 0; i < READERS; i++)
		ck_assert(!readers[i] || !rig_waiting(readers[i]));
	rig_end();
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_set_timeout(tcase, 300);
	tcase_add_loop_test(tcase, any_order_of_things, 0, RUNS);
	tcase_add_loop_test(tcase, any_order_of_things_and_an_early_end, 0, RUNS);
}

int main(void)
{
	Suite *suite = suite_create("frontend-random");
	TCase *tcase = tcase_create("frontend-random");

	add_tests(tcase);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
