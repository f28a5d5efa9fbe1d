/* SPDX-License-Identifier: MIT */
/*
 * Hosts of a registry: what hosts.toml says, in one line for each host, what is wrong with one, and
 * where such files are found.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fetchers/oci-hosts.h"
#include "tests/lib/run-suite.h"
#include "tests/lib/temporary.h"

#define N(array) ((int)(sizeof(array) / sizeof((array)[0])))

static const char *print(const struct oci_hosts *hosts)
{
	static char text[4096];
	size_t at = 0;

	text[0] = '\0';
	for (size_t i = 0; i < hosts->n; i++) {
		const struct oci_site *s = &hosts->sites[i];

		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s %s%s%s%s%s",
				       i ? "\n" : "", s->base, s->authority, s->own ? " own" : "",
				       s->pull ? " pull" : "", s->resolve ? " resolve" : "",
				       s->skip_verify ? " skip" : "");
		for (size_t j = 0; j < s->n_ca; j++)
			at += (size_t)snprintf(text + at, sizeof(text) - at, " ca=%s", s->ca[j]);
		for (size_t j = 0; j < s->n_params; j++)
			at += (size_t)snprintf(text + at, sizeof(text) - at, " %s=%s",
					       s->params[j].key, s->params[j].value);
	}
	return text;
}

#define SELF "https://r:5000/v2/ r:5000 own pull resolve"

static const struct {
	const char *text, *meaning;
} good[] = {
	{ "", SELF },
	{ "[host]", SELF },
	{ "server = \"https://s\"", "https://s/v2/ s pull resolve" },
	{ "server = 's:80/'", "https://s:80/v2/ s:80 pull resolve" },
	{ "server = \"\"", SELF },
	{ "server = 'HTTPS://R:5000'", "HTTPS://R:5000/v2/ R:5000 own pull resolve" },
	{ "server = 'http://[::1]:5000'", "http://[::1]:5000/v2/ [::1]:5000 pull resolve" },
	{ "capabilities = ['pull']", "https://r:5000/v2/ r:5000 own pull" },
	{ "capabilities = []", SELF },
	{ "[host.'https://a']\n[host.b]\n[host.'http://c/d/']",
	  "https://a/v2/ a pull resolve\nhttps://b/v2/ b pull resolve\n"
	  "http://c/d/v2/ c pull resolve\n" SELF },
	{ "[host.'https://a/v2']\n[host.'https://b/v2/x']\n override_path = true\n[host.'c/v2/x']",
	  "https://a/v2/ a pull resolve\nhttps://b/v2/x/ b pull resolve\n"
	  "https://c/v2/x/v2/ c pull resolve\n" SELF },
	{ "[host.a]\ncapabilities = ['Pull', 'push']\n[host.b]\ncapabilities = ['resolve']",
	  "https://a/v2/ a pull\nhttps://b/v2/ b resolve\n" SELF },
	{ "ca = 'x.pem'\n[host.a]\nca = ['/y.pem', 'd/z.pem']",
	  "https://a/v2/ a pull resolve ca=/y.pem ca=/dir/d/z.pem\n" SELF " ca=/dir/x.pem" },
	{ "client = 'c.pem'", SELF " client-cert=/dir/c.pem" },
	{ "client = ['/c.pem']", SELF " client-cert=/c.pem" },
	{ "client = []", SELF },
	{ "client = [['c', 'k']]", SELF " client-cert=/dir/c client-key=/dir/k" },
	{ "client = [['c', '']]", SELF " client-cert=/dir/c" },
	{ "skip_verify = true", SELF " skip" },
	{ "[host.'http://a']\nskip_verify = true", "http://a/v2/ a pull resolve\n" SELF },
	{ "[host.a]\ndial_timeout = '1m'\nproxy = 'http://p:1'\n[host.a.header]\nx-y = 'z'\nw = "
	  "['1', '2']",
	  "https://a/v2/ a pull resolve connect-timeout=1min proxy=http://p:1 header=x-y: z "
	  "header=w: 1 header=w: 2\n" SELF },
	{ "[header]\nX = 'y'", SELF " header=X: y" },
};

START_TEST(text_has_a_meaning)
{
	struct oci_hosts hosts = { 0 };
	char error[FETCH_ERROR_MAX] = "";
	int r = oci_hosts_parse(&hosts, good[_i].text, strlen(good[_i].text), "/dir", "r:5000",
				false, error);

	ck_assert_msg(r == 0, "%s: %s", good[_i].text, error);
	ck_assert_str_eq(print(&hosts), good[_i].meaning);
	oci_hosts_end(&hosts);
}
END_TEST

static const struct {
	const char *text, *error;
} bad[] = {
	{ "server = ", "line 1: " },
	{ "serve = 'a'", "line 1: no such key: 'serve'" },
	{ "\nserver = true", "line 2: a string" },
	{ "server = 'ftp://a'", "'ftp://a' is no URL" },
	{ "server = 'https://u:p@a'", "no URL" },
	{ "server = 'https://a?b'", "no URL" },
	{ "server = 'https://a#b'", "no URL" },
	{ "server = 'https:///v2'", "no URL" },
	{ "server = 'https://:80'", "no URL" },
	{ "server = 'https://a b'", "no URL" },
	{ "server = \"https://a\\nb\"", "no URL" },
	{ "server = 'https://{cookie}'", "no URL" },
	{ "host = 'a'", "host: must be tables" },
	{ "[host]\na = 'b'", "line 2: host: must be tables" },
	{ "[host.'ftp://a']", "line 1: 'ftp://a'" },
	{ "[host.a]\nserver = 'b'", "line 2: no such key: 'server'" },
	{ "[host.a]\n[host.a.host.b]", "line 2: no such key: 'host'" },
	{ "[host.a]\n\ncapabilities = ['pul']", "line 3: no such capability: 'pul'" },
	{ "capabilities = 'pull'", "must be an array" },
	{ "capabilities = [1]", "a string" },
	{ "ca = 1", "a string" },
	{ "ca = [['a']]", "a string" },
	{ "ca = ''", "empty" },
	{ "ca = ['1','2','3','4','5','6','7','8','9']", "more than 8 files" },
	{ "client = true", "a string" },
	{ "client = ['a', 'b']", "only one certificate" },
	{ "client = [['a', 'b'], ['c', 'd']]", "only one certificate" },
	{ "client = [['a']]", "a pair" },
	{ "client = [[]]", "a pair" },
	{ "client = [['a', 'b', 'c']]", "a pair" },
	{ "client = [['a', 1]]", "a string" },
	{ "skip_verify = 'yes'", "skip_verify: must be true or false" },
	{ "override_path = 1", "override_path: must be true" },
	{ "header = 'a'", "must be a table" },
	{ "header = { a = 1 }", "a string" },
	{ "header = { a = [true] }", "a string" },
	{ "dial_timeout = 5", "must be a time" },
	{ "dial_timeout = '5h'", "must be a time" },
	{ "dial_timeout = 's'", "must be a time" },
	{ "proxy = true", "a string" },
};

START_TEST(text_is_refused)
{
	struct oci_hosts hosts = { 0 };
	char error[FETCH_ERROR_MAX] = "";

	ck_assert_int_eq(oci_hosts_parse(&hosts, bad[_i].text, strlen(bad[_i].text), "/dir",
					 "r:5000", false, error),
			 -EINVAL);
	ck_assert_uint_eq(hosts.n, 0);
	ck_assert_msg(strstr(error, bad[_i].error), "%s: %s", bad[_i].text, error);
	ck_assert_int_eq(strncmp(error, "line ", 5), 0);
}
END_TEST

START_TEST(too_many)
{
	struct oci_hosts hosts = { 0 };
	char error[FETCH_ERROR_MAX] = "", text[2048];
	size_t at = 0;

	for (int i = 0; i < OCI_HOSTS_MAX; i++) {
		int r = oci_hosts_parse(&hosts, text, at, "/dir", "r", false, error);

		ck_assert_msg(r == 0, "%s", error);
		ck_assert_uint_eq(hosts.n, (size_t)i + 1);
		oci_hosts_end(&hosts);
		at += (size_t)snprintf(text + at, sizeof(text) - at, "[host.h%d]\n", i);
	}
	ck_assert_int_eq(oci_hosts_parse(&hosts, text, at, "/dir", "r", false, error), -EINVAL);
	ck_assert_ptr_nonnull(strstr(error, "line 16: more than 15 hosts"));
	at = (size_t)snprintf(text, sizeof(text), "[header]\n");
	for (int i = 0; i < OCI_SITE_PARAMS_MAX; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "h%d = 'x'\n", i);
	ck_assert_int_eq(oci_hosts_parse(&hosts, text, at, "/dir", "r", false, error), -EINVAL);
	ck_assert_ptr_nonnull(strstr(error, "more than 31 settings"));
}
END_TEST

/* Its own name and that of its registry are different ones. */
START_TEST(hub)
{
	struct oci_hosts hosts = { 0 };
	char error[FETCH_ERROR_MAX];

	ck_assert_int_eq(oci_hosts_parse(&hosts, "", 0, "/dir", "docker.io", false, error), 0);
	ck_assert_str_eq(print(&hosts),
			 "https://registry-1.docker.io/v2/ registry-1.docker.io own pull resolve");
	oci_hosts_end(&hosts);
	ck_assert_int_eq(oci_hosts_parse(&hosts, "", 0, "/dir", "h", true, error), 0);
	ck_assert_str_eq(print(&hosts), "http://h/v2/ h own pull resolve");
	oci_hosts_end(&hosts);
}
END_TEST

/* ---- files ------------------------------------------------------------------------------ */

static char dir[TEMPORARY_MAX];

static void start(void)
{
	temporary_dir(dir, TEMPORARY_ANY);
}

static void stop(void)
{
	temporary_remove(dir);
}

static void put(const char *where, const char *name, const char *text)
{
	char path[TEMPORARY_MAX + 80];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, where);
	ck_assert(mkdir(path, 0700) == 0 || errno == EEXIST);
	if (!name)
		return;
	snprintf(path, sizeof(path), "%s/%s/%s", dir, where, name);
	f = fopen(path, "we");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

static void expect(const char *registry, const char *meaning)
{
	struct oci_hosts hosts = { 0 };
	char error[FETCH_ERROR_MAX] = "";
	int r = oci_hosts_load(&hosts, dir, registry, false, error);

	ck_assert_msg(r == 0, "%s", error);
	ck_assert_str_eq(print(&hosts), meaning);
	oci_hosts_end(&hosts);
}

static void expect_error(const char *registry, int err, const char *text)
{
	struct oci_hosts hosts = { 0 };
	char error[FETCH_ERROR_MAX] = "", want[TEMPORARY_MAX + 96];

	ck_assert_int_eq(oci_hosts_load(&hosts, dir, registry, false, error), err);
	snprintf(want, sizeof(want), "%s/%s", dir, text);
	ck_assert_msg(strncmp(error, want, strlen(want)) == 0, "%s, not %s", error, want);
}

/* From the last to the first, so that each new one hides the others. */
START_TEST(directories_in_their_order)
{
	expect("r:5000", SELF);
	put("_default", "hosts.toml", "server = 'https://default'");
	expect("r:5000", "https://default/v2/ default pull resolve");
	put("r:5000", "hosts.toml", "server = 'https://colon'");
	expect("r:5000", "https://colon/v2/ colon pull resolve");
	put("r_5000_", "hosts.toml", "server = 'https://under'");
	expect("r:5000", "https://under/v2/ under pull resolve");
	expect("r", "https://default/v2/ default pull resolve");
	put("r", NULL, NULL);
	expect("r", "https://r/v2/ r own pull resolve");
	expect("..", "https://../v2/ .. own pull resolve");
}
END_TEST

START_TEST(certificates_of_docker)
{
	char meaning[4 * TEMPORARY_MAX + 256];

	put("r", "b.crt", "");
	put("r", "a.crt", "");
	put("r", "client.cert", "");
	put("r", "client.key", "");
	put("r", "README.txt", "");
	snprintf(meaning, sizeof(meaning),
		 "https://r/v2/ r own pull resolve ca=%1$s/r/a.crt ca=%1$s/r/b.crt "
		 "client-cert=%1$s/r/client.cert client-key=%1$s/r/client.key",
		 dir);
	expect("r", meaning);
	/* An empty hosts.toml says nothing, as with containerd; another hides them. */
	put("r", "hosts.toml", "");
	expect("r", meaning);
	put("r", "hosts.toml", "\n");
	expect("r", "https://r/v2/ r own pull resolve");
}
END_TEST

START_TEST(errors_have_places)
{
	struct oci_hosts hosts = { 0 };
	char error[FETCH_ERROR_MAX];

	put("a", "hosts.toml", "\n\nserve = 'x'\n");
	expect_error("a", -EINVAL, "a/hosts.toml:3: no such key");
	put("b", "hosts.toml", "[host.x\n");
	expect_error("b", -EINVAL, "b/hosts.toml:1: ']' is missing");
	put("c", "x.cert", "");
	expect_error("c", -EINVAL, "c: there is a .cert file without its .key");
	put("d", "x.key", "");
	expect_error("d", -EINVAL, "d: there is a .key file without its .cert");
	put("e", "x.cert", "");
	put("e", "x.key", "");
	put("e", "y.cert", "");
	put("e", "y.key", "");
	expect_error("e", -EINVAL, "e: only one pair");
	ck_assert_int_eq(oci_hosts_load(&hosts, "/nowhere", "r", false, error), -ENOENT);
	ck_assert_ptr_nonnull(strstr(error, "/nowhere: no such directory"));
	ck_assert_int_eq(oci_hosts_load(&hosts, "", "r", false, error), 0);
	oci_hosts_end(&hosts);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("oci-hosts");
	TCase *tc = tcase_create("text");
	TCase *files = tcase_create("files");

	tcase_add_loop_test(tc, text_has_a_meaning, 0, N(good));
	tcase_add_loop_test(tc, text_is_refused, 0, N(bad));
	tcase_add_test(tc, too_many);
	tcase_add_test(tc, hub);
	tcase_add_checked_fixture(files, start, stop);
	tcase_add_test(files, directories_in_their_order);
	tcase_add_test(files, certificates_of_docker);
	tcase_add_test(files, errors_have_places);
	suite_add_tcase(s, tc);
	suite_add_tcase(s, files);
	return run_suite(s);
}
