/* SPDX-License-Identifier: MIT */
#include "fetchers/verify-read.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/checked.h"

#define BLOCK	FSVERITY_BLOCK
#define STEPS	256 /* blocks that are hashed at a time, then the loop has its turn */
#define CHANCES 4   /* blocks of one read that are asked for once more */

struct verify_read {
	struct fetch_read *read;
	const struct verify_source *source;
	/* Whole blocks around what is read: bytes [from, end) of the object. */
	uint64_t from, end;
	uint8_t *buf;
	uint8_t *bounce; /* owned: where they do not fit into the caller's buffer; or NULL */
	size_t avail;	 /* of them, that have come */
	size_t checked;	 /* and are right */
	size_t given;	 /* bytes of the read that its owner knows of */
	struct fetch_read inner;
	size_t inner_at; /* where it begins in buf */
	size_t retried;	 /* the block at `checked` came again; SIZE_MAX: none did */
	unsigned int retries;
	/* Hashes of blocks: those of the want, once it is done. */
	struct verify_want want;
	bool hashed;
	struct loop_deferred more;
	bool reading, wanting, again, over;
	int err; /* comes out when nothing is under way any more */
	uint8_t hashes[VERIFY_WANT_MAX * FSVERITY_HASH];
};

static void check(struct verify_read *r);

/* ---- the end ------------------------------------------------------------------------------ */

static void finish(struct verify_read *r)
{
	struct fetch_read *read = r->read;
	int err = r->err;

	loop_defer_cancel(r->source->loop, &r->more);
	free(r->bounce);
	free(r);
	read->done(read, err);
}

static void stop_under_way(struct verify_read *r)
{
	struct fetch_object *next = r->source->next;

	if (r->reading)
		next->fetcher->ops->cancel_read(next, &r->inner);
	if (r->wanting)
		verify_tree_cancel(&r->want);
}

/* From a callback of ours: the read ends now, or with what is under way. */
static void end(struct verify_read *r, int err)
{
	if (!r->over) {
		r->over = true;
		r->err = err;
		stop_under_way(r);
	}
	if (!r->reading && !r->wanting)
		finish(r);
}

void verify_read_cancel(struct fetch_read *read)
{
	struct verify_read *r = read->fetcher_private;

	if (r->over)
		return;
	r->over = true;
	r->err = -ECANCELED;
	fetch_error(read->error, r->source->locator, "canceled");
	stop_under_way(r);
	if (!r->reading && !r->wanting)
		loop_defer(r->source->loop, &r->more);
}

/* ---- bytes -------------------------------------------------------------------------------- */

static void inner_progress(struct fetch_read *inner, size_t filled)
{
	struct verify_read *r = container_of(inner, struct verify_read, inner);

	if (r->over || r->again)
		return;
	r->avail = r->inner_at + filled;
	check(r);
}

static void inner_start(struct verify_read *r);

static void inner_done(struct fetch_read *inner, int err)
{
	struct verify_read *r = container_of(inner, struct verify_read, inner);

	r->reading = false;
	if (r->over) {
		end(r, 0);
	} else if (r->again) {
		inner_start(r);
	} else if (err < 0) {
		memcpy(r->read->error, inner->error, sizeof(inner->error));
		r->read->retry_after = inner->retry_after;
		end(r, err);
	} else {
		r->avail = r->inner_at + inner->len;
		check(r);
	}
}

/* What has not come, or was wrong. */
static void inner_start(struct verify_read *r)
{
	struct fetch_object *next = r->source->next;

	r->inner_at = r->avail;
	r->inner = (struct fetch_read){
		.elsewhere = r->again || r->read->elsewhere,
		.off = r->from + r->avail,
		.len = (size_t)(r->end - r->from) - r->avail,
		.buf = r->buf + r->avail,
		.deadline = r->read->deadline,
		.progress = inner_progress,
		.done = inner_done,
	};
	r->again = false;
	r->reading = true;
	next->fetcher->ops->read(next, &r->inner);
}

/* The block behind what is right is wrong. It gets a second chance, and what comes behind it. */
static void wrong(struct verify_read *r)
{
	if (r->retried == r->checked || r->retries == CHANCES) {
		fetch_error(r->read->error, r->source->locator,
			    "the 4 KiB at byte %" PRIu64 " are not those of the fs-verity digest",
			    r->from + r->checked);
		end(r, -EBADMSG);
		return;
	}
	r->retried = r->checked;
	r->retries++;
	r->avail = r->checked;
	r->again = true;
	if (r->reading)
		r->source->next->fetcher->ops->cancel_read(r->source->next, &r->inner);
	else
		inner_start(r);
}

/* ---- hashes ------------------------------------------------------------------------------- */

static void want_done(struct verify_want *want, int err)
{
	struct verify_read *r = container_of(want, struct verify_read, want);

	r->wanting = false;
	if (r->over) {
		end(r, 0);
	} else if (err < 0) {
		memcpy(r->read->error, want->error, sizeof(want->error));
		end(r, err);
	} else {
		r->hashed = true;
		check(r);
	}
}

static void want_from(struct verify_read *r, uint64_t block)
{
	uint64_t stop = round_up_u64(r->end, BLOCK) / BLOCK;

	r->want = (struct verify_want){
		.size = r->source->size,
		.first = block,
		.n = (size_t)min_u64(stop - block, VERIFY_WANT_MAX),
		.hashes = r->hashes,
		.done = want_done,
	};
	r->hashed = false;
	r->wanting = true;
	verify_tree_want(r->source->tree, &r->want);
}

/* NULL: it is not there yet. */
static const uint8_t *hash_of(struct verify_read *r, uint64_t block)
{
	if (r->wanting)
		return NULL;
	if (r->hashed && block - r->want.first < r->want.n)
		return r->hashes + (block - r->want.first) * FSVERITY_HASH;
	want_from(r, block);
	return NULL;
}

/* ---- both --------------------------------------------------------------------------------- */

/* Of what is right, the part that was asked for. */
static void give(struct verify_read *r)
{
	struct fetch_read *read = r->read;
	uint64_t to = min_u64(r->from + r->checked, read->off + read->len);
	size_t filled = to > read->off ? (size_t)(to - read->off) : 0;

	if (filled == r->given)
		return;
	if (r->bounce)
		memcpy((uint8_t *)read->buf + r->given,
		       r->bounce + (read->off - r->from) + r->given, filled - r->given);
	r->given = filled;
	if (read->progress)
		read->progress(read, filled);
}

/* Blocks that have come, and whose hashes have; how many were right. The next may be wrong. */
static int check_blocks(struct verify_read *r, bool *ret_wrong)
{
	const struct fsverity_descriptor *d = verify_tree_descriptor(r->source->tree);
	size_t total = (size_t)(r->end - r->from);
	int n;

	for (n = 0; n < STEPS && r->checked < total; n++) {
		size_t len = (size_t)min_u64(BLOCK, total - r->checked);
		uint8_t hash[FSVERITY_HASH];
		const uint8_t *right;

		if (r->avail - r->checked < len)
			break;
		right = hash_of(r, (r->from + r->checked) / BLOCK);
		if (!right)
			break;
		fsverity_hash(d, r->source->sha, r->buf + r->checked, len, hash);
		if (memcmp(hash, right, sizeof(hash)) != 0) {
			*ret_wrong = true;
			break;
		}
		r->checked += len;
	}
	return n;
}

static void check(struct verify_read *r)
{
	bool is_wrong = false;
	int n = check_blocks(r, &is_wrong);

	give(r);
	if (r->over) /* by its owner, just now */
		return;
	if (is_wrong)
		wrong(r);
	else if (r->checked == (size_t)(r->end - r->from) && !r->reading)
		end(r, 0);
	else if (n == STEPS)
		loop_defer(r->source->loop, &r->more);
}

static void run_more(struct loop_deferred *deferred)
{
	struct verify_read *r = container_of(deferred, struct verify_read, more);

	if (r->over)
		end(r, 0);
	else if (!r->again)
		check(r);
}

/* The blocks around a read end in its own buffer, or in one that is larger. */
static int make_buffer(struct verify_read *r, size_t have)
{
	struct fetch_read *read = r->read;

	r->from = round_down_u64(read->off, BLOCK);
	r->end = min_u64(round_up_u64(read->off + read->len, BLOCK), r->source->size);
	r->buf = read->buf;
	if (r->from == read->off && r->end == read->off + read->len)
		return 0;
	r->bounce = malloc((size_t)(r->end - r->from));
	if (!r->bounce)
		return -ENOMEM;
	memcpy(r->bounce, read->buf, have);
	r->buf = r->bounce;
	return 0;
}

int verify_read_start(const struct verify_source *source, struct fetch_read *read, size_t have)
{
	struct verify_read *r = malloc(sizeof(*r));

	assert(have == 0 || read->off == 0);
	if (!r)
		return -ENOMEM;
	memset(r, 0, offsetof(struct verify_read, hashes));
	r->read = read;
	r->source = source;
	r->retried = SIZE_MAX;
	r->avail = have;
	r->more.run = run_more;
	if (make_buffer(r, have) < 0) {
		free(r);
		return -ENOMEM;
	}
	read->fetcher_private = r;
	want_from(r, r->from / BLOCK);
	if (r->avail < r->end - r->from)
		inner_start(r);
	return 0;
}
