/* SPDX-License-Identifier: MIT */
/*
 * A life of the daemon that comes through most of its code: two objects, one of which is broken at
 * the origin for a while, and a compressed image; mounts, parallel reads with read-ahead, readers
 * that are killed, a reopen, a close in the middle of a read; the same once more on a warm cache,
 * by another daemon; all of it recorded. Whatever fails, it has to come to its end.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/record/recorder.h"
#include "tests/lib/rig.h"
#include "tests/lib/temporary.h"
#include "tests/torture/torture.h"

#define READERS 24

static struct life {
	struct fake_origin *blob, *other, *image;
	struct emu_mount *mounts[3];
	struct emu_reader *readers[READERS];
	unsigned int n_readers;
	struct recorder *recorder;
	bool recorded;
	char trace[TEMPORARY_MAX + 16];
} life;

/* ---- a daemon with a recorder ----------------------------------------------------------- */

static void life_decorate(struct port **port)
{
	char error[RECORDER_ERROR_MAX];

	fault_port(port);
	ck_assert_int_eq(recorder_new(&life.recorder, rig.loop), 0);
	ck_assert_int_eq(recorder_port(life.recorder, port, *port), 0);
	ck_assert_int_eq(recorder_start(life.recorder, life.trace, error), 0);
	recorder_source(life.recorder, 0, "fake", rig.source.rule.locator);
	rig.config.observer = recorder_observer(life.recorder);
}

static void life_recorded(void *arg)
{
	life.recorded = true;
}

static void life_stop(bool kill)
{
	if (kill)
		rig_kill();
	else
		rig_stop();
	life.recorded = false;
	recorder_stop(life.recorder, life_recorded, NULL);
	rig_wait(life.recorded);
	unlink(recorder_stats(life.recorder).path);
	life.recorder = recorder_free(life.recorder);
}

/* What happens while a daemon begins is another case: see make.c. */
static void life_start(void)
{
	fault_hold(true);
	rig_start();
	fault_hold(false);
}

static void life_begin(void)
{
	memset(&life, 0, sizeof(life));
	snprintf(life.trace, sizeof(life.trace), "%s/trace", torture_dir());
	rig_setup();
	rig.config.buffers = 2 * MIB;
	rig.config.readahead_max = 512 * KIB;
	rig.kernel.in_memory = true;
	rig.kernel.holder = true;
	rig.kernel.read_deadline = 0; /* it begins again with the next daemon */
	rig.kernel.ready_delay = 5 * MS;
	rig.source.max_requests = 4;
	rig.decorate = life_decorate;
	rig_begin();
	life.blob = rig_serve("blob", 700 * KIB + 123);
	life.other = rig_serve("other", 300 * KIB);
	life.image = rig_serve("image", 150 * KIB);
	life.image->compressed = life.image->bytes.patient = true;
}

/* ---- mounts and reads, which may fail --------------------------------------------------- */

static bool is_open(const struct emu_mount *mount)
{
	return mount && emu_mount_state(mount) == EMU_MOUNT_OPEN;
}

static void life_mount_all(void)
{
	life.mounts[0] = rig_open(life.blob);
	life.mounts[1] = rig_open(life.other);
	life.mounts[2] = rig_open(life.image);
	rig_run(100 * MS);
}

static void life_umount_all(void)
{
	for (unsigned int i = 0; i < 3; i++)
		rig_wait(emu_mount_state(life.mounts[i]) != EMU_MOUNT_OPENING &&
			 emu_mount_state(life.mounts[i]) != EMU_MOUNT_BLOCKED);
	for (unsigned int i = 0; i < 3; i++)
		emu_close(life.mounts[i]);
	rig_run(SEC);
}

static void life_read(unsigned int i, uint64_t off, uint64_t len)
{
	ck_assert_uint_lt(life.n_readers, READERS);
	if (is_open(life.mounts[i]))
		life.readers[life.n_readers++] = emu_read(life.mounts[i], off, len);
}

/* A second in which the origin fails where it is read. */
static void life_bad_weather(void)
{
	life.other->fail_at = 150 * KIB;
	life.other->read_error = -ECONNRESET;
	life_read(1, 128 * KIB, 64 * KIB);
	rig_run(SEC);
	life.other->read_error = 0;
	life.other->delay = 200 * MS;
	life_read(1, 200 * KIB, 64 * KIB);
	rig_run(100 * MS);
	if (emu_mount_state(life.mounts[1]) != EMU_MOUNT_OPENING) {
		emu_close(life.mounts[1]);
		life.mounts[1] = rig_open(life.other);
	}
	rig_run(100 * MS);
	life.other->delay = 0;
	rig_run(300 * MS);
	life_read(1, 128 * KIB, 128 * KIB);
}

static void life_read_some(void)
{
	life.blob->step = 48 * KIB;
	life.blob->step_time = 2 * MS;
	for (uint64_t off = 0; off < 192 * KIB; off += 64 * KIB) {
		life_read(0, off, 64 * KIB);
		rig_run(20 * MS);
	}
	life_read(0, 400 * KIB, 32 * KIB);
	life_read(0, 416 * KIB, 64 * KIB);
	life_read(0, 700 * KIB, 4 * KIB);
	life_read(2, 0, 16 * KIB);
	life_read(0, 600 * KIB, 8 * KIB);
	if (life.n_readers > 0)
		emu_kill_reader(life.readers[life.n_readers - 1]);
	rig_run(50 * MS);
}

/* ---- the whole -------------------------------------------------------------------------- */

/* The next daemon takes over what waits; from a dead device there is nothing to take. */
static void life_next_daemon(bool kill)
{
	bool dead = emu_is_dead(rig.emu);

	life_stop(kill);
	for (unsigned int i = 0; dead && i < 3; i++)
		emu_close(life.mounts[i]);
	life_start();
	if (!dead)
		emu_restore(rig.emu);
}

static void life_check_answered(void)
{
	rig_run(10 * SEC);
	for (unsigned int i = 0; i < life.n_readers; i++)
		ck_assert(!rig_waiting(life.readers[i]));
	for (unsigned int i = 0; i < 3; i++)
		ck_assert(emu_mount_state(life.mounts[i]) != EMU_MOUNT_OPENING);
}

/* After the failure, whatever it was. */
static void life_check_service(void)
{
	life_umount_all();
	life_mount_all();
	for (unsigned int i = 0; i < 3; i++) {
		ck_assert(is_open(life.mounts[i]));
		ck_assert_int_eq(rig_read(life.mounts[i], 0, emu_mount_size(life.mounts[i])), 0);
	}
	life_umount_all();
	ck_assert_uint_eq(fake_running(rig.fake), 0);
	ck_assert_uint_eq(emu_counters(rig.emu).fds, 0);
}

static void life_first_daemon(void)
{
	fault_hold(false);
	life_mount_all();
	life_read_some();
	life_bad_weather();
	rig_run(100 * MS);
	life.blob->delay = 200 * MS;
	life_read(0, 560 * KIB, 32 * KIB);
	rig_run(50 * MS);
	life.blob->delay = 0;
}

static void life_second_daemon(void)
{
	rig_run(50 * MS);
	life_umount_all();
	life_mount_all();
	life_read(0, 0, 300 * KIB);
	life_read(1, 0, 300 * KIB);
	life_read(2, 0, 150 * KIB);
	rig_run(100 * MS);
}

bool torture_life(unsigned int variant)
{
	if (variant > 0)
		return false;
	life_begin();
	life_first_daemon();
	life_next_daemon(true);
	life_second_daemon();
	fault_disarm();
	emu_fail_delivery(rig.emu, 0);
	if (rig.lost)
		life_next_daemon(false);
	life_check_answered();
	life_check_service();
	life_stop(false);
	rig_end();
	return true;
}
