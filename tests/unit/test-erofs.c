/* SPDX-License-Identifier: MIT */
#include "daemon/engine/erofs.h"

#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/run-suite.h"

/* The three fields that matter, as mkfs.erofs 1.5 writes them for the named options. */
static void make_super(uint8_t head[4096], uint8_t incompat, uint16_t algorithms)
{
	static const uint8_t magic[4] = { 0xe2, 0xe1, 0xf5, 0xe0 };

	memset(head, 0, 4096);
	memcpy(head + 1024, magic, 4);
	head[1024 + 80] = incompat;
	head[1024 + 84] = (uint8_t)algorithms;
	head[1024 + 85] = (uint8_t)(algorithms >> 8);
}

static const struct {
	const char *made_by;
	uint8_t incompat;
	uint16_t algorithms;
	enum erofs_kind kind;
} cases[] = {
	{ "no option", 0, 0, EROFS_PLAIN },
	{ "--chunksize", 0x04, 0, EROFS_PLAIN },
	{ "--chunksize --blobdev", 0x0c, 0, EROFS_PLAIN },
	{ "-zlz4", 0x01, 0xffff, EROFS_COMPRESSED },
	{ "-zlz4 -Elegacy-compress", 0, 0xffff, EROFS_COMPRESSED },
	{ "-zlz4hc -C65536", 0x03, 0x0001, EROFS_COMPRESSED },
	{ "-zlz4 -Eztailpacking", 0x11, 0xffff, EROFS_COMPRESSED },
	{ "-Efragments", 0x20, 0, EROFS_COMPRESSED },
};

START_TEST(test_superblocks_of_mkfs)
{
	uint8_t head[4096];

	make_super(head, cases[_i].incompat, cases[_i].algorithms);
	ck_assert_msg(erofs_look(head, sizeof(head)) == cases[_i].kind, "%s", cases[_i].made_by);
}
END_TEST

START_TEST(test_other_content_is_no_image)
{
	uint8_t head[4096];

	memset(head, 0xff, sizeof(head));
	ck_assert_int_eq(erofs_look(head, sizeof(head)), EROFS_NONE);
	make_super(head, 0x01, 0xffff);
	for (size_t n = 0; n < 1024 + 86; n++)
		ck_assert_int_eq(erofs_look(head, n), EROFS_NONE);
	ck_assert_int_eq(erofs_look(head, 1024 + 86), EROFS_COMPRESSED);
}
END_TEST

/* As mkfs.erofs 1.5 writes it. */
START_TEST(test_what_a_mount_needs_to_know)
{
	uint8_t head[4096];
	struct erofs_super super;

	make_super(head, 0x0c, 0);
	head[1024 + 12] = 12;
	head[1024 + 36] = 3;
	head[1024 + 37] = 1;
	head[1024 + 86] = 2;
	ck_assert(erofs_read_super(&super, head, sizeof(head)));
	ck_assert_int_eq(super.kind, EROFS_PLAIN);
	ck_assert_uint_eq(super.block_size, 4096);
	ck_assert_uint_eq(super.size, 259 * 4096);
	ck_assert_uint_eq(super.devices, 2);
	make_super(head, 0x01, 0);
	for (int bits = 0; bits < 256; bits++) {
		head[1024 + 12] = (uint8_t)bits;
		ck_assert(erofs_read_super(&super, head, sizeof(head)));
		ck_assert_uint_eq(super.block_size, bits >= 9 && bits <= 16 ? 1u << bits : 0);
		ck_assert_int_eq(super.kind, EROFS_COMPRESSED);
	}
	for (size_t n = 0; n < 1024 + 88; n++)
		ck_assert(!erofs_read_super(&super, head, n));
	memset(head, 0, sizeof(head));
	ck_assert(!erofs_read_super(&super, head, sizeof(head)));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("erofs");
	TCase *t = tcase_create("superblock");

	suite_add_tcase(s, t);
	tcase_add_loop_test(t, test_superblocks_of_mkfs, 0, sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(t, test_what_a_mount_needs_to_know);
	tcase_add_test(t, test_other_content_is_no_image);
	return run_suite(s);
}
