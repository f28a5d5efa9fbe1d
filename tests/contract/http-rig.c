/* SPDX-License-Identifier: MIT */
#include "tests/contract/http-rig.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/replay/pattern.h"

struct origin *origin, *other;
struct host host;

static void start_with(const struct fetcher_param *params)
{
	char template[128];

	snprintf(template, sizeof(template), "%s/{cookie}", origin_url(origin));
	host_start(&host, LOOP_POLL, template, params);
}

void http_start(void)
{
	static const struct fetcher_param params[] = { { "stall-timeout", "1s" },
						       { "redirects", "3" },
						       { NULL, NULL } };

	/* Whatever the one who runs the tests has set. */
	unsetenv("http_proxy");
	unsetenv("all_proxy");
	unsetenv("ALL_PROXY");
	ck_assert_int_eq(origin_start(&origin, NULL), 0);
	ck_assert_int_eq(origin_start(&other, NULL), 0);
	origin_put(origin, "blob", SIZE);
	origin_put(origin, "large", LARGE);
	origin_put(origin, "tiny", 100);
	origin_put(other, "blob", SIZE);
	start_with(params);
}

void http_stop(void)
{
	host_stop(&host);
	origin_stop(origin);
	origin_stop(other);
}

void http_restart(const struct fetcher_param *params)
{
	host_stop(&host);
	start_with(params);
}

const char *locator_of(const char *path)
{
	static char locator[512];

	snprintf(locator, sizeof(locator), "%s/%s", origin_url(origin), path);
	return locator;
}

struct fetch_identity identity_of(const char *path)
{
	struct host_look look;

	ck_assert_int_eq(host_look(&host, &look, locator_of(path), 0), 0);
	return look.look.identity;
}

int read_pinned(const char *path, const struct fetch_identity *identity, char *ret_error)
{
	struct host_read read = { 0 };
	struct fetch_object *object = host_attach(&host, locator_of(path), identity);
	int err = host_read(&host, &read, object, OFF, LEN);
	size_t good = err == 0 ? LEN : read.progress;

	ck_assert_uint_eq(pattern_check(read.read.buf, good, origin_key(origin, "blob"), OFF),
			  good);
	if (ret_error)
		snprintf(ret_error, FETCH_ERROR_MAX, "%s", read.read.error);
	host_read_free(&read);
	host.fetcher->ops->detach(object);
	return err;
}
