/* SPDX-License-Identifier: MIT */
/*
 * Registries and token servers that are broken, hostile or not there; proxies on the way. Each
 * error names the registry and the repository.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/replay/pattern.h"
#include "tests/contract/oci.h"
#include "tests/lib/origin.h"
#include "tests/lib/run-suite.h"
#include "tests/lib/server.h"
#include "tests/lib/shell.h"
#include "tests/lib/temporary.h"
#include "tests/lib/token-server.h"

#define N(array) ((int)(sizeof(array) / sizeof((array)[0])))

static char dir[TEMPORARY_MAX];
static struct origin *origin;

static void start(void)
{
	struct origin_options options = { .root = dir };

	unsetenv("http_proxy");
	unsetenv("no_proxy");
	unsetenv("NO_PROXY");
	setenv("HOME", "/nowhere", 1);
	temporary_dir(dir, TEMPORARY_ANY);
	sh("mkdir -p %s/v2/team/image/manifests %s/v2/team/image/blobs %s/hosts/r.example", dir,
	   dir, dir);
	ck_assert_int_eq(origin_start(&origin, &options), 0);
}

static void stop(void)
{
	origin_stop(origin);
}

/* The registry r.example, whose server is the origin with a fault. */
static void host_at(const char *fault)
{
	struct fetcher_param params[] = { { "hosts-dir", NULL },
					  { "stall-timeout", "1s" },
					  { NULL, NULL } };
	char path[TEMPORARY_MAX + 64];
	FILE *f;

	snprintf(path, sizeof(path), "%s/hosts/r.example/hosts.toml", dir);
	f = fopen(path, "we");
	ck_assert_ptr_nonnull(f);
	fprintf(f, "server = \"%s%s%s\"\n", origin_url(origin), *fault ? "/" : "", fault);
	fclose(f);
	snprintf(path, sizeof(path), "%s/hosts", dir);
	params[0].value = path;
	host_start(&host, LOOP_POLL, "oci://r.example/{cookie}", params);
}

/* The host that was asked, and what for, are in each. */
static void expect_error(const char *rest, int err, const char *word)
{
	struct host_look look;
	char where[256];
	int r;

	snprintf(where, sizeof(where), "oci://r.example/" REPOSITORY "%s", rest);
	r = host_look(&host, &look, where, 4096);
	ck_assert_msg(r == err, "%s: %d instead of %d: %s", rest, r, err, look.look.error);
	ck_assert_msg(strstr(look.look.error, word), "%s: %s", rest, look.look.error);
	ck_assert_msg(strstr(look.look.error, REPOSITORY), "%s: %s", rest, look.look.error);
	ck_assert_msg(strstr(look.look.error, "127.0.0.1:") || strstr(look.look.error, "r.example"),
		      "%s: %s", rest, look.look.error);
	host_look_free(&look);
}

/* ---- registries ------------------------------------------------------------------------- */

static const struct {
	const char *fault;
	int err;
	const char *word;
} faults[] = {
	{ "f=loop", -EIO, "too many redirects" },
	{ "f=hang", -ETIMEDOUT, "" },
	{ "f=garbage", -EPROTO, "" },
	{ "f=close", -ECONNRESET, "" },
	{ "f=rst", -ECONNRESET, "" },
	{ "f=status:403", -EACCES, "403" },
	{ "f=status:404", -ENOENT, "404" },
	{ "f=status:429", -EAGAIN, "429" },
	{ "f=status:503", -EAGAIN, "503" },
	{ "f=trunc:10", -ECONNRESET, "" },
	{ "f=stall:10", -ETIMEDOUT, "" },
	{ "f=gzip", -EPROTO, "" },
};

START_TEST(registry_with_a_fault)
{
	char path[TEMPORARY_MAX + 64];
	FILE *f;

	snprintf(path, sizeof(path), "%s/v2/team/image/manifests/v1", dir);
	f = fopen(path, "we");
	ck_assert_ptr_nonnull(f);
	fprintf(f, "{\"schemaVersion\":2,\"layers\":[]}");
	fclose(f);
	host_at(faults[_i].fault);
	expect_error(":v1", faults[_i].err, faults[_i].word);
	host_stop(&host);
}
END_TEST

START_TEST(registry_that_is_down)
{
	host_at("");
	origin = origin_stop(origin);
	expect_error(":v1", -ECONNREFUSED, "/v2/" REPOSITORY "/manifests/v1");
	host_stop(&host);
}
END_TEST

/* ---- manifests -------------------------------------------------------------------------- */

#define DIGEST	"sha256:00000000000000000000000000000000000000000000000000000000000000ff"
#define BLOB	"{\"mediaType\":\"a/b\",\"digest\":\"" DIGEST "\",\"size\":"
#define OF(...) "{\"schemaVersion\":2," __VA_ARGS__ "}"

static const struct {
	const char *text;
	int err;
	const char *word;
} manifests[] = {
	{ "", -EPROTO, "" },
	{ "<html>", -EPROTO, "" },
	{ "[]", -EPROTO, "" },
	{ "{}", -EPROTO, "" },
	{ OF("\"layers\":{}"), -EPROTO, "" },
	{ OF("\"layers\":[" BLOB "-1}]"), -EPROTO, "" },
	{ OF("\"layers\":[" BLOB "\"1\"}]"), -EPROTO, "" },
	{ OF("\"layers\":[" BLOB "99999999999999999999}]"), -EPROTO, "" },
	{ OF("\"layers\":[{\"digest\":\"sha256:zz\",\"size\":1}]"), -EPROTO, "" },
	{ OF("\"layers\":[{\"digest\":\"md5:00\",\"size\":1}]"), -EPROTO, "" },
	{ OF("\"layers\":[{\"digest\":\"../../x\",\"size\":1}]"), -EPROTO, "" },
	/* A digest of nothing that is there; of what is there, and longer. */
	{ OF("\"layers\":[" BLOB "1}]"), -ENOENT, "404" },
	{ OF("\"manifests\":[" BLOB "1}]"), -ENOENT, "" },
};

static void put_manifest(const char *text)
{
	char path[TEMPORARY_MAX + 64];
	FILE *f;

	snprintf(path, sizeof(path), "%s/v2/team/image/manifests/v1", dir);
	f = fopen(path, "we");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

START_TEST(manifest_that_is_none)
{
	put_manifest(manifests[_i].text);
	host_at("");
	expect_error(":v1", manifests[_i].err, manifests[_i].word);
	host_stop(&host);
}
END_TEST

START_TEST(manifest_that_is_huge_or_deep)
{
	sh("head -c 5000000 /dev/zero | tr '\\0' ' ' > %s/v2/team/image/manifests/huge", dir);
	sh("head -c 1000000 /dev/zero | tr '\\0' '[' > %s/v2/team/image/manifests/deep", dir);
	sh("{ printf '{\"a\":'; head -c 1000000 /dev/zero | tr '\\0' '['; } > "
	   "%s/v2/team/image/manifests/deeper",
	   dir);
	host_at("");
	expect_error(":huge", -EPROTO, "too long");
	expect_error(":deep", -EPROTO, "");
	expect_error(":deeper", -EPROTO, "");
	host_stop(&host);
}
END_TEST

/* Of another size than it says. */
START_TEST(blob_of_another_size)
{
	char text[512];

	sh("head -c 1000 /dev/zero > %s/v2/team/image/blobs/" DIGEST, dir);
	for (int i = 0; i < 2; i++) {
		snprintf(text, sizeof(text), OF("\"layers\":[" BLOB "%d}]"), i ? 999 : 1001);
		put_manifest(text);
		host_at("");
		expect_error(":v1", -EPROTO, "not as large as its manifest says");
		host_stop(&host);
	}
}
END_TEST

/* ---- tokens ----------------------------------------------------------------------------- */

static void start_registry(void)
{
	struct layer layer = { "one", SIZE };

	setenv("HOME", "/nowhere", 1);
	registry_start();
	push_image("v1", &layer, 1, NULL);
}

static void stop_registry(void)
{
	token_server_stop();
	registry_stop();
}

START_TEST(token_of_a_mebibyte)
{
	static const struct token_server_options options = { .size = 1 << 20 };
	unsigned int port = registry_open("door", NULL, token_server_start(&options), NULL);
	char word[64];

	host_for(port, NULL, NULL);
	snprintf(word, sizeof(word), "127.0.0.1:%u/v2/" REPOSITORY, port);
	expect_look(locator(port, ":v1"), -EPROTO, word);
	expect_look(locator(port, ":v1"), -EPROTO, "too long an answer");
	host_stop(&host);
}
END_TEST

/* As long as an answer may be, and no token. */
START_TEST(token_that_is_none)
{
	static const struct token_server_options options = { .size = 60000 };
	unsigned int port = registry_open("door", NULL, token_server_start(&options), NULL);
	struct host_look look;
	int err;

	host_for(port, NULL, NULL);
	err = host_look(&host, &look, locator(port, ":v1"), 4096);
	/* A field of that length may already be refused as such. */
	ck_assert_msg(err == -EACCES || err == -EIO || err == -ECONNRESET, "%d: %s", err,
		      look.look.error);
	ck_assert_ptr_nonnull(strstr(look.look.error, REPOSITORY));
	ck_assert_ptr_null(strstr(look.look.error, "AAAA"));
	host_look_free(&look);
	host_stop(&host);
}
END_TEST

START_TEST(token_server_that_leads_in_circles)
{
	struct token_server_options options = { 0 };
	char itself[64];
	struct origin *circle;
	unsigned int port;

	ck_assert_int_eq(origin_start(&circle, NULL), 0);
	snprintf(itself, sizeof(itself), "%s/f=loop/x", origin_url(circle));
	options.location = itself;
	port = registry_open("door", NULL, token_server_start(&options), NULL);
	host_for(port, NULL, NULL);
	expect_look(locator(port, ":v1"), -EIO, "too many redirects");
	ck_assert_uint_le(origin_stats(circle).requests, 6);
	host_stop(&host);
	origin_stop(circle);
}
END_TEST

/* ---- proxies ---------------------------------------------------------------------------- */

START_TEST(proxy_of_the_environment)
{
	char last[4096], template[64];
	const struct fetcher_param params[] = { { "plain-http", "yes" }, { NULL, NULL } };

	/* The origin is the proxy: it knows the path, whatever the host. */
	put_manifest("{}");
	setenv("http_proxy", origin_url(origin), 1);
	snprintf(template, sizeof(template), "oci://r.example/{cookie}");
	host_start(&host, LOOP_POLL, template, params);
	expect_error(":v1", -EPROTO, "");
	ck_assert_ptr_nonnull(strstr(origin_last_request(origin, last, sizeof(last)),
				     "http://r.example/v2/" REPOSITORY "/manifests/v1"));
	host_stop(&host);
	/* Not for this one. */
	setenv("NO_PROXY", "localhost,r.example", 1);
	origin_stats(origin);
	host_start(&host, LOOP_POLL, template, params);
	expect_error(":v1", -EHOSTUNREACH, "r.example");
	ck_assert_uint_eq(origin_stats(origin).requests, 0);
	host_stop(&host);
	unsetenv("http_proxy");
	unsetenv("NO_PROXY");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("oci-bad");
	TCase *tc = tcase_create("registries");
	TCase *tokens = tcase_create("tokens");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_loop_test(tc, registry_with_a_fault, 0, N(faults));
	tcase_add_test(tc, registry_that_is_down);
	tcase_add_loop_test(tc, manifest_that_is_none, 0, N(manifests));
	tcase_add_test(tc, manifest_that_is_huge_or_deep);
	tcase_add_test(tc, blob_of_another_size);
	tcase_add_test(tc, proxy_of_the_environment);
	suite_add_tcase(s, tc);
	tcase_set_timeout(tokens, 60);
	tcase_add_unchecked_fixture(tokens, registry_begin, registry_end);
	tcase_add_checked_fixture(tokens, start_registry, stop_registry);
	tcase_add_test(tokens, token_of_a_mebibyte);
	tcase_add_test(tokens, token_that_is_none);
	tcase_add_test(tokens, token_server_that_leads_in_circles);
	if (registry_installed() && have("openssl"))
		suite_add_tcase(s, tokens);
	else
		printf("# no docker-registry or openssl here\n");
	return run_suite(s);
}
