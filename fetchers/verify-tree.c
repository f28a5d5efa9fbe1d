/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/checked.h"
#include "fetchers/verify-tree-internal.h"

#define HEAD_MAX (FSVERITY_DESCRIPTOR + 8 * VERIFY_PIECE)

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

static void tree_detach(struct verify_tree *t)
{
	if (t->object)
		t->object->fetcher->ops->detach(t->object);
	t->object = NULL;
}

void verify_tree_free(struct verify_tree *t)
{
	assert(t->refs == 0 && t->loads == 0 && TAILQ_EMPTY(&t->wants));
	verify_pieces_drop(t, false);
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
		verify_tree_free(t);
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
		verify_tree_free(t);
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

/* NULL, or half a sentence of what is wrong. */
static const char *take_look(struct verify_tree *t)
{
	struct bytes head = bytes_of(t->head, t->look.head_filled);
	enum fsverity_verdict verdict =
		fsverity_parse(&t->descriptor, head, t->owner->sha, t->digest);

	if (verdict != FSVERITY_OK)
		return fsverity_verdict_text(verdict);
	fsverity_shape(&t->shape, t->descriptor.size);
	if (t->look.identity.size != verify_tree_size(t))
		return "it has another size than the tree of such a file";
	t->identity = t->look.identity;
	t->known = true;
	verify_pieces_take(t);
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
	verify_tree_run(t);
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
		r = verify_block_find(t, block, &hashes, w->error);
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

	if (t->looking && !t->look_canceled) {
		t->look_canceled = true;
		next->ops->cancel_look(next, &t->look);
	}
	verify_pieces_cancel(t);
}

/* Somebody has replaced it: it is looked at again, but not for ever. */
static void renew(struct verify_tree *t)
{
	char error[FETCH_ERROR_MAX];

	if (t->renewed) {
		fetch_error(error, t->locator, "the hash tree changes all the time");
		fail_all(t, -EIO, error);
	}
	verify_pieces_drop(t, false);
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

void verify_tree_run(struct verify_tree *t)
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
	verify_pieces_drop(t, true);
	verify_pieces_trim(t->owner);
	settle(t);
}

static void run_deferred(struct loop_deferred *deferred)
{
	verify_tree_run(container_of(deferred, struct verify_tree, deferred));
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
