/* SPDX-License-Identifier: MIT */
/*
 * Credential helpers: scripts that behave, and scripts that do not, run by the process that may;
 * then a registry whose password only a helper has.
 */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fetchers/credential-agent.h"
#include "fetchers/credential-runner.h"
#include "tests/contract/oci.h"
#include "tests/lib/run-suite.h"
#include "tests/lib/shell.h"
#include "tests/lib/temporary.h"
#include "tests/lib/token-server.h"

#define MANY 30

static char dir[TEMPORARY_MAX];
static struct loop *loop;
static struct credential_agent *agent;
static unsigned int seconds; /* that a helper may take; 0: as many as usual */

static void script(const char *name, const char *text)
{
	char path[TEMPORARY_MAX + 64];
	FILE *f;

	snprintf(path, sizeof(path), "%s/docker-credential-%s", dir, name);
	f = fopen(path, "we");
	ck_assert_ptr_nonnull(f);
	fprintf(f, "#!/bin/sh\n%s\n", text);
	fclose(f);
	ck_assert_int_eq(chmod(path, 0700), 0);
}

static void start(void)
{
	char path[TEMPORARY_MAX + 64];

	seconds = 0;
	temporary_dir(dir, TEMPORARY_ANY);
	snprintf(path, sizeof(path), "relative:%s:/usr/bin:/bin", dir);
	setenv("PATH", path, 1);
	ck_assert_int_eq(credential_agent_start(&agent, NULL), 0);
	ck_assert_int_eq(loop_new(&loop, LOOP_POLL), 0);
}

static void stop(void)
{
	loop_free(loop);
	agent = credential_agent_free(agent);
}

/* ---- questions -------------------------------------------------------------------------- */

struct question {
	struct credential_ask ask;
	int n_done, err;
	struct auth_credentials found;
	char why[AUTH_WHY_MAX];
};

static void answered(struct credential_ask *ask, int err, struct auth_credentials *found,
		     const char *why)
{
	struct question *q = container_of(ask, struct question, ask);

	q->n_done++;
	q->err = err;
	q->found = *found;
	snprintf(q->why, sizeof(q->why), "%s", why ? why : "");
	ck_assert(err < 0 || !why);
}

static void question_start(struct question *q, const char *helper)
{
	*q = (struct question){ .ask.done = answered, .ask.seconds = seconds };
	ck_assert_int_eq(credential_ask_start(agent, loop, &q->ask, helper, "r.example:5000"), 0);
	ck_assert_int_eq(q->n_done, 0);
}

static void question_end(struct question *q)
{
	while (q->n_done == 0)
		ck_assert_int_eq(loop_turn(loop), 0);
	ck_assert_int_eq(q->n_done, 1);
}

static void expect(const char *helper, int err, const char *word)
{
	struct question q;

	question_start(&q, helper);
	question_end(&q);
	ck_assert_msg(q.err == err, "%s: %d %s", helper, q.err, q.why);
	ck_assert_msg(strstr(q.why, word), "%s: %s", helper, q.why);
	ck_assert_ptr_null(strstr(q.why, "s3cret"));
	ck_assert(!auth_credentials_given(&q.found));
}

START_TEST(helper_that_knows)
{
	struct question q;

	/* It is told what for, in a line of its own, and asked for nothing else. */
	script("good",
	       "[ \"$*\" = get ] && read -r server; [ \"$server\" = r.example:5000 ] || "
	       "exit 3\n"
	       "printf '{\"ServerURL\":\"%s\",\"Username\":\"me\",\"Secret\":\"s3cret\"}\\n' "
	       "\"$server\"");
	question_start(&q, "good");
	question_end(&q);
	ck_assert_msg(q.err == 0, "%s", q.why);
	ck_assert_str_eq(q.found.user, "me");
	ck_assert_str_eq(q.found.password, "s3cret");
	ck_assert_ptr_null(q.found.identity_token);
	auth_credentials_end(&q.found);
}
END_TEST

START_TEST(helper_with_an_identity_token)
{
	struct question q;

	script("token", "echo '{\"Username\":\"<token>\",\"Secret\":\"s3cret\"}'");
	question_start(&q, "token");
	question_end(&q);
	ck_assert_msg(q.err == 0, "%s", q.why);
	ck_assert_ptr_null(q.found.user);
	ck_assert_str_eq(q.found.identity_token, "s3cret");
	auth_credentials_end(&q.found);
}
END_TEST

START_TEST(helper_that_knows_nobody)
{
	script("nobody", "echo 'credentials not found in native keychain'; exit 1");
	expect("nobody", 0, "");
	script("empty", "echo '{\"Username\":\"\",\"Secret\":\"\"}'");
	expect("empty", 0, "");
}
END_TEST

START_TEST(helpers_that_do_not_behave)
{
	static const struct {
		const char *name, *text;
		int err;
		const char *word;
	} bad[] = {
		{ "garbage", "echo s3cret", -EACCES,
		  "docker-credential-garbage: its answer is no" },
		{ "silent", ":", -EACCES, "no JSON" },
		{ "half", "echo '{\"Username\":\"me\"}'", -EACCES, "Secret" },
		{ "newline", "cat << 'E'\n{\"Username\":\"me\",\"Secret\":\"s3cret\\nX: y\"}\nE",
		  -EACCES, "control character" },
		{ "fails", "echo s3cret; echo s3cret >&2; exit 7", -EACCES, "status 7" },
		{ "dies", "kill -ABRT $$", -EACCES, "signal 6" },
		{ "slow", "exec sleep 1000", -ETIMEDOUT, "for 2 s" },
		{ "slower", "trap '' TERM; sleep 1000 & wait; sleep 1000", -ETIMEDOUT, "for 2 s" },
		{ "huge", "exec cat /dev/zero", -EACCES, "too much" },
		{ "long", "while :; do echo x; done", -EACCES, "too much" },
	};

	seconds = 2;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		script(bad[i].name, bad[i].text);
		expect(bad[i].name, bad[i].err, bad[i].word);
	}
	seconds = 0;
	expect("missing", -EACCES, "docker-credential-missing is not in $PATH");
}
END_TEST

/* What a helper leaves behind holds nothing up, and does not stay. */
START_TEST(helper_that_leaves_children)
{
	struct question q;
	char path[TEMPORARY_MAX + 64];
	FILE *f;
	int pid;

	snprintf(path, sizeof(path), "%s/pid", dir);
	script("parent", "sleep 1000 & echo $! > ${0%/*}/pid\n"
			 "echo '{\"Username\":\"me\",\"Secret\":\"s3cret\"}'");
	question_start(&q, "parent");
	question_end(&q);
	ck_assert_msg(q.err == 0, "%s", q.why);
	auth_credentials_end(&q.found);
	f = fopen(path, "re");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fscanf(f, "%d", &pid), 1);
	fclose(f);
	/* Killed, if not buried yet by whoever inherited it. */
	for (int tries = 0; tries < 1000 && kill(pid, 0) == 0; tries++) {
		char stat[64], line[128] = "";

		snprintf(stat, sizeof(stat), "/proc/%d/stat", pid);
		f = fopen(stat, "re");
		if (!f || !fgets(line, sizeof(line), f) || strstr(line, ") Z")) {
			if (f)
				fclose(f);
			return;
		}
		fclose(f);
		usleep(5000);
	}
	ck_assert_int_lt(kill(pid, 0), 0);
}
END_TEST

START_TEST(names_are_checked)
{
	static const char *const names[] = { "", "a/b", "../x", "a b", "a;b", "$(x)", "a\nb" };
	struct question q = { .ask.done = answered };
	char longest[400];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		ck_assert_int_eq(credential_ask_start(agent, loop, &q.ask, names[i], "r"), -EINVAL);
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	ck_assert_int_eq(credential_ask_start(agent, loop, &q.ask, longest, "r"), -EINVAL);
}
END_TEST

/* The process has nothing that it was not given: no descriptor of ours gets to a helper. */
START_TEST(helpers_inherit_nothing)
{
	char path[TEMPORARY_MAX + 64], line[256];
	struct question q;
	FILE *f;

	snprintf(path, sizeof(path), "%s/fds", dir);
	script("looks", "ls /proc/self/fd > ${0%/*}/fds\n"
			"echo '{\"Username\":\"me\",\"Secret\":\"x\"}'");
	question_start(&q, "looks");
	question_end(&q);
	ck_assert_msg(q.err == 0, "%s", q.why);
	auth_credentials_end(&q.found);
	f = fopen(path, "re");
	ck_assert_ptr_nonnull(f);
	/* Three, and the directory that is listed. */
	while (fgets(line, sizeof(line), f))
		ck_assert_int_le(atoi(line), 3);
	fclose(f);
}
END_TEST

START_TEST(many_at_once)
{
	static struct question q[MANY];

	seconds = 100;
	script("one", "sleep 0.1; echo '{\"Username\":\"me\",\"Secret\":\"x\"}'");
	script("hangs", "exec sleep 1000");
	for (int i = 0; i < MANY; i++)
		question_start(&q[i], i == 0 ? "hangs" : "one");
	/* One that hangs holds up nobody. */
	for (int i = 1; i < MANY; i++) {
		question_end(&q[i]);
		ck_assert_msg(q[i].err == 0, "%s", q[i].why);
		auth_credentials_end(&q[i].found);
	}
	ck_assert_int_eq(q[0].n_done, 0);
	credential_ask_cancel(&q[0].ask);
}
END_TEST

START_TEST(asks_may_be_canceled)
{
	struct question q, other;

	script("one", "echo '{\"Username\":\"me\",\"Secret\":\"x\"}'");
	for (int i = 0; i < 3; i++) {
		question_start(&q, "one");
		question_start(&other, "one");
		credential_ask_cancel(&q.ask);
		credential_ask_cancel(&q.ask);
		question_end(&other);
		ck_assert_int_eq(q.n_done, 0);
		auth_credentials_end(&other.found);
	}
}
END_TEST

/* A tool may have forked since. */
START_TEST(process_that_ends)
{
	struct question q;
	pid_t pid;

	script("hangs", "exec sleep 1000");
	question_start(&q, "hangs");
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		pause();
		_exit(0);
	}
	credential_ask_cancel(&q.ask);
	agent = credential_agent_free(agent);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
END_TEST

static int refuse(void)
{
	return -EPERM;
}

START_TEST(process_that_is_gone)
{
	struct question q;

	agent = credential_agent_free(agent);
	/* What confines it fails: it ends before it is asked. */
	ck_assert_int_eq(credential_agent_start(&agent, refuse), 0);
	q = (struct question){ .ask.done = answered };
	if (credential_ask_start(agent, loop, &q.ask, "one", "r") == 0) {
		question_end(&q);
		ck_assert_int_eq(q.err, -EIO);
		ck_assert_ptr_nonnull(strstr(q.why, "has ended"));
		ck_assert_int_eq(credential_ask_start(agent, loop, &q.ask, "one", "r"), -EIO);
	}
}
END_TEST

/* As it is after execve(2): the process that is left has lost its socket, and nobody knows it. */
static pid_t leave_runner(void)
{
	int socket;
	pid_t pid;

	ck_assert_int_eq(runner_start(&socket, &pid, NULL), 0);
	close(socket);
	return pid;
}

static void expect_gone(pid_t pid)
{
	ck_assert_int_eq(waitpid(pid, NULL, 0), -1);
	ck_assert_int_eq(errno, ECHILD);
}

START_TEST(process_that_is_left)
{
	struct question q;
	siginfo_t info;
	int socket;
	pid_t ended = leave_runner(), ends;

	ck_assert_int_eq(waitid(P_PID, (id_t)ended, &info, WEXITED | WNOWAIT), 0);
	ck_assert_int_eq(runner_start(&socket, &ends, NULL), 0);
	credential_agent_disown();
	expect_gone(ended);
	close(socket);
	expect_gone(ends);

	/* A new one is as good. */
	script("one", "echo '{\"Username\":\"u\",\"Secret\":\"s\"}'");
	question_start(&q, "one");
	question_end(&q);
	ck_assert_int_eq(q.err, 0);
	ck_assert_str_eq(q.found.password, "s");
	auth_credentials_end(&q.found);
	ends = leave_runner();
	agent = credential_agent_free(agent);
	expect_gone(ends);
}
END_TEST

/* ---- a registry ------------------------------------------------------------------------- */

static struct layer layer;
static struct fetch_host services;

static void start_all(void)
{
	static const char *const places[] = { "DOCKER_CONFIG", "XDG_RUNTIME_DIR",
					      "CREDENTIALS_DIRECTORY", "HOME" };

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		unsetenv(places[i]);
	start();
	registry_start();
	layer = (struct layer){ "one", SIZE };
	push_image("v1", &layer, 1, NULL);
	services.credentials = agent;
}

static void stop_all(void)
{
	token_server_stop();
	registry_stop();
	stop();
}

/* Its password is in the vault. */
static void login(unsigned int port)
{
	char text[128];

	snprintf(text, sizeof(text), "{\"credsStore\":\"vault\",\"auths\":{\"127.0.0.1:%u\":{}}}",
		 port);
	setenv("REGISTRY_AUTH_FILE", put_file("auth.json", text), 1);
}

static void host_with_helpers(unsigned int port)
{
	login(port);
	host_for(port, NULL, NULL);
	loop_set_host(host.loop, &services);
}

static unsigned int open_with_passwords(void)
{
	char command[TEMPORARY_MAX + 128], auth[TEMPORARY_MAX + 128];

	snprintf(command, sizeof(command), "htpasswd -Bbn Aladdin 'open sesame' > %s/htpasswd",
		 registry_dir());
	ck_assert_int_eq(system(command), 0);
	snprintf(auth, sizeof(auth), "{htpasswd: {realm: t, path: %s/htpasswd}}", registry_dir());
	return registry_open("door", NULL, auth, NULL);
}

#define ALADDIN "echo '{\"Username\":\"Aladdin\",\"Secret\":\"open sesame\"}'"

START_TEST(password_of_a_helper)
{
	unsigned int port = open_with_passwords();
	struct host_look looks[8];

	script("vault", "echo x >> ${0%/*}/asked; " ALADDIN);
	host_with_helpers(port);
	/* All wait for the same answer. */
	for (int i = 0; i < 8; i++)
		host_look_start(&host, &looks[i], locator(port, ":v1"), 4096);
	host_wait_all(&host);
	for (int i = 0; i < 8; i++) {
		ck_assert_msg(looks[i].err == 0, "%s", looks[i].look.error);
		host_look_free(&looks[i]);
	}
	expect_bytes(locator(port, ":v1"), "one", SIZE, 20);
	host_stop(&host);
	{
		char command[TEMPORARY_MAX + 64];

		snprintf(command, sizeof(command), "[ $(wc -l < %s/asked) = 1 ]", dir);
		ck_assert_int_eq(system(command), 0);
	}
}
END_TEST

START_TEST(token_for_what_a_helper_has)
{
	static const struct token_server_options options = { .user = "Aladdin",
							     .password = "open sesame",
							     .identity_token = "s3cret" };
	unsigned int port = registry_open("door", NULL, token_server_start(&options), NULL);
	char last[4096];

	script("vault", ALADDIN);
	host_with_helpers(port);
	expect_bytes(locator(port, ":v1"), "one", SIZE, 20);
	host_stop(&host);
	script("vault", "echo '{\"Username\":\"<token>\",\"Secret\":\"s3cret\"}'");
	host_with_helpers(port);
	expect_bytes(locator(port, ":v1"), "one", SIZE, 2);
	ck_assert_ptr_nonnull(
		strstr(token_server_last(last, sizeof(last)), "refresh_token=s3cret"));
	host_stop(&host);
}
END_TEST

START_TEST(helpers_of_a_registry_that_fail)
{
	unsigned int port = open_with_passwords();

	script("vault", "echo 'credentials not found in native keychain'; exit 1");
	host_with_helpers(port);
	expect_look(locator(port, ":v1"), -EACCES, "there is none");
	script("vault", "exit 9");
	expect_look(locator(port, ":v1"), -EACCES, "docker-credential-vault fails with status 9");
	/* Canceled while it is asked, and its host gone. */
	script("vault", "exec sleep 1000");
	{
		struct host_look look;

		host_look_start(&host, &look, locator(port, ":v1"), 4096);
		host_idle(&host, 300);
		host_look_cancel(&look);
		ck_assert_int_eq(host_look_wait(&look), -ECANCELED);
		host_look_free(&look);
	}
	host_stop(&host);
	/* Nobody may run them. */
	script("vault", ALADDIN);
	host_for(port, NULL, NULL);
	expect_look(locator(port, ":v1"), -EACCES, "credential-helpers");
	host_stop(&host);
	host_with_helpers(port);
	expect_bytes(locator(port, ":v1"), "one", SIZE, 2);
	host_stop(&host);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("credentials");
	TCase *tc = tcase_create("helpers");
	TCase *all = tcase_create("registry");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_test(tc, helper_that_knows);
	tcase_add_test(tc, helper_with_an_identity_token);
	tcase_add_test(tc, helper_that_knows_nobody);
	tcase_add_test(tc, helpers_that_do_not_behave);
	tcase_add_test(tc, helper_that_leaves_children);
	tcase_add_test(tc, names_are_checked);
	tcase_add_test(tc, helpers_inherit_nothing);
	tcase_add_test(tc, many_at_once);
	tcase_add_test(tc, asks_may_be_canceled);
	tcase_add_test(tc, process_that_ends);
	tcase_add_test(tc, process_that_is_gone);
	tcase_add_test(tc, process_that_is_left);
	suite_add_tcase(s, tc);
	tcase_set_timeout(all, 120);
	tcase_add_unchecked_fixture(all, registry_begin, registry_end);
	tcase_add_checked_fixture(all, start_all, stop_all);
	tcase_add_test(all, password_of_a_helper);
	tcase_add_test(all, token_for_what_a_helper_has);
	tcase_add_test(all, helpers_of_a_registry_that_fail);
	if (registry_installed() && have("htpasswd") && have("openssl"))
		suite_add_tcase(s, all);
	else
		printf("# no docker-registry, htpasswd or openssl here\n");
	return run_suite(s);
}
