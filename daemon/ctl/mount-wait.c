/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/mount-wait.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon/ctl/ctl.h"
#include "daemon/util/cleanup.h"

#define PATIENCE_MS	 3000  /* until it says that it waits */
#define REMINDER_MS	 30000 /* until it says so again */
#define LOCK_INTERVAL_MS 20    /* of looking at a lock: F_OFD_SETLKW could miss a signal */

static const int caught[] = { SIGINT, SIGTERM, SIGHUP };
#define N_CAUGHT (sizeof(caught) / sizeof(caught[0]))

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	interrupted = number;
}

void mount_wait_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	for (size_t i = 0; i < N_CAUGHT; i++)
		sigaction(caught[i], &action, NULL);
}

bool mount_wait_interrupted(void)
{
	return interrupted != 0;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Says now and then how long it has waited. */
struct patience {
	int64_t started, next; /* ms */
};

static struct patience patience_begin(void)
{
	int64_t now = now_ms();

	return (struct patience){ now, now + PATIENCE_MS };
}

static void patience_say(struct patience *p, const char *doing, const char *what, const char *hint)
{
	int64_t now = now_ms();

	if (now < p->next)
		return;
	p->next = now + REMINDER_MS;
	ctl_error("%s %s, for %lld s now%s", doing, what, (long long)((now - p->started) / 1000),
		  hint);
}

/* ---- locks -------------------------------------------------------------------------------- */

int mount_wait_lock(const struct mount_run *run, enum mount_lock kind, const char *name,
		    const char *what)
{
	const struct timespec pause = { .tv_nsec = LOCK_INTERVAL_MS * 1000000 };
	struct patience patience = patience_begin();
	int r;

	while ((r = mount_run_lock(run, kind, name, true)) == -EAGAIN) {
		if (interrupted)
			return -EINTR;
		patience_say(&patience, "waiting for another command that works on", what, "");
		nanosleep(&pause, NULL);
	}
	return r;
}

/* ---- calls -------------------------------------------------------------------------------- */

/* What the child sends, followed by the text. */
struct answer {
	int result;
	char text[512];
};

static void close_pair(int (*fds)[2])
{
	close_fdp(&(*fds)[0]);
	close_fdp(&(*fds)[1]);
}

/* Small enough for a pipe to take it whole or not at all. */
static _Noreturn void child(struct mount_call *call, int out)
{
	struct answer answer = { 0 };

	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < N_CAUGHT; i++)
		signal(caught[i], SIG_IGN); /* Ctrl-C is meant for the one who waits */
	answer.result = call->call(call->arg);
	snprintf(answer.text, sizeof(answer.text), "%s", call->text);
	if (write(out, &answer, sizeof(answer)) != (ssize_t)sizeof(answer) && answer.result == 0)
		call->abandoned(call->arg);
	_exit(0);
}

/* 0: there is something to read, or the other end is closed. */
static int await(int fd, const char *what)
{
	struct patience patience = patience_begin();
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	sigset_t set, before;
	int r;

	/* A signal ends the wait also when it comes between the look and the sleep. */
	sigemptyset(&set);
	for (size_t i = 0; i < N_CAUGHT; i++)
		sigaddset(&set, caught[i]);
	sigprocmask(SIG_BLOCK, &set, &before);
	for (;;) {
		struct timespec timeout = { 1, 0 };

		/* An answer that is there is taken, whatever else has come. */
		r = interrupted ? poll(&pfd, 1, 0) : ppoll(&pfd, 1, &timeout, &before);
		if (r > 0 || (r < 0 && errno != EINTR) || (r == 0 && interrupted))
			break;
		patience_say(&patience, "waiting for cachefilld to open", what,
			     "; its log says what it waits for, Ctrl-C gives up");
	}
	r = r > 0 ? 0 : r == 0 ? -EINTR : -errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	return r;
}

static int collect(struct mount_call *call, int fd)
{
	struct answer answer;
	ssize_t n;

	do
		n = read(fd, &answer, sizeof(answer));
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(answer))
		return -EIO; /* somebody has killed it */
	answer.text[sizeof(answer.text) - 1] = '\0';
	snprintf(call->text, call->text_max, "%s", answer.text);
	return answer.result;
}

int mount_wait_call(struct mount_call *call)
{
	_cleanup_(close_pair) int fds[2] = { -1, -1 };
	pid_t pid;
	int r;

	if (pipe2(fds, O_CLOEXEC) != 0)
		return -errno;
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		close_fdp(&fds[0]);
		fds[0] = -1;
		child(call, fds[1]);
	}
	close_fdp(&fds[1]);
	fds[1] = -1;
	r = await(fds[0], call->what);
	if (r < 0)
		return r;
	r = collect(call, fds[0]);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r;
}
