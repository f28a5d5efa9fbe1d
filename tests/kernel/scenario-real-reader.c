/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/replay/pattern.h"
#include "daemon/util/cleanup.h"
#include "tests/kernel/scenario-real.h"

#define PIECES_MAX 4096 /* each is a thread */

struct real_reader *real_reader_find(struct real *real, const char *label)
{
	struct real_reader *reader;

	TAILQ_FOREACH(reader, &real->readers, link)
		if (reader->label && strcmp(reader->label, label) == 0)
			return reader;
	return NULL;
}

void real_reader_free(struct real_reader *reader)
{
	real_child_free(&reader->child);
	free(reader->errors);
	free(reader);
}

/* ---- start ------------------------------------------------------------------------------- */

/* 0: they would be empty, or without end. */
static size_t count_pieces(const struct scenario_step *step)
{
	uint64_t by = scenario_number(step, "by", step->len);
	uint64_t every = scenario_number(step, "every", by);

	return by && every ? (size_t)((step->len + every - 1) / every) : 0;
}

static int spawn(struct real_reader *reader, const struct scenario_step *step, bool at_once)
{
	const struct real_mount *mount = reader->mount;
	uint64_t by = scenario_number(step, "by", step->len);
	uint64_t every = scenario_number(step, "every", by);
	_cleanup_free_ char *path = scenario_sentence("%s/data", mount->dir);
	_cleanup_free_ char *key = scenario_sentence(
		"%ju", (uintmax_t)(pattern_key(mount->object->key) + mount->version));
	_cleanup_free_ char *flags =
		scenario_sentence("-%s%s%s%s", mount->object->flags & ORIGIN_COMPRESSED ? "c" : "",
				  scenario_has(step, "pages") ? "p" : "", at_once ? "a" : "",
				  step->result.outcome == SCENARIO_FAILS ? "f" : "");
	_cleanup_free_ char *off = scenario_sentence("%ju", (uintmax_t)step->off);
	_cleanup_free_ char *len = scenario_sentence("%ju", (uintmax_t)step->len);
	_cleanup_free_ char *by_text = scenario_sentence("%ju", (uintmax_t)by);
	_cleanup_free_ char *every_text = scenario_sentence("%ju", (uintmax_t)every);
	_cleanup_free_ char *pieces = NULL;
	const char *argv[] = { "reader", "--read", path,       key,  flags, off,
			       len,	 by_text,  every_text, NULL, NULL };

	reader->errors = calloc(reader->n_pieces, sizeof(*reader->errors));
	if (!reader->errors)
		return -ENOMEM;
	for (size_t i = 0; i < reader->n_pieces; i++)
		reader->errors[i] = REAL_WAITING;
	argv[9] = pieces = scenario_sentence("%zu", reader->n_pieces);
	return real_child_start(&reader->child, NULL, argv, true);
}

static char *start(struct real *real, const struct scenario_step *step, bool at_once,
		   struct real_reader **ret)
{
	struct real_reader *reader = calloc(1, sizeof(*reader));
	int r;

	if (!reader)
		return scenario_sentence("no memory");
	reader->label = step->label;
	reader->mount = real_mount_find(real, step->mount);
	reader->n_pieces = count_pieces(step);
	TAILQ_INSERT_TAIL(&real->readers, reader, link);
	if (!real_mount_usable(reader->mount))
		return scenario_sentence("'%s' is not mounted", step->mount);
	if (reader->n_pieces == 0 || reader->n_pieces > PIECES_MAX)
		return scenario_sentence("that is no number of pieces");
	r = spawn(reader, step, at_once);
	if (r < 0)
		return scenario_sentence("cannot start: %s", strerror(-r));
	*ret = reader;
	return NULL;
}

char *real_reader_start(struct real *real, const struct scenario_step *step)
{
	struct real_reader *reader;

	return start(real, step, true, &reader);
}

/* ---- end --------------------------------------------------------------------------------- */

static void note(struct real_reader *reader, const struct real_piece *piece)
{
	if (piece->number < reader->n_pieces)
		reader->errors[piece->number] = piece->error;
}

/* Takes what has been said, until it is the end (true), or nothing comes for ms. */
static bool hear(struct real_reader *reader, int ms)
{
	struct pollfd p = { .fd = reader->child.out, .events = POLLIN };
	struct real_piece pieces[64];
	ssize_t n;

	while (poll(&p, 1, ms) > 0) {
		n = read(p.fd, pieces, sizeof(pieces));
		for (ssize_t i = 0; i < n / (ssize_t)sizeof(pieces[0]); i++)
			note(reader, &pieces[i]);
		if (n <= 0)
			return true;
	}
	return false;
}

/* EIO, or ENOBUFS once the cache is gone: the kernel does not say the same each time. */
static struct scenario_result result_of(int32_t error)
{
	if (error == REAL_WAITING)
		return (struct scenario_result){ .outcome = SCENARIO_WAITING };
	if (error == -ENOBUFS)
		error = -EIO;
	return (struct scenario_result){ .outcome = error ? SCENARIO_FAILS : SCENARIO_OK,
					 .error = error };
}

/* Which piece to show: one that got wrong bytes, or the first that is not as it should be. */
static void choose(const struct real_reader *reader, const struct scenario_result *wanted,
		   struct scenario_result *ret)
{
	bool all_fit = true;

	*ret = result_of(reader->errors[0]);
	for (size_t i = 0; i < reader->n_pieces && all_fit; i++) {
		*ret = result_of(reader->errors[i]);
		all_fit = scenario_result_fits(wanted, ret, false);
	}
}

static char *conclude(struct real_reader *reader, const struct scenario_result *wanted,
		      struct scenario_result *ret)
{
	for (size_t i = 0; i < reader->n_pieces; i++)
		if (reader->errors[i] == REAL_WRONG)
			return scenario_sentence("a reader got wrong bytes in piece %zu", i);
	choose(reader, wanted, ret);
	return NULL;
}

/* All of its pieces have ended, or nobody will say any more. */
static char *await(struct real_reader *reader)
{
	if (!hear(reader, REAL_WAIT_MS) || !real_child_ended(&reader->child, REAL_WAIT_MS))
		return scenario_sentence("a reader hangs");
	if (reader->child.status != 0 && reader->child.status != 128 + 9)
		return scenario_sentence("a reader ended with status %d", reader->child.status);
	for (size_t i = 0; reader->child.status && i < reader->n_pieces; i++)
		if (reader->errors[i] == REAL_WAITING)
			reader->errors[i] = -EINTR;
	return NULL;
}

char *real_reader_done(struct real_reader *reader, bool wait, const struct scenario_result *wanted,
		       struct scenario_result *ret)
{
	char *trouble = NULL;

	/* A moment, in which one that does not wait shows it. */
	if (!wait)
		hear(reader, 50);
	else if (reader->child.pid)
		trouble = await(reader);
	return trouble ? trouble : conclude(reader, wanted, ret);
}

char *real_reader_read(struct real *real, const struct scenario_step *step,
		       struct scenario_result *ret)
{
	struct real_reader *reader = NULL;
	char *trouble = start(real, step, false, &reader);

	if (!trouble)
		trouble = await(reader);
	/* After the one that was not as expected there are no more. */
	for (size_t i = 1; !trouble && i < reader->n_pieces; i++)
		if (reader->errors[i] == REAL_WAITING)
			reader->errors[i] = reader->errors[i - 1];
	return trouble ? trouble : conclude(reader, &step->result, ret);
}
