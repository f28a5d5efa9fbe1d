/* SPDX-License-Identifier: MIT */
/*
 * Images whose layers are tar archives.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/ctl/image-rig.h"
#include "tests/lib/run-suite.h"
#include "tests/lib/tar-make.h"

static void shell(const char *command)
{
	ck_assert_msg(system(command) == 0, "%s", command);
}

/* layer.tar, and layer.tar.gz; other bytes for each seed. */
static void write_layer(unsigned int seed)
{
	struct tar_make tar = { 0 };

	tar_make_add(&tar, (struct tar_make_entry){ "etc/", .type = '5', .mode = 0755 });
	tar_make_add(&tar, (struct tar_make_entry){ "etc/f", .size = 10000 + seed });
	tar_make_end(&tar);
	file_write("layer.tar", tar.bytes, tar.len);
	tar_make_free(&tar);
	shell("gzip -nkf layer.tar");
}

static void index_files(const char *expected)
{
	char command[200];

	snprintf(command, sizeof(command),
		 "test \"$(ls state/index | sed 's/.*\\.//' | sort | tr '\\n' ' ')\" = '%s'",
		 expected);
	shell(command);
}

START_TEST(plain_and_compressed)
{
	write_layer(0);
	image_expect(IMAGE("add", "plain", "./layer.tar"), 0, "", "plain: 1 layer");
	index_files("erofs map ");
	image_expect(IMAGE("inspect", "plain"), 0, "", "from     tarmap:/");
	image_expect(IMAGE("inspect", "plain"), 0, "", "layer 1  meta:");
	image_expect(IMAGE("inspect", "plain"), 0, "", "device 1  tar:");
	image_expect(IMAGE("add", "gzip", "./layer.tar.gz"), 0, "", "gzip: 1 layer");
	index_files("erofs erofs gzindex map map ");
	image_expect(IMAGE("inspect", "gzip"), 0, "", ".map;gunzip:/");
}
END_TEST

/* The same archive makes the same objects. */
START_TEST(added_again)
{
	write_layer(0);
	image_expect(IMAGE("add", "a", "./layer.tar"), 0, "", "a: 1 layer");
	image_expect(IMAGE("add", "a", "./layer.tar"), 0, "", "is this image already");
	image_expect(IMAGE("add", "b", "./layer.tar"), 0, "", "b: 1 layer");
	index_files("erofs map ");
	write_layer(1);
	image_expect(IMAGE("add", "a", "./layer.tar"), 1, "another image already", "");
	image_expect(IMAGE("add", "--replace", "a", "./layer.tar"), 0, "", "a: 1 layer");
	index_files("erofs erofs map map ");
	image_expect(IMAGE("add", "--replace", "b", "./layer.tar"), 0, "", "b: 1 layer");
	index_files("erofs map ");
}
END_TEST

START_TEST(removed_with_the_last_image)
{
	write_layer(0);
	image_expect(IMAGE("add", "a", "./layer.tar"), 0, "", "");
	image_expect(IMAGE("add", "b", "./layer.tar", "./layer.tar.gz"), 0, "", "b: 2 layers");
	image_expect(IMAGE("rm", "a"), 0, "", "");
	index_files("erofs erofs gzindex map map ");
	/* What a killed process left goes along. */
	file_write("state/index/new.abcdef", "x", 1);
	file_write("state/index/of somebody else", "x", 1);
	image_expect(IMAGE("rm", "b"), 0, "", "");
	shell("test \"$(ls state/index)\" = 'of somebody else'");
}
END_TEST

START_TEST(bad_archives)
{
	write_layer(0);
	shell("head -c 5000 layer.tar > cut.tar");
	image_expect(IMAGE("add", "a", "./cut.tar"), 1, "ends in the middle of an entry", "");
	shell("head -c 60 layer.tar.gz > cut.tar.gz");
	image_expect(IMAGE("add", "a", "./cut.tar.gz"), 1, "no gzip file, or it is damaged", "");
	shell("printf x | gzip > text.gz");
	image_expect(IMAGE("add", "a", "./text.gz"), 1, "ends in the middle", "");
	ck_assert_uint_eq(image_count(), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctl-image-tar");
	TCase *tc = tcase_create("image");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, ctl_enter, ctl_leave);
	tcase_add_test(tc, plain_and_compressed);
	tcase_add_test(tc, added_again);
	tcase_add_test(tc, removed_with_the_last_image);
	tcase_add_test(tc, bad_archives);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
