/* SPDX-License-Identifier: MIT */
/*
 * Buffers are shared by time: what a stream takes beside an origin that is slow, on virtual time,
 * and that a slow one is served all the same.
 */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/rig.h"
#include "tests/lib/run-suite.h"

#define LAME	   "erofs,lame"
#define STREAM	   (32 * MIB)
#define SLOW_READS 16

static struct fake_origin *fast, *slow;
static struct emu_mount *fast_mount, *slow_mount;
static struct emu_reader *slow_readers[SLOW_READS];

static struct emu_mount *mount_slow(void)
{
	struct emu_mount *mount = emu_open(rig.emu, LAME, "slow", &slow->bytes);

	rig_wait(emu_mount_state(mount) == EMU_MOUNT_OPEN);
	return mount;
}

/* As the daemon is by default, with one more source. */
static void begin(uint64_t buffers)
{
	rig_setup();
	rig.kernel.in_memory = true;
	rig.config.buffers = buffers;
	rig.config.readahead_max = 8 * MIB;
	rig.source.max_requests = 16;
	rig.others[0] = rig.source;
	rig.others[0].name = "lame";
	rig.others[0].rule.volume = LAME;
	rig.n_others = 1;
	rig_begin();
	fast = rig_serve("fast", STREAM);
	slow = rig_serve("slow", 64 * MIB);
	fast_mount = rig_mount(fast);
	slow_mount = mount_slow();
	fast->delay = 20 * MS;
	slow->step = KIB;
	slow->step_time = SEC;
}

static void read_slow(uint64_t len)
{
	for (unsigned int i = 0; i < SLOW_READS; i++)
		slow_readers[i] = emu_read(slow_mount, MIB + i * 2 * MIB, len);
	rig_run(5 * SEC);
}

/* Everything that was slow is fast: nobody waits in the end. */
static void end(void)
{
	slow->step = slow->step_time = 0;
	for (unsigned int i = 0; i < SLOW_READS; i++)
		if (slow_readers[i])
			rig_finish(slow_readers[i]);
	memset(slow_readers, 0, sizeof(slow_readers));
	rig_umount(fast_mount);
	rig_umount(slow_mount);
	rig_end();
}

static uint64_t stream(void)
{
	uint64_t begun = loop_now(rig.loop);

	for (uint64_t off = 0; off < STREAM; off += 128 * KIB)
		ck_assert_int_eq(rig_read(fast_mount, off, 128 * KIB), 0);
	return loop_now(rig.loop) - begun;
}

/* Buffers of the daemon, bytes that each slow reader wants, and how much longer it may take (%). */
static const struct {
	uint64_t buffers, len;
	unsigned int percent;
} rows[] = {
	{ 16 * MIB, 2 * MIB, 10 },
	{ 4 * MIB, 2 * MIB, 50 },
};

START_TEST(a_stream_beside_a_slow_origin)
{
	uint64_t alone, beside;

	begin(rows[_i].buffers);
	alone = stream();
	end();
	begin(rows[_i].buffers);
	read_slow(rows[_i].len);
	beside = stream();
	end();
	printf("# %ju MiB of buffers, slow reads of %ju KiB: alone %ju ms, beside %ju ms: %.2f\n",
	       (uintmax_t)(rows[_i].buffers / MIB), (uintmax_t)(rows[_i].len / KIB),
	       (uintmax_t)(alone / MS), (uintmax_t)(beside / MS), (double)beside / (double)alone);
	ck_assert_uint_le(beside * 100, alone * (100 + rows[_i].percent));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("shares");
	TCase *t = tcase_create("shares");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, a_stream_beside_a_slow_origin, 0, sizeof(rows) / sizeof(rows[0]));
	suite_add_tcase(s, t);
	return run_suite(s);
}
