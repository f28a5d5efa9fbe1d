/* SPDX-License-Identifier: MIT */
#include "fetchers/verify-tree.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/checked.h"

#define PIECE	   ((size_t)128 << 10) /* of a tree: the hashes of 16 MiB */
#define HEAD_MAX   (FSVERITY_DESCRIPTOR + 8 * PIECE)
#define STORE_MAX  128		   /* pieces that are kept */
#define NEEDED_MAX (4 * STORE_MAX) /* also of trees that somebody waits for */

enum { PIECE_BLOCKS = PIECE / FSVERITY_BLOCK };

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

TAILQ_HEAD(wants, verify_want);

struct verify_tree {
	struct verify_trees *owner;
	char *locator; /* owned */
	uint8_t digest[FSVERITY_HASH];
	unsigned int refs, n_pieces;
	unsigned int loads; /* the look and reads under way: somebody wants them */
	struct fetch_look look;
	uint8_t *head; /* owned, during the look */
	bool looking, look_canceled, again;
	/* Once it was looked at: */
	bool known;
	bool stale;   /* it is not what it was: looked at again when nothing is under way */
	bool renewed; /* that was done, and nothing was read since */
	bool awaited; /* by a want that needs more of it */
	struct fetch_identity identity;
	struct fsverity_descriptor descriptor;
	struct fsverity_shape shape;
	struct fetch_object *object; /* owned, attached; NULL before the first read */
	struct wants wants;
	struct loop_deferred deferred;
	TAILQ_ENTRY(verify_tree) link;
};

struct verify_trees {
	struct loop *loop;
	struct fetcher *next; /* borrowed */
	struct sha256 *sha;   /* owned */
	TAILQ_HEAD(, verify_tree) trees;
	TAILQ_HEAD(pieces, piece) pieces; /* the last that were used first */
	unsigned int n_pieces;
};

static void tree_run(struct verify_tree *t);
static void run_deferred(struct loop_deferred *deferred);

/* ---- life --------------------------------------------------------------------------------- */

int verify_trees_new(struct verify_trees **ret, struct loop *loop, struct fetcher *next)
{
	struct verify_trees *trees = calloc(1, sizeof(*trees));

	if (!trees || sha256_new(&trees->sha) < 0) {
		free(trees);
		return -ENOMEM;
	}
	trees->loop = loop;
	trees->next = next;
	TAILQ_INIT(&trees->trees);
	TAILQ_INIT(&trees->pieces);
	*ret = trees;
	return 0;
}

static void piece_free(struct piece *p)
{
	assert(!p->reading);
	p->tree->n_pieces--;
	p->tree->owner->n_pieces--;
	TAILQ_REMOVE(&p->tree->owner->pieces, p, link);
	free(p);
}

/* Its pieces, or those that could not be read. */
static void drop_pieces(struct verify_tree *t, bool failed_only)
{
	struct piece *p = TAILQ_FIRST(&t->owner->pieces), *next;

	for (; p && t->n_pieces > 0; p = next) {
		next = TAILQ_NEXT(p, link);
		if (p->tree == t && !p->reading && (!failed_only || p->err < 0))
			piece_free(p);
	}
}

static void tree_detach(struct verify_tree *t)
{
	if (t->object)
		t->object->fetcher->ops->detach(t->object);
	t->object = NULL;
}

static void tree_free(struct verify_tree *t)
{
	assert(t->refs == 0 && t->loads == 0 && TAILQ_EMPTY(&t->wants));
	drop_pieces(t, false);
	tree_detach(t);
	loop_defer_cancel(t->owner->loop, &t->deferred);
	TAILQ_REMOVE(&t->owner->trees, t, link);
	free(t->locator);
	free(t);
}

struct verify_trees *verify_trees_free(struct verify_trees *trees)
{
	struct verify_tree *t;

	if (!trees)
		return NULL;
	while ((t = TAILQ_FIRST(&trees->trees)))
		tree_free(t);
	sha256_free(trees->sha);
	free(trees);
	return NULL;
}

int verify_tree_get(struct verify_tree **ret, struct verify_trees *trees, const char *locator,
		    const uint8_t digest[static FSVERITY_HASH])
{
	struct verify_tree *t;

	TAILQ_FOREACH(t, &trees->trees, link)
		if (strcmp(t->locator, locator) == 0 &&
		    memcmp(t->digest, digest, sizeof(t->digest)) == 0)
			break;
	if (!t) {
		t = calloc(1, sizeof(*t));
		if (!t || !(t->locator = strdup(locator))) {
			free(t);
			return -ENOMEM;
		}
		t->owner = trees;
		memcpy(t->digest, digest, sizeof(t->digest));
		TAILQ_INIT(&t->wants);
		t->deferred.run = run_deferred;
		TAILQ_INSERT_HEAD(&trees->trees, t, link);
	}
	t->refs++;
	*ret = t;
	return 0;
}

void verify_tree_put(struct verify_tree *t)
{
	if (--t->refs > 0)
		return;
	assert(t->loads == 0 && TAILQ_EMPTY(&t->wants));
	tree_detach(t);
	if (!t->known || t->n_pieces == 0)
		tree_free(t);
}

/* Those that nobody has asked for lately make room. No piece is in use between two wants. */
static void trim(struct verify_trees *trees)
{
	struct piece *p = TAILQ_LAST(&trees->pieces, pieces), *before;

	for (; p && trees->n_pieces > STORE_MAX; p = before) {
		struct verify_tree *t = p->tree;

		before = TAILQ_PREV(p, pieces, link);
		if (p->reading || (t->awaited && trees->n_pieces <= NEEDED_MAX))
			continue;
		piece_free(p);
		if (t->refs == 0 && t->n_pieces == 0)
			tree_free(t);
	}
}

/* ---- pieces ------------------------------------------------------------------------------- */

static uint64_t file_size(const struct verify_tree *t)
{
	return FSVERITY_DESCRIPTOR + t->shape.n_blocks * FSVERITY_BLOCK;
}

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
	uint64_t off = FSVERITY_DESCRIPTOR + number * PIECE;
	size_t len = (size_t)min_u64(PIECE, file_size(t) - off);
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
	tree_run(t);
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

/*
 * A block that is right: 1. 0: it, or one above it, is on its way. What is missing is asked for at
 * once, from all levels.
 */
static int block_find(struct verify_tree *t, uint64_t block, const uint8_t **ret, char *error)
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
		r = block_find(t, parent, &above, error);
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

/* ---- the look ----------------------------------------------------------------------------- */

static void fail_all(struct verify_tree *t, int err, const char *error)
{
	struct verify_want *w;

	TAILQ_FOREACH(w, &t->wants, link) {
		if (w->over)
			continue;
		w->over = true;
		w->err = err;
		memcpy(w->error, error, sizeof(w->error));
	}
}

/* The pieces that have come with the look as a whole. */
static void take_head(struct verify_tree *t)
{
	for (uint64_t number = 0; number * PIECE_BLOCKS < t->shape.n_blocks; number++) {
		uint64_t off = FSVERITY_DESCRIPTOR + number * PIECE;
		struct piece *p;

		if (off + min_u64(PIECE, file_size(t) - off) > t->look.head_filled)
			return;
		p = piece_find(t, number) ? NULL : piece_new(t, number);
		if (p)
			memcpy(p->bytes, t->head + off, p->read.len);
	}
}

/* NULL, or half a sentence of what is wrong. */
static const char *take_look(struct verify_tree *t)
{
	struct bytes head = bytes_of(t->head, t->look.head_filled);
	enum fsverity_verdict verdict =
		fsverity_parse(&t->descriptor, head, t->owner->sha, t->digest);

	if (verdict != FSVERITY_OK)
		return fsverity_verdict_text(verdict);
	fsverity_shape(&t->shape, t->descriptor.size);
	if (t->look.identity.size != file_size(t))
		return "it has another size than the tree of such a file";
	t->identity = t->look.identity;
	t->known = true;
	take_head(t);
	return NULL;
}

static void look_done(struct fetch_look *look, int err)
{
	struct verify_tree *t = container_of(look, struct verify_tree, look);
	const char *why = err == 0 ? take_look(t) : NULL;

	t->looking = t->look_canceled = false;
	t->loads--;
	free(t->head);
	t->head = NULL;
	if (why && t->again) {
		fetch_error(look->error, t->locator, "this is not the hash tree: %s", why);
		err = -EBADMSG;
	}
	if (err == -ENOENT) {
		fetch_error(look->error, t->locator, "there is no hash tree to verify by");
		err = -EBADMSG;
	}
	/* Wrong for the first time: it is looked at again, elsewhere. */
	t->again = why && !t->again;
	if (err < 0 && err != -ECANCELED)
		fail_all(t, err == -ESTALE ? -EIO : err, look->error);
	tree_run(t);
}

static int look_start(struct verify_tree *t)
{
	struct fetcher *next = t->owner->next;

	t->head = malloc(HEAD_MAX);
	if (!t->head)
		return -ENOMEM;
	t->look = (struct fetch_look){
		.locator = t->locator,
		.elsewhere = t->again,
		.head = t->head,
		.head_len = HEAD_MAX,
		.done = look_done,
	};
	t->looking = true;
	t->loads++;
	next->ops->look(next, &t->look);
	return 0;
}

/* ---- wants -------------------------------------------------------------------------------- */

/* 1: all is there; 0: not yet. */
static int want_hashes(struct verify_tree *t, struct verify_want *w)
{
	uint64_t end = w->first + w->n;
	bool missing = false;

	/* An identity of before; a look compares sizes by itself. */
	if (w->n > 0 && w->size != t->descriptor.size) {
		fetch_error(w->error, t->locator,
			    "the digest is of %" PRIu64 " bytes, and the object had %" PRIu64,
			    t->descriptor.size, w->size);
		return -ESTALE;
	}
	if (t->shape.n_levels == 0 && w->n > 0)
		memcpy(w->hashes, t->descriptor.root, FSVERITY_HASH);
	if (t->shape.n_levels == 0)
		return 1;
	for (uint64_t first = w->first, next; first < end; first = next) {
		const uint8_t *hashes;
		uint64_t block;
		size_t at;
		int r;

		next = min_u64(round_down_u64(first, FSVERITY_HASHES) + FSVERITY_HASHES, end);
		block = fsverity_leaf(&t->shape, first, &at);
		r = block_find(t, block, &hashes, w->error);
		if (r < 0)
			return r;
		missing |= r == 0;
		if (r > 0)
			memcpy(w->hashes + (first - w->first) * FSVERITY_HASH, hashes + at,
			       (next - first) * FSVERITY_HASH);
	}
	return !missing;
}

static void want_step(struct verify_tree *t, struct verify_want *w)
{
	int r = 0;

	if (t->known && !t->stale)
		r = want_hashes(t, w);
	else if (!t->known && !t->looking)
		r = look_start(t);
	if (r == -ENOMEM)
		fetch_error(w->error, t->locator, "no memory");
	w->over = r != 0;
	w->err = r < 0 ? r : 0;
}

/* Nobody waits any more for what is under way. */
static void cancel_loads(struct verify_tree *t)
{
	struct fetcher *next = t->owner->next;
	struct piece *p;

	if (t->looking && !t->look_canceled) {
		t->look_canceled = true;
		next->ops->cancel_look(next, &t->look);
	}
	TAILQ_FOREACH(p, &t->owner->pieces, link) {
		if (p->tree != t || !p->reading || p->canceled)
			continue;
		p->canceled = true;
		next->ops->cancel_read(t->object, &p->read);
	}
}

/* Somebody has replaced it: it is looked at again, but not for ever. */
static void renew(struct verify_tree *t)
{
	char error[FETCH_ERROR_MAX];

	if (t->renewed) {
		fetch_error(error, t->locator, "the hash tree changes all the time");
		fail_all(t, -EIO, error);
	}
	drop_pieces(t, false);
	tree_detach(t);
	t->renewed = !t->renewed;
	t->known = t->stale = false;
}

/*
 * Ends those that are over: where they are the last ones, not before nothing is under way. A tree
 * stays until the last of them is done, and is not touched afterwards.
 */
static void settle(struct verify_tree *t)
{
	struct wants over = TAILQ_HEAD_INITIALIZER(over);
	struct verify_want *w, *next;

	if (!t->awaited && t->loads > 0) {
		cancel_loads(t);
		return;
	}
	for (w = TAILQ_FIRST(&t->wants); w; w = next) {
		next = TAILQ_NEXT(w, link);
		if (!w->over)
			continue;
		TAILQ_REMOVE(&t->wants, w, link);
		TAILQ_INSERT_TAIL(&over, w, link);
	}
	while ((w = TAILQ_FIRST(&over))) {
		TAILQ_REMOVE(&over, w, link);
		w->done(w, w->err);
	}
}

static void tree_run(struct verify_tree *t)
{
	struct verify_want *w;

	if (TAILQ_EMPTY(&t->wants))
		return;
	if (t->stale && t->loads == 0)
		renew(t);
	t->awaited = false;
	TAILQ_FOREACH(w, &t->wants, link) {
		if (!w->over)
			want_step(t, w);
		t->awaited |= !w->over;
	}
	drop_pieces(t, true);
	trim(t->owner);
	settle(t);
}

static void run_deferred(struct loop_deferred *deferred)
{
	tree_run(container_of(deferred, struct verify_tree, deferred));
}

void verify_tree_want(struct verify_tree *t, struct verify_want *w)
{
	assert(w->n <= VERIFY_WANT_MAX);
	w->tree = t;
	w->over = false;
	w->err = 0;
	TAILQ_INSERT_TAIL(&t->wants, w, link);
	loop_defer(t->owner->loop, &t->deferred);
}

void verify_tree_cancel(struct verify_want *w)
{
	struct verify_tree *t = w->tree;

	if (w->over)
		return;
	w->over = true;
	w->err = -ECANCELED;
	fetch_error(w->error, t->locator, "canceled");
	loop_defer(t->owner->loop, &t->deferred);
}

const struct fsverity_descriptor *verify_tree_descriptor(const struct verify_tree *t)
{
	return &t->descriptor;
}
