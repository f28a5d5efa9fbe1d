/* SPDX-License-Identifier: MIT */
/*
 * Mirrors of a registry that fail, come back, or have other bytes than they should.
 */
#include <errno.h>

#include "daemon/replay/pattern.h"
#include "fetchers/health.h"
#include "tests/contract/mirrors.h"
#include "tests/lib/run-suite.h"

/* One failure is enough, and it is asked again after a moment: once, until it answers. */
START_TEST(mirror_that_comes_back)
{
	unsigned int port = server_free_port();
	const struct fetch_health *health;
	struct fetch_object *object;
	struct host_read read = { 0 };
	struct host_look look;
	pid_t mirror;

	hosts(registry_port(), "[host.\"http://127.0.0.1:%u\"]\n", port);
	host_for_mirrors();
	ck_assert_int_eq(host_look(&host, &look, at(":v1?title=one"), 0), 0);
	health = host.fetcher->ops->health(host.fetcher, 0);
	ck_assert_int_eq(health->state, HEALTH_AVOIDED_NOW);
	ck_assert_uint_eq(health->failed, 1);
	ck_assert_int_eq(health->last_err, -ECONNREFUSED);
	ck_assert_ptr_null(host.fetcher->ops->health(host.fetcher, 2));
	ck_assert_int_eq(host.fetcher->ops->health(host.fetcher, 1)->state, HEALTH_WORKS);
	mirror = start_store_at("mirror", port, 0);
	ck_assert(server_listens(mirror, port));
	copy_all("mirror");
	object = host_attach(&host, at(":v1?title=one"), &look.look.identity);
	for (int i = 0; health->state != HEALTH_WORKS; i++) {
		ck_assert_int_lt(i, 1000);
		ck_assert_int_eq(host_read(&host, &read, object, 0, 4096), 0);
		host_read_free(&read);
		host_idle(&host, 20);
	}
	registry_expect_logged("mirror", "206 GET", layers[0].digest, 1);
	host.fetcher->ops->detach(object);
	host_look_free(&look);
	host_stop(&host);
	nginx_stop(mirror);
}
END_TEST

/* A look, and then twice the same range: of a mirror whose bytes are wrong, and of somebody else.
 */
START_TEST(wrong_bytes_are_asked_for_elsewhere)
{
	struct host_read read = { 0 };
	struct fetch_object *object;
	struct host_look look;
	unsigned int port;
	pid_t mirror = start_store("mirror", &port, 0);

	copy_all("mirror");
	corrupt("mirror", "blobs", layers[0].digest, 5000);
	hosts(registry_port(), "[host.\"http://127.0.0.1:%u\"]\n", port);
	host_for_mirrors();
	ck_assert_int_eq(host_look(&host, &look, at(":v1?title=one"), 0), 0);
	object = host_attach(&host, at(":v1?title=one"), &look.look.identity);
	ck_assert_int_eq(host_read(&host, &read, object, 4096, 4096), 0);
	ck_assert_uint_lt(pattern_check(read.read.buf, 4096, pattern_key("one"), 4096), 4096);
	host_read_free(&read);
	host.elsewhere = true;
	ck_assert_int_eq(host_read(&host, &read, object, 4096, 4096), 0);
	ck_assert_uint_eq(pattern_check(read.read.buf, 4096, pattern_key("one"), 4096), 4096);
	host_read_free(&read);
	registry_expect_logged("mirror", "206 GET", layers[0].digest, 1);
	registry_expect_logged("open", "\"GET ", layers[0].digest, 1);
	host.fetcher->ops->detach(object);
	host_look_free(&look);
	host_stop(&host);
	nginx_stop(mirror);
}
END_TEST

START_TEST(looked_at_elsewhere)
{
	struct host_look look;
	unsigned int port;
	pid_t mirror = start_store("mirror", &port, 0);

	copy_all("mirror");
	hosts(registry_port(), "[host.\"http://127.0.0.1:%u\"]\n", port);
	host_for_mirrors();
	for (int i = 0; i < 2; i++) {
		host.elsewhere = i;
		ck_assert_int_eq(host_look(&host, &look, at(":v1?title=one"), 4096), 0);
		host_look_free(&look);
		registry_expect_logged("mirror", "206 GET", layers[0].digest, 1);
		registry_expect_logged("open", "\"GET ", layers[0].digest, (unsigned int)i);
	}
	host_stop(&host);
	nginx_stop(mirror);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("oci-mirror-health");
	TCase *tc;

	if (mirrors_missing())
		return skip_all(mirrors_missing());
	tc = mirrors_case(s, "health");
	tcase_add_test(tc, mirror_that_comes_back);
	tcase_add_test(tc, wrong_bytes_are_asked_for_elsewhere);
	tcase_add_test(tc, looked_at_elsewhere);
	return run_suite(s);
}
