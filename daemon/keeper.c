/* SPDX-License-Identifier: MIT */
#include "daemon/keeper.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon/notify.h"
#include "daemon/util/cleanup.h"
#include "daemon/util/log.h"

/* Milliseconds. A daemon that served for some time is started again at once, one that dies early
 * after a time that doubles. */
#define SERVED_FOR 1000
#define WAIT_FIRST 100
#define WAIT_MAX   5000

#define FDS_MAX	   4 /* in one message */

struct keeper {
	const struct handover_program *program;
	int notify_fd;	     /* owned; -1 once a daemon has become ready */
	int socket, signals; /* owned */
	char address[32];    /* of socket, as in $NOTIFY_SOCKET */
	struct handover kept;
	pid_t daemon; /* 0: none runs */
	uint64_t started;
	bool ready;  /* this one serves, or did */
	bool served; /* any one did */
	bool stopping;
	unsigned int early; /* so many died early, in a row */
};

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- what the daemon says ------------------------------------------------------------------ */

struct notice {
	char text[512];
	int fds[FDS_MAX]; /* owned */
	size_t n_fds;
	pid_t from;
};

static void notice_close(struct notice *notice)
{
	for (size_t i = 0; i < notice->n_fds; i++)
		close(notice->fds[i]);
}

static void take_control(struct notice *notice, struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t n = c->cmsg_len - CMSG_LEN(0);
		struct ucred who;

		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_CREDENTIALS && n == sizeof(who)) {
			memcpy(&who, CMSG_DATA(c), n);
			notice->from = who.pid;
		} else if (c->cmsg_type == SCM_RIGHTS && n <= sizeof(notice->fds)) {
			memcpy(notice->fds, CMSG_DATA(c), n);
			notice->n_fds = n / sizeof(int);
		}
	}
}

static bool receive(struct keeper *k, struct notice *notice)
{
	_Alignas(struct cmsghdr) char
		control[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(notice->fds))];
	struct iovec iov = { notice->text, sizeof(notice->text) - 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(k->socket, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0)
		return false;
	notice->n_fds = 0;
	notice->from = 0;
	notice->text[n] = '\0';
	take_control(notice, &msg);
	return true;
}

static void drop_device(struct keeper *k)
{
	close_fdp(&k->kept.device);
	k->kept.device = -1;
}

static void keep_device(struct keeper *k, struct notice *notice, const char *name)
{
	if (notice->n_fds == 0 || strlen(name) >= sizeof(k->kept.name))
		return;
	drop_device(k);
	k->kept.device = notice->fds[--notice->n_fds];
	strcpy(k->kept.name, name);
}

static void understand(struct keeper *k, struct notice *notice)
{
	bool store = false, drop = false, other = false;
	char *save = NULL, *line;
	const char *name = "";
	char text[sizeof(notice->text)];

	strcpy(text, notice->text);
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (strcmp(line, "FDSTORE=1") == 0)
			store = true;
		else if (strcmp(line, "FDSTOREREMOVE=1") == 0)
			drop = true;
		else if (strncmp(line, "FDNAME=", 7) == 0)
			name = line + 7;
		else if (strcmp(line, "READY=1") == 0)
			k->ready = k->served = true;
		else if (strncmp(line, "FDPOLL=", 7) != 0 && strcmp(line, "BARRIER=1") != 0)
			other = true;
	}
	if (store)
		keep_device(k, notice, name);
	else if (drop)
		drop_device(k);
	else if (other)
		notify_text(notice->text); /* for our own service manager, if there is one */
}

static void hear(struct keeper *k)
{
	struct notice notice;

	while (receive(k, &notice)) {
		bool ready = k->ready;

		if (notice.from == k->daemon)
			understand(k, &notice);
		if (k->ready && !ready) {
			notify_ready(k->notify_fd);
			k->notify_fd = -1;
		}
		notice_close(&notice);
	}
}

/* ---- the daemon ---------------------------------------------------------------------------- */

static int start_daemon(struct keeper *k)
{
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		int err = setenv("NOTIFY_SOCKET", k->address, 1) < 0 ? -errno : 0;

		/* Signals stay blocked: the daemon hears of them when it can. */
		if (err == 0)
			err = handover_exec(k->program, k->kept.device, k->kept.name);
		log_error("cannot start %s: %s", k->program->path, strerror(-err));
		_exit(EXIT_FAILURE);
	}
	k->daemon = pid;
	k->ready = false;
	k->started = now_ms();
	return 0;
}

static void pass_signals(struct keeper *k)
{
	struct signalfd_siginfo info;

	while (read(k->signals, &info, sizeof(info)) == sizeof(info)) {
		int signo = (int)info.ssi_signo;

		if (signo == SIGCHLD)
			continue;
		if (signo == SIGTERM || signo == SIGINT)
			k->stopping = true;
		if (k->daemon > 0)
			kill(k->daemon, signo);
	}
}

/* Whatever comes first, at most this long (-1: any time). */
static void wait_for_news(struct keeper *k, int ms)
{
	struct pollfd p[2] = {
		{ .fd = k->signals, .events = POLLIN },
		{ .fd = k->socket, .events = POLLIN },
	};

	poll(p, 2, ms);
	pass_signals(k);
	hear(k);
}

/* Until it has ended; how, as of waitpid(2). */
static int watch_daemon(struct keeper *k)
{
	int status = 0;

	while (waitpid(k->daemon, &status, WNOHANG) == 0)
		wait_for_news(k, -1);
	hear(k); /* its last words */
	k->daemon = 0;
	return status;
}

static void describe(int status, char *text, size_t n)
{
	if (WIFSIGNALED(status))
		snprintf(text, n, "was killed by signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else
		snprintf(text, n, "has ended with status %d", WEXITSTATUS(status));
}

/* Whether there is to be another one. Without a device nobody waits for it, so that what prevents a
 * start is told at once. */
static bool wants_another(const struct keeper *k, int status)
{
	bool orderly = WIFEXITED(status) && WEXITSTATUS(status) == 0;

	return !k->stopping && !(orderly && k->ready) && (k->served || k->kept.device >= 0);
}

/* ms to wait before the next. */
static unsigned int patience(struct keeper *k)
{
	unsigned int wait = WAIT_FIRST;

	if (k->ready && now_ms() - k->started >= SERVED_FOR) {
		k->early = 0;
		return 0;
	}
	for (unsigned int i = 0; i < k->early && wait < WAIT_MAX; i++)
		wait *= 2;
	k->early++;
	return wait < WAIT_MAX ? wait : WAIT_MAX;
}

static void wait_before_next(struct keeper *k, int status)
{
	unsigned int ms = patience(k);
	uint64_t until = now_ms() + ms;
	char how[96];

	describe(status, how, sizeof(how));
	log_error("the daemon %s: it is started again in %u ms%s", how, ms,
		  k->kept.device >= 0 ? "; readers wait for it" : "");
	for (uint64_t now; !k->stopping && (now = now_ms()) < until;)
		wait_for_news(k, (int)(until - now));
}

static int run(struct keeper *k)
{
	int status = 0, err;

	do {
		if (k->daemon == 0 && status != 0)
			wait_before_next(k, status);
		if (k->stopping)
			return EXIT_SUCCESS;
		err = start_daemon(k);
		if (err < 0)
			log_error("cannot start another process: %s", strerror(-err));
		status = err < 0 ? W_EXITCODE(EXIT_FAILURE, 0) : watch_daemon(k);
	} while (wants_another(k, status));
	if (k->stopping && WIFSIGNALED(status))
		return EXIT_SUCCESS;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}

/* ---- life ---------------------------------------------------------------------------------- */

/* An abstract name of the kernel's choice; who sends is told by its credentials. */
static int listen_to_daemons(struct keeper *k)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	socklen_t n = sizeof(at);
	int on = 1;

	k->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (k->socket < 0 || setsockopt(k->socket, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0 ||
	    bind(k->socket, (struct sockaddr *)&at, sizeof(at.sun_family)) < 0 ||
	    getsockname(k->socket, (struct sockaddr *)&at, &n) < 0)
		return -errno;
	snprintf(k->address, sizeof(k->address), "@%.*s",
		 (int)(n - offsetof(struct sockaddr_un, sun_path) - 1), at.sun_path + 1);
	return 0;
}

static int catch_signals(struct keeper *k)
{
	static const int signos[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(signos) / sizeof(signos[0]); i++)
		sigaddset(&set, signos[i]);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	k->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return k->signals < 0 ? -errno : 0;
}

int keeper_run(const struct handover_program *program, int notify_fd)
{
	struct keeper k = {
		.program = program,
		.notify_fd = notify_fd,
		.socket = -1,
		.signals = -1,
		.kept.device = -1,
	};
	int status = EXIT_FAILURE, err;

	/* By this name the two are told apart in a list of processes. */
	prctl(PR_SET_NAME, "cachefilld-keep", 0, 0, 0);
	handover_leave();
	err = catch_signals(&k);
	if (err == 0)
		err = listen_to_daemons(&k);
	if (err < 0)
		log_error("cannot keep the device: %s", strerror(-err));
	else
		status = run(&k);
	close_fdp(&k.notify_fd);
	close_fdp(&k.socket);
	close_fdp(&k.signals);
	close_fdp(&k.kept.device);
	return status;
}
