/* SPDX-License-Identifier: MIT */
/*
 * Whatever the origin sends for the bytes of an object or for their tree, nobody gets a byte that
 * the digest is not of; and who else is asked.
 */
#include "daemon/util/checked.h"
#include "tests/lib/run-suite.h"
#include "tests/unit/verify-fixture.h"

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

int main(void)
{
	Suite *s = suite_create("verify-wrong");
	TCase *c = tcase_create("verify-wrong");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, 60);
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
	suite_add_tcase(s, c);
	return run_suite(s);
}
