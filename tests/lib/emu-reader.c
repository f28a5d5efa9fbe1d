/* SPDX-License-Identifier: MIT */
/*
 * Readers: read(2) on a mounted file, reduced to what it does to one object. Whether a page is
 * there is asked from the cache file each time, as fs/cachefiles/io.c does
 * (cachefiles_prepare_ondemand_read), and like it the bytes are read past the page cache: blocks
 * that a write has allocated and not filled yet are a hole to SEEK_DATA only as long as nobody has
 * read zeros for them into the page cache.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/lib/emu-internal.h"

static void reader_end(struct emu_reader *reader, enum emu_reader_state state, int error)
{
	TAILQ_REMOVE(&reader->mount->object->waiting, reader, waiting);
	reader->state = state;
	reader->error = error;
	reader->ended = emu_now(reader->mount->emu);
}

void emu_reader_fail(struct emu_reader *reader, int error)
{
	if (reader->request)
		emu_request_free(reader->request);
	reader_end(reader, EMU_READER_FAILED, error);
}

/* Sends a READ; a dead cache refuses it at once. */
static void reader_ask(struct emu_reader *reader, uint64_t end)
{
	struct emu_object *object = reader->mount->object;
	struct emu_request *request;

	if (object->emu->dead) {
		emu_reader_fail(reader, -EIO);
		return;
	}
	if (object->state == EMU_OBJECT_OPEN)
		emu_object_arm(object); /* a READ proves that the object is ready */
	request = emu_request_new(object, CACHEFILES_OP_READ);
	request->off = reader->pos;
	request->len = end - reader->pos;
	request->reader = reader;
	reader->request = request;
	reader->msg_id = request->msg_id;
	reader->requests++;
	reader->asked = true;
	emu_poll_update(object->emu);
}

/* The bytes from pos to end are present: are they the origin's? */
static void reader_compare(struct emu_reader *reader, int fd, uint64_t end)
{
	struct emu_object *object = reader->mount->object;
	_Alignas(EMU_PAGE) uint8_t buf[16384];
	size_t n;

	for (; reader->pos < end; reader->pos += n) {
		n = end - reader->pos < sizeof(buf) ? end - reader->pos : sizeof(buf);
		if (pread(fd, buf, n, (off_t)reader->pos) != (ssize_t)n)
			ck_abort_msg("emu: cannot read a cache file");
		emu_file_compare(object->emu, object->file, buf, reader->pos, n, "a reader got");
	}
}

/* One attempt, from pos on; true: it has come to an end with nothing to wait for. */
static bool reader_try(struct emu_reader *reader, int fd, int *ret_error)
{
	struct emu *emu = reader->mount->emu;
	uint64_t limit, end;

	while (reader->pos < reader->end) {
		limit = reader->pagewise ? reader->pos + EMU_PAGE : reader->end;
		if (!emu_file_hole(emu, fd, reader->pos, limit, &end)) {
			reader->asked = false;
			reader_compare(reader, fd, end);
			continue;
		}
		if (!reader->asked) {
			reader_ask(reader, end);
			return false;
		}
		reader->asked = false;
		if (reader->pagewise) {
			*ret_error = -EIO;
			return true;
		}
		/* Readahead failed as a whole: none of its pages is up to date. */
		reader->pagewise = true;
		reader->pos = reader->off;
	}
	*ret_error = 0;
	return true;
}

void emu_reader_advance(struct emu_reader *reader)
{
	struct emu_object *object = reader->mount->object;
	int fd = emu_file_open(object->emu, object->file, O_RDONLY | object->emu->direct);
	int error;

	if (reader_try(reader, fd, &error))
		reader_end(reader, error ? EMU_READER_FAILED : EMU_READER_DONE, error);
	close(fd);
}

static struct emu_reader *reader_new(struct emu_mount *mount, uint64_t off, uint64_t len,
				     bool pagewise)
{
	struct emu_reader *reader = emu_alloc(sizeof(*reader));

	if (mount->state != EMU_MOUNT_OPEN && mount->state != EMU_MOUNT_OPENING)
		ck_abort_msg("emu: a read on what is not mounted");
	reader->mount = mount;
	reader->off = reader->pos = off / EMU_PAGE * EMU_PAGE;
	reader->end = (off + len + EMU_PAGE - 1) / EMU_PAGE * EMU_PAGE;
	reader->pagewise = pagewise;
	reader->started = emu_now(mount->emu);
	TAILQ_INSERT_TAIL(&mount->emu->readers, reader, link);
	TAILQ_INSERT_TAIL(&mount->object->waiting, reader, waiting);
	if (mount->state == EMU_MOUNT_OPEN)
		emu_reader_advance(reader);
	return reader;
}

struct emu_reader *emu_read(struct emu_mount *mount, uint64_t off, uint64_t len)
{
	return reader_new(mount, off, len, false);
}

struct emu_reader *emu_read_pages(struct emu_mount *mount, uint64_t off, uint64_t len)
{
	return reader_new(mount, off, len, true);
}

void emu_kill_reader(struct emu_reader *reader)
{
	struct emu *emu = reader->mount->emu;

	if (reader->state == EMU_READER_WAITING)
		emu_reader_fail(reader, -EINTR);
	emu_poll_update(emu);
}

enum emu_reader_state emu_reader_state(const struct emu_reader *reader)
{
	return reader->state;
}

int emu_reader_error(const struct emu_reader *reader)
{
	return reader->error;
}

unsigned int emu_reader_requests(const struct emu_reader *reader)
{
	return reader->requests;
}

uint32_t emu_reader_msg_id(const struct emu_reader *reader)
{
	return reader->msg_id;
}

uint64_t emu_reader_waited(const struct emu_reader *reader)
{
	bool waiting = reader->state == EMU_READER_WAITING;

	return (waiting ? emu_now(reader->mount->emu) : reader->ended) - reader->started;
}
