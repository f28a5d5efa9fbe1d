/* SPDX-License-Identifier: MIT */
/*
 * What the http fetcher tells to whom: headers, passwords, redirects, proxies.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/contract/http-rig.h"
#include "tests/lib/run-suite.h"
#include "tests/lib/temporary.h"

static const struct fetcher_param secret_params[] = { { "header", "X-Token: secret" },
						      { "user-agent", "tester" },
						      { NULL, NULL } };

START_TEST(headers_are_sent)
{
	char request[4096];

	http_restart(secret_params);
	identity_of("blob");
	origin_last_request(origin, request, sizeof(request));
	ck_assert_ptr_nonnull(strstr(request, "\r\nX-Token: secret\r\n"));
	ck_assert_ptr_nonnull(strstr(request, "\r\nUser-Agent: tester\r\n"));
	ck_assert_ptr_nonnull(strstr(request, "\r\nAccept-Encoding: identity\r\n"));
	ck_assert_ptr_null(strstr(request, "Cookie"));
}
END_TEST

START_TEST(headers_come_from_a_file)
{
	char dir[TEMPORARY_MAX], path[TEMPORARY_MAX + 16], request[4096];
	struct fetcher_param params[] = { { "header-file", path }, { NULL, NULL } };
	static const char text[] = "# secrets\n\nX-Token: from file\nX-More: 2";
	int fd;

	temporary_dir(dir, TEMPORARY_ANY);
	snprintf(path, sizeof(path), "%s/headers", dir);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	close(fd);
	http_restart(params);
	temporary_remove(dir);
	identity_of("blob");
	origin_last_request(origin, request, sizeof(request));
	ck_assert_ptr_nonnull(strstr(request, "\r\nX-Token: from file\r\n"));
	ck_assert_ptr_nonnull(strstr(request, "\r\nX-More: 2\r\n"));
}
END_TEST

START_TEST(headers_follow_to_the_same_host)
{
	char request[4096];

	http_restart(secret_params);
	identity_of("f=redir:302/blob");
	ck_assert_ptr_nonnull(
		strstr(origin_last_request(origin, request, sizeof(request)), "X-Token: secret"));
}
END_TEST

START_TEST(headers_do_not_follow_to_another)
{
	char request[4096], path[64];

	http_restart(secret_params);
	snprintf(path, sizeof(path), "f=redir:302:%u/blob", origin_port(other));
	identity_of(path);
	ck_assert_uint_eq(origin_stats(other).requests, 1);
	origin_last_request(other, request, sizeof(request));
	ck_assert_ptr_null(strstr(request, "secret"));
	ck_assert_ptr_nonnull(strstr(request, "Accept-Encoding: identity"));
	ck_assert_ptr_nonnull(strstr(request, "Range: bytes=0-0"));
}
END_TEST

/* User and password in the template: sent to its host, in no error, not to another host. */
START_TEST(userinfo_stays_at_its_host)
{
	char template[128], locator[256], request[4096];
	struct host_look look;

	host_stop(&host);
	snprintf(template, sizeof(template), "http://us:secret@127.0.0.1:%u/{cookie}",
		 origin_port(origin));
	host_start(&host, LOOP_POLL, template, NULL);

	snprintf(locator, sizeof(locator), "http://us:secret@127.0.0.1:%u/f=redir:302/blob?secret",
		 origin_port(origin));
	ck_assert_int_eq(host_look(&host, &look, locator, 0), 0);
	ck_assert_ptr_nonnull(strstr(origin_last_request(origin, request, sizeof(request)),
				     "Authorization: Basic dXM6c2VjcmV0"));

	snprintf(locator, sizeof(locator), "http://us:secret@127.0.0.1:%u/f=redir:302:%u/blob",
		 origin_port(origin), origin_port(other));
	ck_assert_int_eq(host_look(&host, &look, locator, 0), 0);
	ck_assert_ptr_null(
		strstr(origin_last_request(other, request, sizeof(request)), "Authorization"));

	snprintf(locator, sizeof(locator), "http://us:secret@127.0.0.1:%u/nothing?secret",
		 origin_port(origin));
	ck_assert_int_eq(host_look(&host, &look, locator, 0), -ENOENT);
	ck_assert_ptr_null(strstr(look.look.error, "secret"));
	ck_assert_ptr_nonnull(strstr(look.look.error, "127.0.0.1"));
	ck_assert_ptr_nonnull(strstr(look.look.error, "nothing"));
}
END_TEST

/* A locator of another host may come from a database that is older than the configuration. */
START_TEST(locators_of_other_hosts_are_refused)
{
	struct fetch_identity identity = identity_of("blob");
	struct fetch_object *object = NULL;
	struct host_look look;
	char locator[128];

	snprintf(locator, sizeof(locator), "%s/blob", origin_url(other));
	ck_assert_int_eq(host_look(&host, &look, locator, 0), -EACCES);
	ck_assert_int_eq(host.fetcher->ops->attach(host.fetcher, &object, locator, &identity),
			 -EINVAL);
	snprintf(locator, sizeof(locator), "%s0/blob", origin_url(origin));
	ck_assert_int_eq(host.fetcher->ops->attach(host.fetcher, &object, locator, &identity),
			 -EINVAL);
	ck_assert_uint_eq(origin_stats(other).requests, 0);
}
END_TEST

START_TEST(proxy_is_asked)
{
	char url[64], request[4096];
	struct fetcher_param params[] = { { "proxy", url }, { NULL, NULL } };

	snprintf(url, sizeof(url), "%s", origin_url(other));
	http_restart(params);
	origin_stats(origin);
	identity_of("blob");
	ck_assert_uint_eq(origin_stats(origin).requests, 0);
	origin_last_request(other, request, sizeof(request));
	ck_assert_int_eq(strncmp(request, "GET http://127.0.0.1:", 21), 0);
}
END_TEST

START_TEST(proxy_of_the_environment)
{
	static const struct fetcher_param none[] = { { "proxy", "" }, { NULL, NULL } };

	setenv("http_proxy", origin_url(other), 1);
	identity_of("blob");
	ck_assert_uint_eq(origin_stats(other).requests, 1);
	http_restart(none);
	identity_of("blob");
	ck_assert_uint_eq(origin_stats(other).requests, 0);
	unsetenv("http_proxy");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("http-secrets");
	TCase *tc = tcase_create("http-secrets");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, http_start, http_stop);
	tcase_add_test(tc, headers_are_sent);
	tcase_add_test(tc, headers_come_from_a_file);
	tcase_add_test(tc, headers_follow_to_the_same_host);
	tcase_add_test(tc, headers_do_not_follow_to_another);
	tcase_add_test(tc, userinfo_stays_at_its_host);
	tcase_add_test(tc, locators_of_other_hosts_are_refused);
	tcase_add_test(tc, proxy_is_asked);
	tcase_add_test(tc, proxy_of_the_environment);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
