/* SPDX-License-Identifier: MIT */
/*
 * The http fetcher against servers that break the rules, and what it says to those that keep
 * them: conditions, connections, redirects, proxies, secrets.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/host.h"
#include "tests/lib/origin.h"
#include "daemon/replay/pattern.h"
#include "tests/lib/run-suite.h"

#define SIZE  ((uint64_t)300000)
#define LARGE ((uint64_t)256 << 20)
#define OFF   8192
#define LEN   65536

static struct origin *origin, *other;
static struct host host;

static void start_with(const struct fetcher_param *params)
{
	char template[128];

	snprintf(template, sizeof(template), "%s/{cookie}", origin_url(origin));
	host_start(&host, LOOP_POLL, template, params);
}

static void start(void)
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

static void stop(void)
{
	host_stop(&host);
	origin_stop(origin);
	origin_stop(other);
}

/* The host again, with other parameters. */
static void restart(const struct fetcher_param *params)
{
	host_stop(&host);
	start_with(params);
}

/* Static. */
static const char *locator_of(const char *path)
{
	static char locator[512];

	snprintf(locator, sizeof(locator), "%s/%s", origin_url(origin), path);
	return locator;
}

static struct fetch_identity identity_of(const char *path)
{
	struct host_look look;

	ck_assert_int_eq(host_look(&host, &look, locator_of(path), 0), 0);
	return look.look.identity;
}

/* Reads by a faulty path what was pinned by a good one; the bytes that count must be right. */
static int read_pinned(const char *path, const struct fetch_identity *identity, char *ret_error)
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

/* ---- faults ----------------------------------------------------------------------------- */

static const struct {
	const char *fault;
	int err;
	size_t progress; /* most that may have been confirmed */
} read_faults[] = {
	{ "delay:20", 0, LEN },
	{ "chunked", 0, LEN },
	{ "slow:20000:1", 0, LEN },
	{ "redir:302", 0, LEN },
	{ "redir:301/f=redir:307/f=redir:308", 0, LEN },
	{ "noif", 0, LEN },
	{ "nomtime", 0, LEN },
	{ "status:400", -EIO, 0 },
	{ "status:401", -EACCES, 0 },
	{ "status:403", -EACCES, 0 },
	{ "status:404", -ENOENT, 0 },
	{ "status:408", -EIO, 0 },
	{ "status:410", -ENOENT, 0 },
	{ "status:412", -ESTALE, 0 },
	{ "status:416", -ESTALE, 0 },
	{ "status:429", -EIO, 0 },
	{ "status:500", -EIO, 0 },
	{ "status:503", -EIO, 0 },
	{ "status:504", -EIO, 0 },
	{ "status:203", -EPROTO, 0 },
	{ "status:302", -EPROTO, 0 }, /* to nowhere */
	{ "rst", -ECONNRESET, 0 },
	{ "close", -ECONNRESET, 0 },
	{ "garbage", -EPROTO, 0 },
	{ "hang", -ETIMEDOUT, 0 },
	{ "loop", -EIO, 0 },
	{ "redir:302/f=redir:302/f=redir:302/f=redir:302", -EIO, 0 },
	{ "norange", -EOPNOTSUPP, 0 },
	{ "norange/f=chunked", -EOPNOTSUPP, 0 },
	{ "shift", -EPROTO, 0 },
	{ "shift:4096", -EPROTO, 0 },
	{ "total", -ESTALE, 0 },
	{ "total:-1", -ESTALE, 0 },
	{ "short", -EPROTO, 0 },
	{ "nocr", -EPROTO, 0 },
	{ "multipart", -EPROTO, 0 },
	{ "gzip", -EPROTO, 0 },
	{ "etag", -ESTALE, 0 },
	{ "weak", -ESTALE, 0 },
	{ "noetag", -ESTALE, 0 },
	{ "lie", -EPROTO, 0 },
	{ "lie:100000", -EPROTO, 0 },
	{ "stall:0", -ETIMEDOUT, 0 },
	{ "stall:20000", -ETIMEDOUT, 20000 },
	{ "trunc:0", -ECONNRESET, 0 },
	{ "trunc:20000", -ECONNRESET, 20000 },
	{ "trunc:20000/f=chunked", -ECONNRESET, 20000 },
	{ "midrst:20000", -ECONNRESET, 20000 },
	{ "more", -EPROTO, LEN },
	{ "less", -EPROTO, LEN - 1 },
};

START_TEST(read_fault)
{
	struct fetch_identity identity = identity_of("blob");
	struct host_read read = { 0 };
	struct fetch_object *object;
	char path[128];
	int err;

	snprintf(path, sizeof(path), "f=%s/blob", read_faults[_i].fault);
	object = host_attach(&host, locator_of(path), &identity);
	err = host_read(&host, &read, object, OFF, LEN);
	ck_assert_msg(err == read_faults[_i].err, "%s: %d instead of %d: %s", read_faults[_i].fault,
		      err, read_faults[_i].err, read.read.error);
	ck_assert_uint_le(read.progress, read_faults[_i].progress);
	if (err == 0)
		read.progress = LEN;
	else
		ck_assert_ptr_nonnull(strstr(read.read.error, "127.0.0.1"));
	ck_assert_uint_eq(
		pattern_check(read.read.buf, read.progress, origin_key(origin, "blob"), OFF),
		read.progress);
	host_read_free(&read);
	host.fetcher->ops->detach(object);
}
END_TEST

/* Every fault is over after one answer: the same connection or a new one serves the next. */
START_TEST(read_after_fault)
{
	struct fetch_identity identity = identity_of("blob");
	char path[128];

	snprintf(path, sizeof(path), "f=%s@1/blob", read_faults[_i].fault);
	if (strchr(read_faults[_i].fault, '/'))
		return;
	read_pinned(path, &identity, NULL);
	ck_assert_int_eq(read_pinned(path, &identity, NULL), 0);
	ck_assert_int_eq(read_pinned("blob", &identity, NULL), 0);
}
END_TEST

static const struct {
	const char *path;
	size_t head_len;
	int err;
} look_faults[] = {
	{ "f=chunked/blob", 4096, 0 },
	{ "f=redir:307/blob", 4096, 0 },
	{ "f=weak/blob", 4096, 0 },
	{ "f=norange/tiny", 4096, 0 },
	{ "f=norange/tiny", 100, 0 },
	{ "f=norange/tiny", 99, -EOPNOTSUPP },
	{ "f=norange/blob", 4096, -EOPNOTSUPP },
	{ "f=norange/f=chunked/tiny", 4096, -EOPNOTSUPP },
	{ "f=status:403/blob", 4096, -EACCES },
	{ "f=status:404/blob", 4096, -ENOENT },
	{ "f=status:416/blob", 4096, -EPROTO },
	{ "f=status:500/blob", 4096, -EIO },
	{ "f=rst/blob", 4096, -ECONNRESET },
	{ "f=hang/blob", 4096, -ETIMEDOUT },
	{ "f=garbage/blob", 4096, -EPROTO },
	{ "f=loop/blob", 4096, -EIO },
	{ "f=shift/blob", 4096, -EPROTO },
	{ "f=short/blob", 4096, -EPROTO },
	{ "f=nocr/blob", 4096, -EPROTO },
	{ "f=multipart/blob", 4096, -EPROTO },
	{ "f=gzip/blob", 4096, -EPROTO },
	{ "f=lie/blob", 4096, -EPROTO },
	{ "f=more/blob", 4096, -EPROTO },
	{ "f=less/blob", 4096, -EPROTO },
	{ "f=trunc:100/blob", 4096, -ECONNRESET },
	{ "f=stall:100/blob", 4096, -ETIMEDOUT },
};

START_TEST(look_fault)
{
	struct host_look look;
	int err =
		host_look(&host, &look, locator_of(look_faults[_i].path), look_faults[_i].head_len);

	ck_assert_msg(err == look_faults[_i].err, "%s: %d instead of %d: %s", look_faults[_i].path,
		      err, look_faults[_i].err, look.look.error);
	if (err < 0)
		ck_assert_ptr_nonnull(strstr(look.look.error, "127.0.0.1"));
	host_look_free(&look);
}
END_TEST

/* The whole of an object that is not wanted stays at the server. */
START_TEST(server_without_ranges_is_left_at_once)
{
	struct fetch_identity identity = identity_of("large");
	struct origin_stats stats;

	origin_stats(origin);
	ck_assert_int_eq(read_pinned("f=norange/large", &identity, NULL), -EOPNOTSUPP);
	host_idle(&host, 50);
	stats = origin_stats(origin);
	/* What fits into the buffers of a connection has been sent by then. */
	ck_assert_uint_lt(stats.body_bytes, LARGE / 8);
}
END_TEST

START_TEST(server_without_ranges_serves_what_is_whole)
{
	struct host_read read = { 0 };
	struct fetch_identity identity = identity_of("tiny");
	struct fetch_object *object = host_attach(&host, locator_of("f=norange/tiny"), &identity);

	ck_assert_int_eq(host_read(&host, &read, object, 0, 100), 0);
	ck_assert_uint_eq(pattern_check(read.read.buf, 100, origin_key(origin, "tiny"), 0), 100);
	host_read_free(&read);
	host.fetcher->ops->detach(object);
}
END_TEST

START_TEST(nobody_listens)
{
	struct host_look look;

	host_stop(&host);
	host_start(&host, LOOP_POLL, "http://127.0.0.1:1/{cookie}", NULL);
	ck_assert_int_eq(host_look(&host, &look, "http://127.0.0.1:1/x", 0), -ECONNREFUSED);
	host_stop(&host);
	host_start(&host, LOOP_POLL, "http://no-such-host.invalid/{cookie}", NULL);
	ck_assert_int_eq(host_look(&host, &look, "http://no-such-host.invalid/x", 0),
			 -EHOSTUNREACH);
}
END_TEST

START_TEST(cancel_what_hangs)
{
	struct fetch_identity identity = identity_of("blob");
	struct fetch_object *object = host_attach(&host, locator_of("f=hang/blob"), &identity);
	struct host_read read = { 0 };
	struct host_look look;

	host_read_start(&host, &read, object, 0, 4096);
	host_look_start(&host, &look, locator_of("f=hang/blob"), 0);
	host_idle(&host, 50);
	host_read_cancel(&read, object);
	host_look_cancel(&look);
	ck_assert_int_eq(host_read_wait(&read), -ECANCELED);
	ck_assert_int_eq(host_look_wait(&look), -ECANCELED);
	host_read_free(&read);
	host.fetcher->ops->detach(object);
}
END_TEST

static struct fetch_object *cancel_object;

static void cancel_now(struct host_read *read)
{
	host_read_cancel(read, cancel_object);
}

/* What arrives together with the error is reported just before the end. */
START_TEST(cancel_from_the_last_progress)
{
	struct fetch_identity identity = identity_of("blob");

	cancel_object = host_attach(&host, locator_of("f=trunc:20000/blob"), &identity);
	for (int i = 0; i < 20; i++) {
		struct host_read read = { .on_progress = cancel_now };
		int err = host_read(&host, &read, cancel_object, OFF, LEN);

		ck_assert(err == -ECANCELED || err == -ECONNRESET);
		host_read_free(&read);
	}
	host.fetcher->ops->detach(cancel_object);
}
END_TEST

/* ---- identity --------------------------------------------------------------------------- */

static const struct {
	const char *look, *read, *validator, *field;
} pins[] = {
	{ "blob", "f=noif/blob", "etag:\"", "If-Match: \"" },
	{ "f=weak/blob", "f=noif/f=weak/blob", "mtime:", "If-Unmodified-Since: " },
	{ "f=noetag/blob", "f=noif/f=noetag/blob", "mtime:", "If-Unmodified-Since: " },
};

/* The server is asked to refuse another version, and is not believed when it does not. */
START_TEST(version_is_pinned)
{
	struct fetch_identity identity = identity_of(pins[_i].look);
	char request[4096];

	ck_assert_int_eq(
		strncmp(identity.validator, pins[_i].validator, strlen(pins[_i].validator)), 0);
	ck_assert_int_eq(read_pinned(pins[_i].look, &identity, NULL), 0);
	ck_assert_ptr_nonnull(
		strstr(origin_last_request(origin, request, sizeof(request)), pins[_i].field));
	origin_put(origin, "blob", SIZE);
	ck_assert_int_eq(read_pinned(pins[_i].look, &identity, NULL), -ESTALE);
	ck_assert_int_eq(read_pinned(pins[_i].read, &identity, NULL), -ESTALE);
}
END_TEST

START_TEST(nothing_to_pin)
{
	struct fetch_identity identity = identity_of("f=noetag/f=nomtime/blob");
	char request[4096];

	ck_assert_str_eq(identity.validator, "");
	ck_assert_int_eq(read_pinned("f=noetag/f=nomtime/blob", &identity, NULL), 0);
	ck_assert_ptr_null(strstr(origin_last_request(origin, request, sizeof(request)), "If-"));
	/* The size is all that is left. */
	origin_put(origin, "blob", SIZE + 1);
	ck_assert_int_eq(read_pinned("f=noetag/f=nomtime/blob", &identity, NULL), -ESTALE);
}
END_TEST

START_TEST(look_is_one_request)
{
	struct origin_range range[4];
	struct origin_stats stats;
	struct host_look look;

	origin_ranges(origin, range, 4);
	origin_stats(origin);
	ck_assert_int_eq(host_look(&host, &look, locator_of("blob"), 4096), 0);
	host_look_free(&look);
	stats = origin_stats(origin);
	ck_assert_uint_eq(stats.requests, 1);
	ck_assert_uint_eq(stats.body_bytes, 4096);
	ck_assert_uint_eq(origin_ranges(origin, range, 4), 1);
	ck_assert_uint_eq(range[0].first, 0);
	ck_assert_uint_eq(range[0].last, 4095);
}
END_TEST

/* ---- connections ------------------------------------------------------------------------ */

START_TEST(connections_are_kept)
{
	struct fetch_identity identity = identity_of("blob");
	struct fetch_object *object = host_attach(&host, locator_of("blob"), &identity);
	struct origin_stats stats;

	for (int i = 0; i < 500; i++) {
		struct host_read read = { 0 };

		ck_assert_int_eq(host_read(&host, &read, object, (uint64_t)i * 500, 4096), 0);
		host_read_free(&read);
	}
	stats = origin_stats(origin);
	ck_assert_uint_eq(stats.requests, 501);
	ck_assert_uint_eq(stats.connections, 1);
	host.fetcher->ops->detach(object);
}
END_TEST

/* Answers that bring no object keep their connection, too. */
START_TEST(errors_keep_connections)
{
	struct host_look look;

	for (int i = 0; i < 50; i++)
		ck_assert_int_eq(host_look(&host, &look, locator_of("missing"), 0), -ENOENT);
	ck_assert_uint_eq(origin_stats(origin).connections, 1);
}
END_TEST

START_TEST(connections_are_bounded)
{
	static const struct fetcher_param params[] = { { "max-connections", "4" }, { NULL, NULL } };
	static struct host_read reads[500];
	struct fetch_identity identity;
	struct fetch_object *object;
	struct origin_stats stats;

	restart(params);
	identity = identity_of("blob");
	object = host_attach(&host, locator_of("f=delay:2/blob"), &identity);
	for (int i = 0; i < 500; i++)
		host_read_start(&host, &reads[i], object, (uint64_t)i * 500, 4096);
	host_wait_all(&host);
	for (int i = 0; i < 500; i++) {
		ck_assert_int_eq(reads[i].err, 0);
		ck_assert_uint_eq(pattern_check(reads[i].read.buf, 4096, origin_key(origin, "blob"),
						reads[i].read.off),
				  4096);
		host_read_free(&reads[i]);
	}
	stats = origin_stats(origin);
	ck_assert_uint_le(stats.connections, 4);
	ck_assert_uint_le(stats.concurrent, 4);
	ck_assert_uint_ge(stats.concurrent, 2);
	host.fetcher->ops->detach(object);
}
END_TEST

/* ---- what is told to whom --------------------------------------------------------------- */

static const struct fetcher_param secret_params[] = { { "header", "X-Token: secret" },
						      { "user-agent", "tester" },
						      { NULL, NULL } };

START_TEST(headers_are_sent)
{
	char request[4096];

	restart(secret_params);
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
	char path[] = "/tmp/header-XXXXXX", request[4096];
	struct fetcher_param params[] = { { "header-file", path }, { NULL, NULL } };
	static const char text[] = "# secrets\n\nX-Token: from file\nX-More: 2";
	int fd = mkstemp(path);

	ck_assert_int_eq(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	close(fd);
	restart(params);
	unlink(path);
	identity_of("blob");
	origin_last_request(origin, request, sizeof(request));
	ck_assert_ptr_nonnull(strstr(request, "\r\nX-Token: from file\r\n"));
	ck_assert_ptr_nonnull(strstr(request, "\r\nX-More: 2\r\n"));
}
END_TEST

START_TEST(headers_follow_to_the_same_host)
{
	char request[4096];

	restart(secret_params);
	identity_of("f=redir:302/blob");
	ck_assert_ptr_nonnull(
		strstr(origin_last_request(origin, request, sizeof(request)), "X-Token: secret"));
}
END_TEST

START_TEST(headers_do_not_follow_to_another)
{
	char request[4096], path[64];

	restart(secret_params);
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
	restart(params);
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
	restart(none);
	identity_of("blob");
	ck_assert_uint_eq(origin_stats(other).requests, 0);
	unsetenv("http_proxy");
}
END_TEST

/* ---- parameters ------------------------------------------------------------------------- */

static const struct {
	const char *key, *value;
	int err;
} params_wrong[] = {
	{ "max-connections", "0", -EINVAL },
	{ "max-connections", "x", -EINVAL },
	{ "max-connections", "", -EINVAL },
	{ "redirects", "-1", -EINVAL },
	{ "http-version", "3", -EINVAL },
	{ "stall-timeout", "0", -EINVAL },
	{ "stall-timeout", "500ms", -EINVAL },
	{ "connect-timeout", "5 weeks", -EINVAL },
	{ "connect-timeout", "99999999999999999999s", -EINVAL },
	{ "header", "no colon", -EINVAL },
	{ "header", "X-Empty:", -EINVAL },
	{ "header", ": value", -EINVAL },
	{ "header", "X-Two: a\r\nX-Lines: b", -EINVAL },
	{ "header", "Range: bytes=0-1", -EINVAL },
	{ "header", "if-match: x", -EINVAL },
	{ "header-file", "/no/such/file", -ENOENT },
	{ "ca-file", "/no/such/file", -ENOENT },
	{ "client-cert", "/no/such/file", -ENOENT },
	{ "client-key", "/dev/null", -EINVAL },
	{ "cookie-jar", "x", -EINVAL },
};

START_TEST(wrong_parameter)
{
	struct fetcher_param params[] = { { params_wrong[_i].key, params_wrong[_i].value },
					  { NULL, NULL } };
	const struct fetcher_class *class = fetcher_class_find("http:");
	char error[FETCH_ERROR_MAX] = "";

	ck_assert_int_eq(class->create(NULL, NULL, "http://h/{cookie}", params, error),
			 params_wrong[_i].err);
	ck_assert_ptr_nonnull(strstr(error, params_wrong[_i].key));
}
END_TEST

START_TEST(good_parameters)
{
	static const struct fetcher_param params[] = {
		{ "max-connections", "64" },
		{ "redirects", "0" },
		{ "http-version", "1.1" },
		{ "stall-timeout", "2min" },
		{ "connect-timeout", "500ms" },
		{ "header", "A: b" },
		{ "header", "C: d:e" },
		{ "user-agent", "me" },
		{ "proxy", "" },
		{ NULL, NULL },
	};
	const struct fetcher_class *class = fetcher_class_find("https:");
	char error[FETCH_ERROR_MAX] = "";

	ck_assert_int_eq(class->create(NULL, NULL, "https://h/{cookie}", params, error), 0);
	ck_assert_int_eq(class->create(NULL, NULL, "https://{domain}.h/{cookie}", params, error),
			 0);
	ck_assert_int_eq(class->create(NULL, NULL, "https:///x", params, error), -EINVAL);
	/* Every key that it says it has is understood. */
	for (const struct fetcher_key *k = class->keys; k->key; k++) {
		struct fetcher_param one[] = { { k->key, "/no/such/\n" }, { NULL, NULL } };

		error[0] = '\0';
		class->create(NULL, NULL, "https://h/{cookie}", one, error);
		ck_assert_ptr_null(strstr(error, "no such key"));
	}
}
END_TEST

#define N(array) ((int)(sizeof(array) / sizeof((array)[0])))

int main(void)
{
	Suite *s = suite_create("http");
	TCase *tc = tcase_create("http");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_loop_test(tc, read_fault, 0, N(read_faults));
	tcase_add_loop_test(tc, read_after_fault, 0, N(read_faults));
	tcase_add_loop_test(tc, look_fault, 0, N(look_faults));
	tcase_add_test(tc, server_without_ranges_is_left_at_once);
	tcase_add_test(tc, server_without_ranges_serves_what_is_whole);
	tcase_add_test(tc, nobody_listens);
	tcase_add_test(tc, cancel_what_hangs);
	tcase_add_test(tc, cancel_from_the_last_progress);
	tcase_add_loop_test(tc, version_is_pinned, 0, N(pins));
	tcase_add_test(tc, nothing_to_pin);
	tcase_add_test(tc, look_is_one_request);
	tcase_add_test(tc, connections_are_kept);
	tcase_add_test(tc, errors_keep_connections);
	tcase_add_test(tc, connections_are_bounded);
	tcase_add_test(tc, headers_are_sent);
	tcase_add_test(tc, headers_come_from_a_file);
	tcase_add_test(tc, headers_follow_to_the_same_host);
	tcase_add_test(tc, headers_do_not_follow_to_another);
	tcase_add_test(tc, userinfo_stays_at_its_host);
	tcase_add_test(tc, locators_of_other_hosts_are_refused);
	tcase_add_test(tc, proxy_is_asked);
	tcase_add_test(tc, proxy_of_the_environment);
	tcase_add_loop_test(tc, wrong_parameter, 0, N(params_wrong));
	tcase_add_test(tc, good_parameters);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
