/* SPDX-License-Identifier: MIT */
/*
 * The http fetcher against servers that break the rules.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/replay/pattern.h"
#include "tests/contract/http-rig.h"
#include "tests/lib/run-suite.h"

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
	{ "status:408", -EAGAIN, 0 },
	{ "status:410", -ENOENT, 0 },
	{ "status:412", -ESTALE, 0 },
	{ "status:416", -ESTALE, 0 },
	{ "status:429", -EAGAIN, 0 },
	{ "status:500", -EAGAIN, 0 },
	{ "status:503", -EAGAIN, 0 },
	{ "status:504", -EAGAIN, 0 },
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
	{ "f=status:500/blob", 4096, -EAGAIN },
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

START_TEST(what_a_server_wants_is_told)
{
	struct fetch_identity identity = identity_of("blob");
	struct host_read read = { 0 };
	struct host_look look;
	struct fetch_object *object;

	ck_assert_int_eq(host_look(&host, &look, locator_of("f=status:503:7/blob"), 0), -EAGAIN);
	ck_assert_uint_eq(look.look.retry_after, 7 * NSEC_PER_SEC);
	ck_assert_int_eq(host_look(&host, &look, locator_of("f=status:500/blob"), 0), -EAGAIN);
	ck_assert_uint_eq(look.look.retry_after, 0);
	object = host_attach(&host, locator_of("f=status:429:3/blob"), &identity);
	ck_assert_int_eq(host_read(&host, &read, object, OFF, LEN), -EAGAIN);
	ck_assert_uint_eq(read.read.retry_after, 3 * NSEC_PER_SEC);
	host_read_free(&read);
	host.fetcher->ops->detach(object);
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

#define N(array) ((int)(sizeof(array) / sizeof((array)[0])))

int main(void)
{
	Suite *s = suite_create("http-faults");
	TCase *tc = tcase_create("http-faults");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, http_start, http_stop);
	tcase_add_loop_test(tc, read_fault, 0, N(read_faults));
	tcase_add_loop_test(tc, read_after_fault, 0, N(read_faults));
	tcase_add_loop_test(tc, look_fault, 0, N(look_faults));
	tcase_add_test(tc, what_a_server_wants_is_told);
	tcase_add_test(tc, server_without_ranges_is_left_at_once);
	tcase_add_test(tc, server_without_ranges_serves_what_is_whole);
	tcase_add_test(tc, nobody_listens);
	tcase_add_test(tc, cancel_what_hangs);
	tcase_add_test(tc, cancel_from_the_last_progress);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
