/* SPDX-License-Identifier: MIT */
/*
 * Needs a file system with user.* attributes below $TMPDIR or, without it, the working directory.
 */
#include "daemon/kernel/scrub.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "proto/cachename.h"
#include "tests/lib/run-suite.h"
#include "tests/lib/temporary.h"

static char base[TEMPORARY_MAX];
static int base_fd = -1; /* holds the cache root "root" and what lies beside it */
static int root = -1;

/* ---- making and looking ------------------------------------------------------------------ */

static void make_dir(const char *path)
{
	ck_assert_msg(mkdirat(root, path, 0700) == 0, "%s: %m", path);
}

static void make_file(const char *path)
{
	int fd = openat(root, path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

	ck_assert_msg(fd >= 0, "%s: %m", path);
	close(fd);
}

static void give_attribute(const char *path, const char *value, size_t n)
{
	int fd = openat(root, path, O_RDONLY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fsetxattr(fd, CACHENAME_XATTR, value, n, 0), 0);
	close(fd);
}

static void make_volume(const char *path)
{
	make_dir(path);
	give_attribute(path, "\0\0\0\0", CACHENAME_VOLUME_XATTR_LEN);
}

static void make_object(const char *path)
{
	static const char value[CACHENAME_OBJECT_XATTR_LEN] = { [6] = 16, [16] = 1 };

	make_file(path);
	give_attribute(path, value, sizeof(value));
}

static bool is_there(const char *path)
{
	struct stat st;

	return fstatat(root, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void assert_scrub(int expected, unsigned int volumes, unsigned int objects,
			 unsigned int graves)
{
	struct scrub_result result;

	ck_assert_int_eq(scrub_cache(root, &result), expected);
	ck_assert_uint_eq(result.volumes, volumes);
	ck_assert_uint_eq(result.objects, objects);
	ck_assert_uint_eq(result.graves, graves);
}

static void setup(void)
{
	temporary_dir(base, TEMPORARY_DISK);
	base_fd = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_eq(mkdirat(base_fd, "root", 0700), 0);
	root = openat(base_fd, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(root, 0);
}

static void teardown(void)
{
	close(root);
	close(base_fd);
	temporary_remove(base);
}

/* ---- what the kernel does not heal ------------------------------------------------------- */

START_TEST(test_nothing_to_do)
{
	assert_scrub(0, 0, 0, 0);
	make_dir("cache");
	make_dir("graveyard");
	assert_scrub(0, 0, 0, 0);
	ck_assert(is_there("cache") && is_there("graveyard"));
}
END_TEST

START_TEST(test_bare_objects_go)
{
	make_dir("cache");
	make_volume("cache/Ierofs,a");
	make_dir("cache/Ierofs,a/@00");
	make_dir("cache/Ierofs,a/@ff");
	make_object("cache/Ierofs,a/@00/Dgood");
	make_file("cache/Ierofs,a/@00/Dbare");
	make_file("cache/Ierofs,a/@ff/T2061");
	/* A wrong attribute is replaced by the kernel: not our business. */
	make_file("cache/Ierofs,a/@ff/Dshort");
	give_attribute("cache/Ierofs,a/@ff/Dshort", "x", 1);

	assert_scrub(0, 0, 2, 0);
	ck_assert(is_there("cache/Ierofs,a/@00/Dgood"));
	ck_assert(is_there("cache/Ierofs,a/@ff/Dshort"));
	ck_assert(!is_there("cache/Ierofs,a/@00/Dbare"));
	ck_assert(!is_there("cache/Ierofs,a/@ff/T2061"));
	assert_scrub(0, 0, 0, 0);
}
END_TEST

START_TEST(test_bare_volumes_go)
{
	make_dir("cache");
	make_dir("cache/Ierofs,empty");
	make_dir("cache/Ierofs,full");
	make_dir("cache/Ierofs,full/@12");
	make_object("cache/Ierofs,full/@12/Dgood");
	make_file("cache/Ierofs,full/@12/Dbare");
	make_volume("cache/Ierofs,good");

	assert_scrub(0, 2, 2, 0);
	ck_assert(!is_there("cache/Ierofs,empty"));
	ck_assert(!is_there("cache/Ierofs,full"));
	ck_assert(is_there("cache/Ierofs,good"));
}
END_TEST

START_TEST(test_what_is_not_the_kernels_stays)
{
	static const char *const files[] = {
		"cache/README",
		"cache/Inot-a-directory",
		"cache/Iv/README",
		"cache/Iv/@00/README",
		"cache/Iv/@00/D with blanks",
		"cache/Iv/@00/S0",
		"cache/Iv/@0/Dx",
		"cache/Iv/@0g/Dx",
		"cache/Iv/@000/Dx",
		"cache/Jv/@00/Dx",
		"other",
	};
	static const char *const dirs[] = { "cache",	     "cache/Jv",
					    "cache/Jv/@00",  "cache/Iv/@00",
					    "cache/Iv/@0",   "cache/Iv/@0g",
					    "cache/Iv/@000", "cache/Iv/@00/Ddirectory" };

	make_dir("cache");
	make_volume("cache/Iv");
	for (size_t i = 1; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		make_dir(dirs[i]);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		make_file(files[i]);
	ck_assert_int_eq(mkfifoat(root, "cache/Iv/@00/Dfifo", 0600), 0);

	assert_scrub(0, 0, 0, 0);
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		ck_assert_msg(is_there(dirs[i]), "%s", dirs[i]);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		ck_assert_msg(is_there(files[i]), "%s", files[i]);
	ck_assert(is_there("cache/Iv/@00/Dfifo"));
}
END_TEST

/* The error is told, and does not keep the rest from being done. */
START_TEST(test_bare_volume_with_something_else_in_it)
{
	make_dir("cache");
	make_dir("graveyard");
	make_dir("graveyard/g");
	make_dir("cache/Ia");
	make_dir("cache/Ib");
	make_dir("cache/Ic");
	make_dir("cache/Ib/@00");
	make_file("cache/Ib/@00/Dbare");
	make_file("cache/Ib/README");

	assert_scrub(-ENOTEMPTY, 2, 1, 1);
	ck_assert(is_there("cache/Ib/README"));
	ck_assert(!is_there("cache/Ib/@00"));
	ck_assert(!is_there("graveyard/g"));
}
END_TEST

/* ---- leaving the directory --------------------------------------------------------------- */

START_TEST(test_symbolic_links_are_not_followed)
{
	ck_assert_int_eq(mkdirat(base_fd, "outside", 0700), 0);
	ck_assert_int_eq(mkdirat(base_fd, "outside/@00", 0700), 0);
	make_file("../outside/@00/Dvictim");
	make_dir("cache");
	make_volume("cache/Iv");
	make_dir("cache/Iv/@01");
	make_dir("graveyard");
	ck_assert_int_eq(symlinkat("../../outside", root, "cache/Ilink"), 0);
	ck_assert_int_eq(symlinkat("../../../outside/@00", root, "cache/Iv/@00"), 0);
	ck_assert_int_eq(symlinkat("../../../../outside/@00/Dvictim", root, "cache/Iv/@01/Dl"), 0);
	ck_assert_int_eq(symlinkat("../../outside", root, "graveyard/link"), 0);

	assert_scrub(-ENOTDIR, 0, 0, 1);
	ck_assert(is_there("../outside/@00/Dvictim"));
	ck_assert(is_there("cache/Ilink"));
	ck_assert(is_there("cache/Iv/@01/Dl"));
	ck_assert(!is_there("graveyard/link"));
}
END_TEST

START_TEST(test_linked_directories_are_refused)
{
	ck_assert_int_eq(mkdirat(base_fd, "outside", 0700), 0);
	make_file("../outside/victim");
	make_dir("../outside/Iv");
	ck_assert_int_eq(symlinkat("../outside", root, "graveyard"), 0);
	ck_assert_int_eq(symlinkat("../outside", root, "cache"), 0);

	assert_scrub(-ENOTDIR, 0, 0, 0);
	ck_assert(is_there("../outside/victim"));
	ck_assert(is_there("../outside/Iv"));
}
END_TEST

/* ---- graveyard --------------------------------------------------------------------------- */

START_TEST(test_graveyard_is_emptied)
{
	make_dir("graveyard");
	make_dir("graveyard/0000000000000001");
	make_dir("graveyard/0000000000000001/@00");
	make_dir("graveyard/0000000000000001/@01");
	make_dir("graveyard/0000000000000001/@01/Dweird");
	make_file("graveyard/0000000000000001/@00/Dobject");
	make_file("graveyard/0000000000000001/@01/Dweird/anything");
	ck_assert_int_eq(mkfifoat(root, "graveyard/0000000000000001/fifo", 0600), 0);
	/* In the way of our own names. */
	make_file("graveyard/lifted-0");
	make_dir("graveyard/lifted-1");

	assert_scrub(0, 0, 0, 9);
	ck_assert_int_eq(unlinkat(root, "graveyard", AT_REMOVEDIR), 0);
}
END_TEST

/* Far deeper than the descriptors that there are. */
START_TEST(test_deep_grave)
{
	enum { DEPTH = 3000 };
	struct rlimit old, few;
	int at;

	make_dir("graveyard");
	at = openat(root, "graveyard", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < DEPTH; i++) {
		int below;

		ck_assert_int_eq(mkdirat(at, "d", 0700), 0);
		below = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		ck_assert_int_ge(below, 0);
		close(at);
		at = below;
	}
	close(at);

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = (struct rlimit){ .rlim_cur = (rlim_t)root + 8, .rlim_max = old.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_scrub(0, 0, 0, DEPTH);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	ck_assert_int_eq(unlinkat(root, "graveyard", AT_REMOVEDIR), 0);
}
END_TEST

static bool have_attributes(void)
{
	char path[TEMPORARY_MAX];
	bool have;

	temporary_dir(path, TEMPORARY_DISK);
	have = setxattr(path, CACHENAME_XATTR, "x", 1, 0) == 0;
	temporary_remove(path);
	return have;
}

int main(void)
{
	Suite *s;
	TCase *tc;

	if (!have_attributes())
		return skip_all("no user.* extended attributes below $TMPDIR");
	s = suite_create("scrub");
	tc = tcase_create("scrub");
	tcase_set_timeout(tc, 60); /* for valgrind */
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_nothing_to_do);
	tcase_add_test(tc, test_bare_objects_go);
	tcase_add_test(tc, test_bare_volumes_go);
	tcase_add_test(tc, test_what_is_not_the_kernels_stays);
	tcase_add_test(tc, test_bare_volume_with_something_else_in_it);
	tcase_add_test(tc, test_symbolic_links_are_not_followed);
	tcase_add_test(tc, test_linked_directories_are_refused);
	tcase_add_test(tc, test_graveyard_is_emptied);
	tcase_add_test(tc, test_deep_grave);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
