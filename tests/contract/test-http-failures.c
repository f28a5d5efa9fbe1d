/* SPDX-License-Identifier: MIT */
/*
 * What becomes of failures of real servers in front of which retry and alternatives stand, as in
 * the daemon: tried again, cut off, taken over by the other server, and given back.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/replay/pattern.h"
#include "daemon/util/log.h"
#include "fetchers/alternatives.h"
#include "fetchers/retry.h"
#include "tests/lib/host.h"
#include "tests/lib/origin.h"
#include "tests/lib/run-suite.h"
#include "tests/lib/server.h"

#define SIZE ((size_t)1 << 20)

static struct origin *first, *second;
static struct fetcher *alternatives;
static uint16_t first_port;
static struct host host;

static struct origin *serve(uint16_t port)
{
	struct origin_options options = { .port = port };
	struct origin *o;

	ck_assert_int_eq(origin_start(&o, &options), 0);
	origin_put(o, "blob", SIZE);
	return o;
}

static struct fetcher *http_of(const char *prefix)
{
	static const struct fetcher_param params[] = { { "stall-timeout", "1s" },
						       { "min-rate", "100000" },
						       { NULL, NULL } };
	char template[256], error[FETCH_ERROR_MAX];
	struct fetcher *fetcher;

	snprintf(template, sizeof(template), "%s{cookie}", prefix);
	ck_assert_int_eq(
		fetcher_class_find(template)->create(&fetcher, host.loop, template, params, error),
		0);
	return fetcher;
}

static void setup(void)
{
	static const struct retry_config config = { .retries = 8,
						    .backoff = 10 * NSEC_PER_MSEC,
						    .backoff_max = 100 * NSEC_PER_MSEC };
	char prefixes[2][96];
	struct alternative all[2];

	unsetenv("http_proxy");
	log_set_level(-1);
	first_port = (uint16_t)server_free_port();
	first = serve(first_port);
	second = serve(0);
	host = (struct host){ 0 };
	ck_assert_int_eq(loop_new(&host.loop, LOOP_POLL), 0);
	snprintf(prefixes[0], sizeof(prefixes[0]), "%s/", origin_url(first));
	snprintf(prefixes[1], sizeof(prefixes[1]), "%s/", origin_url(second));
	for (int i = 0; i < 2; i++)
		all[i] = (struct alternative){ prefixes[i], http_of(prefixes[i]) };
	ck_assert_int_eq(alternatives_new(&alternatives, host.loop, all, 2, true), 0);
	ck_assert_int_eq(retry_new(&host.fetcher, host.loop, alternatives, &config), 0);
}

static void teardown(void)
{
	host_stop(&host);
	origin_stop(first);
	origin_stop(second);
}

static const char *locator_of(const char *path)
{
	static char locator[256];

	snprintf(locator, sizeof(locator), "http://127.0.0.1:%u/%s", first_port, path);
	return locator;
}

/* Looks at it, and reads all of it. */
static void expect_all(const char *path)
{
	struct host_read read = { 0 };
	struct fetch_object *object;
	struct host_look look;

	ck_assert_int_eq(host_look(&host, &look, locator_of(path), 4096), 0);
	object = host_attach(&host, locator_of(path), &look.look.identity);
	ck_assert_int_eq(host_read(&host, &read, object, 0, SIZE), 0);
	ck_assert_uint_eq(pattern_check(read.read.buf, SIZE, origin_key(second, "blob"), 0), SIZE);
	host.fetcher->ops->detach(object);
	host_read_free(&read);
	host_look_free(&look);
}

/* Both servers treat those that come by that path so: there is nobody to turn to at once. */
static const char *const passing[] = {
	"f=status:503:0@1/f=status:500@2/f=rst@3/blob",
	"f=status:503:1@1/blob",
	"f=status:429:1@1/f=close@2/blob",
	"f=trunc:100000@3/f=midrst:200000@5/blob",
	"f=hang@2/blob",	  /* cut off */
	"f=stall:300000@2/blob",  /* in the middle */
	"f=slow:2000:100@2/blob", /* 20 kB/s are too slow */
	"f=status:502@1/f=trunc:70000@4/blob",
};

START_TEST(what_passes_is_not_noticed)
{
	expect_all(passing[_i]);
}
END_TEST

START_TEST(an_error_says_what_was_tried)
{
	struct host_look look;

	ck_assert_int_eq(host_look(&host, &look, locator_of("f=status:503:0/blob"), 0), -EAGAIN);
	ck_assert_ptr_nonnull(strstr(look.look.error, "server failed (status 503)"));
	ck_assert_ptr_nonnull(strstr(look.look.error, origin_url(second)));
	ck_assert_ptr_nonnull(strstr(look.look.error, "; tried 9 times in "));
	host_look_free(&look);
}
END_TEST

/* The first server goes away while it is read from, and comes back. */
START_TEST(taken_over_and_given_back)
{
	struct host_read read = { 0 };
	struct fetch_object *object;
	struct host_look look;

	ck_assert_int_eq(host_look(&host, &look, locator_of("blob"), 0), 0);
	object = host_attach(&host, locator_of("blob"), &look.look.identity);
	first = origin_stop(first);
	for (int i = 0; i < HEALTH_FAILURES; i++) {
		ck_assert_int_eq(host_read(&host, &read, object, (uint64_t)i * 100, 5000), 0);
		ck_assert_uint_eq(pattern_check(read.read.buf, 5000, origin_key(second, "blob"),
						(uint64_t)i * 100),
				  5000);
		host_read_free(&read);
	}
	ck_assert_int_eq(alternatives_health(alternatives, 0)->state, HEALTH_AVOIDED_NOW);
	ck_assert_int_eq(alternatives_health(alternatives, 1)->state, HEALTH_WORKS);
	ck_assert_uint_gt(alternatives_health(alternatives, 1)->rtt, 0);
	first = serve(first_port);
	for (int i = 0; alternatives_health(alternatives, 0)->state != HEALTH_WORKS; i++) {
		ck_assert_int_lt(i, 1000);
		ck_assert_int_eq(host_read(&host, &read, object, 0, 4096), 0);
		host_read_free(&read);
		host_idle(&host, 20);
	}
	ck_assert_uint_ge(origin_seen(first, "blob").requests, 1);
	host.fetcher->ops->detach(object);
	host_look_free(&look);
}
END_TEST

/* It is mounted while the source itself is away. */
START_TEST(looked_at_elsewhere)
{
	first = origin_stop(first);
	expect_all("blob");
	first = serve(first_port);
}
END_TEST

START_TEST(another_object_is_not_taken)
{
	struct host_read read = { 0 };
	struct fetch_object *object;
	struct host_look look;

	ck_assert_int_eq(host_look(&host, &look, locator_of("blob"), 0), 0);
	object = host_attach(&host, locator_of("blob"), &look.look.identity);
	origin_put(second, "blob", SIZE + 1);
	first = origin_stop(first);
	ck_assert_int_eq(host_read(&host, &read, object, 0, 5000), -ECONNREFUSED);
	ck_assert_uint_eq(read.progress, 0);
	host_read_free(&read);
	host.fetcher->ops->detach(object);
	host_look_free(&look);
	first = serve(first_port);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("http-failures");
	TCase *tc = tcase_create("http-failures");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, what_passes_is_not_noticed, 0,
			    sizeof(passing) / sizeof(passing[0]));
	tcase_add_test(tc, an_error_says_what_was_tried);
	tcase_add_test(tc, taken_over_and_given_back);
	tcase_add_test(tc, looked_at_elsewhere);
	tcase_add_test(tc, another_object_is_not_taken);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
