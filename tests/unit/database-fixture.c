/* SPDX-License-Identifier: MIT */
#include "tests/unit/database-fixture.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/util/cleanup.h"
#include "daemon/util/log.h"

char dir[TEMPORARY_MAX];
char file[TEMPORARY_MAX + 16];

void database_setup(const char *name)
{
	log_set_level(-1);
	temporary_dir(dir, TEMPORARY_ANY);
	snprintf(file, sizeof(file), "%s/%s", dir, name);
}

void database_teardown(void)
{
	temporary_remove(dir);
}

bool exists(const char *tail)
{
	char path[TEMPORARY_MAX + 64];

	snprintf(path, sizeof(path), "%s%s", file, tail);
	return access(path, F_OK) == 0;
}

void write_file(const char *path, const void *data, size_t n)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, data, n), (ssize_t)n);
}

sqlite3 *open_sql(const char *sql)
{
	sqlite3 *db;

	ck_assert_int_eq(sqlite3_open(file, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	return db;
}

void run_sql(const char *sql)
{
	ck_assert_int_eq(sqlite3_close(open_sql(sql)), SQLITE_OK);
}

unsigned int kill_after(unsigned int n, void (*work)(int out))
{
	unsigned int written = 0;
	int fds[2], status;
	char byte;
	pid_t pid;

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		work(fds[1]);
	close(fds[1]);
	while (written < n && read(fds[0], &byte, 1) == 1)
		written++;
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	close(fds[0]);
	return written;
}
