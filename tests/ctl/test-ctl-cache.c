/* SPDX-License-Identifier: MIT */
/* cachefillctl du, pin and unpin, on a cache directory that no daemon has. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/images/images.h"
#include "daemon/util/bytes.h"
#include "proto/cachename.h"
#include "tests/ctl/ctl.h"
#include "tests/lib/run-suite.h"

#define MIB ((size_t)1 << 20)

/* A cache file of 4 MiB, of which this much is there, used at that second. */
static void cache(const char *volume, const char *cookie, size_t mib, long used)
{
	struct timespec times[2] = { { .tv_sec = used }, { .tv_nsec = UTIME_OMIT } };
	char path[CACHENAME_PATH_MAX], *bytes = calloc(1, mib * MIB + 1);
	int fd;

	ck_assert_int_eq(cachename_path(bytes_str(volume), bytes_str(cookie), path), 0);
	for (char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(path, 0700);
		*slash = '/';
	}
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, 4 * MIB), 0);
	ck_assert_int_eq(write(fd, bytes, mib * MIB), (ssize_t)(mib * MIB));
	ck_assert_int_eq(futimens(fd, times), 0);
	close(fd);
	free(bytes);
}

static void image(struct images *images, const char *name, const char *cookie)
{
	struct images_layer layer = {
		.primary = { (char *)cookie, (char *)"file:/x", (char *)"", (char *)"", 4 * MIB },
		.origin_digest = (char *)"",
		.diff_id = (char *)"",
	};
	struct images_image i = {
		.name = (char *)name,
		.manifest = (char *)"",
		.config = (char *)"",
		.manifest_digest = (char *)"",
		.layers = &layer,
		.n_layers = 1,
	};
	char error[IMAGES_ERROR_MAX];

	ck_assert_int_eq(images_put(images, &i, error), 0);
}

/* Two images that share an object, one that no image has, and one of another volume. */
static void make(void)
{
	char text[1024], here[256], error[IMAGES_ERROR_MAX];
	struct images *images;

	ck_assert_ptr_nonnull(getcwd(here, sizeof(here)));
	snprintf(text, sizeof(text), "dir %s\nstate-dir = %s/state\n", here, here);
	file_write("conf", text, strlen(text));
	mkdir("state", 0700);
	ck_assert_int_eq(images_open(&images, "state", IMAGES_WRITE, error), 0);
	image(images, "app", "x:shared");
	image(images, "app2", "x:shared");
	image(images, "other", "x:other");
	images_close(images);
	cache("erofs,cachefilld", "x:shared", 2, 1000);
	cache("erofs,cachefilld", "x:other", 1, 2000);
	cache("erofs,cachefilld", "x:gone", 1, 9000);
	cache("erofs,plain", "plain", 3, 500);
}

static const char *out(const char *const *words)
{
	struct ctl_result *r = ctl_run(words);

	ctl_assert_ok(r);
	return r->out;
}

#define OUT(...) out((const char *const[]){ __VA_ARGS__, "--config", "conf", NULL })

static void assert_lines(const char *text, const char *const *lines)
{
	char buf[512];
	size_t n = 0;

	for (; lines[n]; n++) {
		ctl_line(text, n, buf, sizeof(buf));
		ck_assert_msg(strstr(buf, lines[n]) != NULL, "no '%s' in '%s'", lines[n], buf);
	}
	ck_assert_uint_eq(ctl_lines(text), n);
}
#define LINES(text, ...) assert_lines(text, (const char *const[]){ __VA_ARGS__, NULL })

START_TEST(test_du)
{
	make();
	LINES(OUT("du"), "IMAGE", "app ", "app2 ", "other ", "(no image)", "7 MiB");
	LINES(OUT("du"), "CACHED", " 50%", " 50%", " 25%", " 50%", "total");
	LINES(OUT("du", "--json"), "\"image\":\"app\"", "\"app2\"", "\"cached\":1048576",
	      "\"others\"");
	ck_assert_ptr_null(strchr(OUT("du"), '#'));
	ck_assert_ptr_nonnull(strstr(OUT("du"), "VERIFIED"));
}
END_TEST

START_TEST(test_du_objects)
{
	make();
	/* Those first that go first. */
	LINES(OUT("du", "--objects"), "OBJECT", "erofs,cachefilld/x:gone", "erofs,plain/plain",
	      "x:shared", "x:other", "total");
}
END_TEST

START_TEST(test_du_of_some)
{
	make();
	LINES(OUT("du", "app", "app2"), "IMAGE", "app ", "app2 ", "2 MiB");
	LINES(OUT("du", "app", "erofs,plain/plain"), "IMAGE", "app ", "erofs,plain/plain", "5 MiB");
	LINES(OUT("du", "--objects", "app"), "OBJECT", "erofs,cachefilld/x:shared", "2 MiB");
	LINES(OUT("du", "erofs,plain/\\x00"), "IMAGE", "erofs,plain/\\x00", "total");
	ck_assert_ptr_nonnull(strstr(RUN("du", "--config", "conf", "none")->err, "no image"));
}
END_TEST

START_TEST(test_du_on_a_terminal)
{
	const char *const words[] = { "du", "--config", "conf", "other", NULL };
	struct ctl_result *r;

	make();
	r = ctl_run_terminal(words);
	ctl_assert_ok(r);
	ck_assert_ptr_nonnull(strstr(r->out, "[##......]  25%"));
}
END_TEST

/* One object of an image, a piece of 1 MiB from 2 MiB on and one block. */
static void make_pieces(void)
{
	char path[CACHENAME_PATH_MAX], *bytes = calloc(1, MIB);
	int fd;

	make();
	cache("erofs,cachefilld", "x:shared", 0, 1000);
	ck_assert_int_eq(cachename_path(bytes_str("erofs,cachefilld"), bytes_str("x:shared"), path),
			 0);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	ck_assert_int_eq(ftruncate(fd, 4 * MIB), 0);
	ck_assert_int_eq(pwrite(fd, bytes, MIB, 2 * MIB), MIB);
	ck_assert_int_eq(pwrite(fd, bytes, 4096, 0), 4096);
	close(fd);
	free(bytes);
}

START_TEST(test_du_map)
{
	const char *text;

	make_pieces();
	text = OUT("du", "--map", "app", "erofs,plain/plain", "erofs,plain/none");
	LINES(text, "app",
	      "x:shared          4 MiB  25% -........................############+............",
	      "erofs,plain/plain", "plain             4 MiB  75% #####", "erofs,plain/none",
	      "none                0 B   0% ", "cached: . none  - less than half  + more  # all");
	LINES(OUT("du", "--map", "--json", "app"),
	      "{\"object\":\"erofs,cachefilld/x:shared\",\"size\":4194304,\"cached\":1052672,"
	      "\"ranges\":[0,4096,2097152,1048576],\"more\":false}");
	ck_assert_int_eq(RUN("du", "--map", "--config", "conf")->status, 2);
	ck_assert_int_eq(RUN("du", "--map", "--objects", "app", "--config", "conf")->status, 2);
	ck_assert_int_eq(RUN("du", "--map", "nobody", "--config", "conf")->status, 1);
}
END_TEST

START_TEST(test_du_map_on_a_terminal)
{
	const char *const words[] = { "du", "--map", "--config", "conf", "other", NULL };

	make();
	setenv("LC_ALL", "C.UTF-8", 1);
	ck_assert_ptr_nonnull(strstr(ctl_run_terminal(words)->out, "\u2588\u2593\u00b7"));
	setenv("LC_ALL", "C", 1);
	ck_assert_ptr_nonnull(strstr(ctl_run_terminal(words)->out, "#+."));
}
END_TEST

START_TEST(test_pins)
{
	make();
	OUT("pin", "other", "erofs,plain/plain");
	LINES(OUT("du"), "IMAGE", "app", "app2", "pinned", "(no image)", "total");
	LINES(OUT("du", "--objects"), "OBJECT", "x:gone", "x:shared", "pinned", "pinned", "total");
	LINES(OUT("image", "ls"), "PINNED", "  -  ", "  -  ", "  pinned  ");
	LINES(OUT("image", "ls", "--json"), "\"pinned\":false", "\"pinned\":false",
	      "\"pinned\":true");
	OUT("unpin", "other");
	LINES(OUT("du", "other"), "IMAGE", "other", "total");
	ck_assert_ptr_null(strstr(OUT("du", "other"), "pinned"));
}
END_TEST

START_TEST(test_wrong_pins)
{
	make();
	ck_assert_ptr_nonnull(
		strstr(RUN("unpin", "--config", "conf", "other")->err, "is not pinned"));
	ck_assert_ptr_nonnull(strstr(RUN("pin", "--config", "conf", "none")->err, "no image"));
	ck_assert_int_eq(RUN("pin", "--config", "conf", "none")->status, 1);
	ck_assert_int_eq(RUN("pin", "--config", "conf")->status, 2);
	/* The others are pinned all the same. */
	ck_assert_int_eq(RUN("pin", "--config", "conf", "none", "other")->status, 1);
	ck_assert_ptr_nonnull(strstr(OUT("du", "other"), "pinned"));
}
END_TEST

START_TEST(test_nothing_is_cached)
{
	file_write("conf", "dir /nonexistent\nstate-dir = /nonexistent/state\n", 47);
	ck_assert_ptr_nonnull(strstr(RUN("du", "--config", "conf")->err, "/nonexistent"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ctl-cache");
	TCase *tc = tcase_create("cache");

	tcase_add_checked_fixture(tc, ctl_enter, ctl_leave);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_du);
	tcase_add_test(tc, test_du_objects);
	tcase_add_test(tc, test_du_of_some);
	tcase_add_test(tc, test_du_on_a_terminal);
	tcase_add_test(tc, test_du_map);
	tcase_add_test(tc, test_du_map_on_a_terminal);
	tcase_add_test(tc, test_pins);
	tcase_add_test(tc, test_wrong_pins);
	tcase_add_test(tc, test_nothing_is_cached);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
