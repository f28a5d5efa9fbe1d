/* SPDX-License-Identifier: MIT */
/*
 * Objects that are checked against an fs-verity digest, on virtual time: whatever the origin sends
 * for bytes or for their tree, nobody gets a byte that the digest is not of. Trees are made by
 * libfsverity. The promises of fetcher.h: tests/contract.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/replay/pattern.h"
#include "daemon/util/checked.h"
#include "daemon/util/locator.h"
#include "fetchers/verify.h"
#include "tests/lib/fake-fetcher.h"
#include "tests/lib/run-suite.h"
#include "tests/lib/verity-make.h"

#define BLOCK  FSVERITY_BLOCK
#define PLACE  "fake://origin.example/object"
#define BESIDE PLACE ".verity"

static struct loop *loop;
static struct fake *fake;
static struct fetcher *fetcher;

/* An object of bytes in memory, with its tree; what each of them really is, and what is sent. */
static struct memory {
	struct emu_origin bytes;
	uint8_t *at; /* owned */
} data, tree, good_data, good_tree;
static struct fake_origin *data_origin, *tree_origin;
static struct fetch_identity identity;
static char locator[4096];
static struct fetch_object *object;

static uint8_t memory_byte(const struct emu_origin *bytes, uint64_t off)
{
	return container_of(bytes, struct memory, bytes)->at[off];
}

static void memory_fill(const struct emu_origin *bytes, void *buf, uint64_t off, size_t n)
{
	memcpy(buf, container_of(bytes, struct memory, bytes)->at + off, n);
}

static void memory_set(struct memory *m, const void *bytes, size_t len)
{
	free(m->at);
	m->at = malloc(len + 1);
	ck_assert_ptr_nonnull(m->at);
	memcpy(m->at, bytes, len);
	m->bytes = (struct emu_origin){ .size = len, .byte = memory_byte, .fill = memory_fill };
}

/* The fake's own bytes go through its origin: this one's are put in their place. */
static struct memory *sent[2];

static void sent_fill(const struct emu_origin *bytes, void *buf, uint64_t off, size_t n)
{
	const struct memory *m = bytes == &data_origin->bytes ? sent[0] : sent[1];

	memcpy(buf, m->at + off, n);
}

static void setup(void)
{
	ck_assert_int_eq(loop_new(&loop, LOOP_VIRTUAL), 0);
	fake = fake_new(loop);
	ck_assert_int_eq(verify_new(&fetcher, loop, fake_fetcher(fake)), 0);
	sent[0] = &data;
	sent[1] = &tree;
}

static void drop_object(void)
{
	if (object)
		fetcher->ops->detach(object);
	object = NULL;
}

static void teardown(void)
{
	struct memory *all[] = { &data, &tree, &good_data, &good_tree };

	drop_object();
	fetcher->ops->free(fetcher);
	fake_fetcher(fake)->ops->free(fake_fetcher(fake));
	fake_free(fake);
	loop = loop_free(loop);
	for (size_t i = 0; i < 4; i++) {
		free(all[i]->at);
		*all[i] = (struct memory){ 0 };
	}
}

static void attach(void)
{
	drop_object();
	ck_assert_int_eq(fetcher->ops->attach(fetcher, &object, locator, &identity), 0);
}

/* As after a restart: nothing of a tree is kept. */
static void restart(void)
{
	drop_object();
	fetcher->ops->free(fetcher);
	ck_assert_int_eq(verify_new(&fetcher, loop, fake_fetcher(fake)), 0);
	attach();
}

/* Serves an object of that size with its tree. */
static void serve(size_t size, const char *salt)
{
	struct verity_made made;
	uint8_t *bytes = malloc(size + 1);

	pattern_fill(bytes, size, (uint64_t)rand(), 0);
	verity_make(&made, bytes, size, salt);
	memory_set(&data, bytes, size);
	memory_set(&good_data, bytes, size);
	memory_set(&tree, made.bytes, made.len);
	memory_set(&good_tree, made.bytes, made.len);
	data_origin = fake_serve(fake, PLACE, size);
	tree_origin = fake_serve(fake, BESIDE, made.len);
	data_origin->bytes.fill = tree_origin->bytes.fill = sent_fill;
	identity = (struct fetch_identity){ .size = size, .validator = "v1" };
	snprintf(locator, sizeof(locator), "fs-verity:%s;" PLACE, made.digest);
	verity_made_end(&made);
	free(bytes);
}

/* ---- requests ----------------------------------------------------------------------------- */

struct request {
	struct fetch_read read;
	int err;
	bool done;
	size_t progress;
};

static void check_right(const struct request *r, size_t from, size_t to)
{
	ck_assert_mem_eq((uint8_t *)r->read.buf + from, good_data.at + r->read.off + from,
			 to - from);
}

static void read_progress(struct fetch_read *read, size_t filled)
{
	struct request *r = container_of(read, struct request, read);

	ck_assert(!r->done && filled > r->progress && filled <= read->len);
	check_right(r, r->progress, filled);
	r->progress = filled;
}

static void read_done(struct fetch_read *read, int err)
{
	struct request *r = container_of(read, struct request, read);

	ck_assert(!r->done);
	r->done = true;
	r->err = err;
	check_right(r, 0, err == 0 ? read->len : r->progress);
	ck_assert(err == 0 || read->error[0]);
}

static void start(struct request *r, uint64_t off, size_t len)
{
	*r = (struct request){ .read = { .off = off,
					 .len = len,
					 .buf = malloc(len),
					 .progress = read_progress,
					 .done = read_done } };
	memset(r->read.buf, 0x5a, len);
	fetcher->ops->read(object, &r->read);
	ck_assert(!r->done);
}

static int finish(struct request *r)
{
	while (!r->done)
		ck_assert_int_eq(loop_turn(loop), 0);
	free(r->read.buf);
	return r->err;
}

static int read_range(struct request *r, uint64_t off, size_t len)
{
	start(r, off, len);
	return finish(r);
}

struct look {
	struct fetch_look look;
	int err;
	bool done;
};

static void look_done(struct fetch_look *look, int err)
{
	struct look *l = container_of(look, struct look, look);

	ck_assert(!l->done);
	l->done = true;
	l->err = err;
	ck_assert(err == 0 || look->error[0]);
	if (err == 0 && look->head_filled > 0)
		ck_assert_mem_eq(look->head, good_data.at, look->head_filled);
}

static void look_start(struct look *l, size_t head_len)
{
	*l = (struct look){ .look = { .locator = locator,
				      .head = head_len ? malloc(head_len) : NULL,
				      .head_len = head_len,
				      .done = look_done } };
	fetcher->ops->look(fetcher, &l->look);
}

static int look_finish(struct look *l)
{
	while (!l->done)
		ck_assert_int_eq(loop_turn(loop), 0);
	free(l->look.head);
	return l->err;
}

static int look_at(struct look *l, size_t head_len)
{
	look_start(l, head_len);
	return look_finish(l);
}

/* ---- what is right ------------------------------------------------------------------------ */

static const size_t sizes[] = { 1,	    4095,	    4096,   4097,   3 * 4096 + 100,
				128 * 4096, 128 * 4096 + 1, 700000, 5000000 };

START_TEST(every_range_is_right)
{
	size_t size = sizes[_i % 9];
	int n = size > 1000000 ? 12 : 60;
	struct request r;

	srand((unsigned int)_i);
	serve(size, _i >= 9 ? "0badcafe" : "");
	attach();
	data_origin->step = tree_origin->step = 1 + (uint64_t)rand() % 9000;
	data_origin->step_time = (uint64_t)rand() % 3;
	tree_origin->step_time = (uint64_t)rand() % 3;
	tree_origin->look_delay = (uint64_t)rand() % 1000;
	ck_assert_int_eq(read_range(&r, 0, size), 0);
	for (int i = 0; i < n; i++) {
		uint64_t off = (uint64_t)rand() % size;
		size_t len = 1 + (size_t)rand() % (size - off);

		if (i % 3 == 0) {
			off = round_down_u64(off, BLOCK);
			len = (size_t)min_u64(round_up_u64(len, BLOCK), size - off);
		}
		if (i == n / 2)
			attach();
		ck_assert_int_eq(read_range(&r, off, len), 0);
	}
	ck_assert_uint_eq(data_origin->reads_elsewhere + tree_origin->reads_elsewhere, 0);
	ck_assert_uint_eq(tree_origin->looks, size > BLOCK ? 1 : 2);
	ck_assert_uint_eq(tree_origin->reads, 0); /* all of it comes with the look */
}
END_TEST

START_TEST(a_head_is_checked)
{
	static const size_t heads[] = { 0, 1, 4096, 5000, 131072, 131073, 4000000, 8000000 };
	size_t size = sizes[_i];
	struct look l;

	serve(size, "");
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		ck_assert_int_eq(look_at(&l, heads[i]), 0);
		ck_assert_uint_eq(l.look.identity.size, size);
		ck_assert_str_eq(l.look.identity.validator, "v1");
		ck_assert_uint_eq(l.look.head_filled, min_u64(heads[i], size));
	}
	data.at[0] ^= 1;
	for (size_t i = 1; i < sizeof(heads) / sizeof(heads[0]); i++)
		ck_assert_int_eq(look_at(&l, heads[i]), -EBADMSG);
}
END_TEST

START_TEST(an_empty_object_is_empty)
{
	struct look l;

	serve(0, "");
	ck_assert_int_eq(look_at(&l, 4096), 0);
	ck_assert_uint_eq(l.look.head_filled, 0);
}
END_TEST

/* One round trip: the tree is on its way while the bytes are. */
START_TEST(bytes_and_tree_come_together)
{
	struct request r;
	uint64_t begun;
	struct look l;

	serve(5000000, "");
	data_origin->delay = data_origin->look_delay = tree_origin->look_delay = 10 * NSEC_PER_MSEC;
	attach();
	begun = loop_now(loop);
	ck_assert_int_eq(read_range(&r, 0, 1000000), 0);
	ck_assert_uint_lt(loop_now(loop) - begun, 11 * NSEC_PER_MSEC);
	drop_object();
	begun = loop_now(loop);
	ck_assert_int_eq(look_at(&l, 131072), 0);
	ck_assert_uint_lt(loop_now(loop) - begun, 11 * NSEC_PER_MSEC);
}
END_TEST

START_TEST(many_reads_share_the_tree)
{
	struct request r[40];

	serve(5000000, "");
	tree_origin->look_delay = NSEC_PER_MSEC;
	attach();
	for (int i = 0; i < 40; i++)
		start(&r[i], (uint64_t)i * 100000, 300000);
	for (int i = 0; i < 40; i++)
		ck_assert_int_eq(finish(&r[i]), 0);
	ck_assert_uint_eq(tree_origin->looks, 1);
}
END_TEST

/* ---- what is wrong ------------------------------------------------------------------------ */

START_TEST(a_wrong_bit_of_the_bytes_is_found)
{
	size_t size = 5 * BLOCK + 123;
	struct request r;

	serve(size, "");
	attach();
	for (int i = 0; i < 100; i++) {
		size_t at = i == 0 ? size - 1 : (size_t)rand() % size;
		size_t block = round_down_u64(at, BLOCK);
		char where[48];

		data.at[at] ^= (uint8_t)(1u << rand() % 8);
		data_origin->step = i % 2 ? 1000 : 0;
		ck_assert_int_eq(read_range(&r, 0, size), -EBADMSG);
		ck_assert_uint_le(r.progress, block);
		snprintf(where, sizeof(where), "at byte %zu are not", block);
		ck_assert_ptr_nonnull(strstr(r.read.error, where));
		ck_assert_ptr_nonnull(strstr(r.read.error, "origin.example/object"));
		ck_assert_int_eq(read_range(&r, at, 1), -EBADMSG);
		if (block > 0)
			ck_assert_int_eq(read_range(&r, 0, block), 0);
		if (block + BLOCK < size)
			ck_assert_int_eq(read_range(&r, block + BLOCK, size - block - BLOCK), 0);
		data.at[at] = good_data.at[at];
		ck_assert_int_eq(read_range(&r, 0, size), 0);
	}
}
END_TEST

START_TEST(a_wrong_bit_of_the_tree_is_found)
{
	size_t size = 140 * BLOCK; /* two blocks of hashes, and one above them */
	struct request r;

	serve(size, _i ? "ff" : "");
	/* What is behind the last hash is zeros, and hashed as well. */
	for (size_t i = 0; i < 350; i++) {
		size_t at = i < FSVERITY_DESCRIPTOR ? i : (size_t)rand() % good_tree.bytes.size;

		tree.at[at] ^= (uint8_t)(1u << rand() % 8);
		restart();
		ck_assert_int_eq(read_range(&r, 0, size), -EBADMSG);
		ck_assert_ptr_nonnull(strstr(r.read.error, "hash tree"));
		ck_assert_ptr_nonnull(strstr(r.read.error, "origin.example/object.verity"));
		tree.at[at] = good_tree.at[at];
		ck_assert_int_eq(read_range(&r, 0, size), 0);
	}
}
END_TEST

START_TEST(another_tree_is_none)
{
	struct request r;
	struct look l;
	char other[sizeof(locator)];

	serve(20000, "");
	snprintf(other, sizeof(other), "%s", locator);
	serve(20000, "");
	memcpy(locator, other, sizeof(locator)); /* the digest of the first */
	attach();
	ck_assert_int_eq(read_range(&r, 0, 20000), -EBADMSG);
	ck_assert_ptr_nonnull(strstr(r.read.error, "not the one that the digest is of"));
	ck_assert_uint_eq(r.progress, 0);
	ck_assert_int_eq(look_at(&l, 4096), -EBADMSG);
}
END_TEST

START_TEST(sizes_have_to_fit)
{
	struct request r;
	struct look l;

	serve(20000, "");
	/* Less of the tree. */
	for (uint64_t size = 0; size < good_tree.bytes.size; size += 100) {
		tree_origin->bytes.size = size;
		attach();
		ck_assert_int_eq(read_range(&r, 0, 20000), -EBADMSG);
		ck_assert_int_eq(look_at(&l, 4096), -EBADMSG);
	}
	tree_origin->bytes.size = good_tree.bytes.size;
	/* Less of the bytes. */
	data_origin->bytes.size = 19999;
	ck_assert_int_eq(look_at(&l, 4096), -EBADMSG);
	ck_assert_ptr_nonnull(strstr(l.look.error, "20000 bytes, and the object has 19999"));
	identity.size = 19999;
	attach();
	ck_assert_int_eq(read_range(&r, 0, 19999), -ESTALE);
	ck_assert_ptr_nonnull(strstr(r.read.error, "20000 bytes, and the object had 19999"));
}
END_TEST

START_TEST(no_tree_is_not_no_object)
{
	struct request r;
	struct look l;

	serve(20000, "");
	tree_origin->look_error = -ENOENT;
	attach();
	ck_assert_int_eq(read_range(&r, 0, 20000), -EBADMSG);
	ck_assert_int_eq(look_at(&l, 4096), -EBADMSG);
	ck_assert_ptr_nonnull(strstr(l.look.error, "no hash tree"));
	tree_origin->look_error = 0;
	data_origin->look_error = -ENOENT;
	ck_assert_int_eq(look_at(&l, 4096), -ENOENT);
}
END_TEST

START_TEST(errors_of_the_origin_are_told)
{
	static const int errors[] = { -ETIMEDOUT, -ECONNRESET, -EACCES, -EPROTO };
	struct request r;

	serve(5000000, "");
	for (size_t i = 0; i < 4; i++) {
		restart();
		tree_origin->look_error = errors[i];
		ck_assert_int_eq(read_range(&r, 4096, 8192), errors[i]);
		tree_origin->look_error = 0;
		data_origin->read_error = errors[i];
		data_origin->fail_at = 3 * BLOCK + 5;
		ck_assert_int_eq(read_range(&r, 0, 10 * BLOCK), errors[i]);
		ck_assert_uint_le(r.progress, 3 * BLOCK);
		data_origin->read_error = 0;
		ck_assert_int_eq(read_range(&r, 0, 10 * BLOCK), 0);
	}
}
END_TEST

START_TEST(locators_are_checked)
{
	static const char *const bad[] = {
		"fs-verity:sha256:12;" PLACE,
		"fs-verity:;" PLACE,
		"fs-verity:sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
		"fs-verity:sha512:"
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef;" PLACE,
		"fs-verity:sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef,"
		";" PLACE,
		PLACE,
	};
	struct fetch_object *none;
	struct look l;

	serve(20000, "");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_int_eq(fetcher->ops->attach(fetcher, &none, bad[i], &identity), -EINVAL);
		snprintf(locator, sizeof(locator), "%s", bad[i]);
		ck_assert_int_eq(look_at(&l, 4096), -EIO);
		ck_assert_ptr_nonnull(strstr(l.look.error, "no fs-verity digest"));
	}
}
END_TEST

/* ---- second chances ----------------------------------------------------------------------- */

START_TEST(wrong_bytes_are_asked_for_elsewhere)
{
	size_t size = 700000;
	struct request r;

	serve(size, "");
	attach();
	data.at[300000] ^= 8;
	data_origin->elsewhere = &good_data.bytes;
	data_origin->step = _i ? 10000 : 0;
	ck_assert_int_eq(read_range(&r, 0, size), 0);
	ck_assert_uint_eq(data_origin->reads_elsewhere, 1);
	/* From the wrong block on. */
	ck_assert_uint_eq(data_origin->bytes_asked, size + (size - round_down_u64(300000, BLOCK)));
	/* Wrong there, too. */
	data_origin->elsewhere = &data.bytes;
	ck_assert_int_eq(read_range(&r, 0, size), -EBADMSG);
	ck_assert_uint_eq(data_origin->reads_elsewhere, 2);
	ck_assert_int_eq(read_range(&r, 400000, 100), 0);
}
END_TEST

START_TEST(a_wrong_tree_is_asked_for_elsewhere)
{
	size_t size = 700000;
	struct request r;

	serve(size, "");
	tree.at[_i ? 5000 : 20] ^= 8;
	tree_origin->elsewhere = &good_tree.bytes;
	attach();
	ck_assert_int_eq(read_range(&r, 0, size), 0);
	ck_assert_uint_eq(tree_origin->looks, _i ? 1 : 2);
	ck_assert_uint_eq(tree_origin->reads_elsewhere, _i ? 1 : 0);
}
END_TEST

/* Each block has one, but not all of them. */
START_TEST(chances_are_few)
{
	size_t size = 20 * BLOCK;
	struct request r;

	serve(size, "");
	attach();
	for (size_t i = 0; i < 20; i++)
		data.at[i * BLOCK] ^= 1;
	ck_assert_int_eq(read_range(&r, 0, size), -EBADMSG);
	ck_assert_uint_le(data_origin->reads, 5);
	ck_assert_uint_eq(r.progress, 0);
}
END_TEST

START_TEST(a_replaced_tree_is_looked_at_again)
{
	struct fake_origin *old;
	struct request r;

	serve(300 * BLOCK, "");
	attach();
	ck_assert_int_eq(read_range(&r, 0, 100), 0);
	/* A second one of the same bytes; what has come with the first look is wrong somewhere. */
	tree.at[FSVERITY_DESCRIPTOR + 2 * BLOCK] ^= 1;
	restart();
	old = tree_origin;
	ck_assert_int_eq(read_range(&r, 0, 100), 0);
	tree_origin = fake_replace(fake, old, good_tree.bytes.size, "v2");
	old->bytes.fill = tree_origin->bytes.fill = sent_fill;
	tree.at[FSVERITY_DESCRIPTOR + 2 * BLOCK] ^= 1;
	ck_assert_int_eq(read_range(&r, 200 * BLOCK, BLOCK), 0);
	ck_assert_uint_eq(tree_origin->looks, 1);
}
END_TEST

/* ---- canceling ---------------------------------------------------------------------------- */

START_TEST(what_is_canceled_ends)
{
	struct request r[4];
	struct look l;

	srand((unsigned int)_i);
	serve(5000000, "");
	tree_origin->look_stalls = _i % 2;
	data_origin->stall_at = _i % 3 == 0 ? 300000 : FAKE_NOWHERE;
	data_origin->look_stalls = _i % 4 == 0;
	data_origin->step = 5000;
	data_origin->step_time = 100;
	data_origin->delay = (uint64_t)rand() % 1000;
	tree_origin->look_delay = (uint64_t)rand() % 5000;
	data.at[rand() % 1000000] ^= _i % 5 == 0;
	attach();
	look_start(&l, 131072);
	for (int i = 0; i < 4; i++)
		start(&r[i], (uint64_t)i * 65536, 262144);
	for (int i = rand() % 40; i > 0 && loop_turn(loop) == 0; i--)
		;
	for (int i = 0; i < 4; i++)
		if (!r[i].done)
			fetcher->ops->cancel_read(object, &r[i].read);
	if (!l.done)
		fetcher->ops->cancel_look(fetcher, &l.look);
	for (int i = 0; i < 4; i++)
		(void)finish(&r[i]);
	(void)look_finish(&l);
	/* And everything goes on as ever. */
	fake_unstall(fake, data_origin);
	fake_unstall(fake, tree_origin);
	memcpy(data.at, good_data.at, data.bytes.size);
	ck_assert_int_eq(read_range(&r[0], 0, 1000000), 0);
}
END_TEST

/* One is canceled, the other one waits for the same and gets it. */
START_TEST(who_is_not_canceled_is_served)
{
	struct request a, b;

	serve(5000000, "");
	tree_origin->look_delay = NSEC_PER_SEC;
	attach();
	start(&a, 0, 100000);
	start(&b, 50000, 100000);
	ck_assert_int_eq(loop_turn(loop), 0);
	fetcher->ops->cancel_read(object, &a.read);
	ck_assert_int_eq(finish(&a), -ECANCELED);
	ck_assert_uint_lt(loop_now(loop), 2 * NSEC_PER_SEC);
	ck_assert_int_eq(finish(&b), 0);
}
END_TEST

/* ---- large trees -------------------------------------------------------------------------- */

/*
 * 8 GiB of zeros, of which nobody has to compute more than a block of each level: the tree has 64
 * MiB, four times of what is kept.
 */
static uint8_t levels[3][BLOCK];
static uint8_t large_descriptor[FSVERITY_DESCRIPTOR];
static struct fsverity_shape large;

static void large_data_fill(const struct emu_origin *bytes, void *buf, uint64_t off, size_t n)
{
	memset(buf, 0, n);
}

static void large_tree_fill(const struct emu_origin *bytes, void *buf, uint64_t off, size_t n)
{
	for (size_t i = 0, len; i < n; i += len, off += len) {
		uint64_t at = off - FSVERITY_DESCRIPTOR, block = at / BLOCK;
		unsigned int level = 0;

		len = off < FSVERITY_DESCRIPTOR ? FSVERITY_DESCRIPTOR - off : BLOCK - at % BLOCK;
		len = min_u64(len, n - i);
		while (off >= FSVERITY_DESCRIPTOR && block < large.start[level])
			level++;
		memcpy((uint8_t *)buf + i,
		       off < FSVERITY_DESCRIPTOR ? large_descriptor + off
						 : levels[level] + at % BLOCK,
		       len);
	}
}

static void serve_large(void)
{
	struct fsverity_descriptor none = { 0 };
	static const uint8_t zeros[BLOCK];
	char digest[FSVERITY_DIGEST_TEXT];
	uint8_t hash[FSVERITY_HASH];
	struct sha256 *sha;

	ck_assert_int_eq(sha256_new(&sha), 0);
	fsverity_shape(&large, (uint64_t)8 << 30);
	ck_assert_uint_eq(large.n_levels, 3);
	fsverity_hash(&none, sha, zeros, BLOCK, hash);
	for (int level = 0; level < 3; level++) {
		for (size_t i = 0; i < FSVERITY_HASHES; i++)
			memcpy(levels[level] + i * FSVERITY_HASH, hash, FSVERITY_HASH);
		fsverity_hash(&none, sha, levels[level], BLOCK, hash);
	}
	memcpy(large_descriptor, "\1\1\14\0\0\0\0\0\0\0\0\0\2\0\0\0", 16);
	memcpy(large_descriptor + 16, hash, sizeof(hash));
	sha256_update(sha, large_descriptor, sizeof(large_descriptor));
	sha256_final(sha, hash);
	fsverity_digest_print(hash, digest);
	sha256_free(sha);
	data_origin = fake_serve(fake, PLACE, large.size);
	tree_origin = fake_serve(fake, BESIDE, FSVERITY_DESCRIPTOR + large.n_blocks * BLOCK);
	data_origin->bytes.fill = large_data_fill;
	tree_origin->bytes.fill = large_tree_fill;
	identity = (struct fetch_identity){ .size = large.size, .validator = "v1" };
	snprintf(locator, sizeof(locator), "fs-verity:%s;" PLACE, digest);
	memory_set(&good_data, zeros, BLOCK);
}

/* Blocks of zeros, wherever they are. */
static int read_zeros(struct request *r, uint64_t block)
{
	struct fetch_read *read = &r->read;

	*r = (struct request){ .read = { .off = block * BLOCK, .len = BLOCK, .done = read_done } };
	read->buf = calloc(1, BLOCK);
	fetcher->ops->read(object, read);
	good_data.at -= read->off; /* read_done() looks there */
	while (!r->done)
		ck_assert_int_eq(loop_turn(loop), 0);
	good_data.at += read->off;
	free(read->buf);
	return r->err;
}

START_TEST(a_large_tree_comes_in_pieces)
{
	struct request r;

	serve_large();
	attach();
	for (int i = 0; i < 1500; i++) {
		uint64_t block = ((uint64_t)rand() << 8 ^ (uint64_t)rand()) % (large.size / BLOCK);

		ck_assert_int_eq(read_zeros(&r, block), 0);
	}
	/* One for each that was not kept, and for no read two. */
	ck_assert_uint_eq(tree_origin->looks, 1);
	ck_assert_uint_lt(tree_origin->reads, 1500);
	ck_assert_uint_gt(tree_origin->reads, 800);
	/* From front to back, each piece comes once. */
	tree_origin->reads = 0;
	for (uint64_t block = 0; block < large.size / BLOCK; block += 256)
		ck_assert_int_eq(read_zeros(&r, block), 0);
	ck_assert_uint_le(tree_origin->reads, large.n_blocks / 32 + 1);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("verify");
	TCase *c = tcase_create("verify");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, 60);
	tcase_add_loop_test(c, every_range_is_right, 0, 18);
	tcase_add_loop_test(c, a_head_is_checked, 0, 9);
	tcase_add_test(c, an_empty_object_is_empty);
	tcase_add_test(c, bytes_and_tree_come_together);
	tcase_add_test(c, many_reads_share_the_tree);
	tcase_add_test(c, a_wrong_bit_of_the_bytes_is_found);
	tcase_add_loop_test(c, a_wrong_bit_of_the_tree_is_found, 0, 2);
	tcase_add_test(c, another_tree_is_none);
	tcase_add_test(c, sizes_have_to_fit);
	tcase_add_test(c, no_tree_is_not_no_object);
	tcase_add_test(c, errors_of_the_origin_are_told);
	tcase_add_test(c, locators_are_checked);
	tcase_add_loop_test(c, wrong_bytes_are_asked_for_elsewhere, 0, 2);
	tcase_add_loop_test(c, a_wrong_tree_is_asked_for_elsewhere, 0, 2);
	tcase_add_test(c, chances_are_few);
	tcase_add_test(c, a_replaced_tree_is_looked_at_again);
	tcase_add_loop_test(c, what_is_canceled_ends, 0, 60);
	tcase_add_test(c, who_is_not_canceled_is_served);
	tcase_add_test(c, a_large_tree_comes_in_pieces);
	suite_add_tcase(s, c);
	return s;
}

int main(void)
{
	return run_suite(suite());
}
