/* SPDX-License-Identifier: MIT */
/*
 * The file fetcher and what can be in a directory: links, ways out, things that are no files.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/host.h"
#include "tests/lib/run-suite.h"
#include "tests/lib/temporary.h"

/* top/root is the directory of the source; top/secret must stay out of reach. */
static char top[TEMPORARY_MAX], root[TEMPORARY_MAX + 16];
static struct host host;

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void start(void)
{
	char path[TEMPORARY_MAX + 64];

	temporary_dir(top, TEMPORARY_ANY);
	snprintf(root, sizeof(root), "%s/root", top);
	ck_assert_int_eq(mkdir(root, 0755), 0);
	ck_assert_int_eq(chdir(root), 0);
	ck_assert_int_eq(mkdir("dir", 0755), 0);
	write_file("dir/inner", "inner");
	write_file("plain", "plain text");
	write_file("../secret", "secret");
	ck_assert_int_eq(symlink("dir/inner", "good-link"), 0);
	ck_assert_int_eq(symlink("../secret", "bad-link"), 0);
	ck_assert_int_eq(symlink("/etc/passwd", "absolute-link"), 0);
	ck_assert_int_eq(symlink("/proc/self/fd/0", "magic-link"), 0);
	ck_assert_int_eq(symlink("self", "self"), 0);
	ck_assert_int_eq(mkfifo("fifo", 0644), 0);
	snprintf(path, sizeof(path), "file://%s/{cookie}", root);
	host_start(&host, LOOP_POLL, path, NULL);
}

static void stop(void)
{
	host_stop(&host);
	ck_assert_int_eq(chdir("/"), 0);
	temporary_remove(top);
}

/* Static. */
static const char *locator_of(const char *name)
{
	static char locator[5000];

	snprintf(locator, sizeof(locator), "file://%s/%s", root, name);
	return locator;
}

static const struct {
	const char *name;
	int err;
} names[] = {
	{ "plain", 0 },
	{ "dir/inner", 0 },
	{ "dir%2Finner", 0 },
	{ "dir%2finner", 0 },
	{ "good-link", 0 },
	{ "%70lain", 0 },
	{ "dir/../plain", 0 },
	{ "bad-link", -EACCES },
	{ "absolute-link", -EACCES },
	{ "magic-link", -EACCES },
	{ "self", -EACCES },
	{ "../secret", -EACCES },
	{ "..%2Fsecret", -EACCES },
	{ "%2e%2e%2fsecret", -EACCES },
	{ "dir/../../secret", -EACCES },
	{ "%2Fetc%2Fpasswd", -EACCES },
	{ "nothing", -ENOENT },
	{ "plain/nothing", -ENOENT },
	{ "plain%00", -ENOENT },
	{ "plain%0", -ENOENT },
	{ "", -ENOENT },
	{ "dir", -EIO },
	{ ".", -EIO },
	{ "fifo", -EIO },
};

START_TEST(names_and_ways_out)
{
	struct host_look look;
	int err = host_look(&host, &look, locator_of(names[_i].name), 16);

	ck_assert_msg(err == names[_i].err, "%s: %d instead of %d: %s", names[_i].name, err,
		      names[_i].err, look.look.error);
	if (err < 0)
		ck_assert_ptr_nonnull(strstr(look.look.error, root));
	host_look_free(&look);
}
END_TEST

START_TEST(name_too_long)
{
	char name[4000];
	struct host_look look;

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	ck_assert_int_eq(host_look(&host, &look, locator_of(name), 0), -ENOENT);
	/* The text is cut, and says so. */
	ck_assert_ptr_nonnull(strstr(look.look.error, "..."));
}
END_TEST

/* A directory that is not there is no word about the object. */
START_TEST(directory_is_gone)
{
	struct host_look look;

	ck_assert_int_eq(rename("../root", "../elsewhere"), 0);
	ck_assert_int_eq(host_look(&host, &look, locator_of("plain"), 0), -EIO);
	ck_assert_int_eq(rename("../elsewhere", "../root"), 0);
	ck_assert_int_eq(host_look(&host, &look, locator_of("plain"), 0), 0);
}
END_TEST

START_TEST(all_spellings_of_a_template)
{
	static const char *const prefixes[] = { "file:", "file://", "file://localhost", "FILE:" };
	char template[256], locator[256];
	struct host_look look;

	for (size_t i = 0; i < 4; i++) {
		host_stop(&host);
		snprintf(template, sizeof(template), "%s%s/{cookie}", prefixes[i], root);
		host_start(&host, LOOP_POLL, template, NULL);
		snprintf(locator, sizeof(locator), "%s%s/plain", prefixes[i], root);
		ck_assert_int_eq(host_look(&host, &look, locator, 0), 0);
	}
}
END_TEST

/* The directory is what stands before the last slash before the first placeholder. */
START_TEST(fixed_part_is_the_border)
{
	char template[256];
	struct host_look look;

	host_stop(&host);
	snprintf(template, sizeof(template), "file:%s/dir/v-{volume}/{cookie}", root);
	host_start(&host, LOOP_POLL, template, NULL);
	ck_assert_int_eq(host_look(&host, &look, locator_of("dir/inner"), 0), 0);
	ck_assert_int_eq(host_look(&host, &look, locator_of("plain"), 0), -EACCES);
	ck_assert_int_eq(host_look(&host, &look, locator_of("dir/../plain"), 0), -EACCES);
}
END_TEST

START_TEST(template_without_directory)
{
	static const char *const templates[] = { "file:", "file:{cookie}", "file:x/{cookie}",
						 "file://host/{cookie}", "file:/50%/{cookie}" };
	const struct fetcher_class *class = fetcher_class_find("file:");
	static const struct fetcher_param none[1];

	for (size_t i = 0; i < sizeof(templates) / sizeof(templates[0]); i++) {
		char error[FETCH_ERROR_MAX] = "";

		ck_assert_int_eq(class->create(NULL, NULL, templates[i], none, error), -EINVAL);
		ck_assert_str_ne(error, "");
	}
}
END_TEST

static struct fetch_object *attach(const char *what)
{
	struct host_look look;

	ck_assert_int_eq(host_look(&host, &look, locator_of(what), 0), 0);
	return host_attach(&host, locator_of(what), &look.look.identity);
}

/* Written in place while it is open. */
START_TEST(rewritten_file_is_stale)
{
	struct fetch_object *object = attach("plain");
	struct timespec later[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
	struct host_read read = { 0 };

	ck_assert_int_eq(host_read(&host, &read, object, 0, 10), 0);
	host_read_free(&read);
	write_file("plain", "other text");
	ck_assert_int_eq(utimensat(AT_FDCWD, "plain", later, 0), 0);
	ck_assert_int_eq(host_read(&host, &read, object, 0, 10), -ESTALE);
	host_read_free(&read);
	host.fetcher->ops->detach(object);
}
END_TEST

START_TEST(truncated_file_is_stale)
{
	struct fetch_object *object = attach("plain");
	struct host_read read = { 0 };

	ck_assert_int_eq(host_read(&host, &read, object, 0, 10), 0);
	host_read_free(&read);
	ck_assert_int_eq(truncate("plain", 3), 0);
	ck_assert_int_eq(host_read(&host, &read, object, 5, 5), -ESTALE);
	host_read_free(&read);
	host.fetcher->ops->detach(object);
}
END_TEST

/* Replaced by rename: who has the old one open may read it to its end. */
START_TEST(replaced_file_stays_readable)
{
	struct fetch_object *object = attach("plain"), *again;
	struct host_read read = { 0 };

	ck_assert_int_eq(host_read(&host, &read, object, 0, 10), 0);
	host_read_free(&read);
	write_file("new", "other text");
	ck_assert_int_eq(rename("new", "plain"), 0);
	ck_assert_int_eq(host_read(&host, &read, object, 0, 10), 0);
	ck_assert_int_eq(memcmp(read.read.buf, "plain text", 10), 0);
	host_read_free(&read);
	again = attach("plain");
	ck_assert_int_eq(host_read(&host, &read, again, 0, 10), 0);
	ck_assert_int_eq(memcmp(read.read.buf, "other text", 10), 0);
	host_read_free(&read);
	host.fetcher->ops->detach(object);
	host.fetcher->ops->detach(again);
}
END_TEST

#define N(array) ((int)(sizeof(array) / sizeof((array)[0])))

int main(void)
{
	Suite *s;
	TCase *tc;

	if (under_valgrind())
		return skip_all("valgrind 3.19 has no openat2(2)");
	s = suite_create("file");
	tc = tcase_create("file");
	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_loop_test(tc, names_and_ways_out, 0, N(names));
	tcase_add_test(tc, name_too_long);
	tcase_add_test(tc, directory_is_gone);
	tcase_add_test(tc, all_spellings_of_a_template);
	tcase_add_test(tc, fixed_part_is_the_border);
	tcase_add_test(tc, template_without_directory);
	tcase_add_test(tc, rewritten_file_is_stale);
	tcase_add_test(tc, truncated_file_is_stale);
	tcase_add_test(tc, replaced_file_stays_readable);
	return run_suite(s);
}
