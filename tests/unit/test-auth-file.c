/* SPDX-License-Identifier: MIT */
/*
 * Credentials from the files of podman and docker.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fetchers/auth-file.h"
#include "tests/lib/run-suite.h"
#include "tests/lib/temporary.h"

#define N(array) ((int)(sizeof(array) / sizeof((array)[0])))
#define A_B	 "\"auth\":\"YTpi\""	 /* a:b */
#define C_DE	 "\"auth\":\"YzpkOmU=\"" /* c:d:e */

static const struct {
	const char *text, *registry, *repository;
	int err;
	const char *user, *password, *token, *helper;
} entries[] = {
	{ "{}", "h", "r", 0 },
	{ "{\"auths\":{\"h\":{" A_B "}}}", "h", "r/s", 0, "a", "b" },
	{ "{\"auths\":{\"h\":{" A_B "}}}", "H", "r", 0, "a", "b" },
	{ "{\"auths\":{\"h\":{" C_DE "}}}", "h", "r", 0, "c", "d:e" },
	/* A port is a part of the host, and no part of a name matches. */
	{ "{\"auths\":{\"h\":{" A_B "}}}", "h:5000", "r", 0 },
	{ "{\"auths\":{\"h:5000\":{" A_B "}}}", "h", "r", 0 },
	{ "{\"auths\":{\"h/re\":{" A_B "}}}", "h", "repo", 0 },
	{ "{\"auths\":{\"h/repo\":{" A_B "}}}", "h", "re", 0 },
	/* The longest one counts. */
	{ "{\"auths\":{\"h\":{" A_B "},\"h/r\":{" C_DE "}}}", "h", "r/s", 0, "c", "d:e" },
	{ "{\"auths\":{\"h/r/s\":{" C_DE "},\"h/r\":{" A_B "}}}", "h", "r/s", 0, "c", "d:e" },
	{ "{\"auths\":{\"h/r/s\":{" C_DE "},\"h/r\":{" A_B "}}}", "h", "r/t", 0, "a", "b" },
	/* As docker has written it. */
	{ "{\"auths\":{\"https://h/v1/\":{" A_B "}}}", "h", "r", 0, "a", "b" },
	{ "{\"auths\":{\"http://h\":{" A_B "}}}", "h", "r", 0, "a", "b" },
	{ "{\"auths\":{\"h/\":{" A_B "}}}", "h", "r", 0, "a", "b" },
	{ "{\"auths\":{\"h\":{\"identitytoken\":\"t\"," A_B "}}}", "h", "r", 0, NULL, NULL, "t" },
	{ "{\"auths\":{\"h\":{\"auth\":\"\"}}}", "h", "r", 0 },
	/* The hub. */
	{ "{\"auths\":{\"https://index.docker.io/v1/\":{" A_B "}}}", "docker.io", "r", 0, "a",
	  "b" },
	{ "{\"auths\":{\"docker.io\":{" A_B "}}}", "registry-1.docker.io", "r", 0, "a", "b" },
	{ "{\"auths\":{\"docker.io/r\":{" A_B "}}}", "registry-1.docker.io", "r/s", 0, "a", "b" },
	{ "{\"auths\":{\"docker.io/q\":{" A_B "}}}", "registry-1.docker.io", "r/s", 0 },
	{ "{\"auths\":{\"docker.io.example\":{" A_B "}}}", "docker.io", "r", 0 },
	/* Helpers. */
	{ "{\"credHelpers\":{\"h\":\"pass\"}}", "h", "r", 0, NULL, NULL, NULL, "pass" },
	{ "{\"credHelpers\":{\"h\":\"../pass\"}}", "h", "r", -EINVAL },
	{ "{\"credHelpers\":{\"h\":\"pa ss\"}}", "h", "r", -EINVAL },
	{ "{\"credHelpers\":{\"g\":\"pass\"}}", "h", "r", 0 },
	{ "{\"credHelpers\":{\"h\":\"pass\"},\"auths\":{\"h\":{" A_B "}}}", "h", "r", 0, "a", "b" },
	{ "{\"credsStore\":\"pass\",\"auths\":{\"h\":{}}}", "h", "r", 0, NULL, NULL, NULL, "pass" },
	{ "{\"credsStore\":\"pass\"}", "h", "r", 0 },
	{ "{\"credsStore\":\"pass\",\"auths\":{\"g\":{}}}", "h", "r", 0 },
	/* Malformed. */
	{ "", "h", "r", -EINVAL },
	{ "[]", "h", "r", -EINVAL },
	{ "{\"auths\":{\"h\":{\"auth\":\"YQ==\"}}}", "h", "r", -EINVAL },
	{ "{\"auths\":{\"h\":{\"auth\":\"a:b\"}}}", "h", "r", -EINVAL },
	{ "{\"auths\":{\"h\":{\"auth\":\"YTpiCg==\"}}}", "h", "r", -EINVAL }, /* a newline */
	{ "{\"auths\":{\"h\":{\"identitytoken\":\"a\\nb\"}}}", "h", "r", -EINVAL },
	{ "{\"auths\":[]}", "h", "r", 0 },
	{ "{\"auths\":{\"h\":5}}", "h", "r", 0 },
};

static void check_text(const char *have, const char *want)
{
	if (want)
		ck_assert_str_eq(have, want);
	else
		ck_assert_ptr_null(have);
}

START_TEST(entry_is_found)
{
	struct auth_credentials c = { 0 };
	char why[AUTH_WHY_MAX] = "";
	int r = auth_file_find(&c, entries[_i].text, strlen(entries[_i].text), entries[_i].registry,
			       entries[_i].repository, why);

	ck_assert_msg(r == entries[_i].err, "%s: %d %s", entries[_i].text, r, why);
	check_text(c.user, entries[_i].user);
	check_text(c.password, entries[_i].password);
	check_text(c.identity_token, entries[_i].token);
	check_text(c.helper, entries[_i].helper);
	if (r < 0)
		ck_assert_str_ne(why, "");
	auth_credentials_end(&c);
}
END_TEST

/* ---- helpers ---------------------------------------------------------------------------- */

static const struct {
	const char *text;
	int err;
	const char *user, *password, *token;
} outputs[] = {
	{ "{\"Username\":\"a\",\"Secret\":\"b\"}", 0, "a", "b" },
	{ "{\"ServerURL\":\"h\",\"Username\":\"a\",\"Secret\":\"b:c\"}\n", 0, "a", "b:c" },
	{ "{\"Username\":\"<token>\",\"Secret\":\"t\"}", 0, NULL, NULL, "t" },
	{ "{\"Username\":\"\",\"Secret\":\"\"}", 0 },
	{ "{\"Username\":\"\",\"Secret\":\"b\"}", 0, "", "b" },
	{ "", -EACCES },
	{ "b", -EACCES },
	{ "[]", -EACCES },
	{ "{\"Username\":\"a\"}", -EACCES },
	{ "{\"Secret\":\"b\"}", -EACCES },
	{ "{\"Username\":\"a\",\"Secret\":5}", -EACCES },
	{ "{\"Username\":\"a:b\",\"Secret\":\"c\"}", -EACCES },
	{ "{\"Username\":\"a\",\"Secret\":\"b\\nc\"}", -EACCES },
	{ "{\"Username\":\"<token>\",\"Secret\":\"b\\u007f\"}", -EACCES },
	{ "{\"Username\":\"a\",\"Secret\":\"b\"} {}", -EACCES },
};

START_TEST(output_is_read)
{
	struct auth_credentials c = { 0 };
	const char *why = "";
	int r = auth_helper_parse(&c, outputs[_i].text, strlen(outputs[_i].text), &why);

	ck_assert_msg(r == outputs[_i].err, "%s: %d %s", outputs[_i].text, r, why);
	check_text(c.user, outputs[_i].user);
	check_text(c.password, outputs[_i].password);
	check_text(c.identity_token, outputs[_i].token);
	ck_assert_ptr_null(c.helper);
	auth_credentials_end(&c);
}
END_TEST

START_TEST(helpers_know_nobody)
{
	static const char no[] = "credentials not found in native keychain";

	ck_assert(auth_helper_knows_nobody(no, strlen(no)));
	ck_assert(auth_helper_knows_nobody("credentials not found in native keychain\r\n", 42));
	ck_assert(!auth_helper_knows_nobody(no, strlen(no) - 1));
	ck_assert(!auth_helper_knows_nobody("", 0));
	ck_assert_str_eq(auth_helper_server("h:5000"), "h:5000");
	ck_assert_str_eq(auth_helper_server("docker.io"), "https://index.docker.io/v1/");
}
END_TEST

/* ---- places ----------------------------------------------------------------------------- */

static char dir[TEMPORARY_MAX];

static void put(const char *name, const char *text)
{
	char path[TEMPORARY_MAX + 64];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "we");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

static void start(void)
{
	static const char *const dirs[] = { "docker", "run",  "run/containers",
					    "cred",   "home", "home/.docker" };
	char path[TEMPORARY_MAX + 64];

	temporary_dir(dir, TEMPORARY_ANY);
	for (int i = 0; i < N(dirs); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, dirs[i]);
		ck_assert_int_eq(mkdir(path, 0700), 0);
	}
	unsetenv("REGISTRY_AUTH_FILE");
	snprintf(path, sizeof(path), "%s/docker", dir);
	setenv("DOCKER_CONFIG", path, 1);
	snprintf(path, sizeof(path), "%s/run", dir);
	setenv("XDG_RUNTIME_DIR", path, 1);
	snprintf(path, sizeof(path), "%s/cred", dir);
	setenv("CREDENTIALS_DIRECTORY", path, 1);
	snprintf(path, sizeof(path), "%s/home", dir);
	setenv("HOME", path, 1);
}

static void stop(void)
{
	temporary_remove(dir);
}

/* Who we are, by the usual places. Static. */
static const char *user(void)
{
	static char name[32];
	struct auth_credentials c = { 0 };
	char why[AUTH_WHY_MAX];
	int r = auth_file_load(&c, NULL, "h", "r", why);

	if (r < 0)
		snprintf(name, sizeof(name), "error %d", r);
	else
		snprintf(name, sizeof(name), "%s", c.user ? c.user : "nobody");
	auth_credentials_end(&c);
	return name;
}

/* "user:x" for each, the first wins: so they are made from the last to the first. */
START_TEST(places_in_their_order)
{
	char path[TEMPORARY_MAX + 64];

	ck_assert_str_eq(user(), "nobody");
	put("home/.docker/config.json", "{\"auths\":{\"h\":{\"auth\":\"aG9tZTp4\"}}}");
	ck_assert_str_eq(user(), "home");
	put("cred/auth.json", "{\"auths\":{\"h\":{\"auth\":\"Y3JlZDp4\"}}}");
	ck_assert_str_eq(user(), "cred");
	put("run/containers/auth.json", "{\"auths\":{\"h\":{\"auth\":\"cnVuOng=\"}}}");
	ck_assert_str_eq(user(), "run");
	put("docker/config.json", "{\"auths\":{\"h\":{\"auth\":\"ZG9ja2VyOng=\"}}}");
	ck_assert_str_eq(user(), "docker");
	put("named.json", "{\"auths\":{\"h\":{\"auth\":\"bmFtZWQ6eA==\"}}}");
	snprintf(path, sizeof(path), "%s/named.json", dir);
	setenv("REGISTRY_AUTH_FILE", path, 1);
	ck_assert_str_eq(user(), "named");
	/* One that says nothing about it hides none. */
	put("named.json", "{\"auths\":{\"other\":{\"auth\":\"bmFtZWQ6eA==\"}}}");
	ck_assert_str_eq(user(), "docker");
}
END_TEST

START_TEST(named_files_must_exist)
{
	struct auth_credentials c = { 0 };
	char path[TEMPORARY_MAX + 64], why[AUTH_WHY_MAX];

	snprintf(path, sizeof(path), "%s/none", dir);
	ck_assert_int_eq(auth_file_load(&c, path, "h", "r", why), -ENOENT);
	/* Of a long path the beginning. */
	ck_assert_msg(strncmp(why, path, 40) == 0 && strstr(why, ": No such file"), "%s", why);
	ck_assert_int_eq(auth_file_load(&c, dir, "h", "r", why), -EISDIR);
	setenv("REGISTRY_AUTH_FILE", path, 1);
	ck_assert_str_eq(user(), "error -2");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("auth-file");
	TCase *tc = tcase_create("auth-file");

	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_loop_test(tc, entry_is_found, 0, N(entries));
	tcase_add_loop_test(tc, output_is_read, 0, N(outputs));
	tcase_add_test(tc, helpers_know_nobody);
	tcase_add_test(tc, places_in_their_order);
	tcase_add_test(tc, named_files_must_exist);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
