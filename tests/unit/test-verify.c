/* SPDX-License-Identifier: MIT */
/*
 * Objects that are checked against an fs-verity digest: ranges, first looks, large trees, and what
 * is canceled. What is wrong: test-verify-wrong.c. The promises of fetcher.h: tests/contract.
 */
#include "daemon/util/checked.h"
#include "tests/lib/run-suite.h"
#include "tests/unit/verify-fixture.h"

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

int main(void)
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
	tcase_add_loop_test(c, what_is_canceled_ends, 0, 60);
	tcase_add_test(c, who_is_not_canceled_is_served);
	tcase_add_test(c, a_large_tree_comes_in_pieces);
	suite_add_tcase(s, c);
	return run_suite(s);
}
