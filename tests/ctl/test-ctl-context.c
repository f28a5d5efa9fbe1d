/* SPDX-License-Identifier: MIT */
/*
 * Waiting for origins: the answers of a scripted web server, and how one is not waited for.
 */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/ctl/context.h"
#include "daemon/replay/pattern.h"
#include "tests/lib/origin.h"
#include "tests/lib/run-suite.h"
#include "tests/lib/temporary.h"

#define SIZE 5000000
#define MANY 40

static struct context context;
static struct origin *web;
static char dir[TEMPORARY_MAX], conf[TEMPORARY_MAX + 16], error[CONTEXT_ERROR_MAX];

static void start_with(const char *config)
{
	char url[64];
	FILE *f;

	temporary_dir(dir, TEMPORARY_ANY);
	snprintf(conf, sizeof(conf), "%s/conf", dir);
	f = fopen(conf, "we");
	ck_assert_ptr_nonnull(f);
	fputs(config, f);
	fclose(f);
	ck_assert_int_eq(origin_start(&web, NULL), 0);
	snprintf(url, sizeof(url), "%s/object", origin_url(web));
	origin_put(web, "object", SIZE);
	context = (struct context)CONTEXT_INIT;
	context.config_file = conf;
	context.state_dir_option = dir;
	ck_assert_int_eq(context_open(&context, CONTEXT_READ | CONTEXT_ORIGINS), CTL_OK);
}

static void start(void)
{
	start_with("open-deadline = 60s\nread-deadline = 60s\n");
}

/* For what is never answered. */
static void start_impatient(void)
{
	start_with("open-deadline = 1s\nread-deadline = 1s\n");
}

static void stop(void)
{
	context_close(&context);
	web = origin_stop(web);
	temporary_remove(dir);
}

/* "http://127.0.0.1:PORT/WHAT". To be freed. */
static char *at(const char *what)
{
	char *text;

	ck_assert_int_gt(asprintf(&text, "%s/%s", origin_url(web), what), 0);
	return text;
}

START_TEST(store_that_is_not_there)
{
	ck_assert_ptr_null(context.images);
	ck_assert_str_eq(context.state_dir, dir);
	context_close(&context);
	context.config_file = conf;
	ck_assert_int_eq(context_open(&context, CONTEXT_WRITE), CTL_OK);
	ck_assert_ptr_nonnull(context.images);
	context_close(&context);
	ck_assert_int_eq(context_open(&context, CONTEXT_READ | CONTEXT_ORIGINS), CTL_OK);
	ck_assert_ptr_nonnull(context.images);
}
END_TEST

START_TEST(many_looks)
{
	struct context_look looks[MANY];
	char heads[MANY][100], *good = at("object"), *bad = at("other");

	for (int i = 0; i < MANY; i++)
		looks[i] = (struct context_look){ good, heads[i], sizeof(heads[i]) };
	ck_assert_int_eq(context_look(&context, looks, MANY), 0);
	for (int i = 0; i < MANY; i++) {
		ck_assert_int_eq(looks[i].err, 0);
		ck_assert_uint_eq(looks[i].identity.size, SIZE);
		ck_assert_uint_eq(looks[i].head_filled, 100);
		ck_assert_uint_eq(pattern_check(heads[i], 100, origin_key(web, "object"), 0), 100);
	}
	/* Each has an error of its own. */
	looks[1].locator = bad;
	looks[2].locator = "nonsense";
	looks[3].locator = "gopher://h/x";
	ck_assert_int_eq(context_look(&context, looks, 5), -ENOENT);
	ck_assert_int_eq(looks[0].err, 0);
	ck_assert_int_eq(looks[1].err, -ENOENT);
	ck_assert_ptr_nonnull(strstr(looks[1].error, "127.0.0.1"));
	ck_assert_int_eq(looks[2].err, -EINVAL);
	ck_assert_int_eq(looks[3].err, -EPROTONOSUPPORT);
	ck_assert_ptr_nonnull(strstr(looks[3].error, "gopher"));
	ck_assert_int_eq(looks[4].err, 0);
	free(good);
	free(bad);
}
END_TEST

START_TEST(look_without_answer)
{
	struct context_look look = { at("f=hang/object") };

	ck_assert_int_eq(context_look(&context, &look, 1), -ETIMEDOUT);
	ck_assert_ptr_nonnull(strstr(look.error, "no answer for 1 s"));
	ck_assert_ptr_nonnull(strstr(look.error, "/object"));
	free((char *)look.locator);
}
END_TEST

/* More than are asked at once, of which none is answered. */
START_TEST(interrupted)
{
	struct context_look looks[MANY];
	char *hang = at("f=hang/object");
	sigset_t set;

	for (int i = 0; i < MANY; i++)
		looks[i] = (struct context_look){ hang };
	/* It waits for this thread until the signals are asked for. */
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGINT);
	ck_assert_int_eq(context_look(&context, looks, MANY), -EINTR);
	for (int i = 0; i < MANY; i++) {
		ck_assert_int_eq(looks[i].err, -EINTR);
		ck_assert_ptr_nonnull(strstr(looks[i].error, "interrupted"));
	}
	free(hang);
}
END_TEST

static int nothing_lists(const char *locator)
{
	struct fetch_list list;

	return context_list(&context, &list, locator, error);
}

START_TEST(lists)
{
	char *text, *url = at("object");

	ck_assert_int_eq(nothing_lists(url), -ENOTDIR);
	ck_assert_int_eq(nothing_lists("nonsense"), -EINVAL);
	free(url);
	if (!fetcher_class_find("oci://h/"))
		return;
	/* The web server speaks no TLS. */
	ck_assert_int_gt(asprintf(&text, "oci://127.0.0.1:%u/r", origin_port(web)), 0);
	ck_assert_int_lt(nothing_lists(text), 0);
	ck_assert_ptr_nonnull(strstr(error, "127.0.0.1"));
	free(text);
}
END_TEST

/* ---- reading ----------------------------------------------------------------------------- */

static uint64_t taken, stop_at, last_progress;

static int take(void *arg, const void *bytes, size_t len)
{
	ck_assert_ptr_eq(arg, &taken);
	ck_assert_uint_eq(pattern_check(bytes, len, origin_key(web, "object"), taken), len);
	taken += len;
	return taken >= stop_at ? -EXDEV : 0;
}

static void progress(void *arg, uint64_t done, uint64_t total)
{
	ck_assert_uint_ge(done, last_progress);
	ck_assert_uint_eq(total, SIZE);
	last_progress = done;
}

static struct fetch_identity identity_of(const char *locator)
{
	struct context_look look = { locator };

	ck_assert_int_eq(context_look(&context, &look, 1), 0);
	return look.identity;
}

START_TEST(whole_object)
{
	char *url = at("object"), byte;
	struct fetch_identity identity = identity_of(url);

	stop_at = UINT64_MAX;
	context.progress = progress;
	ck_assert_int_eq(context_stream(&context, url, &identity, take, &taken, error), 0);
	ck_assert_uint_eq(taken, SIZE);
	ck_assert_uint_eq(last_progress, SIZE);
	ck_assert_int_eq(context_read(&context, url, &identity, SIZE - 1, &byte, 1, error), 0);
	ck_assert_uint_eq(pattern_check(&byte, 1, origin_key(web, "object"), SIZE - 1), 1);
	/* Whoever takes it has enough. */
	taken = last_progress = 0;
	stop_at = 2 << 20;
	ck_assert_int_eq(context_stream(&context, url, &identity, take, &taken, error), -EXDEV);
	ck_assert_uint_eq(taken, 2 << 20);
	/* Another version. */
	origin_put(web, "object", SIZE);
	ck_assert_int_eq(context_stream(&context, url, &identity, take, &taken, error), -ESTALE);
	ck_assert_ptr_nonnull(strstr(error, "127.0.0.1"));
	free(url);
}
END_TEST

START_TEST(stream_that_stops)
{
	char *url = at("f=stall:100000/object");
	struct fetch_identity identity = { .size = SIZE };

	stop_at = UINT64_MAX;
	ck_assert_int_eq(context_stream(&context, url, &identity, take, &taken, error), -ETIMEDOUT);
	ck_assert_ptr_nonnull(strstr(error, "no answer for 1 s"));
	free(url);
}
END_TEST

static int take_and_interrupt(void *arg, const void *bytes, size_t len)
{
	raise(SIGTERM);
	return take(arg, bytes, len);
}

START_TEST(stream_that_is_interrupted)
{
	char *url = at("f=slow:50000:10/object");
	struct fetch_identity identity = { .size = SIZE };

	stop_at = UINT64_MAX;
	ck_assert_int_eq(
		context_stream(&context, url, &identity, take_and_interrupt, &taken, error),
		-EINTR);
	ck_assert_ptr_nonnull(strstr(error, "interrupted"));
	ck_assert_uint_lt(taken, SIZE);
	free(url);
}
END_TEST

START_TEST(documents)
{
	char *url = at("object"), *none = at("none"), *text;
	size_t len;

	ck_assert_int_eq(context_document(&context, url, SIZE, &text, &len, error), 0);
	ck_assert_uint_eq(len, SIZE);
	ck_assert_int_eq(text[SIZE], '\0');
	ck_assert_uint_eq(pattern_check(text, len, origin_key(web, "object"), 0), len);
	free(text);
	ck_assert_int_eq(context_document(&context, url, SIZE - 1, &text, &len, error), -EFBIG);
	ck_assert_int_eq(context_document(&context, none, SIZE, &text, &len, error), -ENOENT);
	free(url);
	free(none);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctl-context");
	TCase *tc = tcase_create("context");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_test(tc, store_that_is_not_there);
	tcase_add_test(tc, many_looks);
	tcase_add_test(tc, interrupted);
	tcase_add_test(tc, lists);
	tcase_add_test(tc, whole_object);
	tcase_add_test(tc, stream_that_is_interrupted);
	tcase_add_test(tc, documents);
	suite_add_tcase(s, tc);
	tc = tcase_create("impatient");
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, start_impatient, stop);
	tcase_add_test(tc, look_without_answer);
	tcase_add_test(tc, stream_that_stops);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
