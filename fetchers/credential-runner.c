/* SPDX-License-Identifier: MIT */
/*
 * For each question one more process, which runs the helper, watches it, and answers itself: slow
 * ones do not hold up others. The daemon does not ask more than RUNNER_AT_ONCE at a time.
 */
#include "fetchers/credential-runner.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon/util/cleanup.h"

#define SOCKET 3 /* the process has no other descriptor above those of everybody */

/* ---- a helper --------------------------------------------------------------------------- */

struct run {
	pid_t pid;
	int ended, in, out; /* readable once it has ended; what it reads; what it says */
	struct runner_answer answer;
	size_t len;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Its path, as a shell would find it; false: none. */
static bool find_helper(char path[PATH_MAX], const char *helper)
{
	const char *at = getenv("PATH");

	for (at = at ? at : "/usr/local/bin:/usr/bin:/bin"; *at;) {
		size_t len = strcspn(at, ":");

		/* No relative ones: where we are is nobody's choice. */
		if (*at == '/' &&
		    snprintf(path, PATH_MAX, "%.*s/docker-credential-%s", (int)len, at, helper) <
			    PATH_MAX &&
		    access(path, X_OK) == 0)
			return true;
		at += len + (at[len] == ':');
	}
	return false;
}

/* SIG_BLOCK: its end is read from a descriptor. */
static int watch_children(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(how, &set, NULL);
	return how == SIG_BLOCK ? signalfd(-1, &set, SFD_CLOEXEC) : -1;
}

_Noreturn static void become_helper(const char *path, int in, int out)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	/* What it complains of may be a secret. */
	if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
	    dup2(null, STDERR_FILENO) < 0)
		_exit(127);
	watch_children(SIG_UNBLOCK);
	signal(SIGPIPE, SIG_DFL);
	unsetenv("NOTIFY_SOCKET");
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	execl(path, path, "get", (char *)NULL);
	_exit(127);
}

static int start_helper(struct run *run, const char *path)
{
	int in[2], out[2];

	run->ended = watch_children(SIG_BLOCK);
	if (run->ended < 0 || pipe2(in, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(out, O_CLOEXEC) < 0)
		return -errno;
	run->pid = fork();
	if (run->pid < 0)
		return -errno;
	if (run->pid == 0)
		become_helper(path, in[0], out[1]);
	setpgid(run->pid, run->pid);
	close(in[0]);
	close(out[1]);
	run->in = in[1];
	run->out = out[0];
	return 0;
}

/* False: it has said all, or too much. */
static bool take_output(struct run *run)
{
	ssize_t n = read(run->out, run->answer.output + run->len, RUNNER_OUTPUT_MAX - run->len);

	if (n > 0)
		run->len += (size_t)n;
	return n > 0 && run->len < RUNNER_OUTPUT_MAX;
}

/* Until it has ended; what it started and left behind may hold its output open. */
static void watch_helper(struct run *run, unsigned int seconds)
{
	int64_t until = now_ms() + (int64_t)seconds * 1000;
	struct pollfd fds[2] = { { .fd = run->ended, .events = POLLIN },
				 { .fd = run->out, .events = POLLIN } };

	run->answer.end = RUNNER_LATE;
	for (;;) {
		int64_t left = until - now_ms();
		int n = left > 0 ? poll(fds, 2, (int)left) : 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		if (fds[1].revents && !take_output(run))
			fds[1].fd = -1;
		if (run->len == RUNNER_OUTPUT_MAX) {
			run->answer.end = RUNNER_LONG;
			return;
		}
		if (fds[0].revents && !(fds[1].revents & POLLIN))
			break;
	}
	run->answer.end = RUNNER_EXITED;
}

static void end_helper(struct run *run)
{
	int status = 0;

	/* Not yet waited for: the number is nobody else's. */
	kill(-run->pid, SIGKILL);
	while (waitpid(run->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (run->answer.end == RUNNER_EXITED)
		run->answer.detail = status;
}

static void run_helper(struct run *run, const struct runner_question *question)
{
	char path[PATH_MAX];
	int r;

	run->answer.id = question->id;
	run->answer.end = RUNNER_MISSING;
	if (!find_helper(path, question->helper))
		return;
	r = start_helper(run, path);
	if (r < 0) {
		run->answer.end = RUNNER_ERROR;
		run->answer.detail = -r;
		if (run->pid > 0)
			end_helper(run);
		return;
	}
	/* A pipe holds it; one that does not read gets SIGPIPE's error, which is its own matter. */
	if (write(run->in, question->server, strlen(question->server)) < 0)
		run->answer.detail = errno;
	close(run->in);
	watch_helper(run, question->seconds);
	end_helper(run);
}

/* ---- the process ------------------------------------------------------------------------ */

_Noreturn static void answer(int socket, const struct runner_question *question)
{
	static struct run run;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Its own children are waited for. */
	signal(SIGCHLD, SIG_DFL);
	run_helper(&run, question);
	if (run.answer.end != RUNNER_EXITED)
		run.len = 0;
	send(socket, &run.answer, offsetof(struct runner_answer, output) + run.len, MSG_NOSIGNAL);
	explicit_bzero(&run, sizeof(run));
	_exit(0);
}

static bool is_question(struct runner_question *question, ssize_t len)
{
	return len == (ssize_t)sizeof(*question) &&
	       memchr(question->helper, 0, sizeof(question->helper)) &&
	       memchr(question->server, 0, sizeof(question->server)) && question->helper[0] &&
	       !strchr(question->helper, '/');
}

_Noreturn void runner_main(int socket)
{
	static struct runner_question question;
	ssize_t len;

	for (;;) {
		pid_t pid;

		len = recv(socket, &question, sizeof(question), 0);
		if (len < 0 && errno == EINTR)
			continue;
		if (len <= 0)
			_exit(0);
		if (!is_question(&question, len))
			continue;
		pid = fork();
		if (pid == 0)
			answer(socket, &question);
		if (pid < 0) {
			struct runner_answer none = { .id = question.id,
						      .end = RUNNER_ERROR,
						      .detail = errno };

			send(socket, &none, offsetof(struct runner_answer, output), MSG_NOSIGNAL);
		}
	}
}

/* Keeps standard error, for what the C library may say, and the socket. */
static int forget_descriptors(int socket)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
		return -errno;
	if (socket != SOCKET && dup3(socket, SOCKET, O_CLOEXEC) < 0)
		return -errno;
	return syscall(SYS_close_range, SOCKET + 1, ~0U, 0) < 0 ? -errno : 0;
}

_Noreturn static void begin(int socket, int (*confine)(void))
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGTERM, SIG_DFL);
	/* A signal from the terminal is for the daemon, which then ends the socket. */
	signal(SIGINT, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	/* Nobody waits for those who answer. */
	signal(SIGCHLD, SIG_IGN);
	prctl(PR_SET_NAME, "cachefilld-cred");
	if (forget_descriptors(socket) < 0 || (confine && confine() < 0))
		_exit(1);
	runner_main(SOCKET);
}

int runner_start(int *ret_socket, pid_t *ret_pid, int (*confine)(void))
{
	int ends[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	pid = fork();
	if (pid < 0) {
		int err = -errno;

		close(ends[0]);
		close(ends[1]);
		return err;
	}
	if (pid == 0)
		begin(ends[1], confine);
	close(ends[1]);
	*ret_socket = ends[0];
	*ret_pid = pid;
	return 0;
}
