/* SPDX-License-Identifier: MIT */
#include "tests/ctl/ctl.h"
#include "tests/lib/temporary.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[TEMPORARY_MAX];

void ctl_enter(void)
{
	temporary_dir(dir, TEMPORARY_ANY);
	ck_assert_int_eq(chdir(dir), 0);
}

void ctl_leave(void)
{
	traces_free();
	ck_assert_int_eq(chdir("/"), 0);
	temporary_remove(dir);
}

/* ---- files ------------------------------------------------------------------------------- */

bool file_exists(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

uint8_t *file_read(const char *path, size_t *ret_len)
{
	FILE *file = fopen(path, "r");
	struct stat st;
	uint8_t *data;

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fstat(fileno(file), &st), 0);
	data = calloc(1, (size_t)st.st_size + 1);
	ck_assert_ptr_nonnull(data);
	*ret_len = fread(data, 1, (size_t)st.st_size, file);
	ck_assert_uint_eq(*ret_len, (size_t)st.st_size);
	fclose(file);
	return data;
}

void file_write(const char *path, const void *data, size_t len)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(data, 1, len, file), len);
	ck_assert_int_eq(fclose(file), 0);
}

bool files_equal(const char *a, const char *b)
{
	size_t len_a, len_b;
	uint8_t *bytes_a = file_read(a, &len_a), *bytes_b = file_read(b, &len_b);
	bool equal = len_a == len_b && memcmp(bytes_a, bytes_b, len_a) == 0;

	free(bytes_a);
	free(bytes_b);
	return equal;
}

/* ---- the program ------------------------------------------------------------------------- */

static _Noreturn void child(const char *const *words, int out)
{
	const char *program = getenv("CACHEFILLCTL");
	const char *argv[32] = { "cachefillctl" };
	int err = open("stderr", O_WRONLY | O_CREAT | O_TRUNC, 0600);
	int in = open("stdin", O_RDONLY);

	for (size_t i = 0; words[i] && i < 30; i++)
		argv[i + 1] = words[i];
	if (in >= 0)
		dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	signal(SIGPIPE, SIG_DFL);
	execv(program ? program : "/nonexistent", (char *const *)argv);
	_exit(127);
}

static pid_t start(const char *const *words, int out)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		child(words, out);
	return pid;
}

static int end(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void run(struct ctl_result *result, const char *const *words, int out)
{
	size_t len;

	result->status = end(start(words, out));
	ck_assert_msg(result->status != 127, "$CACHEFILLCTL is not there");
	free(result->err);
	result->err = (char *)file_read("stderr", &len);
}

#define TERMINAL_MAX 4096 /* that a terminal takes before somebody reads */

static struct ctl_result result;

struct ctl_result *ctl_run(const char *const *words)
{
	int out = open("stdout", O_RDWR | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_ge(out, 0);
	run(&result, words, out);
	close(out);
	free(result.out);
	result.out = (char *)file_read("stdout", &result.out_len);
	return &result;
}

struct ctl_result *ctl_run_unread(const char *const *words)
{
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	close(fds[0]);
	run(&result, words, fds[1]);
	close(fds[1]);
	return &result;
}

/* Waits until a file of this name is created in the directory. */
static void await_file(int notify, const char *name)
{
	char events[4096];
	bool found = false;

	while (!found) {
		ssize_t n = read(notify, events, sizeof(events));

		ck_assert_int_gt(n, 0);
		for (char *at = events; at < events + n;) {
			struct inotify_event event;

			memcpy(&event, at, sizeof(event));
			found = found || strcmp(at + sizeof(event), name) == 0;
			at += sizeof(event) + event.len;
		}
	}
}

int ctl_run_killed(const char *const *words, const char *created, int signal_number)
{
	int notify = inotify_init1(IN_CLOEXEC), in, status;
	size_t len;
	uint8_t *data;
	pid_t pid;

	trace_write_sample("sample");
	data = file_read("sample", &len);
	ck_assert_int_ge(inotify_add_watch(notify, ".", IN_CREATE), 0);
	ck_assert_int_eq(mkfifo("input", 0600), 0);
	pid = start(words, STDOUT_FILENO);
	in = open("input", O_WRONLY | O_CLOEXEC);
	ck_assert_int_eq(write(in, data, len), (ssize_t)len);
	await_file(notify, created);
	kill(pid, signal_number);
	status = end(pid);
	close(in);
	close(notify);
	free(data);
	return status;
}

/* What somebody sees at a terminal whose other end is gone. */
static void read_terminal(int terminal)
{
	ssize_t n;

	free(result.out);
	result.out = calloc(1, TERMINAL_MAX + 1);
	result.out_len = 0;
	while ((n = read(terminal, result.out + result.out_len, TERMINAL_MAX - result.out_len)) > 0)
		result.out_len += (size_t)n;
}

struct ctl_result *ctl_run_terminal(const char *const *words)
{
	return ctl_run_keys(words, NULL);
}

struct ctl_result *ctl_run_keys(const char *const *words, const char *keys)
{
	int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), out;

	ck_assert_int_ge(terminal, 0);
	ck_assert_int_eq(grantpt(terminal), 0);
	ck_assert_int_eq(unlockpt(terminal), 0);
	out = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
	ck_assert_int_ge(out, 0);
	if (keys) {
		ck_assert_int_eq(symlink(ptsname(terminal), "stdin"), 0);
		ck_assert_int_eq(write(terminal, keys, strlen(keys)), (ssize_t)strlen(keys));
	}
	run(&result, words, out);
	unlink("stdin");
	close(out);
	read_terminal(terminal);
	close(terminal);
	return &result;
}

void ctl_assert_ok(const struct ctl_result *r)
{
	ck_assert_msg(r->status == 0 && r->err[0] == '\0', "status %d: %s", r->status, r->err);
}

const char *ctl_line(const char *text, size_t n, char *buf, size_t len)
{
	for (; n > 0; n--) {
		text = strchr(text, '\n');
		ck_assert_ptr_nonnull(text);
		text++;
	}
	snprintf(buf, len, "%.*s", (int)strcspn(text, "\n"), text);
	return buf;
}

size_t ctl_lines(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

/* ---- a daemon ----------------------------------------------------------------------------- */

static pid_t daemon_pid;

void ctl_daemon_begin(void (*serve)(int ready))
{
	int fds[2];
	char byte;

	ck_assert_int_eq(pipe(fds), 0);
	fflush(stdout);
	daemon_pid = fork();
	ck_assert_int_ge(daemon_pid, 0);
	if (daemon_pid == 0) {
		close(fds[0]);
		serve(fds[1]);
		_exit(1);
	}
	close(fds[1]);
	ck_assert_int_eq(read(fds[0], &byte, 1), 0);
	close(fds[0]);
}

void ctl_daemon_end(void)
{
	if (daemon_pid <= 0)
		return;
	kill(daemon_pid, SIGKILL);
	waitpid(daemon_pid, NULL, 0);
	daemon_pid = 0;
}
