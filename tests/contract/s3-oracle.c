/* SPDX-License-Identifier: MIT */
#include "tests/contract/s3-oracle.h"
#include "tests/lib/temporary.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Where a link leads to the directory of the present test. */
static char top[TEMPORARY_MAX], now[TEMPORARY_MAX + 16];
static char dir[TEMPORARY_MAX], log_path[TEMPORARY_MAX + 16];
static pid_t pid;
static unsigned int port;

/* That of the packages: there may be another one in the path. */
#define PYTHON "/usr/bin/python3"

bool oracle_installed(void)
{
	return system(PYTHON " -c 'import botocore.auth' 2> /dev/null") == 0;
}

const char *oracle_write(const char *name, const char *text)
{
	static char path[TEMPORARY_MAX + 64];
	char fresh[TEMPORARY_MAX + 80];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	f = fopen(fresh, "we");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(rename(fresh, path), 0);
	return path;
}

void oracle_keys(const char *line)
{
	oracle_write("keys", line);
}

static _Noreturn void serve(int out)
{
	char keys[TEMPORARY_MAX + 32], upstream[TEMPORARY_MAX + 32], log[TEMPORARY_MAX + 32];

	/* Not to outlive a test that dies. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(keys, sizeof(keys), "%s/keys", now);
	snprintf(upstream, sizeof(upstream), "%s/upstream", now);
	snprintf(log, sizeof(log), "%s/log", now);
	dup2(out, STDOUT_FILENO);
	execl(PYTHON, PYTHON, S3_ORACLE, keys, ORACLE_REGION, upstream, log, (char *)NULL);
	_exit(127);
}

void oracle_begin(void)
{
	int out[2];
	FILE *f;

	temporary_dir(top, TEMPORARY_MEMORY);
	snprintf(now, sizeof(now), "%s/now", top);
	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		serve(out[1]);
	close(out[1]);
	f = fdopen(out[0], "re");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fscanf(f, "%u%*1[\n]", &port), 1);
	fclose(f);
	ck_assert_uint_ne(port, 0);
}

void oracle_end(void)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	temporary_remove(top);
}

void oracle_start(unsigned int upstream_port)
{
	char upstream[16], fresh[TEMPORARY_MAX + 32];

	ck_assert_msg(pid > 0, "without oracle_begin()");
	temporary_dir(dir, TEMPORARY_MEMORY);
	snprintf(log_path, sizeof(log_path), "%s", oracle_write("log", ""));
	oracle_keys(ORACLE_ID " " ORACLE_SECRET);
	snprintf(upstream, sizeof(upstream), "%u", upstream_port);
	oracle_write("upstream", upstream);
	snprintf(fresh, sizeof(fresh), "%s.new", now);
	ck_assert_int_eq(symlink(dir, fresh), 0);
	ck_assert_int_eq(rename(fresh, now), 0);
}

void oracle_stop(void)
{
	temporary_remove(dir);
}

unsigned int oracle_port(void)
{
	return port;
}

const char *oracle_dir(void)
{
	return dir;
}

unsigned int oracle_answered(unsigned int status, const char *code)
{
	char line[4096], seen[64];
	unsigned int n = 0, s;
	FILE *f = fopen(log_path, "re");

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f))
		n += sscanf(line, "%u %63s", &s, seen) == 2 && s == status &&
		     strcmp(seen, code) == 0;
	fclose(f);
	return n;
}

bool oracle_saw(const char *text)
{
	char line[4096];
	bool saw = false;
	FILE *f = fopen(log_path, "re");

	ck_assert_ptr_nonnull(f);
	while (!saw && fgets(line, sizeof(line), f))
		saw = strstr(line, text) != NULL;
	fclose(f);
	return saw;
}
