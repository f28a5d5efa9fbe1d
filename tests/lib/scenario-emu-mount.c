/* SPDX-License-Identifier: MIT */
/* Mounts and readers. */
#include <stdlib.h>
#include <string.h>

#include "daemon/util/checked.h"
#include "tests/lib/scenario-emu-internal.h"

#define PIECES_MAX 100000

struct stage_mount *stage_mount(const struct scenario_emu *stage, const char *label)
{
	struct stage_mount *mount;

	TAILQ_FOREACH(mount, &stage->mounts, link)
		if (strcmp(mount->label, label) == 0)
			break;
	return mount;
}

struct stage_reader *stage_reader(const struct scenario_emu *stage, const char *label)
{
	struct stage_reader *reader;

	TAILQ_FOREACH(reader, &stage->readers, link)
		if (strcmp(reader->label, label) == 0)
			break;
	return reader;
}

/* ---- mounts ----------------------------------------------------------------------------- */

char *stage_open(void *arg, const struct scenario_step *step)
{
	struct scenario_emu *stage = arg;
	struct stage_object *object = stage_object(stage, step->object);
	uint64_t version = scenario_number(step, "version", object->n_versions);
	struct stage_mount *mount;

	if (version < 1 || version > object->n_versions)
		return scenario_sentence("there is no version %ju", (uintmax_t)version);
	mount = calloc(1, sizeof(*mount));
	if (!mount)
		abort();
	mount->label = step->label;
	stage_volume(scenario_word(step, "in", NULL), object->volume);
	mount->mount = emu_open_bytes(rig.emu, bytes_str(object->volume), stage_key(object),
				      &object->versions[version - 1]->bytes);
	TAILQ_INSERT_TAIL(&stage->mounts, mount, link);
	return NULL;
}

static bool mount_ended(const void *mount)
{
	enum emu_mount_state state = emu_mount_state(mount);

	return state != EMU_MOUNT_OPENING && state != EMU_MOUNT_BLOCKED;
}

static struct scenario_result mount_result(const struct emu_mount *mount)
{
	if (!mount_ended(mount))
		return (struct scenario_result){ .outcome = SCENARIO_WAITING };
	if (emu_mount_state(mount) == EMU_MOUNT_FAILED)
		return (struct scenario_result){ SCENARIO_FAILS, emu_mount_error(mount) };
	return (struct scenario_result){ .outcome = SCENARIO_OK };
}

static bool mount_released(const void *mount)
{
	return emu_mount_fd(mount) < 0;
}

/* Somebody else has the same object mounted: it stays with the daemon. */
static bool mount_shared(const struct scenario_emu *stage, const struct stage_mount *mount)
{
	const struct stage_mount *other;

	TAILQ_FOREACH(other, &stage->mounts, link)
		if (other != mount && emu_mount_state(other->mount) == EMU_MOUNT_OPEN &&
		    emu_mount_object_id(other->mount) == emu_mount_object_id(mount->mount))
			return true;
	return false;
}

char *stage_umount(void *arg, const struct scenario_step *step)
{
	struct scenario_emu *stage = arg;
	struct stage_mount *mount = stage_mount(stage, step->mount);

	if (!mount_ended(mount->mount))
		return scenario_sentence("'%s' is not mounted yet", step->mount);
	emu_close(mount->mount);
	if (stage->dead || !rig.frontend || mount_shared(stage, mount) ||
	    stage_wait(mount_released, mount->mount))
		return NULL;
	return scenario_sentence("the daemon does not let go of '%s'", step->mount);
}

/* ---- readers ---------------------------------------------------------------------------- */

/* Piece i of a step; false: there is none. */
static bool piece(const struct scenario_step *step, size_t i, uint64_t *ret_off, uint64_t *ret_len)
{
	uint64_t by = scenario_number(step, "by", step->len);
	uint64_t every = scenario_number(step, "every", by);
	uint64_t at = i * every;

	if (at >= step->len || (every == 0 && i > 0))
		return false;
	*ret_off = step->off + at;
	*ret_len = min_u64(by, step->len - at);
	return true;
}

static char *check_pieces(const struct scenario_emu *stage, const struct scenario_step *step)
{
	struct stage_mount *mount = stage_mount(stage, step->mount);
	enum emu_mount_state state = emu_mount_state(mount->mount);
	uint64_t off, len;

	if (state != EMU_MOUNT_OPEN && state != EMU_MOUNT_OPENING)
		return scenario_sentence("'%s' is not mounted", step->mount);
	if (!piece(step, 0, &off, &len) || len == 0 || piece(step, PIECES_MAX, &off, &len))
		return scenario_sentence("that is no number of pieces");
	return NULL;
}

static struct emu_reader *begin_piece(const struct scenario_emu *stage,
				      const struct scenario_step *step, uint64_t off, uint64_t len)
{
	struct emu_mount *mount = stage_mount(stage, step->mount)->mount;

	return scenario_has(step, "pages") ? emu_read_pages(mount, off, len)
					   : emu_read(mount, off, len);
}

char *stage_start(void *arg, const struct scenario_step *step)
{
	struct scenario_emu *stage = arg;
	struct stage_reader *reader;
	char *trouble = check_pieces(stage, step);
	uint64_t off, len;

	if (trouble)
		return trouble;
	reader = calloc(1, sizeof(*reader));
	if (!reader)
		abort();
	reader->label = step->label;
	TAILQ_INSERT_TAIL(&stage->readers, reader, link);
	for (size_t i = 0; piece(step, i, &off, &len); i++) {
		reader->pieces = reallocarray(reader->pieces, i + 1, sizeof(*reader->pieces));
		if (!reader->pieces)
			abort();
		reader->pieces[reader->n_pieces++] = begin_piece(stage, step, off, len);
	}
	return NULL;
}

static bool piece_ended(const void *reader)
{
	return !rig_waiting(reader);
}

static struct scenario_result piece_result(const struct emu_reader *reader)
{
	switch (emu_reader_state(reader)) {
	case EMU_READER_WAITING:
		return (struct scenario_result){ .outcome = SCENARIO_WAITING };
	case EMU_READER_FAILED:
		return (struct scenario_result){ SCENARIO_FAILS, emu_reader_error(reader) };
	default:
		return (struct scenario_result){ .outcome = SCENARIO_OK };
	}
}

char *stage_read(void *arg, const struct scenario_step *step, struct scenario_result *ret)
{
	struct scenario_emu *stage = arg;
	char *trouble = check_pieces(stage, step);
	struct emu_reader *reader;
	uint64_t off, len;

	for (size_t i = 0; !trouble && piece(step, i, &off, &len); i++) {
		reader = begin_piece(stage, step, off, len);
		if (!stage_wait(piece_ended, reader))
			return scenario_sentence("the read of %ju + %ju never ends", (uintmax_t)off,
						 (uintmax_t)len);
		*ret = piece_result(reader);
		if (!scenario_result_fits(&step->result, ret, false))
			break;
	}
	return trouble;
}

static char *reader_done(const struct stage_reader *reader, bool wait,
			 const struct scenario_result *wanted, struct scenario_result *ret)
{
	for (size_t i = 0; i < reader->n_pieces; i++) {
		if (wait && !stage_wait(piece_ended, reader->pieces[i]))
			return scenario_sentence("'%s' never ends", reader->label);
		*ret = piece_result(reader->pieces[i]);
		if (!scenario_result_fits(wanted, ret, false))
			break;
	}
	return NULL;
}

char *stage_done(void *arg, const char *label, bool wait, const struct scenario_result *wanted,
		 struct scenario_result *ret)
{
	struct scenario_emu *stage = arg;
	struct stage_mount *mount = stage_mount(stage, label);

	if (!mount)
		return reader_done(stage_reader(stage, label), wait, wanted, ret);
	if (wait && !stage_wait(mount_ended, mount->mount))
		return scenario_sentence("'%s' never ends", label);
	*ret = mount_result(mount->mount);
	return NULL;
}

char *stage_kill(void *arg, const struct scenario_step *step)
{
	struct stage_reader *reader = stage_reader(arg, step->label);

	for (size_t i = 0; i < reader->n_pieces; i++)
		emu_kill_reader(reader->pieces[i]);
	return NULL;
}
