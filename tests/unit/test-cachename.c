/* SPDX-License-Identifier: MIT */
#include "proto/cachename.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/run-suite.h"

#define KEY(text) bytes_of(text, sizeof(text) - 1)

/* A fixed seed: the same keys in every run. */
static uint32_t random_state = 1;

static uint32_t random_u32(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state;
}

static void assert_names(struct bytes key, const char *expected)
{
	char name[CACHENAME_MAX];
	uint8_t back[CACHENAME_MAX];
	int n;

	ck_assert_int_eq(cachename_encode(key, name), 0);
	ck_assert_str_eq(name, expected);
	n = cachename_decode(name, back);
	ck_assert_int_ge(n, 0);
	ck_assert(bytes_equal(bytes_of(back, (size_t)n), key));
}

/* ---- names ------------------------------------------------------------------------------- */

START_TEST(test_plain_keys)
{
	assert_names(KEY("plain.erofs"), "Dplain.erofs");
	assert_names(KEY("plain.erofs~2"), "Dplain.erofs~2");
	assert_names(KEY(".."), "D..");
	assert_names(KEY("!\x7f"), "D!\x7f");
	assert_names(KEY("D"), "DD");
}
END_TEST

/* By hand, from the rules in the documentation of the format. */
START_TEST(test_word_keys)
{
	assert_names(KEY(" "), "T20");
	assert_names(KEY("a "), "T2061");
	assert_names(KEY("\0"), "S");
	assert_names(KEY("\0\0\0\1"), "S1");
	assert_names(KEY("\0\0\0\1\0\0\0\0\0\0\1\2"), "S1,,102");
	assert_names(KEY("\1\0\0\0\2"), "T1,2");
	/* Both take the same room: the big-endian form wins. */
	assert_names(KEY("\0\1\1\0\0\0\0\7"), "S10100,7");
}
END_TEST

START_TEST(test_base64_keys)
{
	/* 0x202020 in groups of six bits, low ones first: 32, 0, 2, 8. */
	assert_names(KEY("   "), "E0w028");
	assert_names(KEY("\xff\xff\xff"), "E0----");
	assert_names(KEY("a/b"), "E0xZyo");
}
END_TEST

/* Of every length, of each kind of byte that leads to another form. */
START_TEST(test_names_lead_back_to_keys)
{
	unsigned int forms[256] = { 0 };

	for (size_t len = 1; len <= CACHENAME_KEY_MAX; len++)
		for (int round = 0; round < 200; round++) {
			uint8_t key[CACHENAME_KEY_MAX], back[CACHENAME_MAX];
			struct bytes k = bytes_of(key, len);
			char name[CACHENAME_MAX], again[CACHENAME_MAX];
			uint32_t kind = random_u32() % 4;
			int r;

			for (size_t i = 0; i < len; i++) {
				uint32_t v = random_u32();

				key[i] = kind == 0 ? 33 + v % 14 : (uint8_t)v;
				if (kind == 1 && i % 4 != 3)
					key[i] = 0;
				else if (kind == 2 && v >> 8 & 3)
					key[i] = 0;
			}
			r = cachename_encode(k, name);
			if (r < 0) {
				/* 189 bytes are the most that fit in their longest form. */
				ck_assert_int_eq(r, -ENAMETOOLONG);
				ck_assert_uint_gt(len, 189);
				continue;
			}
			forms[(unsigned char)name[0]]++;
			ck_assert_uint_lt(strlen(name), CACHENAME_MAX);
			ck_assert_ptr_null(strchr(name, '/'));

			r = cachename_decode(name, back);
			ck_assert_int_gt(r, 0);
			ck_assert_int_le(r, (int)len);
			ck_assert_int_eq(memcmp(back, key, (size_t)r), 0);
			/* The same file, by name and by directory. */
			ck_assert_int_eq(cachename_encode(bytes_of(back, (size_t)r), again), 0);
			ck_assert_str_eq(again, name);
			ck_assert_uint_eq(
				cachename_fanout(bytes_str("v"), k),
				cachename_fanout(bytes_str("v"), bytes_of(back, (size_t)r)));
			if (key[len - 1] != 0 || name[0] == 'E' || name[0] == 'D')
				ck_assert_int_eq(r, (int)len);
			else
				ck_assert_int_gt(r, (int)len - 4);
		}
	ck_assert(forms['D'] && forms['S'] && forms['T'] && forms['E']);
}
END_TEST

/* A word form may hide padding only where the shorter key gets that form, too. */
START_TEST(test_padding_is_decided_by_the_form)
{
	assert_names(KEY("a b\0"), "T622061");
	assert_names(KEY("a b"), "E0x1yo");
}
END_TEST

START_TEST(test_length_limits)
{
	char name[CACHENAME_MAX];
	uint8_t key[300];

	memset(key, 'k', sizeof(key));
	ck_assert_int_eq(cachename_encode(bytes_of(key, 0), name), -EINVAL);
	ck_assert_int_eq(cachename_encode(bytes_of(key, 252), name), 0);
	ck_assert_uint_eq(strlen(name), 253);
	ck_assert_int_eq(cachename_encode(bytes_of(key, 253), name), -ENAMETOOLONG);
	ck_assert_int_eq(cachename_encode(bytes_of(key, 300), name), -ENAMETOOLONG);
	memset(key, 0xff, sizeof(key));
	ck_assert_int_eq(cachename_encode(bytes_of(key, 189), name), 0);
	ck_assert_uint_eq(strlen(name), 254);
	ck_assert_int_eq(cachename_encode(bytes_of(key, 190), name), -ENAMETOOLONG);
}
END_TEST

START_TEST(test_names_that_the_kernel_did_not_make)
{
	static const char *const bad[] = {
		"",	  ".",	      "..",	    "D",      "E",	"E0",	      "E0www",
		"E3wwww", "E1wwww",   "E0ww+w",	    "E1ww8w", "Xplain", "Da b",	      "Da/b",
		"D\x80",  "S01",      "S1FF",	    "S1;2",   "T",	"S123456789", "S0",
		"@00",	  "Iv",	      "lost+found", "E/0000", "T-1",	"S 1",	      "Sg",
		"T1,2,x", "E1wwwwww", "s1",
	};
	uint8_t key[CACHENAME_MAX];
	char name[400];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(cachename_decode(bad[i], key) == -EINVAL, "%s", bad[i]);

	for (size_t len = 254; len < sizeof(name); len++) {
		memset(name, ',', len);
		name[0] = 'S';
		name[len] = 0;
		ck_assert_int_eq(cachename_decode(name, key), -EINVAL);
		memset(name, 'D', len);
		ck_assert_int_eq(cachename_decode(name, key), -EINVAL);
	}
}
END_TEST

/* ---- fan-out, path ----------------------------------------------------------------------- */

/* Measured on a running kernel. */
START_TEST(test_fanout)
{
	char path[CACHENAME_PATH_MAX];

	ck_assert_uint_eq(cachename_fanout(KEY("erofs,plain.erofs"), KEY("plain.erofs")), 0x37);
	ck_assert_uint_eq(cachename_fanout(KEY("erofs,dom"), KEY("plain.erofs~2")), 0x14);
	ck_assert_int_eq(cachename_path(KEY("erofs,dom"), KEY("plain.erofs~2"), path), 0);
	ck_assert_str_eq(path, "cache/Ierofs,dom/@14/Dplain.erofs~2");
}
END_TEST

START_TEST(test_paths_that_cannot_be)
{
	char path[CACHENAME_PATH_MAX];
	char key[300];

	memset(key, 'v', sizeof(key));
	ck_assert_int_eq(cachename_path(KEY("a/b"), KEY("k"), path), -EINVAL);
	ck_assert_int_eq(cachename_path(KEY("a\0b"), KEY("k"), path), -EINVAL);
	ck_assert_int_eq(cachename_path(KEY("v"), KEY(""), path), -EINVAL);
	ck_assert_int_eq(cachename_path(bytes_of(key, 254), bytes_of(key, 252), path), 0);
	ck_assert_uint_eq(strlen(path), strlen("cache/") + 255 + 5 + 253);
	ck_assert_int_eq(cachename_path(bytes_of(key, 255), KEY("k"), path), -ENAMETOOLONG);
	ck_assert_int_eq(cachename_path(KEY("v"), bytes_of(key, 253), path), -ENAMETOOLONG);
}
END_TEST

/* ---- attribute --------------------------------------------------------------------------- */

START_TEST(test_attribute)
{
	uint8_t value[CACHENAME_OBJECT_XATTR_LEN + 1] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	uint64_t size = 99;

	value[16] = 1;
	ck_assert(cachename_parse_xattr(value, 18, &size));
	ck_assert_uint_eq(size, UINT64_C(0x0102030405060708));

	size = 99;
	ck_assert(!cachename_parse_xattr(value, 17, &size));
	ck_assert(!cachename_parse_xattr(value, 19, &size));
	ck_assert(!cachename_parse_xattr(value, 0, &size));
	value[17] = 4; /* dirty: never taken back */
	ck_assert(!cachename_parse_xattr(value, 18, &size));
	value[17] = 1;
	value[16] = 0;
	ck_assert(!cachename_parse_xattr(value, 18, &size));
	ck_assert_uint_eq(size, 99);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cachename");
	TCase *tc = tcase_create("cachename");

	tcase_set_timeout(tc, 60); /* for valgrind */
	tcase_add_test(tc, test_plain_keys);
	tcase_add_test(tc, test_word_keys);
	tcase_add_test(tc, test_base64_keys);
	tcase_add_test(tc, test_names_lead_back_to_keys);
	tcase_add_test(tc, test_padding_is_decided_by_the_form);
	tcase_add_test(tc, test_length_limits);
	tcase_add_test(tc, test_names_that_the_kernel_did_not_make);
	tcase_add_test(tc, test_fanout);
	tcase_add_test(tc, test_paths_that_cannot_be);
	tcase_add_test(tc, test_attribute);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
