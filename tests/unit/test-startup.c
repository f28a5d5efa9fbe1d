/* SPDX-License-Identifier: MIT */
/*
 * What can be diagnosed without a cachefiles device. The rest is told apart on real kernels.
 */
#include "daemon/kernel/startup.h"

#include <check.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "daemon/kernel/cachedir.h"
#include "daemon/kernel/holder.h"
#include "daemon/kernel/kconfig.h"
#include "tests/lib/run-suite.h"
#include "tests/lib/temporary.h"

static const struct cf_limits limits = CF_LIMITS_DEFAULT;
static char base[PATH_MAX];

static void setup(void)
{
	char relative[TEMPORARY_MAX];

	temporary_dir(relative, TEMPORARY_DISK);
	ck_assert_ptr_nonnull(realpath(relative, base));
}

static void teardown(void)
{
	ck_assert_int_eq(rmdir(base), 0);
}

/* One sentence that names what it is about. */
static void assert_sentence(const char *error, const char *about)
{
	size_t n = strlen(error);

	ck_assert_uint_gt(n, 20);
	ck_assert_uint_lt(n, STARTUP_ERROR_MAX);
	ck_assert_ptr_null(strchr(error, '\n'));
	ck_assert_msg(strstr(error, about), "'%s' lacks '%s'", error, about);
}

/* ---- device ------------------------------------------------------------------------------ */

START_TEST(test_missing_device)
{
	struct startup_config config = {
		.device = "/nonexistent/cachefiles",
		.cache_dir = base,
		.tag = "t",
		.limits = CF_LIMITS_DEFAULT,
	};
	char error[STARTUP_ERROR_MAX];
	struct port *port = NULL;
	bool restore;

	ck_assert_int_eq(startup_bind(&port, &restore, &config, error), STARTUP_NO_DEVICE);
	assert_sentence(error, "/nonexistent/cachefiles");
	ck_assert_ptr_null(port);
}
END_TEST

/* It takes every command without a complaint; the start must not. */
START_TEST(test_another_device)
{
	struct startup_config config = {
		.device = "/dev/null",
		.cache_dir = base,
		.tag = "t",
		.limits = CF_LIMITS_DEFAULT,
	};
	char error[STARTUP_ERROR_MAX];
	struct port *port = NULL;
	bool restore;

	ck_assert_int_eq(startup_bind(&port, &restore, &config, error), STARTUP_NO_DEVICE);
	assert_sentence(error, "/dev/null");
	ck_assert_ptr_null(port);
}
END_TEST

/* What was passed on may be anything; it is closed in any case. */
START_TEST(test_adopted_device_is_another)
{
	struct startup_config config = { .tag = "t" };
	char error[STARTUP_ERROR_MAX];
	struct port *port = NULL;
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	ck_assert_int_eq(startup_adopt(&port, fd, &config, error), STARTUP_NO_DEVICE);
	assert_sentence(error, "not the cachefiles device");
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	ck_assert_ptr_null(port);
}
END_TEST

START_TEST(test_impossible_limits)
{
	struct startup_config config = {
		.device = "/dev/null",
		.cache_dir = base,
		.tag = "t",
		.limits = { .brun = 1 },
	};
	char error[STARTUP_ERROR_MAX];
	struct port *port = NULL;
	bool restore;

	ck_assert_int_eq(startup_bind(&port, &restore, &config, error), STARTUP_BIND_FAILED);
	assert_sentence(error, "bstop");
}
END_TEST

/* This process, by a device that everybody may open. */
START_TEST(test_holders)
{
	char text[128], small[64], me[32];
	int fd = open("/dev/full", O_RDONLY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	snprintf(me, sizeof(me), "%d (", (int)getpid());
	ck_assert_uint_ge(holder_list("/dev/full", text, sizeof(text)), 1);
	ck_assert_ptr_nonnull(strstr(text, me));
	holder_list("/dev/full", small, sizeof(small));
	ck_assert_uint_lt(strlen(small), sizeof(small));
	close(fd);

	ck_assert_uint_eq(holder_list("/nonexistent/cachefiles", text, sizeof(text)), 0);
	ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(test_kernel_configuration)
{
	enum kconfig none = kconfig_get("CONFIG_THAT_NOBODY_HAS");

	/* Where there is a configuration at all, it also says what the test itself shows. */
	ck_assert(none == KCONFIG_NO || none == KCONFIG_UNKNOWN);
	if (none == KCONFIG_NO)
		ck_assert_int_eq(kconfig_get("CONFIG_PROC_FS"), KCONFIG_YES);
	ck_assert_int_lt(kconfig_misc_minor("nobody-has-it"), 0);
}
END_TEST

/* ---- cache directory --------------------------------------------------------------------- */

static enum startup_status check_dir(const char *path, char *error)
{
	struct cachedir dir;
	enum startup_status status = cachedir_check(&dir, path, &limits, true, error);

	if (status == STARTUP_OK)
		close(dir.fd);
	else
		ck_assert_int_eq(dir.fd, -1);
	return status;
}

START_TEST(test_no_directory)
{
	char error[STARTUP_ERROR_MAX], path[PATH_MAX + 16];
	int fd;

	ck_assert_int_eq(check_dir("relative/path", error), STARTUP_BAD_CACHE_DIR);
	assert_sentence(error, "absolute");

	snprintf(path, sizeof(path), "%s/x", base);
	ck_assert_int_eq(check_dir(path, error), STARTUP_BAD_CACHE_DIR);
	assert_sentence(error, "does not exist");

	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_int_eq(check_dir(path, error), STARTUP_BAD_CACHE_DIR);
	assert_sentence(error, "not a directory");
	unlink(path);

	ck_assert_int_eq(symlink(base, path), 0);
	ck_assert_int_eq(check_dir(path, error), STARTUP_BAD_CACHE_DIR);
	assert_sentence(error, "symbolic link");
	unlink(path);
}
END_TEST

START_TEST(test_pseudo_file_systems)
{
	char error[STARTUP_ERROR_MAX];
	struct statfs fs;

	ck_assert_int_ne(check_dir("/proc", error), STARTUP_OK);
	assert_sentence(error, "/proc");
	if (statfs("/dev/shm", &fs) == 0 && fs.f_type == TMPFS_MAGIC) {
		ck_assert_int_eq(check_dir("/dev/shm", error), STARTUP_BAD_FILESYSTEM);
		assert_sentence(error, "tmpfs");
	}
}
END_TEST

/* Only where the tests lie on a file system that can do it; nothing may be left behind. */
START_TEST(test_real_directory)
{
	char error[STARTUP_ERROR_MAX];
	struct cf_limits greedy = { 99, 98, 97, 99, 98, 97 };
	struct cachedir dir;
	struct statfs fs;

	ck_assert_int_eq(statfs(base, &fs), 0);
	if (fs.f_type != EXT4_SUPER_MAGIC || fs.f_bsize != sysconf(_SC_PAGESIZE) ||
	    fs.f_bavail < fs.f_blocks / 100)
		return;
	ck_assert_int_eq(cachedir_check(&dir, base, &limits, true, error), STARTUP_OK);
	ck_assert_int_ge(dir.fd, 0);
	ck_assert(fcntl(dir.fd, F_GETFD) & FD_CLOEXEC);
	close(dir.fd);
	ck_assert_str_eq(dir.fs, "ext4");
	ck_assert(dir.fs_tried);

	if (fs.f_bavail < fs.f_blocks / 100 * 97) {
		ck_assert_int_eq(cachedir_check(&dir, base, &greedy, true, error),
				 STARTUP_NO_SPACE);
		assert_sentence(error, "bstop");
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("startup");
	TCase *tc = tcase_create("startup");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_missing_device);
	tcase_add_test(tc, test_another_device);
	tcase_add_test(tc, test_adopted_device_is_another);
	tcase_add_test(tc, test_impossible_limits);
	tcase_add_test(tc, test_holders);
	tcase_add_test(tc, test_kernel_configuration);
	tcase_add_test(tc, test_no_directory);
	tcase_add_test(tc, test_pseudo_file_systems);
	tcase_add_test(tc, test_real_directory);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
