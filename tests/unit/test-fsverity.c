/* SPDX-License-Identifier: MIT */
/*
 * What we read of fs-verity is what libfsverity and fsverity(1) write: descriptors, trees and
 * hashes of files of all sizes where something begins.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/checked.h"
#include "daemon/util/little-endian.h"
#include "proto/fsverity-make.h"
#include "tests/lib/run-suite.h"
#include "tests/lib/shell.h"
#include "tests/lib/temporary.h"
#include "tests/lib/verity-make.h"

#define BLOCK FSVERITY_BLOCK

static const uint64_t sizes[] = {
	0,
	1,
	4095,
	4096,
	4097,
	2 * BLOCK,
	127 * BLOCK,
	128 * BLOCK - 1,
	128 * BLOCK,
	128 * BLOCK + 1,
	129 * BLOCK + 77,
	256 * BLOCK,
	1000 * BLOCK + 5,
	128 * 128 * BLOCK - 1,
	128 * 128 * BLOCK,
	128 * 128 * BLOCK + 1,
	129 * 128 * BLOCK,
};

static struct sha256 *sha;
static uint8_t *data;

static void setup(void)
{
	ck_assert_int_eq(sha256_new(&sha), 0);
}

static void teardown(void)
{
	sha = sha256_free(sha);
	free(data);
	data = NULL;
}

static void make_data(uint64_t size)
{
	uint64_t x = size + 1;

	data = malloc(size + 8);
	ck_assert_ptr_nonnull(data);
	for (uint64_t i = 0; i < size; i += 8) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		put_le64(data + i, x);
	}
}

static void check_hash(const struct fsverity_descriptor *d, const void *block, size_t len,
		       const uint8_t *expected)
{
	uint8_t hash[FSVERITY_HASH];

	fsverity_hash(d, sha, block, len, hash);
	ck_assert_mem_eq(hash, expected, sizeof(hash));
}

/* Every hash of the tree, and where it is. */
static void check_tree(const struct fsverity_descriptor *d, const struct verity_made *made)
{
	const uint8_t *tree = made->bytes + FSVERITY_DESCRIPTOR;
	struct fsverity_shape shape;
	uint64_t block;
	size_t at;

	fsverity_shape(&shape, d->size);
	ck_assert_uint_eq(made->len, FSVERITY_DESCRIPTOR + shape.n_blocks * BLOCK);
	ck_assert_uint_eq(shape.n_levels > 0, d->size > BLOCK);
	for (uint64_t i = 0; i < shape.n_blocks; i++) {
		bool has = fsverity_parent(&shape, i, &block, &at);

		ck_assert_uint_eq(has, i > 0);
		ck_assert(!has || block < i);
		check_hash(d, tree + i * BLOCK, BLOCK, has ? tree + block * BLOCK + at : d->root);
	}
	for (uint64_t i = 0; i * BLOCK < d->size && shape.n_levels > 0; i++) {
		block = fsverity_leaf(&shape, i, &at);
		ck_assert_uint_lt(block, shape.n_blocks);
		check_hash(d, data + i * BLOCK, min_u64(BLOCK, d->size - i * BLOCK),
			   tree + block * BLOCK + at);
	}
	if (d->size > 0 && shape.n_levels == 0)
		check_hash(d, data, d->size, d->root);
}

static void check_size(uint64_t size, const char *salt, size_t salt_len)
{
	struct fsverity_descriptor d;
	struct verity_made made;
	uint8_t digest[FSVERITY_HASH];
	char text[FSVERITY_DIGEST_TEXT];

	make_data(size);
	verity_make(&made, data, size, salt);
	ck_assert_int_eq(fsverity_digest_parse(bytes_str(made.digest), digest), 0);
	fsverity_digest_print(digest, text);
	ck_assert_str_eq(text, made.digest);
	ck_assert_int_eq(fsverity_parse(&d, bytes_of(made.bytes, made.len), sha, digest),
			 FSVERITY_OK);
	ck_assert_uint_eq(d.size, size);
	ck_assert_uint_eq(d.salt_len, salt_len);
	check_tree(&d, &made);
	verity_made_end(&made);
}

START_TEST(trees_are_those_of_fsverity)
{
	check_size(sizes[_i], "", 0);
}
END_TEST

START_TEST(trees_with_a_salt_too)
{
	check_size(sizes[_i], "salt of 20 bytes....", 20);
}
END_TEST

static int put_block(void *arg, uint64_t number, const void *block)
{
	const struct verity_made *made = arg;

	ck_assert_uint_le(FSVERITY_DESCRIPTOR + (number + 1) * BLOCK, made->len);
	memcpy(made->bytes + FSVERITY_DESCRIPTOR + number * BLOCK, block, BLOCK);
	return 0;
}

/* In pieces of so many blocks. */
static void make_own(struct verity_made *own, uint64_t size, size_t blocks)
{
	struct fsverity_maker *maker;
	uint8_t digest[FSVERITY_HASH];

	ck_assert_int_eq(fsverity_maker_new(&maker, size, put_block, own), 0);
	own->len = FSVERITY_DESCRIPTOR + fsverity_maker_blocks(maker) * BLOCK;
	own->bytes = malloc(own->len);
	memset(own->bytes, 0xa5, own->len);
	for (uint64_t at = 0; at < size; at += blocks * BLOCK)
		ck_assert_int_eq(
			fsverity_maker_add(maker, data + at, min_u64(blocks * BLOCK, size - at)),
			0);
	ck_assert_int_eq(fsverity_maker_finish(maker, own->bytes, digest), 0);
	fsverity_digest_print(digest, own->digest);
	fsverity_maker_free(maker);
}

START_TEST(trees_that_we_make_are_the_same)
{
	struct verity_made made, own;

	make_data(sizes[_i]);
	verity_make(&made, data, sizes[_i], "");
	/* Large ones once. */
	for (size_t blocks = sizes[_i] > 1000 * BLOCK + 5 ? 256 : 1; blocks <= 256; blocks *= 16) {
		make_own(&own, sizes[_i], blocks);
		ck_assert_str_eq(own.digest, made.digest);
		ck_assert_uint_eq(own.len, made.len);
		ck_assert_mem_eq(own.bytes, made.bytes, made.len);
		verity_made_end(&own);
	}
	verity_made_end(&made);
}
END_TEST

static int refuse_block(void *arg, uint64_t number, const void *block)
{
	return number == *(uint64_t *)arg ? -ENOSPC : 0;
}

/* Each block of the tree in turn. */
START_TEST(trees_that_find_no_room)
{
	uint8_t descriptor[FSVERITY_DESCRIPTOR], digest[FSVERITY_HASH];
	struct fsverity_maker *maker;
	uint64_t size = 129 * BLOCK;

	make_data(size);
	for (uint64_t refused = 0; refused < 4; refused++) {
		int err;

		ck_assert_int_eq(fsverity_maker_new(&maker, size, refuse_block, &refused), 0);
		err = fsverity_maker_add(maker, data, size);
		if (err == 0)
			err = fsverity_maker_finish(maker, descriptor, digest);
		ck_assert_int_eq(err, refused < fsverity_maker_blocks(maker) ? -ENOSPC : 0);
		fsverity_maker_free(maker);
	}
	ck_assert_ptr_null(fsverity_maker_free(NULL));
}
END_TEST

/* As the manual tells people to make them. */
START_TEST(the_tool_writes_the_same)
{
	size_t size = 200 * BLOCK + 3;
	char dir[TEMPORARY_MAX], path[TEMPORARY_MAX + 16], digest[FSVERITY_DIGEST_TEXT] = "";
	struct verity_made made;
	uint8_t *bytes;
	FILE *f;

	temporary_dir(dir, TEMPORARY_ANY);
	make_data(size);
	verity_make(&made, data, size, "");
	snprintf(path, sizeof(path), "%s/data", dir);
	f = fopen(path, "we");
	ck_assert(f && fwrite(data, 1, size, f) == size && fclose(f) == 0);
	sh("cd %s && fsverity digest --compact --out-merkle-tree=T --out-descriptor=D data > "
	   "digest "
	   "&& cat D T > data.verity",
	   dir);
	snprintf(path, sizeof(path), "%s/digest", dir);
	f = fopen(path, "re");
	ck_assert(f && fread(digest, 1, 64, f) == 64 && fclose(f) == 0);
	ck_assert_str_eq(digest, made.digest + strlen("sha256:"));
	bytes = malloc(made.len + 1);
	snprintf(path, sizeof(path), "%s/data.verity", dir);
	f = fopen(path, "re");
	ck_assert(f && fread(bytes, 1, made.len + 1, f) == made.len && fclose(f) == 0);
	ck_assert_mem_eq(bytes, made.bytes, made.len);
	free(bytes);
	verity_made_end(&made);
}
END_TEST

START_TEST(every_bit_of_a_descriptor_counts)
{
	struct fsverity_descriptor d = { .size = 77 };
	struct verity_made made;
	uint8_t digest[FSVERITY_HASH];

	make_data(10000);
	verity_make(&made, data, 10000, "ab");
	fsverity_digest_parse(bytes_str(made.digest), digest);
	for (size_t i = 0; i < FSVERITY_DESCRIPTOR * 8; i++) {
		made.bytes[i / 8] ^= (uint8_t)(1u << i % 8);
		ck_assert_int_ne(fsverity_parse(&d, bytes_of(made.bytes, made.len), sha, digest),
				 FSVERITY_OK);
		ck_assert_uint_eq(d.size, 77);
		made.bytes[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	for (size_t len = 0; len < FSVERITY_DESCRIPTOR; len++)
		ck_assert_int_eq(fsverity_parse(&d, bytes_of(made.bytes, len), sha, digest),
				 FSVERITY_NONE);
	verity_made_end(&made);
}
END_TEST

/* A digest of what is in it makes nothing good that we cannot read. */
START_TEST(other_descriptors_are_told_apart)
{
	uint8_t bytes[FSVERITY_DESCRIPTOR] = { 1, 1, 12 }, digest[FSVERITY_HASH];
	static const struct {
		size_t at;
		uint8_t value;
		enum fsverity_verdict verdict;
	} rows[] = {
		{ 0, 1, FSVERITY_OK },	     { 0, 2, FSVERITY_NONE },	{ 1, 2, FSVERITY_OTHER },
		{ 2, 16, FSVERITY_OTHER },   { 3, 33, FSVERITY_NONE },	{ 4, 1, FSVERITY_OTHER },
		{ 15, 0x80, FSVERITY_NONE }, { 112, 1, FSVERITY_NONE }, { 255, 1, FSVERITY_NONE },
	};
	struct fsverity_descriptor d;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t before = bytes[rows[i].at];

		bytes[rows[i].at] = rows[i].value;
		sha256_update(sha, bytes, sizeof(bytes));
		sha256_final(sha, digest);
		ck_assert_int_eq(fsverity_parse(&d, bytes_of(bytes, sizeof(bytes)), sha, digest),
				 rows[i].verdict);
		bytes[rows[i].at] = before;
	}
}
END_TEST

START_TEST(digests_are_of_64_digits)
{
	static const char *const bad[] = {
		"",
		"sha256:",
		"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde",
		"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0",
		"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdeF",
		"sha512:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
		"sha256:0123456789abcdef0123456789abcdef 123456789abcdef0123456789abcdef",
	};
	uint8_t digest[FSVERITY_HASH];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_lt(fsverity_digest_parse(bytes_str(bad[i]), digest), 0);
}
END_TEST

/* No data at hand: a petabyte, and all that there can be. */
START_TEST(the_largest_have_room)
{
	static const uint64_t large[] = { (uint64_t)1 << 50, OBJECT_SIZE_MAX };

	for (size_t i = 0; i < 2; i++) {
		struct fsverity_shape shape;
		uint64_t block, n = 0;
		size_t at;

		fsverity_shape(&shape, large[i]);
		ck_assert_uint_lt(shape.n_blocks, large[i] / BLOCK / 127 + 2);
		block = fsverity_leaf(&shape, (large[i] - 1) / BLOCK, &at);
		ck_assert_uint_eq(block, shape.n_blocks - 1);
		while (fsverity_parent(&shape, block, &block, &at))
			n++;
		ck_assert_uint_eq(block, 0);
		ck_assert_uint_eq(n + 1, shape.n_levels);
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("fsverity");
	TCase *c = tcase_create("fsverity");
	/* The last ones are of 64 MiB, which valgrind hashes for minutes. */
	int n = (int)(sizeof(sizes) / sizeof(sizes[0])) - (under_valgrind() ? 4 : 0);

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, 60);
	tcase_add_loop_test(c, trees_are_those_of_fsverity, 0, n);
	tcase_add_loop_test(c, trees_with_a_salt_too, 0, n);
	tcase_add_loop_test(c, trees_that_we_make_are_the_same, 0, n);
	tcase_add_test(c, trees_that_find_no_room);
	if (system("command -v fsverity > /dev/null") == 0)
		tcase_add_test(c, the_tool_writes_the_same);
	tcase_add_test(c, every_bit_of_a_descriptor_counts);
	tcase_add_test(c, other_descriptors_are_told_apart);
	tcase_add_test(c, digests_are_of_64_digits);
	tcase_add_test(c, the_largest_have_room);
	suite_add_tcase(s, c);
	return s;
}

int main(void)
{
	return run_suite(suite());
}
