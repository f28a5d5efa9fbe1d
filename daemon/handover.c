/* SPDX-License-Identifier: MIT */
#include "daemon/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/util/cleanup.h"
#include "daemon/util/log.h"

#define HANDOVER_NAME "cachefiles"

/* sd_listen_fds(3): SD_LISTEN_FDS_START */
#define FIRST_FD 3
#define FDS_MAX	 64

/* ---- from the predecessor ------------------------------------------------------------------ */

static long number_of(const char *variable)
{
	const char *text = getenv(variable);
	char *end = NULL;
	long n;

	if (!text)
		return -1;
	errno = 0;
	n = strtol(text, &end, 10);
	return errno || end == text || *end ? -1 : n;
}

static bool is_device_name(const char *name, size_t n)
{
	size_t prefix = strlen(HANDOVER_NAME);

	return n >= prefix && n < HANDOVER_NAME_MAX && memcmp(name, HANDOVER_NAME, prefix) == 0;
}

void handover_take(struct handover *ret)
{
	const char *name = getenv("LISTEN_FDNAMES");
	long n = number_of("LISTEN_PID") == getpid() ? number_of("LISTEN_FDS") : 0;

	*ret = (struct handover){ .device = -1 };
	for (int fd = FIRST_FD; fd < FIRST_FD + n && fd < FIRST_FD + FDS_MAX; fd++) {
		size_t len = name ? strcspn(name, ":") : 0;

		if (ret->device < 0 && name && is_device_name(name, len)) {
			ret->device = fd;
			memcpy(ret->name, name, len);
			ret->name[len] = '\0';
			fcntl(fd, F_SETFD, FD_CLOEXEC);
		} else {
			log_warning("descriptor %d, which was passed as '%.*s', is not wanted", fd,
				    (int)len, name ? name : "");
			close(fd);
		}
		if (name)
			name += len + (name[len] == ':');
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
}

int handover_name(char name[HANDOVER_NAME_MAX], int dir_fd)
{
	struct stat st;

	if (fstat(dir_fd, &st) < 0)
		return -errno;
	snprintf(name, HANDOVER_NAME_MAX, HANDOVER_NAME "-%jx-%jx", (uintmax_t)st.st_dev,
		 (uintmax_t)st.st_ino);
	return 0;
}

/* ---- to the successor ---------------------------------------------------------------------- */

int handover_program(struct handover_program *ret, char *const argv[])
{
	const char *started_as = (const char *)getauxval(AT_EXECFN);
	_cleanup_free_ char *cwd = getcwd(NULL, 0), *path = NULL;

	if (!cwd)
		return -errno;
	/* Links stay links: an upgrade may move them. */
	if (started_as && *started_as == '/')
		path = strdup(started_as);
	else if (started_as && asprintf(&path, "%s/%s", cwd, started_as) < 0)
		path = NULL;
	if (!path)
		return started_as ? -ENOMEM : -ENOENT;
	*ret = (struct handover_program){ steal(&path), steal(&cwd), argv };
	return 0;
}

void handover_program_clear(struct handover_program *program)
{
	free(program->path);
	free(program->cwd);
	*program = (struct handover_program){ NULL };
}

int handover_enter(const struct handover_program *program)
{
	return chdir(program->cwd) < 0 ? -errno : 0;
}

void handover_leave(void)
{
	if (chdir("/") < 0)
		log_debug("cannot change to /");
}

/* What sd_listen_fds(3) reads, beside all that there is. */
struct passing {
	char pid[32], fds[16], name[16 + HANDOVER_NAME_MAX];
	char **environment; /* owned, and nothing in it */
};

/*
 * An environment of its own: other threads, of culling or of a resolver, may be reading that of the
 * process, which setenv(3) would move under them.
 */
static int pass(struct passing *p, int device, const char *name)
{
	size_t n = 0;

	while (environ[n])
		n++;
	p->environment = calloc(n + 4, sizeof(*p->environment));
	if (!p->environment)
		return -ENOMEM;
	memcpy(p->environment, environ, n * sizeof(*environ));
	if (device < 0)
		return 0;
	snprintf(p->pid, sizeof(p->pid), "LISTEN_PID=%ld", (long)getpid());
	snprintf(p->fds, sizeof(p->fds), "LISTEN_FDS=1");
	snprintf(p->name, sizeof(p->name), "LISTEN_FDNAMES=%s", name);
	p->environment[n++] = p->pid;
	p->environment[n++] = p->fds;
	p->environment[n] = p->name;
	return 0;
}

static int exec(const struct handover_program *program, char *const environment[])
{
	int err = handover_enter(program);

	if (err < 0)
		return err;
	execve(program->path, program->argv, environment);
	err = -errno;
	handover_leave();
	return err;
}

static int exec_with(const struct handover_program *program, char *const environment[], int device)
{
	int err = dup2(device, FIRST_FD) < 0 || fcntl(FIRST_FD, F_SETFD, 0) < 0 ? -errno : 0;

	return err < 0 ? err : exec(program, environment);
}

/* Whatever has the number that the device is to have keeps it, if we stay. */
static int exec_in_place(const struct handover_program *program, char *const environment[],
			 int device)
{
	int flags = device == FIRST_FD ? FD_CLOEXEC : fcntl(FIRST_FD, F_GETFD), err;
	_cleanup_close_ int other = -1;

	if (flags >= 0 && device != FIRST_FD)
		other = fcntl(FIRST_FD, F_DUPFD_CLOEXEC, FIRST_FD + 1);
	if (flags >= 0 && device != FIRST_FD && other < 0)
		return -errno;
	err = exec_with(program, environment, device);
	if (other >= 0)
		dup2(other, FIRST_FD);
	if (flags < 0)
		close(FIRST_FD);
	else
		fcntl(FIRST_FD, F_SETFD, flags);
	return err;
}

int handover_exec(const struct handover_program *program, int device, const char *name)
{
	struct passing p = { .environment = NULL };
	int err = pass(&p, device, name);

	if (err == 0)
		err = device < 0 ? exec(program, p.environment)
				 : exec_in_place(program, p.environment, device);
	free(p.environment);
	return err;
}
