/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/lib/emu-internal.h"

struct emu *emu_all;

void *emu_alloc(size_t n)
{
	void *p = calloc(1, n);

	if (!p)
		ck_abort_msg("emu: out of memory");
	return p;
}

uint64_t emu_now(const struct emu *emu)
{
	return emu->now ? emu->now(emu->loop) : 0;
}

void emu_set_clock(struct emu *emu, uint64_t (*now)(const struct loop *loop),
		   const struct loop *loop)
{
	emu->now = now;
	emu->loop = loop;
}

/* ---- keys ------------------------------------------------------------------------------- */

struct emu_key emu_key_new(struct bytes volume, struct bytes cookie)
{
	struct emu_key key = { .len = 4 + volume.len + cookie.len };
	uint32_t n = (uint32_t)volume.len;

	key.data = emu_alloc(key.len);
	memcpy(key.data, &n, 4);
	memcpy(key.data + 4, volume.data, volume.len);
	memcpy(key.data + 4 + volume.len, cookie.data, cookie.len);
	return key;
}

struct bytes emu_key_volume(const struct emu_key *key)
{
	uint32_t n;

	memcpy(&n, key->data, 4);
	return bytes_of(key->data + 4, n);
}

struct bytes emu_key_cookie(const struct emu_key *key)
{
	size_t volume = emu_key_volume(key).len;

	return bytes_of(key->data + 4 + volume, key->len - 4 - volume);
}

char *emu_key_print(const struct emu_key *key, char *buf, size_t n)
{
	char volume[80], cookie[80];

	bytes_print(emu_key_volume(key), volume, sizeof(volume));
	bytes_print(emu_key_cookie(key), cookie, sizeof(cookie));
	snprintf(buf, n, "%s %s", volume, cookie);
	return buf;
}

/* ---- life ------------------------------------------------------------------------------- */

/* On a real file system: in memory, direct I/O has no rules. */
static void emu_dir_new(struct emu *emu)
{
	int fd;

	temporary_dir(emu->dir, emu->config.in_memory ? TEMPORARY_MEMORY : TEMPORARY_DISK);
	emu->dir_fd = open(emu->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (emu->dir_fd < 0)
		ck_abort_msg("emu: no directory for cache files: %s", strerror(errno));
	fd = openat(emu->dir_fd, "probe", O_RDWR | O_CREAT | O_CLOEXEC | O_DIRECT, 0600);
	emu->direct = fd < 0 ? 0 : O_DIRECT;
	if (fd >= 0)
		close(fd);
	unlinkat(emu->dir_fd, "probe", 0);
}

int emu_cache_dir(const struct emu *emu)
{
	return emu->dir_fd;
}

struct emu *emu_new(const struct emu_config *config)
{
	struct emu *emu = emu_alloc(sizeof(*emu));

	emu_fds_snapshot(emu);
	if (config)
		emu->config = *config;
	emu->next_msg_id = emu->deliver_from = emu->config.first_msg_id;
	emu->next_object_id = 1;
	emu->dead = true;
	TAILQ_INIT(&emu->raw);
	TAILQ_INIT(&emu->unread);
	TAILQ_INIT(&emu->objects);
	TAILQ_INIT(&emu->reopens);
	TAILQ_INIT(&emu->mounts);
	TAILQ_INIT(&emu->blocked);
	TAILQ_INIT(&emu->readers);
	emu_dir_new(emu);
	emu->placeholder = memfd_create("not-ready", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (emu->placeholder < 0 || fcntl(emu->placeholder, F_ADD_SEALS, F_SEAL_WRITE) < 0)
		ck_abort_msg("emu: memfd: %s", strerror(errno));
	emu->next = emu_all;
	emu_all = emu;
	return emu;
}

struct port *emu_port(struct emu *emu)
{
	if (emu->port)
		ck_abort_msg("emu: the device is open already (EBUSY)");
	if (emu->dead && emu->live)
		ck_abort_msg("emu: close all mounts of the dead cache before a new bind");
	emu->dead = false;
	return emu_port_new(emu);
}

static void emu_free_lists(struct emu *emu)
{
	struct emu_request *request, *next_request;
	struct emu_object *object;
	struct emu_file *file, *next_file;
	struct emu_reader *reader;
	struct emu_mount *mount;
	struct emu_raw *raw;

	HASH_ITER(hh, emu->requests, request, next_request)
		emu_request_free(request);
	emu_ledger_clear(emu);
	while ((raw = TAILQ_FIRST(&emu->raw))) {
		TAILQ_REMOVE(&emu->raw, raw, link);
		free(raw);
	}
	while ((reader = TAILQ_FIRST(&emu->readers))) {
		TAILQ_REMOVE(&emu->readers, reader, link);
		free(reader);
	}
	while ((mount = TAILQ_FIRST(&emu->mounts))) {
		TAILQ_REMOVE(&emu->mounts, mount, link);
		free(mount->key.data);
		free(mount);
	}
	HASH_CLEAR(hh, emu->live);
	while ((object = TAILQ_FIRST(&emu->objects)))
		emu_object_free(object);
	HASH_ITER(hh, emu->files, file, next_file)
		emu_file_free(emu, file);
}

char *emu_end(struct emu *emu)
{
	struct emu **at;
	char *verdict;

	if (emu->port)
		emu_violation(emu, "the device was never closed");
	emu_look_over(emu);
	emu_free_lists(emu);
	rmdir(emu->dir);
	close(emu->dir_fd);
	close(emu->placeholder);
	for (at = &emu_all; *at != emu; at = &(*at)->next)
		;
	*at = emu->next;
	emu_fds_compare(emu);
	verdict = emu_verdict(emu);
	free(emu->fds_before);
	free(emu);
	return verdict;
}

void emu_free(struct emu *emu)
{
	if (emu)
		emu_judge(emu_end(emu));
}

/* ---- faults ----------------------------------------------------------------------------- */

/* Everybody who waits gets EIO (fs/cachefiles/daemon.c, cachefiles_flush_reqs). */
void emu_device_die(struct emu *emu)
{
	struct emu_request *request;
	struct emu_object *object;
	struct emu_raw *raw;

	emu->dead = true;
	while ((request = emu->requests)) {
		object = request->object;
		switch (request->opcode) {
		case CACHEFILES_OP_READ:
			emu_reader_fail(request->reader, -EIO);
			break;
		case CACHEFILES_OP_CLOSE:
			emu_request_free(request);
			emu_object_dropped(object);
			break;
		default:
			emu_request_free(request);
			emu_object_refused(object, -EIO);
		}
	}
	while ((raw = TAILQ_FIRST(&emu->raw))) {
		TAILQ_REMOVE(&emu->raw, raw, link);
		free(raw);
	}
	emu_poll_update(emu);
}

void emu_kill_device(struct emu *emu)
{
	emu_device_die(emu);
}

bool emu_is_dead(const struct emu *emu)
{
	return emu->dead;
}

/* The number belongs to the corpse, who closes it. */
static void object_linger(struct emu_object *object, int corpse)
{
	struct emu *emu = object->emu;

	HASH_DELETE(hh_fd, emu->by_fd, object);
	object->fd = fcntl(corpse, F_DUPFD_CLOEXEC, EMU_LINGER_FD);
	if (object->fd < 0)
		ck_abort_msg("emu: fcntl: %s", strerror(errno));
	object->lingering = true;
	HASH_ADD(hh_fd, emu->by_fd, fd, sizeof(object->fd), object);
}

static void kill_daemon(struct emu *emu, bool slowly)
{
	struct emu_object *object, *next;
	int corpse = memfd_create("corpse", MFD_CLOEXEC);

	if (!emu->port || corpse < 0)
		ck_abort_msg("emu: no daemon to kill, or no memfd");
	emu->port->emu = NULL;
	emu->port = NULL;
	HASH_ITER(hh_fd, emu->by_fd, object, next) {
		if (object->lingering)
			continue;
		dup3(corpse, object->fd, O_CLOEXEC);
		if (slowly)
			object_linger(object, corpse);
		else
			emu_object_released(object);
	}
	close(corpse);
	emu_ledger_clear(emu);
	if (!emu->config.holder)
		emu_device_die(emu);
}

void emu_kill_daemon(struct emu *emu)
{
	kill_daemon(emu, false);
}

void emu_kill_daemon_slowly(struct emu *emu)
{
	kill_daemon(emu, true);
}

void emu_let_go(struct emu *emu)
{
	struct emu_object *object, *next;

	HASH_ITER(hh_fd, emu->by_fd, object, next) {
		if (!object->lingering)
			continue;
		close(object->fd);
		object->lingering = false;
		emu_object_released(object);
	}
}

void emu_restore(struct emu *emu)
{
	struct emu_request *request, *next;

	HASH_ITER(hh, emu->requests, request, next)
		emu_request_requeue(request);
	emu_poll_update(emu);
}

void emu_fail_delivery(struct emu *emu, int error)
{
	emu->delivery_error = error;
}

void emu_fail_writes(struct emu *emu, unsigned int count, size_t max, int error)
{
	emu->write_faults = count;
	emu->write_fault_max = max;
	emu->write_fault_error = error;
}

void emu_inject_raw(struct emu *emu, const void *msg, size_t n, int fd_at)
{
	struct emu_raw *raw = emu_alloc(sizeof(*raw) + n);

	ck_assert_uint_le(n, CACHEFILES_MSG_MAX_SIZE);
	ck_assert(fd_at < 0 || (size_t)fd_at + 4 <= n);
	raw->fd_at = fd_at;
	raw->n = n;
	memcpy(raw->msg, msg, n);
	TAILQ_INSERT_TAIL(&emu->raw, raw, link);
	emu_poll_update(emu);
}

struct emu_counters emu_counters(const struct emu *emu)
{
	struct emu_counters counters = emu->counters;
	struct emu_request *request;

	TAILQ_FOREACH(request, &emu->unread, link)
		counters.unread++;
	counters.unanswered = HASH_COUNT(emu->requests) - counters.unread;
	return counters;
}
