/* SPDX-License-Identifier: MIT */
/*
 * The http fetcher against a real server: TLS with an authority of one's own, client certificates,
 * HTTP/2, and what nginx really says about empty and changed files. Skipped where nginx or
 * openssl(1) is missing.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/lib/host.h"
#include "daemon/replay/pattern.h"
#include "tests/lib/nginx.h"
#include "tests/lib/run-suite.h"
#include "tests/lib/server.h"
#include "tests/lib/shell.h"
#include "tests/lib/temporary.h"

#define SIZE 1000000

static char dir[TEMPORARY_MAX], ca[TEMPORARY_MAX + 16], cert[TEMPORARY_MAX + 16],
	key[TEMPORARY_MAX + 16];
static unsigned int port_plain, port_tls, port_strict;
static pid_t nginx;
static struct host host;

static void make_certificates(void)
{
	sh("cd %s && exec > /dev/null 2>&1 && "
	   "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key "
	   "-out ca.pem -subj /CN=ca && "
	   "for who in server client; do "
	   "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $who.key -out "
	   "$who.csr -subj /CN=$who && "
	   "printf 'subjectAltName=DNS:localhost,IP:127.0.0.1' > ext && "
	   "openssl x509 -req -in $who.csr -CA ca.pem -CAkey ca.key -CAcreateserial "
	   "-extfile ext -out $who.pem || exit 1; done",
	   dir);
	snprintf(ca, sizeof(ca), "%s/ca.pem", dir);
	snprintf(cert, sizeof(cert), "%s/client.pem", dir);
	snprintf(key, sizeof(key), "%s/client.key", dir);
}

static void start_nginx(void)
{
	do {
		port_plain = server_free_port();
		port_tls = server_free_port();
		port_strict = server_free_port();
		nginx = nginx_start(
			dir, "nginx",
			"log_format test '$connection $server_protocol $status $http_range';\n"
			"access_log %1$s/access.log test; keepalive_requests 100000;\n"
			"ssl_certificate %1$s/server.pem; ssl_certificate_key %1$s/server.key;\n"
			"root %1$s/www;\n"
			"server { listen 127.0.0.1:%2$u;\n"
			" location /limited/ { max_ranges 0; alias %1$s/www/; } }\n"
			"server { listen 127.0.0.1:%3$u ssl http2;\n"
			" location = /down { return 302 http://127.0.0.1:%2$u/blob; }\n"
			" location = /same { return 302 /blob; } }\n"
			"server { listen 127.0.0.1:%4$u ssl;\n"
			" ssl_client_certificate %1$s/ca.pem; ssl_verify_client on; }\n",
			dir, port_plain, port_tls, port_strict);
	} while (!server_listens(nginx, port_strict));
}

static void start(void)
{
	temporary_dir(dir, TEMPORARY_ANY);
	sh("mkdir %s/www", dir);
	make_certificates();
	nginx_put(dir, "blob", SIZE, 1);
	nginx_put(dir, "empty", 0, 1);
	nginx_put(dir, "one", 1, 1);
	start_nginx();
}

static void stop(void)
{
	nginx_stop(nginx);
	temporary_remove(dir);
}

/* ---- tools ------------------------------------------------------------------------------ */

/* Static. */
static const char *url(const char *scheme, unsigned int port, const char *name)
{
	static char text[128];

	snprintf(text, sizeof(text), "%s://localhost:%u/%s", scheme, port, name);
	return text;
}

static void host_for(const char *scheme, unsigned int port, const struct fetcher_param *params)
{
	unsetenv("http_proxy");
	unsetenv("https_proxy");
	unsetenv("all_proxy");
	unsetenv("HTTPS_PROXY");
	unsetenv("ALL_PROXY");
	host_start(&host, LOOP_POLL, url(scheme, port, "{cookie}"), params);
}

/* Reads n spans of 4 KiB at the same time. */
static void read_many(const char *locator, int n)
{
	static struct host_read reads[1000];
	struct fetch_object *object;
	struct host_look look;

	ck_assert_msg(host_look(&host, &look, locator, 0) == 0, "%s", look.look.error);
	ck_assert_uint_eq(look.look.identity.size, SIZE);
	object = host_attach(&host, locator, &look.look.identity);
	for (int i = 0; i < n; i++)
		host_read_start(&host, &reads[i], object, (uint64_t)i * 900, 4096);
	host_wait_all(&host);
	for (int i = 0; i < n; i++) {
		ck_assert_msg(reads[i].err == 0, "%s", reads[i].read.error);
		ck_assert_uint_eq(pattern_check(reads[i].read.buf, 4096, pattern_key("blob") + 1,
						reads[i].read.off),
				  4096);
		host_read_free(&reads[i]);
	}
	host.fetcher->ops->detach(object);
}

/* Connections in the server's log of requests with that word; it is written before the answer. */
static int connections_with(const char *word)
{
	char path[TEMPORARY_MAX + 32], line[256];
	int n = 0, seen[64];
	FILE *f;

	snprintf(path, sizeof(path), "%s/access.log", dir);
	f = fopen(path, "re");
	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f)) {
		int id = atoi(line), i;

		if (!strstr(line, word))
			continue;
		for (i = 0; i < n && seen[i] != id; i++)
			;
		if (i == n && n < 64)
			seen[n++] = id;
	}
	fclose(f);
	return n;
}

/* ---- tests ------------------------------------------------------------------------------ */

START_TEST(empty_and_small_files)
{
	struct host_look look;

	host_for("http", port_plain, NULL);
	for (size_t room = 0; room <= 4096; room += 4096) {
		ck_assert_int_eq(host_look(&host, &look, url("http", port_plain, "empty"), room),
				 0);
		ck_assert_uint_eq(look.look.identity.size, 0);
		host_look_free(&look);
		ck_assert_int_eq(host_look(&host, &look, url("http", port_plain, "one"), room), 0);
		ck_assert_uint_eq(look.look.identity.size, 1);
		host_look_free(&look);
	}
	ck_assert_int_eq(host_look(&host, &look, url("http", port_plain, "limited/blob"), 4096),
			 -EOPNOTSUPP);
	host_look_free(&look);
	host_stop(&host);
}
END_TEST

START_TEST(many_ranges)
{
	static const struct fetcher_param params[] = { { "max-connections", "4" }, { NULL, NULL } };

	host_for("http", port_plain, params);
	read_many(url("http", port_plain, "blob"), 1000);
	ck_assert_int_le(connections_with("HTTP/1.1"), 4);
	host_stop(&host);
}
END_TEST

START_TEST(changed_file)
{
	struct fetch_object *object;
	struct host_read read = { 0 };
	struct host_look look;

	host_for("http", port_plain, NULL);
	ck_assert_int_eq(host_look(&host, &look, url("http", port_plain, "blob"), 0), 0);
	object = host_attach(&host, url("http", port_plain, "blob"), &look.look.identity);
	nginx_put(dir, "blob", SIZE, 2);
	ck_assert_int_eq(host_read(&host, &read, object, 0, 4096), -ESTALE);
	host_read_free(&read);
	host.fetcher->ops->detach(object);
	host_stop(&host);
}
END_TEST

START_TEST(own_authority)
{
	struct fetcher_param params[] = { { "ca-file", ca }, { NULL, NULL } };
	struct host_look look;

	host_for("https", port_tls, params);
	read_many(url("https", port_tls, "blob"), 10);
	host_stop(&host);
	/* Without it nobody vouches for that server. */
	host_for("https", port_tls, NULL);
	ck_assert_int_eq(host_look(&host, &look, url("https", port_tls, "blob"), 0), -EIO);
	ck_assert_ptr_nonnull(strstr(look.look.error, "certificate"));
	host_stop(&host);
}
END_TEST

START_TEST(client_certificate)
{
	struct fetcher_param params[] = {
		{ "ca-file", ca }, { "client-cert", cert }, { "client-key", key }, { NULL, NULL }
	};
	struct fetcher_param without[] = { { "ca-file", ca }, { NULL, NULL } };
	struct host_look look;

	host_for("https", port_strict, params);
	read_many(url("https", port_strict, "blob"), 10);
	host_stop(&host);
	host_for("https", port_strict, without);
	ck_assert_int_lt(host_look(&host, &look, url("https", port_strict, "blob"), 0), 0);
	host_stop(&host);
}
END_TEST

START_TEST(http2_shares_connections)
{
	struct fetcher_param params[] = { { "ca-file", ca }, { NULL, NULL } };

	host_for("https", port_tls, params);
	read_many(url("https", port_tls, "blob"), 500);
	ck_assert_int_eq(connections_with("HTTP/1.1"), 0);
	ck_assert_int_ge(connections_with("HTTP/2.0"), 1);
	ck_assert_int_le(connections_with("HTTP/2.0"), 16);
	host_stop(&host);
}
END_TEST

START_TEST(http1_on_demand)
{
	struct fetcher_param params[] = { { "ca-file", ca },
					  { "http-version", "1.1" },
					  { NULL, NULL } };

	host_for("https", port_tls, params);
	read_many(url("https", port_tls, "blob"), 100);
	ck_assert_int_eq(connections_with("HTTP/2.0"), 0);
	host_stop(&host);
}
END_TEST

/* Of many streams on one connection. */
START_TEST(http2_cancel)
{
	struct fetcher_param params[] = { { "ca-file", ca }, { NULL, NULL } };
	static struct host_read reads[64];
	struct fetch_object *object;
	struct host_look look;

	host_for("https", port_tls, params);
	ck_assert_int_eq(host_look(&host, &look, url("https", port_tls, "blob"), 0), 0);
	object = host_attach(&host, url("https", port_tls, "blob"), &look.look.identity);
	for (int i = 0; i < 64; i++)
		host_read_start(&host, &reads[i], object, 0, SIZE);
	while (host.unfinished > 60)
		host_turn(&host);
	for (int i = 0; i < 64; i += 2)
		if (reads[i].n_done == 0)
			host_read_cancel(&reads[i], object);
	host_wait_all(&host);
	for (int i = 0; i < 64; i++) {
		ck_assert(reads[i].err == 0 || (i % 2 == 0 && reads[i].err == -ECANCELED));
		if (reads[i].err == 0)
			ck_assert_uint_eq(
				pattern_check(reads[i].read.buf, SIZE, pattern_key("blob") + 1, 0),
				SIZE);
		host_read_free(&reads[i]);
	}
	host.fetcher->ops->detach(object);
	host_stop(&host);
}
END_TEST

START_TEST(never_from_https_to_http)
{
	struct fetcher_param params[] = { { "ca-file", ca }, { NULL, NULL } };
	struct host_look look;

	host_for("https", port_tls, params);
	ck_assert_int_eq(host_look(&host, &look, url("https", port_tls, "same"), 0), 0);
	ck_assert_int_eq(host_look(&host, &look, url("https", port_tls, "down"), 0), -EACCES);
	ck_assert_ptr_nonnull(strstr(look.look.error, "https to http"));
	host_stop(&host);
}
END_TEST

static char shown_by[64];
static int64_t shown_until;

static void note_certificate(const struct fetch_host *to, const char *server, int64_t expires)
{
	snprintf(shown_by, sizeof(shown_by), "%s", server);
	shown_until = expires;
}

START_TEST(certificate_is_told)
{
	struct fetcher_param params[] = { { "ca-file", ca }, { NULL, NULL } };
	const struct fetch_host wants = { .certificate = note_certificate };
	struct host_look look;
	char server[64];

	host_for("https", port_tls, params);
	ck_assert_int_eq(host_look(&host, &look, url("https", port_tls, "one"), 0), 0);
	ck_assert_str_eq(shown_by, ""); /* nobody wanted to know */
	host_stop(&host);

	host_for("https", port_tls, params);
	loop_set_host(host.loop, &wants);
	ck_assert_int_eq(host_look(&host, &look, url("https", port_tls, "one"), 0), 0);
	snprintf(server, sizeof(server), "localhost:%u", port_tls);
	ck_assert_str_eq(shown_by, server);
	/* As openssl(1) makes them: for 30 days, of which a minute may be over. */
	ck_assert_int_le(shown_until, time(NULL) + 30 * 86400);
	ck_assert_int_gt(shown_until, time(NULL) + 30 * 86400 - 600);
	host_stop(&host);
}
END_TEST

/* ---- the suite -------------------------------------------------------------------------- */

int main(void)
{
	const char *why = nginx_missing();
	Suite *s;
	TCase *tc;

	if (why || !have("openssl"))
		return skip_all(why ? why : "no openssl here");
	s = suite_create("nginx");
	tc = tcase_create("nginx");
	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_test(tc, empty_and_small_files);
	tcase_add_test(tc, many_ranges);
	tcase_add_test(tc, changed_file);
	tcase_add_test(tc, own_authority);
	tcase_add_test(tc, client_certificate);
	tcase_add_test(tc, http2_shares_connections);
	tcase_add_test(tc, http1_on_demand);
	tcase_add_test(tc, http2_cancel);
	tcase_add_test(tc, never_from_https_to_http);
	tcase_add_test(tc, certificate_is_told);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
