/* SPDX-License-Identifier: MIT */
/*
 * What mounting reads: lists of the kernel, options, and what it says about errors.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "daemon/ctl/mount-layers.h"
#include "daemon/ctl/mount-opened.h"
#include "daemon/ctl/mount-options.h"
#include "daemon/ctl/mount-stack.h"
#include "tests/lib/run-suite.h"

/* Text of a record is not const. */
#define T(text) ((char[]){ text })

/* ---- mountinfo ---------------------------------------------------------------------------- */

static const char mountinfo[] =
	"18 1 0:15 / / ro,relatime - rootfs rootfs ro\n"
	"30 18 0:27 / /run/c/layers/sha256:aa ro,relatime shared:3 master:1 - erofs cachefilld "
	"ro,user_xattr,fsid=sha256:aa,domain_id=d\n"
	"31 18 0:27 / /mnt/a\\040b\\134c ro,nodev shared:4 - erofs cachefilld "
	"ro,fsid=sha256:aa,domain_id=d\n"
	"37 18 0:31 / /mnt/o rw,nodev - overlay oci://h/i:t rw,lowerdir=1:0\n"
	"38 18 0:32 / /mnt/o rw - tmpfs  rw\n"
	"39 18 0:27 /sub /mnt/part ro - erofs cachefilld ro,fsid=sha256:aa\n";

static void load(struct mount_table *table, const char *text)
{
	ck_assert_int_eq(mount_table_parse(table, strdup(text)), 0);
}

START_TEST(test_mountinfo)
{
	struct mount_table t;
	const struct mount_entry *e;

	load(&t, mountinfo);
	ck_assert_uint_eq(t.n_entries, 6);
	e = mount_table_top(&t, "/mnt/a b\\c");
	ck_assert_ptr_nonnull(e);
	ck_assert_str_eq(e->type, "erofs");
	ck_assert(mount_entry_is_layer(e, "sha256:aa"));
	ck_assert(!mount_entry_is_layer(e, "sha256:a"));
	ck_assert(!mount_entry_is_layer(e, "sha256:aaa"));
	ck_assert(!mount_entry_is_layer(mount_table_top(&t, "/mnt/part"), "sha256:aa"));
	ck_assert(!mount_entry_is_layer(NULL, "sha256:aa"));
	e = mount_table_top(&t, "/mnt/o"); /* the last one, and its source is empty */
	ck_assert_str_eq(e->type, "tmpfs");
	ck_assert_str_eq(e->source, "");
	ck_assert_str_eq(e->super, "rw");
	ck_assert_ptr_null(mount_table_top(&t, "/mnt"));
	mount_table_end(&t);
}
END_TEST

START_TEST(test_bad_mountinfo)
{
	static const char *const bad[] = {
		"x\n",
		"18 1 0:15 / / ro,relatime\n",
		"18 1 0:15 / / ro,relatime -\n",
		"18 1 0:15 / / ro,relatime - erofs\n",
		"18 1 0:15 / / ro,relatime - erofs none\n",
		"18 1 0:15 - erofs none ro\n",
	};
	struct mount_table t;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(mount_table_parse(&t, strdup(bad[i])) == -EINVAL, "%s", bad[i]);
	load(&t, "");
	ck_assert_uint_eq(t.n_entries, 0);
	mount_table_end(&t);
	ck_assert_int_eq(mount_table_load(&t), 0); /* the real one */
	ck_assert_uint_gt(t.n_entries, 0);
	mount_table_end(&t);
}
END_TEST

START_TEST(test_own_mounts_are_known)
{
	char *two[] = { T("sha256:aa"), T("sha256:bb") };
	struct mount_record one = {
		.dir = T("/mnt/a b\\c"), .image = T("i"), .layers = two, .n_layers = 1
	};
	struct mount_record stacked = {
		.dir = T("/mnt/o"), .image = T("oci://h/i:t"), .layers = two, .n_layers = 2
	};
	struct mount_table t;

	load(&t, mountinfo);
	ck_assert(mount_stack_is(&one, mount_table_top(&t, one.dir)));
	ck_assert_str_eq(mount_stack_source(&one), "cachefilld");
	ck_assert(mount_stack_is(&stacked, &t.entries[3]));
	ck_assert(!mount_stack_is(&stacked, &t.entries[4]));
	ck_assert(!mount_stack_is(&stacked, NULL));
	stacked.image = T("other");
	ck_assert(!mount_stack_is(&stacked, &t.entries[3]));
	mount_table_end(&t);
}
END_TEST

/* ---- cookies of fscache ------------------------------------------------------------------- */

START_TEST(test_states_of_cookies)
{
	static const char list[] = "COOKIE   VOLUME   REF ACT ACC S FL DEF             \n"
				   "======== ======== === === === = == ================\n"
				   "00000002 00000001   2   1   0 A 6134 73706c6974\n"
				   "00000003 00000001   1   1   0 - 4028 6e6f6e65\n"
				   "00000004 00000001   1   1   0 L 4028 6c6174\n"
				   "00000005 00000001   1   1   0 F 4028 6c617465\n"
				   "00000006 00000002   1   1   0 R 4028 73706c6974\n"
				   "00000007 00000002   1   1";

	ck_assert_int_eq(mount_opened_parse(list, "split"), MOUNT_OPENED_YES);
	ck_assert_int_eq(mount_opened_parse(list, "none"), MOUNT_OPENED_FAILED);
	ck_assert_int_eq(mount_opened_parse(list, "lat"), MOUNT_OPENED_NOT_YET);
	ck_assert_int_eq(mount_opened_parse(list, "late"), MOUNT_OPENED_FAILED);
	ck_assert_int_eq(mount_opened_parse(list, "spli"), MOUNT_OPENED_UNKNOWN);
	ck_assert_int_eq(mount_opened_parse(list, ""), MOUNT_OPENED_UNKNOWN);
	ck_assert_int_eq(mount_opened_parse("", "split"), MOUNT_OPENED_UNKNOWN);
}
END_TEST

/* ---- options ------------------------------------------------------------------------------ */

static struct mount_options options;
static char error[MOUNT_ERROR_MAX];

static void begin(void)
{
	mount_options_begin(&options);
	*error = '\0';
}

static void end(void)
{
	mount_options_end(&options);
}

START_TEST(test_option_defaults)
{
	ck_assert_int_eq(mount_options_add(&options, "", error), 0);
	ck_assert_int_eq(mount_options_add(&options, "defaults,rw,_netdev,nofail,,auto", error), 0);
	ck_assert_int_eq(
		mount_options_add(&options, "x-systemd.requires=a.service,X-mount.mkdir", error),
		0);
	ck_assert_uint_eq(options.flags, MS_NODEV);
	ck_assert_int_eq(options.writable, MOUNT_READ_ONLY);
	ck_assert_uint_eq(options.read_ahead_kib, 0);
	ck_assert_ptr_null(options.upper);
	ck_assert_int_eq(mount_options_check(&options, error), 0);
}
END_TEST

START_TEST(test_option_values)
{
	ck_assert_int_eq(mount_options_add(&options,
					   "dev,nosuid,noexec,relatime,noatime,upper=\"/a,b\","
					   "read-ahead=4M,config=/c",
					   error),
			 0);
	ck_assert_int_eq(mount_options_add(&options, "state-dir=/s=t,run-dir=/r,exec", error), 0);
	ck_assert_uint_eq(options.flags, MS_NOSUID | MS_NOATIME);
	ck_assert_int_eq(options.writable, MOUNT_IN_DIR);
	ck_assert_str_eq(options.upper, "/a,b");
	ck_assert_str_eq(options.config, "/c");
	ck_assert_str_eq(options.state_dir, "/s=t");
	ck_assert_str_eq(options.run_dir, "/r");
	ck_assert_uint_eq(options.read_ahead_kib, 4096);
	ck_assert_int_eq(mount_options_add(&options, "upper=/other,writable", error), 0);
	ck_assert_str_eq(options.upper, "/other");
	ck_assert_int_eq(options.writable, MOUNT_IN_DIR);
}
END_TEST

START_TEST(test_bad_options)
{
	static const char *const bad[][2] = {
		{ "fly", "'fly'" },
		{ "fly=1", "'fly='" },
		{ "writable=/x", "'writable='" },
		{ "upper=", "upper" },
		{ "=", "'='" },
		{ "upper=\"/a", "quotation" },
		{ "upper=\"/a\"b,rw", "quotation" },
		{ "read-ahead=1", "read-ahead" },
		{ "read-ahead=2G", "read-ahead" },
		{ "read-ahead=much", "read-ahead" },
		{ "rw,offset=3", "'offset='" },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		*error = '\0';
		ck_assert_int_eq(mount_options_add(&options, bad[i][0], error), -EINVAL);
		ck_assert_msg(strstr(error, bad[i][1]), "%s: %s", bad[i][0], error);
	}
	ck_assert_int_eq(mount_options_add(&options, "ro,writable", error), 0);
	ck_assert_int_eq(mount_options_check(&options, error), -EINVAL);
}
END_TEST

/* ---- layers ------------------------------------------------------------------------------- */

static struct images_object device = { .cookie = T("sha256:bb"),
				       .locator = T("https://h/blob?secret"),
				       .size = 1 };
static struct images_layer sample_layer = {
	.primary = { .cookie = T("sha256:aa"), .locator = T("https://u:p@h/i?secret"), .size = 1 },
	.devices = &device,
	.n_devices = 1,
};

START_TEST(test_layers_are_checked)
{
	struct images_layer layer = sample_layer;
	char cookie[256];

	ck_assert_int_eq(mount_layer_check(&layer, "d", error), 0);
	ck_assert_int_eq(mount_layer_check(&layer, "", error), -EINVAL);
	ck_assert_ptr_nonnull(strstr(error, "image-domain"));
	ck_assert_int_eq(mount_layer_check(&layer, "a,b", error), -EINVAL);
	memset(cookie, 'a', sizeof(cookie));
	cookie[254] = '\0'; /* the one that the kernel does not survive */
	layer.primary.cookie = cookie;
	ck_assert_int_eq(mount_layer_check(&layer, "d", error), -EINVAL);
	ck_assert_ptr_nonnull(strstr(error, "more than 199 bytes"));
	layer = sample_layer;
	device.cookie = T("");
	ck_assert_int_eq(mount_layer_check(&layer, "d", error), -EINVAL);
	device.cookie = T("sha256:bb");
	device.size = 0;
	ck_assert_int_eq(mount_layer_check(&layer, "d", error), -EINVAL);
	ck_assert_ptr_nonnull(strstr(error, "a device is empty: https://h/blob"));
	ck_assert_ptr_null(strstr(error, "secret"));
	device.size = 1;
}
END_TEST

START_TEST(test_errors_are_sentences)
{
	static const struct {
		int err;
		const char *words;
	} map[] = {
		{ -ENOBUFS, "cachefilld does not run" },
		{ -EIO, "log of cachefilld" },
		{ -EBUSY, "mounted elsewhere" },
		{ -EEXIST, "mounted elsewhere" },
		{ -EINVAL, "no EROFS image" },
		{ -EBADMSG, "checksum" },
		{ -ENOENT, "CONFIG_EROFS_FS_ONDEMAND" },
		{ -ENOTBLK, "CONFIG_EROFS_FS_ONDEMAND" },
		{ -EPERM, "root" },
		{ -E2BIG, "Argument list too long" },
	};
	struct images_layer layer = sample_layer;

	for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++) {
		mount_layer_explain(&layer, map[i].err, error);
		ck_assert_msg(strstr(error, map[i].words), "%d: %s", map[i].err, error);
		ck_assert_ptr_nonnull(strstr(error, "sha256:aa"));
		ck_assert_ptr_nonnull(strstr(error, "https://h/i"));
		ck_assert_ptr_nonnull(strstr(error, "cachefilld --probe"));
		ck_assert_ptr_null(strstr(error, "secret"));
		ck_assert_ptr_null(strstr(error, "u:p"));
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mount-text");
	TCase *tc = tcase_create("text");

	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_test(tc, test_mountinfo);
	tcase_add_test(tc, test_bad_mountinfo);
	tcase_add_test(tc, test_own_mounts_are_known);
	tcase_add_test(tc, test_states_of_cookies);
	tcase_add_test(tc, test_option_defaults);
	tcase_add_test(tc, test_option_values);
	tcase_add_test(tc, test_bad_options);
	tcase_add_test(tc, test_layers_are_checked);
	tcase_add_test(tc, test_errors_are_sentences);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
