/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/util/cleanup.h"
#include "tests/kernel/scenario-real.h"

extern char **environ;

static int start(struct real_child *child, const char *path, const char *const argv[],
		 const int pipe_fds[2])
{
	posix_spawn_file_actions_t actions;
	int r;

	posix_spawn_file_actions_init(&actions);
	if (pipe_fds[1] >= 0)
		posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], STDOUT_FILENO);
	r = posix_spawn(&child->pid, path, &actions, NULL, (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

int real_child_start(struct real_child *child, const char *path, const char *const argv[],
		     bool want_out)
{
	int pipe_fds[2] = { -1, -1 }, r;

	*child = (struct real_child){ .pidfd = -1, .out = -1 };
	if (want_out && pipe2(pipe_fds, O_CLOEXEC) < 0)
		return -errno;
	r = start(child, path ? path : "/proc/self/exe", argv, pipe_fds);
	if (pipe_fds[1] >= 0)
		close(pipe_fds[1]);
	child->out = pipe_fds[0];
	if (r == 0) {
		child->pidfd = pidfd_open(child->pid, 0);
		r = child->pidfd < 0 ? -errno : 0;
	}
	if (r < 0) {
		close_fdp(&child->out);
		*child = (struct real_child){ .pidfd = -1, .out = -1 };
	}
	return r;
}

bool real_child_ended(struct real_child *child, int ms)
{
	struct pollfd p = { .fd = child->pidfd, .events = POLLIN };
	siginfo_t info = { 0 };

	if (child->pid == 0)
		return true;
	while (poll(&p, 1, ms) < 0 && errno == EINTR)
		;
	if (!(p.revents & POLLIN) ||
	    waitid(P_PIDFD, (id_t)child->pidfd, &info, WEXITED | WNOHANG) < 0 || !info.si_pid)
		return false;
	child->status = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
	close(child->pidfd);
	child->pid = 0;
	return true;
}

void real_child_kill(struct real_child *child)
{
	if (child->pid)
		kill(child->pid, SIGKILL);
}

void real_child_free(struct real_child *child)
{
	if (child->pid) {
		real_child_kill(child);
		close(child->pidfd);
	}
	if (child->out > 0)
		close(child->out);
	*child = (struct real_child){ 0 };
}
