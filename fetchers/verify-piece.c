/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/checked.h"
#include "fetchers/verify-tree-internal.h"

#define STORE_MAX  128		   /* pieces that are kept */
#define NEEDED_MAX (4 * STORE_MAX) /* also of trees that somebody waits for */

enum { PIECE_BLOCKS = VERIFY_PIECE / FSVERITY_BLOCK };

/* Blocks of a tree in memory, each of them believed once its bit is set. */
struct piece {
	struct verify_tree *tree;
	uint64_t number;
	uint32_t good;
	bool reading, canceled;
	bool again; /* they have been wrong, and come from elsewhere */
	int err;    /* of reading, for those that wait */
	struct fetch_read read;
	TAILQ_ENTRY(piece) link;
	uint8_t bytes[];
};

static_assert(PIECE_BLOCKS <= 32, "a bit for each block");

/* ---- the store ---------------------------------------------------------------------------- */

static struct piece *piece_find(struct verify_tree *t, uint64_t number)
{
	struct piece *p;

	TAILQ_FOREACH(p, &t->owner->pieces, link)
		if (p->tree == t && p->number == number)
			break;
	return p;
}

static struct piece *piece_new(struct verify_tree *t, uint64_t number)
{
	uint64_t off = FSVERITY_DESCRIPTOR + number * VERIFY_PIECE;
	size_t len = (size_t)min_u64(VERIFY_PIECE, verify_tree_size(t) - off);
	struct piece *p = malloc(sizeof(*p) + len);

	if (!p)
		return NULL;
	*p = (struct piece){ .tree = t, .number = number };
	p->read = (struct fetch_read){ .off = off, .len = len, .buf = p->bytes };
	t->n_pieces++;
	t->owner->n_pieces++;
	TAILQ_INSERT_HEAD(&t->owner->pieces, p, link);
	return p;
}

static void piece_free(struct piece *p)
{
	assert(!p->reading);
	p->tree->n_pieces--;
	p->tree->owner->n_pieces--;
	TAILQ_REMOVE(&p->tree->owner->pieces, p, link);
	free(p);
}

void verify_pieces_drop(struct verify_tree *t, bool failed_only)
{
	struct piece *p = TAILQ_FIRST(&t->owner->pieces), *next;

	for (; p && t->n_pieces > 0; p = next) {
		next = TAILQ_NEXT(p, link);
		if (p->tree == t && !p->reading && (!failed_only || p->err < 0))
			piece_free(p);
	}
}

void verify_pieces_trim(struct verify_trees *trees)
{
	struct piece *p = TAILQ_LAST(&trees->pieces, pieces), *before;

	for (; p && trees->n_pieces > STORE_MAX; p = before) {
		struct verify_tree *t = p->tree;

		before = TAILQ_PREV(p, pieces, link);
		if (p->reading || (t->awaited && trees->n_pieces <= NEEDED_MAX))
			continue;
		piece_free(p);
		if (t->refs == 0 && t->n_pieces == 0)
			verify_tree_free(t);
	}
}

void verify_pieces_take(struct verify_tree *t)
{
	for (uint64_t number = 0; number * PIECE_BLOCKS < t->shape.n_blocks; number++) {
		uint64_t off = FSVERITY_DESCRIPTOR + number * VERIFY_PIECE;
		struct piece *p;

		if (off + min_u64(VERIFY_PIECE, verify_tree_size(t) - off) > t->look.head_filled)
			return;
		p = piece_find(t, number) ? NULL : piece_new(t, number);
		if (p)
			memcpy(p->bytes, t->head + off, p->read.len);
	}
}

/* ---- reading ------------------------------------------------------------------------------ */

static void piece_done(struct fetch_read *read, int err)
{
	struct piece *p = container_of(read, struct piece, read);
	struct verify_tree *t = p->tree;

	p->reading = p->canceled = false;
	t->loads--;
	p->err = err;
	t->renewed &= err < 0;
	t->stale |= err == -ESTALE;
	if (err == -ECANCELED)
		piece_free(p);
	verify_tree_run(t);
}

static int piece_read(struct piece *p, char *error)
{
	struct verify_tree *t = p->tree;
	struct fetcher *next = t->owner->next;
	int r = t->object ? 0 : next->ops->attach(next, &t->object, t->locator, &t->identity);

	if (r < 0) {
		fetch_error(error, t->locator, "the hash tree cannot be read");
		piece_free(p);
		return r == -ENOMEM ? r : -EIO;
	}
	p->read.done = piece_done;
	p->read.elsewhere = p->again;
	p->good = 0;
	p->reading = true;
	t->loads++;
	next->ops->read(t->object, &p->read);
	return 0;
}

/* What a failed read means for the data, of which nobody has said anything. */
static int piece_failed(const struct piece *p, char *error)
{
	memcpy(error, p->read.error, FETCH_ERROR_MAX);
	return p->err == -ENOENT ? -EIO : p->err;
}

void verify_pieces_cancel(struct verify_tree *t)
{
	struct fetcher *next = t->owner->next;
	struct piece *p;

	TAILQ_FOREACH(p, &t->owner->pieces, link) {
		if (p->tree != t || !p->reading || p->canceled)
			continue;
		p->canceled = true;
		next->ops->cancel_read(t->object, &p->read);
	}
}

/* ---- blocks ------------------------------------------------------------------------------- */

int verify_block_find(struct verify_tree *t, uint64_t block, const uint8_t **ret, char *error)
{
	struct piece *p = piece_find(t, block / PIECE_BLOCKS);
	unsigned int i = (unsigned int)(block % PIECE_BLOCKS);
	const uint8_t *above = NULL;
	uint8_t hash[FSVERITY_HASH];
	uint64_t parent;
	size_t at;
	int r = 1;

	if (p && p->err < 0)
		return piece_failed(p, error);
	if (!p) {
		p = piece_new(t, block / PIECE_BLOCKS);
		fetch_error(error, t->locator, "no memory");
		r = p ? piece_read(p, error) : -ENOMEM;
		if (r < 0)
			return r;
	}
	TAILQ_REMOVE(&t->owner->pieces, p, link);
	TAILQ_INSERT_HEAD(&t->owner->pieces, p, link);
	*ret = p->bytes + i * FSVERITY_BLOCK;
	if (p->good & 1u << i)
		return 1;
	if (fsverity_parent(&t->shape, block, &parent, &at)) {
		r = verify_block_find(t, parent, &above, error);
		if (r > 0)
			above += at;
	} else {
		above = t->descriptor.root;
		r = 1;
	}
	if (r <= 0 || p->reading)
		return r < 0 ? r : 0;
	fsverity_hash(&t->descriptor, t->owner->sha, *ret, FSVERITY_BLOCK, hash);
	if (memcmp(hash, above, sizeof(hash)) == 0) {
		p->good |= 1u << i;
		return 1;
	}
	if (!p->again) {
		p->again = true;
		return piece_read(p, error);
	}
	fetch_error(error, t->locator, "the hash tree is wrong at byte %" PRIu64 " of it",
		    FSVERITY_DESCRIPTOR + block * FSVERITY_BLOCK);
	p->err = -EBADMSG;
	memcpy(p->read.error, error, sizeof(p->read.error));
	return -EBADMSG;
}
