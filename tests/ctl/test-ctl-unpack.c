/* SPDX-License-Identifier: MIT */
/*
 * Layers of images as directories: what is kept, what whiteouts become, and what is refused.
 */
#include "daemon/ctl/build-unpack.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "daemon/ctl/ctl.h"
#include "tests/ctl/ctl.h"
#include "tests/ctl/tar.h"
#include "tests/lib/run-suite.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

static struct build_dirs *dirs;
static char root[256], said[4096];

static void enter(void)
{
	setlocale(LC_CTYPE, "C.UTF-8");
	ctl_enter();
	ck_assert_ptr_nonnull(getcwd(root, sizeof(root) - 8));
	strcat(root, "/root");
	ck_assert_int_eq(mkdir("root", 0755), 0);
	ck_assert_int_eq(mkdir("outside", 0755), 0);
	file_write("outside/victim", "safe", 4);
	ck_assert_int_eq(build_dirs_new(&dirs), 0);
}

static void leave(void)
{
	build_dirs_free(dirs);
	ctl_leave();
}

/* What it says on stderr goes to `said`. */
static int unpack_file(const char *path)
{
	struct progress progress;
	struct stat st;
	struct build_unpack u = { .name = path,
				  .fd = open(path, O_RDONLY | O_CLOEXEC),
				  .dir = root,
				  .dirs = dirs,
				  .progress = &progress };
	int before = dup(STDERR_FILENO), log = open("log", O_RDWR | O_CREAT | O_TRUNC, 0600);
	int status;
	ssize_t n;

	ck_assert_int_ge(u.fd, 0);
	ck_assert_int_eq(fstat(u.fd, &st), 0);
	u.size = (uint64_t)st.st_size;
	progress_begin(&progress, "unpack", u.size, true);
	fflush(stderr);
	dup2(log, STDERR_FILENO);
	status = build_unpack(&u);
	fflush(stderr);
	dup2(before, STDERR_FILENO);
	n = pread(log, said, sizeof(said) - 1, 0);
	ck_assert_int_ge(n, 0);
	said[n] = '\0';
	close(before);
	close(log);
	close(u.fd);
	ck_assert(file_exists("log")); /* we are where we were */
	return status;
}

static int unpack(const struct tar_entry *entries, size_t n)
{
	tar_write("layer.tar", entries, n);
	return unpack_file("layer.tar");
}

#define UNPACK_OK(...)                                                                     \
	do {                                                                               \
		const struct tar_entry entries[] = { __VA_ARGS__ };                        \
		ck_assert_msg(unpack(entries, N(entries)) == CTL_OK, "refused: %s", said); \
	} while (0)

static struct stat look(const char *name)
{
	char path[512];
	struct stat st;

	snprintf(path, sizeof(path), "root/%s", name);
	ck_assert_msg(lstat(path, &st) == 0, "%s: %s", name, strerror(errno));
	return st;
}

static bool is_there(const char *name)
{
	char path[512];
	struct stat st;

	snprintf(path, sizeof(path), "root/%s", name);
	return lstat(path, &st) == 0;
}

static void expect_xattr(const char *name, const char *attr, const char *value)
{
	char path[512], have[256];
	ssize_t n;

	snprintf(path, sizeof(path), "root/%s", name);
	n = lgetxattr(path, attr, have, sizeof(have) - 1);
	if (!value) {
		ck_assert_int_lt(n, 0);
		return;
	}
	ck_assert_msg(n >= 0, "%s has no %s", name, attr);
	have[n] = '\0';
	ck_assert_str_eq(have, value);
}

/* ---- what is kept ----------------------------------------------------------------------- */

START_TEST(everything_about_a_file)
{
	struct stat st;

	UNPACK_OK({ "./", '5', .mode = 02751, .uid = 3, .gid = 4, .mtime = 77 },
		  { "./dir/", '5', .mode = 01777, .mtime = 1000 },
		  { "dir/file", '0', "text", 04755, 1000, 1001, .mtime = 2000 },
		  { "dir/dated", '0', "", .pax = "mtime=1234.5" }, { "dir/again", '1', "dir/file" },
		  { "dir/link", '2', "/nowhere/../at/all" },
		  { "dev", '3', .mode = 0620, .gid = 5, .major = 4, .minor = 64 },
		  { "fifo", '6', .mode = 0600 }, { "dir/empty", '0' });
	st = look("");
	ck_assert(st.st_mode == (S_IFDIR | 02751) && st.st_uid == 3 && st.st_gid == 4);
	ck_assert_int_eq(st.st_mtime, 77);
	st = look("dir");
	ck_assert(st.st_mode == (S_IFDIR | 01777) && st.st_mtime == 1000);
	st = look("dir/file");
	ck_assert(st.st_mode == (S_IFREG | 04755) && st.st_uid == 1000 && st.st_gid == 1001);
	ck_assert(st.st_mtime == 2000 && st.st_size == 4 && st.st_nlink == 2);
	ck_assert_uint_eq(look("dir/again").st_ino, st.st_ino);
	st = look("dir/dated");
	ck_assert(st.st_mtime == 1234 && st.st_mtim.tv_nsec == 500000000);
	ck_assert_int_eq(look("dir/link").st_size, strlen("/nowhere/../at/all"));
	st = look("dev");
	ck_assert(st.st_mode == (S_IFCHR | 0620) && st.st_rdev == makedev(4, 64) && st.st_gid == 5);
	ck_assert(S_ISFIFO(look("fifo").st_mode));
}
END_TEST

START_TEST(extended_attributes_but_not_those_of_this_host)
{
	UNPACK_OK({ "a", '0', "x", .pax = "SCHILY.xattr.user.name=value" },
		  { "b", '5', .pax = "SCHILY.xattr.trusted.overlay.redirect=/etc" },
		  { "c", '0', "x",
		    .pax = "SCHILY.acl.access=user::rw-,user:7:r--,group::r--,"
			   "mask::r--,other::---" });
	expect_xattr("a", "user.name", "value");
	expect_xattr("b", "trusted.overlay.redirect", NULL);
	ck_assert_int_gt(lgetxattr("root/c", "system.posix_acl_access", NULL, 0), 0);
}
END_TEST

START_TEST(names_of_all_bytes)
{
	UNPACK_OK({ "gr\xc3\xbc\xc3\x9f", '0', "utf-8" }, { "gr\xfc\xdf", '0', "latin-1" },
		  { "x", '0', "pax", .pax = "path=\xe2\x82\xac" }, { "a\nb\\c d", '0', "odd" });
	ck_assert(is_there("gr\xc3\xbc\xc3\x9f") && is_there("gr\xfc\xdf"));
	ck_assert(is_there("\xe2\x82\xac") && is_there("a\nb\\c d"));
}
END_TEST

/* Neither today's date nor the umask shows in what the archive does not mention. */
START_TEST(directories_that_are_not_mentioned)
{
	struct stat st;

	UNPACK_OK({ "a/b/file", '0', "x", .mtime = 5000 }, { "a/b/late", '0', "x", .mtime = 7000 },
		  { "a/", '5', .mode = 0700, .mtime = 9000 }, { "c/.wh.gone", '0', .mtime = 6000 });
	st = look("a");
	ck_assert_int_eq(st.st_mode, S_IFDIR | 0700);
	ck_assert_int_eq(st.st_mtime, 9000);
	st = look("a/b");
	ck_assert(st.st_mode == (S_IFDIR | 0755) && st.st_mtime == 5000 && st.st_uid == 0);
	ck_assert_int_eq(look("c").st_mtime, 6000);
	ck_assert_int_eq(look("").st_mtime, 9000);
}
END_TEST

/* overlayfs shows the topmost of several directories: it has to be like those below. */
START_TEST(directories_that_a_layer_below_mentions)
{
	struct stat st;

	UNPACK_OK({ "./", '5', .mode = 0711, .uid = 9, .mtime = 50 },
		  { "tmp/", '5', .mode = 01777, .uid = 3, .gid = 4, .mtime = 100 });
	ck_assert_int_eq(system("rm -r root && mkdir root"), 0);
	UNPACK_OK({ "tmp/new", '0', "x", .mtime = 5000 });
	st = look("tmp");
	ck_assert(st.st_mode == (S_IFDIR | 01777) && st.st_uid == 3 && st.st_gid == 4);
	ck_assert_int_eq(st.st_mtime, 100);
	st = look("");
	ck_assert(st.st_mode == (S_IFDIR | 0711) && st.st_uid == 9 && st.st_mtime == 50);
}
END_TEST

START_TEST(what_comes_twice)
{
	struct stat st;

	UNPACK_OK({ "a", '0', "first" }, { "a", '0', "second!", .mode = 0600 },
		  { "b", '2', "../outside/victim" }, { "b", '0', "not there" }, { "a", '1', "./a" },
		  { "c", '2', "../outside" }, { "c", '5' }, { "c/victim", '0', "not there" });
	st = look("a");
	ck_assert(st.st_size == 7 && st.st_mode == (S_IFREG | 0600));
	ck_assert(S_ISREG(look("b").st_mode));
	ck_assert(S_ISREG(look("c/victim").st_mode));
	ck_assert(files_equal("outside/victim", "outside/victim"));
}
END_TEST

START_TEST(compressed_and_empty_ones)
{
	const struct tar_entry one[] = { { "file", '0', "text" } };
	static const char *const commands[] = { "gzip -c", "zstd -qc", "cat" };

	tar_write("plain.tar", one, 1);
	for (size_t i = 0; i < N(commands); i++) {
		char command[128];

		snprintf(command, sizeof(command), "%s plain.tar > layer.tar 2> /dev/null",
			 commands[i]);
		if (system(command) != 0)
			continue; /* that one is not installed */
		ck_assert_msg(unpack_file("layer.tar") == CTL_OK, "%s: %s", commands[i], said);
		ck_assert_int_eq(look("file").st_size, 4);
		ck_assert_int_eq(unlink("root/file"), 0);
	}
	file_write("layer.tar", "", 0);
	ck_assert_msg(unpack_file("layer.tar") == CTL_OK, "%s", said);
	tar_write("layer.tar", one, 0);
	ck_assert_msg(unpack_file("layer.tar") == CTL_OK, "%s", said);
}
END_TEST

START_TEST(very_many_entries)
{
	struct tar_entry e = { .type = '0', .text = "x", .mtime = 1 };
	FILE *f = fopen("layer.tar", "we");
	char name[64];

	for (int i = 0; i < 20000; i++) {
		snprintf(name, sizeof(name), "%d/%d/%d", i / 10000, i / 100 % 100, i);
		e.name = name;
		tar_add(f, &e);
	}
	tar_end(f);
	fclose(f);
	ck_assert_msg(unpack_file("layer.tar") == CTL_OK, "%s", said);
	ck_assert(is_there("1/99/19999") && is_there("0/0/0"));
}
END_TEST

/* ---- whiteouts -------------------------------------------------------------------------- */

static void expect_whiteout(const char *name)
{
	struct stat st = look(name);

	ck_assert_msg(S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0), "%s", name);
	ck_assert_int_eq(st.st_mtime, 0);
}

START_TEST(whiteouts_become_devices)
{
	UNPACK_OK({ "dir/", '5', .mtime = 10 }, { "dir/.wh.gone", '0' }, { ".wh.top", '0' },
		  { "other/.wh..wh..opq", '0', .mtime = 20 }, { ".wh..wh.plnk", '5' },
		  { ".wh..wh.aufs", '0' }, { "dir/.whatever", '0' });
	expect_whiteout("dir/gone");
	expect_whiteout("top");
	expect_xattr("other", "trusted.overlay.opaque", "y");
	ck_assert_int_eq(look("dir").st_mtime, 10);
	ck_assert(!is_there("dir/.wh.gone") && !is_there("other/.wh..wh..opq"));
	ck_assert(!is_there(".wh..wh.plnk") && !is_there(".wh..wh.aufs"));
	ck_assert(is_there("dir/.whatever"));
}
END_TEST

START_TEST(top_that_is_opaque)
{
	UNPACK_OK({ ".wh..wh..opq", '0' }, { "a", '0' });
	expect_xattr("", "trusted.overlay.opaque", "y");
}
END_TEST

/* They mean the layers below, wherever they stand. */
START_TEST(whiteouts_of_what_the_layer_has_itself)
{
	UNPACK_OK({ ".wh.file", '0' }, { "file", '0', "new" }, { "late", '0', "new" },
		  { ".wh.late", '0' }, { ".wh.dir", '0' }, { "dir/", '5' }, { "dir/a", '0', "x" },
		  { "dir2/a", '0', "x" }, { "dir2/.wh..wh..opq", '0' });
	ck_assert(look("file").st_size == 3 && look("late").st_size == 3);
	expect_xattr("dir", "trusted.overlay.opaque", "y");
	expect_xattr("dir2", "trusted.overlay.opaque", "y");
	ck_assert(is_there("dir/a") && is_there("dir2/a"));
}
END_TEST

/* ---- what is refused -------------------------------------------------------------------- */

#define LONG_NAME \
	"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"

static const struct {
	struct tar_entry entries[4];
	const char *word;
} hostile[] = {
	{ { { "../outside/new", '0', "evil" } }, "leads out" },
	{ { { "a/../../outside/new", '0', "evil" } }, "leads out" },
	{ { { "..", '5' } }, "leads out" },
	{ { { "/etc/evil", '0', "evil" } }, "leads out" },
	{ { { "/", '5' } }, "leads out" },
	{ { { "l", '2', "../outside" }, { "l/new", '0', "evil" } }, "symlink" },
	{ { { "l", '2', "../outside" }, { "l/new", '5' } }, "symlink" },
	{ { { "l", '2', "../outside" }, { "l/a/b/new", '0' } }, "symlink" },
	{ { { "l", '2', ".." }, { "m", '2', "l/outside" }, { "m/new", '0' } }, "symlink" },
	{ { { "d", '5' }, { "d/l", '2', "../../outside" }, { "d/l/victim", '0', "evil" } },
	  "symlink" },
	{ { { "h", '1', "../outside/victim" } }, "leads out" },
	{ { { "h", '1', "/etc/passwd" } }, "leads out" },
	{ { { "h", '1', "." } }, "leads out" },
	{ { { "l", '2', "../outside" }, { "h", '1', "l/victim" } }, "symlink" },
	{ { { "h", '1', "nothing" } }, "" },
	{ { { "l", '2', "../outside" }, { "l/.wh.victim", '0' } }, "whiteout" },
	{ { { "l", '2', "../outside" }, { "l/.wh..wh..opq", '0' } }, "whiteout" },
	{ { { "l", '2', "../outside" }, { "l/sub/.wh.victim", '0' } }, "symlink" },
	{ { { "d/.wh...", '0' } }, "whiteout of nothing" },
	{ { { "d/.wh..", '0' } }, "whiteout of nothing" },
	{ { { "d/.wh.", '0' } }, "whiteout of nothing" },
	{ { { "x", '0', .pax = "path=" LONG_NAME LONG_NAME LONG_NAME LONG_NAME } }, "too long" },
	{ { { ".", '0', "x" } }, "no directory" },
	{ { { "file", '0', "x" }, { "file/below", '0', "x" } }, "" },
};

START_TEST(names_that_lead_out)
{
	size_t n = 0, len;
	struct stat st;
	uint8_t *text;

	while (n < 4 && hostile[_i].entries[n].name)
		n++;
	ck_assert_int_eq(unpack(hostile[_i].entries, n), CTL_FAILED);
	ck_assert_msg(strstr(said, hostile[_i].word) && strstr(said, "layer.tar"), "%s", said);
	ck_assert_uint_eq(ctl_lines(said), 1);
	ck_assert(!file_exists("outside/new") && !file_exists("outside/a"));
	ck_assert(!file_exists("/etc/evil"));
	ck_assert_int_lt(lgetxattr("outside", "trusted.overlay.opaque", NULL, 0), 0);
	text = file_read("outside/victim", &len);
	ck_assert(len == 4 && memcmp(text, "safe", 4) == 0);
	free(text);
	ck_assert_int_eq(stat("outside/victim", &st), 0);
	ck_assert_uint_eq(st.st_nlink, 1);
}
END_TEST

/* In the middle of a name, deeper than any path can be. */
START_TEST(path_that_is_too_long)
{
	static char pax[7000];
	struct tar_entry e = { "x", '0', .pax = pax };

	strcpy(pax, "path=");
	while (strlen(pax) < 6000)
		strcat(pax, "directory/");
	ck_assert_int_eq(unpack(&e, 1), CTL_FAILED);
	ck_assert_msg(strstr(said, "too long"), "%s", said);
}
END_TEST

/* Cut anywhere, of any compression: never a success, unless all that was cut off is the end. */
START_TEST(archives_that_are_cut)
{
	static const char *const commands[] = { "gzip -c", "cat" };
	char text[20000];
	const struct tar_entry entries[] = { { "a", '0', text }, { "b", '0', text } };
	size_t len;
	uint8_t *all;

	/* Not to be compressed much. */
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		text[i] = (char)('!' + (i * i * 7919 >> 5) % 90);
	text[sizeof(text) - 1] = '\0';
	tar_write("plain.tar", entries, 2);
	for (size_t i = 0; i < N(commands); i++) {
		char command[128];

		snprintf(command, sizeof(command), "%s plain.tar > whole.tar", commands[i]);
		ck_assert_int_eq(system(command), 0);
		all = file_read("whole.tar", &len);
		for (size_t cut = 1; cut < len - 1024; cut += len / 61) {
			file_write("layer.tar", all, cut);
			ck_assert_msg(unpack_file("layer.tar") == CTL_FAILED || cut % 512 == 0,
				      "%s, %zu of %zu bytes", commands[i], cut, len);
		}
		free(all);
	}
}
END_TEST

START_TEST(archives_that_are_something_else)
{
	static const char text[] = "#!/bin/sh\necho this is no archive at all\n";

	file_write("layer.tar", text, sizeof(text));
	ck_assert_int_eq(unpack_file("layer.tar"), CTL_FAILED);
	ck_assert_msg(strstr(said, "layer.tar: "), "%s", said);
}
END_TEST

/* What whiteouts become cannot be made everywhere, above all not on another overlayfs. */
static bool can_unpack(void)
{
	char dir[] = "/tmp/test-unpack.XXXXXX", path[64];
	bool good;

	if (geteuid() != 0 || !mkdtemp(dir))
		return false;
	snprintf(path, sizeof(path), "%s/w", dir);
	good = mknod(path, S_IFCHR, makedev(0, 0)) == 0 &&
	       setxattr(dir, "trusted.overlay.opaque", "y", 1, 0) == 0 &&
	       setxattr(dir, "user.x", "y", 1, 0) == 0;
	unlink(path);
	rmdir(dir);
	return good;
}

int main(void)
{
	Suite *s;
	TCase *t;

	if (under_valgrind())
		return skip_all("valgrind 3.19 has no openat2(2)");
	if (!can_unpack())
		return skip_all("needs root, and a /tmp that takes overlayfs's attributes");
	s = suite_create("ctl-unpack");
	t = tcase_create("unpack");
	tcase_add_checked_fixture(t, enter, leave);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, everything_about_a_file);
	tcase_add_test(t, extended_attributes_but_not_those_of_this_host);
	tcase_add_test(t, names_of_all_bytes);
	tcase_add_test(t, directories_that_are_not_mentioned);
	tcase_add_test(t, directories_that_a_layer_below_mentions);
	tcase_add_test(t, what_comes_twice);
	tcase_add_test(t, compressed_and_empty_ones);
	tcase_add_test(t, very_many_entries);
	tcase_add_test(t, whiteouts_become_devices);
	tcase_add_test(t, top_that_is_opaque);
	tcase_add_test(t, whiteouts_of_what_the_layer_has_itself);
	tcase_add_loop_test(t, names_that_lead_out, 0, (int)N(hostile));
	tcase_add_test(t, path_that_is_too_long);
	tcase_add_test(t, archives_that_are_cut);
	tcase_add_test(t, archives_that_are_something_else);
	suite_add_tcase(s, t);
	return run_suite(s);
}
