/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/util/checked.h"
#include "tests/lib/program-internal.h"

struct program program;

/* ---- bytes ------------------------------------------------------------------------------ */

uint8_t program_u8(void)
{
	return program.at < program.end ? *program.at++ : 0;
}

uint16_t program_u16(void)
{
	uint8_t low = program_u8();

	return (uint16_t)(low | program_u8() << 8);
}

uint64_t program_offset(uint64_t max)
{
	uint8_t kind = program_u8();
	uint64_t x = program_u8();

	switch (kind % 4) {
	case 0:
		x *= CACHE_BLOCK;
		break;
	case 1:
		x = x * max / 255;
		break;
	case 2:
		x = x * CACHE_BLOCK + kind;
		break;
	default:
		break;
	}
	return min_u64(x, max);
}

void program_say(const char *fmt, ...)
{
	FILE *script = program.options->script;
	va_list ap;

	if (!script)
		return;
	va_start(ap, fmt);
	vfprintf(script, fmt, ap);
	va_end(ap);
	fputc('\n', script);
}

void program_weather(bool bad)
{
	if (program.options->weather)
		program.options->weather(bad);
}

void program_pass(uint64_t ns)
{
	program_say("pass %jums", (uintmax_t)(ns / MS));
	rig_run(ns);
}

/* ---- objects ---------------------------------------------------------------------------- */

static const char *const names[PROGRAM_KEYS] = { "blob0", "blob1", "blob2", "blob3" };
static const char *const validators[PROGRAM_VERSIONS] = { "v1", "v2", "v3", "v4", "v5", "v6" };

struct fake_origin *program_newest(unsigned int key)
{
	return program.versions[key][program.n_versions[key] - 1];
}

/* The engine may hold on to an older version, as long as it is one. Sizes tell them apart. */
static const struct emu_origin *version_of_size(const struct emu_origin *origin, uint64_t size)
{
	for (unsigned int key = 0; key < PROGRAM_KEYS; key++) {
		const struct emu_origin *found = NULL;
		bool ours = false;

		for (unsigned int i = 0; i < program.n_versions[key]; i++) {
			ours |= &program.versions[key][i]->bytes == origin;
			if (program.versions[key][i]->bytes.size == size)
				found = &program.versions[key][i]->bytes;
		}
		if (ours)
			return found;
	}
	return NULL;
}

void program_serve(unsigned int key, uint64_t size)
{
	unsigned int n = program.n_versions[key];
	struct fake_origin *origin;

	for (unsigned int i = 0; i < n; i++)
		if (program.versions[key][i]->bytes.size == size) {
			size++;
			i = UINT32_MAX; /* from the first */
		}
	if (n == 0)
		origin = rig_serve(names[key], size);
	else
		origin = fake_replace(rig.fake, program_newest(key), size, validators[n]);
	origin->bytes.version = version_of_size;
	origin->compressed = key == 0 && size > 8192;
	origin->bytes.patient = origin->compressed;
	program.versions[key][n] = origin;
	program.n_versions[key]++;
}

void program_heal(unsigned int key)
{
	for (unsigned int i = 0; i < program.n_versions[key]; i++) {
		struct fake_origin *origin = program.versions[key][i];

		origin->look_error = origin->read_error = 0;
		origin->look_delay = origin->delay = origin->step = 0;
		fake_unstall(rig.fake, origin);
	}
}

/* ---- the beginning ---------------------------------------------------------------------- */

static uint64_t size_of(unsigned int i)
{
	static const uint32_t sizes[16] = {
		0,     1,     4095,   4096,   4097,   5000,   12288,  65536,
		90000, 98304, 131072, 131073, 200000, 262144, 300000, MIB + 70000,
	};

	return sizes[i % 16];
}

/* Small numbers: what there is enough of is not worth a test. */
static void configure(uint8_t a, uint8_t b)
{
	static const uint64_t readahead[] = { 0, 64 * KIB, 512 * KIB, 4 * MIB };
	static const uint32_t first[] = { 0, 1, 0xfffffffa, 1000 };

	rig_setup();
	rig.config.buffers = (1 + a % 4) * MIB;
	rig.config.readahead_max = readahead[a / 4 % 4];
	rig.source.max_requests = 1 + a / 16 % 8;
	/* Not both: to the next daemon a reopen looks like an open, for which it asks again. */
	rig.kernel.holder = a & 0x80;
	rig.source.revalidate = (b & 1) && !rig.kernel.holder;
	rig.source.refuse_compressed = (b & 0x22) == 0x22;
	rig.source.negative_ttl = b & 0x40 ? 50 * MS : 0;
	rig.config.names_max = b & 0x80 ? 400 : 64 * KIB; /* two names, or all */
	rig.kernel.ready_delay = b & 4 ? 30 * MS : 0;
	rig.kernel.first_msg_id = first[b / 8 % 4];
	program_say("daemon buffers=%ju readahead-max=%ju names-max=%ju negative-ttl=%jums "
		    "requests=%u%s%s",
		    (uintmax_t)rig.config.buffers, (uintmax_t)rig.config.readahead_max,
		    (uintmax_t)rig.config.names_max, (uintmax_t)(rig.source.negative_ttl / MS),
		    rig.source.max_requests, rig.source.revalidate ? " revalidate" : "",
		    rig.source.refuse_compressed ? " refuse-compressed" : "");
	program_say("kernel first-id=%u ready-delay=%jums%s", rig.kernel.first_msg_id,
		    (uintmax_t)(rig.kernel.ready_delay / MS), rig.kernel.holder ? " holder" : "");
}

static void begin(void)
{
	uint8_t a = program_u8(), b = program_u8();
	uint16_t sizes = program_u16();

	configure(a, b);
	rig.kernel.in_memory = !program.options->on_disk;
	rig.decorate = program.options->decorate;
	rig_begin();
	for (unsigned int key = 0; key < PROGRAM_KEYS; key++) {
		program_serve(key, size_of(sizes >> 4 * key));
		program_say("serve %s size=%ju%s", names[key],
			    (uintmax_t)program_newest(key)->bytes.size,
			    program_newest(key)->compressed ? " compressed" : "");
	}
}

/* ---- the end ---------------------------------------------------------------------------- */

static void heal(void)
{
	emu_fail_writes(rig.emu, 0, 0, 0);
	emu_fail_delivery(rig.emu, 0);
	for (unsigned int key = 0; key < PROGRAM_KEYS; key++)
		program_heal(key);
}

static void check_nobody_waits(void)
{
	for (unsigned int i = 0; i < PROGRAM_READERS; i++)
		ck_assert(!program.readers[i] || !rig_waiting(program.readers[i]));
	for (unsigned int i = 0; i < PROGRAM_MOUNTS; i++)
		ck_assert(!program.mounts[i] ||
			  (emu_mount_state(program.mounts[i]) != EMU_MOUNT_OPENING &&
			   emu_mount_state(program.mounts[i]) != EMU_MOUNT_BLOCKED));
	ck_assert_uint_eq(fake_running(rig.fake), 0);
}

static bool is_open(const struct emu_mount *mount)
{
	return mount && emu_mount_state(mount) == EMU_MOUNT_OPEN;
}

static void read_everything(void)
{
	for (unsigned int i = 0; i < PROGRAM_MOUNTS; i++) {
		struct emu_mount *mount = program.mounts[i];
		uint64_t size = is_open(mount) ? emu_mount_size(mount) : 0;

		/* Of another version, it cannot be completed, and need not. */
		if (size > 0 && size == program_newest(program.mounted[i])->bytes.size)
			ck_assert_int_eq(rig_read(mount, 0, size), 0);
	}
}

void program_umount_all(void)
{
	for (unsigned int i = 0; i < PROGRAM_MOUNTS; i++)
		if (program.mounts[i] && emu_mount_state(program.mounts[i]) != EMU_MOUNT_OPENING)
			emu_close(program.mounts[i]);
}

void program_run(const void *bytes, size_t n, const struct program_options *options)
{
	program = (struct program){
		.at = bytes,
		.end = (const uint8_t *)bytes + n,
		.options = options,
		.raw_id = 0x40000000,
	};
	begin();
	program_weather(true);
	for (unsigned int i = 0; program.at < program.end && i < PROGRAM_EVENTS; i++)
		program_event();
	program_weather(false);
	program_say("# and all is well again");
	heal();
	rig_run(120 * SEC);
	ck_assert(!rig.lost);
	check_nobody_waits();
	read_everything();
	program_umount_all();
	rig_run(SEC);
	rig_end();
}
