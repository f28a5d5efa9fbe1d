/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/util/checked.h"
#include "proto/cachefiles-abi.h"
#include "tests/lib/program-internal.h"

static unsigned int pick_key(void)
{
	return program_u8() % PROGRAM_KEYS;
}

static const char *cookie_of(unsigned int key)
{
	return program_newest(key)->locator + strlen("fake:");
}

/* ---- kernel ----------------------------------------------------------------------------- */

static bool is_state(const struct emu_mount *mount, enum emu_mount_state state)
{
	return mount && emu_mount_state(mount) == state;
}

static void event_mount(void)
{
	unsigned int i = program_u8() % PROGRAM_MOUNTS, key = pick_key();
	struct emu_mount *mount = program.mounts[i];

	if (is_state(mount, EMU_MOUNT_OPENING))
		return; /* mount(2) has not returned */
	if (mount)
		emu_close(mount);
	program.mount_label[i] = ++program.last_label;
	program_say("open %s as m%u", cookie_of(key), program.mount_label[i]);
	program.mounts[i] = rig_open(program_newest(key));
	program.mounted[i] = key;
}

static void event_umount(void)
{
	unsigned int i = program_u8() % PROGRAM_MOUNTS;

	if (!is_state(program.mounts[i], EMU_MOUNT_OPEN))
		return;
	program_say("umount m%u", program.mount_label[i]);
	emu_close(program.mounts[i]);
}

static void read_some(bool pagewise)
{
	uint8_t where = program_u8();
	unsigned int i = where % PROGRAM_MOUNTS, r = where / PROGRAM_MOUNTS % PROGRAM_READERS;
	struct emu_mount *mount = program.mounts[i];
	bool open = is_state(mount, EMU_MOUNT_OPEN);
	uint64_t size = open ? emu_mount_size(mount) : 64 * KIB;
	uint64_t off = program_offset(size + 8192), len = 1 + program_offset(size);

	if (!open && !is_state(mount, EMU_MOUNT_OPENING))
		return;
	if (pagewise)
		len = min_u64(len, 4 * CACHE_BLOCK);
	program.bytes += len;
	if (program.bytes > PROGRAM_BYTES)
		return;
	program.reader_label[r] = ++program.last_label;
	program_say("start m%u %ju+%ju as r%u%s", program.mount_label[i], (uintmax_t)off,
		    (uintmax_t)len, program.reader_label[r], pagewise ? " pages" : "");
	program.readers[r] = pagewise ? emu_read_pages(mount, off, len) : emu_read(mount, off, len);
}

static void event_read(void)
{
	read_some(false);
}

static void event_read_pages(void)
{
	read_some(true);
}

static void event_kill_reader(void)
{
	unsigned int i = program_u8() % PROGRAM_READERS;

	if (!program.readers[i])
		return;
	program_say("kill r%u", program.reader_label[i]);
	emu_kill_reader(program.readers[i]);
}

static void event_delivery_fails(void)
{
	static const int errors[] = { -EMFILE, -ENFILE, -EINTR, -ENOMEM };
	int error = errors[program_u8() % 4];

	program_say("kernel emfile # or rather %s", strerrorname_np(-error));
	emu_fail_delivery(rig.emu, error);
}

static void event_restore(void)
{
	program_say("kernel restore");
	emu_restore(rig.emu);
}

static void event_cull(void)
{
	unsigned int key = pick_key();
	struct bytes volume = bytes_str(RIG_VOLUME), cookie = bytes_str(cookie_of(key));

	if (emu_in_use(rig.emu, volume, cookie))
		return;
	program_say("kernel cull %s", cookie_of(key));
	emu_cull(rig.emu, volume, cookie);
}

static void event_populate(void)
{
	unsigned int key = pick_key();
	const struct emu_origin *bytes = &program_newest(key)->bytes;
	struct bytes volume = bytes_str(RIG_VOLUME), cookie = bytes_str(cookie_of(key));
	uint64_t off = program_offset(bytes->size) / CACHE_BLOCK * CACHE_BLOCK;
	uint64_t end = min_u64(off + program_offset(bytes->size), bytes->size);

	if (end != bytes->size)
		end = end / CACHE_BLOCK * CACHE_BLOCK;
	if (end <= off || emu_in_use(rig.emu, volume, cookie))
		return;
	program_say("kernel populate %s %ju+%ju", cookie_of(key), (uintmax_t)off,
		    (uintmax_t)(end - off));
	emu_populate(rig.emu, volume, cookie, bytes, off, end - off);
}

/* ---- messages that no kernel sends ------------------------------------------------------ */

union raw {
	struct {
		struct cachefiles_msg_header header;
		union {
			struct cachefiles_open_payload open;
			struct cachefiles_read_payload read;
		};
		char keys[64];
	};
	uint8_t bytes[CACHEFILES_MSG_MAX_SIZE];
};

/* A good OPEN of an object that the origin has, for a volume that nobody else mounts. */
static size_t raw_open(union raw *raw, unsigned int key)
{
	int n = snprintf(raw->keys, sizeof(raw->keys), "raw%c%s", '\0', cookie_of(key));

	raw->open = (struct cachefiles_open_payload){ 4, (uint32_t)n - 4, 0, 0 };
	return offsetof(union raw, keys) + (size_t)n;
}

/*
 * The id of an object that is there, or one that is out of the way of theirs: an OPEN under an id
 * that the kernel uses itself would send the READs of one object to another, and those behind a
 * CLOSE could not be answered any more.
 */
static uint32_t raw_object(uint32_t opcode)
{
	uint8_t i = program_u8();
	const struct emu_mount *mount = program.mounts[i % PROGRAM_MOUNTS];

	if (opcode != CACHEFILES_OP_OPEN && opcode != CACHEFILES_OP_CLOSE && i < 0x80 && mount)
		return emu_mount_object_id(mount);
	return 0x10000 + i % 4;
}

static size_t raw_message(union raw *raw, uint8_t kind)
{
	size_t n = sizeof(raw->header) + sizeof(raw->read);

	raw->header.opcode = kind % 4;
	raw->header.object_id = raw_object(raw->header.opcode);
	switch (kind % 8) {
	case CACHEFILES_OP_OPEN:
		n = raw_open(raw, pick_key());
		break;
	case CACHEFILES_OP_CLOSE:
		n = sizeof(raw->header);
		break;
	case CACHEFILES_OP_READ:
		raw->read.off = program_offset(MIB);
		raw->read.len = program_offset(MIB);
		break;
	default: /* of any length, with anything inside */
		n = program_u8() % 80;
		for (size_t i = sizeof(raw->header); i < n; i++)
			raw->bytes[i] = program_u8();
	}
	raw->header.len = (uint32_t)n + (kind & 0x40 ? program_u8() : 0);
	return n;
}

/* Ids are out of the way of the real ones, and each is used once: a daemon tells messages apart by
 * nothing else. */
static void event_raw(void)
{
	union raw raw = { 0 };
	uint8_t kind = program_u8();
	size_t n = raw_message(&raw, kind);
	size_t fd_at = offsetof(union raw, open.fd);
	bool with_fd = raw.header.opcode == CACHEFILES_OP_OPEN && n >= fd_at + 4;

	raw.header.msg_id = program.raw_id++;
	program_say("kernel message op=%u id=%u bytes=%zu len=%u # object id %u", raw.header.opcode,
		    raw.header.msg_id, n, raw.header.len, raw.header.object_id);
	emu_inject_raw(rig.emu, &raw, n, with_fd ? (int)fd_at : -1);
}

/* ---- origin and disk -------------------------------------------------------------------- */

static void event_look(void)
{
	unsigned int key = pick_key();
	struct fake_origin *origin = program_newest(key);
	uint8_t x = program_u8();

	switch (x % 4) {
	case 1:
		origin->look_stalls = true;
		program_say("fault %s look-stall", cookie_of(key));
		break;
	case 2:
		origin->look_error = x & 0x80 ? -EHOSTUNREACH : -ENOENT;
		program_say("fault %s look=%s", cookie_of(key),
			    strerrorname_np(-origin->look_error));
		break;
	default:
		origin->look_delay = x / 4 % 16 * x / 64 * 100 * MS;
		program_say("fault %s look-delay=%jums", cookie_of(key),
			    (uintmax_t)(origin->look_delay / MS));
	}
}

static void event_fetch(void)
{
	unsigned int key = pick_key();
	struct fake_origin *origin = program_newest(key);
	uint8_t x = program_u8();

	origin->delay = x % 16 * x / 16 * MS;
	program_say("fault %s delay=%jums", cookie_of(key), (uintmax_t)(origin->delay / MS));
}

static void event_fetch_error(void)
{
	unsigned int key = pick_key();
	struct fake_origin *origin = program_newest(key);

	origin->fail_at = program_offset(origin->bytes.size);
	origin->read_error = program_u8() & 1 ? -ECONNRESET : -EIO;
	program_say("fault %s fail=%s at=%ju", cookie_of(key), strerrorname_np(-origin->read_error),
		    (uintmax_t)origin->fail_at);
}

static void event_fetch_stall(void)
{
	unsigned int key = pick_key();
	struct fake_origin *origin = program_newest(key);

	origin->stall_at = program_offset(origin->bytes.size);
	program_say("fault %s stall at=%ju", cookie_of(key), (uintmax_t)origin->stall_at);
}

static void event_fetch_slow(void)
{
	unsigned int key = pick_key();
	struct fake_origin *origin = program_newest(key);
	uint8_t x = program_u8();

	/* Not below 4 KiB, so that an image is through in a few hundred steps. */
	origin->step = ((uint64_t)4 * KIB << x % 4 * 2) + (x & 0x80 ? 100 : 0);
	origin->step_time = x / 4 % 8 * x / 4 % 8 * 10 * MS;
	program_say("fault %s step=%ju step-time=%jums", cookie_of(key), (uintmax_t)origin->step,
		    (uintmax_t)(origin->step_time / MS));
}

static void event_heal(void)
{
	unsigned int key = pick_key();

	program_say("heal %s", cookie_of(key));
	program_heal(key);
}

static void event_replace(void)
{
	unsigned int key = pick_key();
	uint64_t size = program_newest(key)->bytes.size + program_u8();

	if (program.n_versions[key] == PROGRAM_VERSIONS)
		return;
	program_serve(key, size);
	program_say("replace %s size=%ju", cookie_of(key),
		    (uintmax_t)program_newest(key)->bytes.size);
}

static void event_disk(void)
{
	static const int errors[] = { -ENOSPC, -ENOBUFS, -EIO, -EAGAIN };
	uint8_t x = program_u8();
	int error = errors[x / 8 % 4];
	size_t max = x & 0x80 ? CACHE_BLOCK * (1 + x / 32 % 4) : 0;

	program_say("kernel writes count=%u short=%zu fail=%s", x % 8, max,
		    strerrorname_np(-error));
	emu_fail_writes(rig.emu, x % 8, max, error);
}

/* ---- daemon ----------------------------------------------------------------------------- */

/* The next one; a cache that died with its device is mounted again from nothing. */
static void begin_daemon(bool alive)
{
	if (!alive)
		program_umount_all();
	program_weather(false);
	rig_start();
	program_weather(true);
	if (alive)
		emu_restore(rig.emu);
}

static void event_stop(void)
{
	program_say("daemon stop\ndaemon start");
	rig_stop();
	begin_daemon(rig.kernel.holder);
}

static void event_kill(void)
{
	program_say("daemon kill\ndaemon start");
	rig_kill();
	begin_daemon(rig.kernel.holder);
}

static void event_device_dies(void)
{
	program_say("kernel die");
	emu_kill_device(rig.emu);
	program_pass(program_u8() % 8 * 100 * MS);
	program_say("daemon stop\ndaemon start");
	rig_stop();
	begin_daemon(false);
}

static void event_time(void)
{
	uint8_t x = program_u8();
	uint64_t ns = x < 128 ? x * MS : (uint64_t)(x - 127) * 333 * MS;

	program_pass(ns);
}

/* ---- one event -------------------------------------------------------------------------- */

/* What is to happen often stands here often. */
static void (*const events[32])(void) = {
	event_mount,	   event_mount,	      event_mount,	    event_umount,
	event_umount,	   event_read,	      event_read,	    event_read,
	event_read,	   event_read_pages,  event_read_pages,	    event_kill_reader,
	event_look,	   event_look,	      event_fetch,	    event_fetch,
	event_fetch_error, event_fetch_error, event_fetch_stall,    event_fetch_slow,
	event_fetch_slow,  event_heal,	      event_replace,	    event_disk,
	event_disk,	   event_raw,	      event_delivery_fails, event_restore,
	event_cull,	   event_populate,    event_time,	    event_time,
};

static void (*const rare_events[4])(void) = {
	event_stop,
	event_kill,
	event_device_dies,
	event_raw,
};

void program_event(void)
{
	static const uint64_t waits[7] = { 0, 1, 1, 5, 30, 250, 2000 }; /* ms */
	uint8_t x = program_u8();
	unsigned int after = x >> 5;

	if (after == 7 && x % 8 < 4) {
		rare_events[x % 4]();
		return;
	}
	events[x % 32]();
	if (after == 0)
		return;
	program_pass(waits[after - 1] * MS);
}
