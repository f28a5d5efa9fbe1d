/* SPDX-License-Identifier: MIT */
/* Mounts, and the life of the objects behind them. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/emu-internal.h"

/* ---- mounts ----------------------------------------------------------------------------- */

struct emu_object *emu_object_new(struct emu *emu, const struct emu_key *key,
				  const struct emu_origin *origin)
{
	struct emu_object *object = emu_alloc(sizeof(*object));

	object->emu = emu;
	object->key = emu_key_new(emu_key_volume(key), emu_key_cookie(key));
	object->origin = origin;
	object->fd = -1;
	TAILQ_INIT(&object->mounts);
	TAILQ_INIT(&object->waiting);
	TAILQ_INSERT_TAIL(&emu->objects, object, link);
	return object;
}

static void mount_attach(struct emu_mount *mount)
{
	struct emu *emu = mount->emu;
	struct emu_object *object;

	HASH_FIND(hh, emu->live, mount->key.data, mount->key.len, object);
	if (object && object->users == 0) {
		mount->state = EMU_MOUNT_BLOCKED;
		TAILQ_INSERT_TAIL(&emu->blocked, mount, opening);
		return;
	}
	if (!object) {
		object = emu_object_new(emu, &mount->key, mount->origin);
		HASH_ADD_KEYPTR(hh, emu->live, object->key.data, object->key.len, object);
		emu_request_new(object, CACHEFILES_OP_OPEN);
	}
	object->users++;
	mount->object = object;
	mount->state = EMU_MOUNT_OPEN;
	if (!object->opened) {
		mount->state = EMU_MOUNT_OPENING;
		TAILQ_INSERT_TAIL(&object->mounts, mount, opening);
	}
	emu_poll_update(emu);
}

/* A dead cache takes no more objects. */
static void mount_begin(struct emu_mount *mount)
{
	if (mount->emu->dead) {
		mount->state = EMU_MOUNT_FAILED;
		mount->error = -EIO;
	} else {
		mount_attach(mount);
	}
}

struct emu_mount *emu_open_bytes(struct emu *emu, struct bytes volume, struct bytes cookie,
				 const struct emu_origin *origin)
{
	struct emu_mount *mount = emu_alloc(sizeof(*mount));

	mount->emu = emu;
	mount->key = emu_key_new(volume, cookie);
	mount->origin = origin;
	TAILQ_INSERT_TAIL(&emu->mounts, mount, link);
	mount_begin(mount);
	return mount;
}

struct emu_mount *emu_open(struct emu *emu, const char *volume, const char *cookie,
			   const struct emu_origin *origin)
{
	return emu_open_bytes(emu, bytes_str(volume), bytes_str(cookie), origin);
}

enum emu_mount_state emu_mount_state(const struct emu_mount *mount)
{
	return mount->state;
}

int emu_mount_error(const struct emu_mount *mount)
{
	return mount->error;
}

uint64_t emu_mount_size(const struct emu_mount *mount)
{
	return mount->object ? mount->object->size : 0;
}

uint32_t emu_mount_object_id(const struct emu_mount *mount)
{
	return mount->object ? mount->object->id : 0;
}

int emu_mount_fd(const struct emu_mount *mount)
{
	return mount->object ? mount->object->fd : -1;
}

/* ---- end of an object ------------------------------------------------------------------- */

static bool key_equal(const struct emu_key *a, const struct emu_key *b)
{
	return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

/* With its last user, its CLOSE and its descriptor gone, the key is free for the next mount. */
static void object_try_end(struct emu_object *object)
{
	struct emu *emu = object->emu;
	struct emu_mount *mount, *next;

	if (object->users || object->fd >= 0 || object->open || !object->hh.tbl)
		return;
	HASH_DEL(emu->live, object);
	object->hh.tbl = NULL;
	for (mount = TAILQ_FIRST(&emu->blocked); mount; mount = next) {
		next = TAILQ_NEXT(mount, opening);
		if (!key_equal(&mount->key, &object->key))
			continue;
		TAILQ_REMOVE(&emu->blocked, mount, opening);
		mount_begin(mount);
	}
}

void emu_object_fail_readers(struct emu_object *object, int error)
{
	struct emu_reader *reader;

	while ((reader = TAILQ_FIRST(&object->waiting)))
		emu_reader_fail(reader, error);
}

/* CLOSE was read (or is not due): cachefiles_ondemand_clean_object. */
void emu_object_dropped(struct emu_object *object)
{
	object->state = EMU_OBJECT_DROPPED;
	emu_object_fail_readers(object, -EIO);
	if (object->fd >= 0)
		emu_object_disarm(object);
	object_try_end(object);
}

void emu_close(struct emu_mount *mount)
{
	struct emu_object *object = mount->object;
	bool open = mount->state == EMU_MOUNT_OPEN;

	if (mount->state == EMU_MOUNT_BLOCKED)
		TAILQ_REMOVE(&mount->emu->blocked, mount, opening);
	if (mount->state == EMU_MOUNT_OPENING)
		ck_abort_msg("emu: mount(2) has not returned, nobody can umount");
	mount->state = EMU_MOUNT_CLOSED;
	if (!open || --object->users)
		return;
	if (object->state == EMU_OBJECT_OPEN && !object->emu->dead) {
		emu_request_new(object, CACHEFILES_OP_CLOSE);
	} else {
		if (object->open)
			emu_request_free(object->open);
		emu_object_dropped(object);
	}
	emu_poll_update(object->emu);
}

void emu_object_free(struct emu_object *object)
{
	TAILQ_REMOVE(&object->emu->objects, object, link);
	free(object->key.data);
	free(object);
}

/* ---- answers to OPEN -------------------------------------------------------------------- */

static void object_settle_mounts(struct emu_object *object, enum emu_mount_state state, int error)
{
	struct emu_mount *mount;

	while ((mount = TAILQ_FIRST(&object->mounts))) {
		TAILQ_REMOVE(&object->mounts, mount, opening);
		mount->state = state;
		mount->error = error;
	}
}

static void object_start_readers(struct emu_object *object)
{
	struct emu_reader *reader, *next;

	for (reader = TAILQ_FIRST(&object->waiting); reader; reader = next) {
		next = TAILQ_NEXT(reader, waiting);
		emu_reader_advance(reader);
	}
}

void emu_object_opened(struct emu_object *object, uint64_t size)
{
	struct emu *emu = object->emu;
	const struct emu_origin *version = NULL;
	char key[176];
	bool first = !object->opened;

	emu_key_print(&object->key, key, sizeof(key));
	emu_fd_check_cloexec(object);
	if (first && object->origin && object->origin->version)
		version = object->origin->version(object->origin, size);
	if (version)
		object->origin = version;
	/* Who opens it again may know no more of its size than the kernel tells: whole blocks. */
	if (!first && object->file && size == object->file->limit)
		size = object->size;
	if (object->origin && size != object->origin->size)
		emu_violation(emu, "%s was opened with size %ju, the origin has %ju", key,
			      (uintmax_t)size, (uintmax_t)object->origin->size);
	if (!first && size != object->size)
		emu_violation(emu, "%s was reopened with size %ju after %ju", key, (uintmax_t)size,
			      (uintmax_t)object->size);
	object->size = size;
	if (first)
		object->file = emu_file_get(emu, &object->key, size, object->origin);
	if (!object->file) { /* over the file system's maximum: a CLOSE is sent all the same */
		object_settle_mounts(object, EMU_MOUNT_FAILED, -EIO);
		object->users = 0;
		object->opened = true;
		emu_request_new(object, CACHEFILES_OP_CLOSE);
		return;
	}
	object->opened = true;
	object->state = EMU_OBJECT_OPEN;
	object->ready_at = emu_now(emu) + (first ? emu->config.ready_delay : 0);
	emu_object_is_ready(object);
	object_settle_mounts(object, EMU_MOUNT_OPEN, 0);
	if (first)
		object_start_readers(object);
}

/* A copen with an error, or a delivery that failed. */
void emu_object_refused(struct emu_object *object, int error)
{
	if (object->opened) {
		if (object->fd < 0)
			object->state = EMU_OBJECT_CLOSED;
		return; /* readers stay where they are: the next READ asks again */
	}
	object->state = EMU_OBJECT_DROPPED;
	object_settle_mounts(object, EMU_MOUNT_FAILED, error);
	object->users = 0;
	emu_object_fail_readers(object, -EIO);
	object_try_end(object);
}

/* ---- the anonymous descriptor ----------------------------------------------------------- */

/* Opens nothing: a new descriptor could take the very number that is in question. */
bool emu_fd_is_ours(const struct emu_object *object)
{
	struct stat have, want;

	if (object->ready)
		emu_file_stat(object->emu, object->file, &want);
	else
		fstat(object->emu->placeholder, &want);
	return fstat(object->fd, &have) == 0 && have.st_dev == want.st_dev &&
	       have.st_ino == want.st_ino;
}

void emu_fd_check_cloexec(const struct emu_object *object)
{
	if (!(fcntl(object->fd, F_GETFD) & FD_CLOEXEC))
		emu_violation(object->emu, "descriptor %d of object %u lacks FD_CLOEXEC",
			      object->fd, object->id);
}

/* cachefiles_ondemand_get_fd: a negative errno fails the OPEN that is being delivered. */
int emu_object_install(struct emu_object *object)
{
	struct emu *emu = object->emu;
	int error = emu->delivery_error;

	if (error) {
		emu->delivery_error = 0;
		return error;
	}
	if (object->id)
		return -EEXIST; /* restore, while the descriptor of the first delivery is open */
	object->fd = dup(emu->placeholder);
	if (object->fd < 0)
		return -errno;
	object->id = emu->next_object_id++;
	object->ready = false;
	HASH_ADD(hh_fd, emu->by_fd, fd, sizeof(object->fd), object);
	if (++emu->counters.fds > emu->counters.fds_peak)
		emu->counters.fds_peak = emu->counters.fds;
	return 0;
}

/* Puts a file under the daemon's number and leaves the rest of it alone. */
static void fd_replace(struct emu_object *object, int fd)
{
	int cloexec = fcntl(object->fd, F_GETFD) & FD_CLOEXEC;

	if (fd < 0 || dup3(fd, object->fd, cloexec ? O_CLOEXEC : 0) < 0)
		ck_abort_msg("emu: cannot install a cache file: %s", strerror(errno));
}

void emu_object_arm(struct emu_object *object)
{
	int fd;

	if (object->ready || object->fd < 0)
		return;
	fd = emu_file_open(object->emu, object->file, O_WRONLY | object->emu->direct);
	fd_replace(object, fd);
	close(fd);
	object->ready = true;
}

void emu_object_disarm(struct emu_object *object)
{
	if (object->ready)
		fd_replace(object, object->emu->placeholder);
	object->ready = false;
}

bool emu_object_is_ready(struct emu_object *object)
{
	if (object->state == EMU_OBJECT_OPEN && !object->ready &&
	    emu_now(object->emu) >= object->ready_at)
		emu_object_arm(object);
	return object->ready;
}

/* cachefiles_ondemand_fd_release */
void emu_object_released(struct emu_object *object)
{
	struct emu *emu = object->emu;
	bool close_unread = object->open && object->open->opcode == CACHEFILES_OP_CLOSE;

	HASH_DELETE(hh_fd, emu->by_fd, object);
	emu->counters.fds--;
	object->fd = -1;
	object->id = 0;
	object->ready = false;
	if (object->state == EMU_OBJECT_OPEN || object->state == EMU_OBJECT_REOPENING)
		object->state = EMU_OBJECT_CLOSED;
	if (close_unread) {
		emu_request_free(object->open);
		emu_object_dropped(object);
	}
	object_try_end(object);
	emu_poll_update(emu);
}
