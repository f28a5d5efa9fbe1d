/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/apart.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon/util/cleanup.h"

#define AT_ONCE ((size_t)16 << 10) /* what is read in one call */
#define EXIT_MS 1000		   /* from the last descriptor to the end */

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static _Noreturn void child(const struct apart *a, int out, int err)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), status;

	dup2(null, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	status = a->run(a->arg);
	fflush(stdout);
	_exit(status);
}

static int start(struct apart *a)
{
	int out[2], err[2], e;

	if (pipe2(out, O_CLOEXEC) < 0)
		return -errno;
	a->out_fd = out[0];
	if (pipe2(err, O_CLOEXEC) < 0) {
		e = -errno;
		close(out[1]);
		return e;
	}
	a->err_fd = err[0];
	fflush(stdout);
	a->pid = fork();
	if (a->pid == 0)
		child(a, out[1], err[1]);
	e = a->pid < 0 ? -errno : 0;
	close(out[1]);
	close(err[1]);
	return e;
}

void apart_start(struct apart *a)
{
	a->out_fd = a->err_fd = a->pid = -1;
	a->out = a->err = NULL;
	a->n_out = a->n_err = a->out_room = a->err_room = 0;
	a->deadline = now_ms() + a->seconds * 1000ull;
	a->status = start(a);
}

/* Closes what has ended; false: there is too much of it, or no memory. */
static bool take(int *fd, char **text, size_t *n, size_t *room)
{
	ssize_t len;
	char *grown;

	if (*room - *n < AT_ONCE + 1) {
		*room = *room ? *room * 2 : 2 * AT_ONCE;
		grown = *room <= APART_OUT_MAX ? realloc(*text, *room) : NULL;
		if (!grown)
			return false;
		*text = grown;
	}
	len = read(*fd, *text + *n, AT_ONCE);
	*n += len > 0 ? (size_t)len : 0;
	(*text)[*n] = '\0';
	if (len == 0 || (len < 0 && errno != EINTR)) {
		close(*fd);
		*fd = -1;
	}
	return true;
}

/* What it has said until its time is over is taken, however late we come. */
static int collect(struct apart *a)
{
	while (a->out_fd >= 0 || a->err_fd >= 0) {
		struct pollfd fds[] = { { .fd = a->out_fd, .events = POLLIN },
					{ .fd = a->err_fd, .events = POLLIN } };
		uint64_t now = now_ms();
		int r = poll(fds, 2, now < a->deadline ? (int)(a->deadline - now) : 0);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return -ETIMEDOUT;
		if (fds[0].revents && !take(&a->out_fd, &a->out, &a->n_out, &a->out_room))
			return -EFBIG;
		if (fds[1].revents && !take(&a->err_fd, &a->err, &a->n_err, &a->err_room))
			return -EFBIG;
	}
	return 0;
}

/* Its pipes are closed, so that it is on its way out; but not whatever holds it there. */
static int reap(struct apart *a)
{
	const struct timespec moment = { .tv_nsec = 2000000 };
	uint64_t until = now_ms() + EXIT_MS;
	pid_t r;
	int status;

	while ((r = waitpid(a->pid, &status, WNOHANG)) == 0 && now_ms() < until)
		nanosleep(&moment, NULL);
	if (r != a->pid)
		return -ETIMEDOUT;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void apart_wait(struct apart *a)
{
	if (a->status == 0)
		a->status = collect(a);
	if (a->status == 0)
		a->status = reap(a);
	if (a->status < 0 && a->pid > 0) {
		kill(a->pid, SIGKILL);
		/* Not waited for: it may sleep where no signal ends it. */
		waitpid(a->pid, NULL, WNOHANG);
	}
	if (!a->out)
		a->out = strdup("");
	if (!a->err)
		a->err = strdup("");
}

void apart_end(struct apart *a)
{
	close_fdp(&a->out_fd);
	close_fdp(&a->err_fd);
	free(a->out);
	free(a->err);
}
