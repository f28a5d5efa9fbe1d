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

static int pass(const char *name)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%ld", (long)getpid());
	if (setenv("LISTEN_PID", pid, 1) < 0 || setenv("LISTEN_FDS", "1", 1) < 0 ||
	    setenv("LISTEN_FDNAMES", name, 1) < 0)
		return -errno;
	return 0;
}

static int exec(const struct handover_program *program)
{
	int err = handover_enter(program);

	if (err < 0)
		return err;
	execv(program->path, program->argv);
	err = -errno;
	handover_leave();
	return err;
}

static int exec_with(const struct handover_program *program, int device)
{
	int err = dup2(device, FIRST_FD) < 0 || fcntl(FIRST_FD, F_SETFD, 0) < 0 ? -errno : 0;

	return err < 0 ? err : exec(program);
}

/* Whatever has the number that the device is to have keeps it, if we stay. */
static int exec_in_place(const struct handover_program *program, int device)
{
	int flags = device == FIRST_FD ? FD_CLOEXEC : fcntl(FIRST_FD, F_GETFD), err;
	_cleanup_close_ int other = -1;

	if (flags >= 0 && device != FIRST_FD)
		other = fcntl(FIRST_FD, F_DUPFD_CLOEXEC, FIRST_FD + 1);
	if (flags >= 0 && device != FIRST_FD && other < 0)
		return -errno;
	err = exec_with(program, device);
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
	int err = device < 0 ? 0 : pass(name);

	if (err == 0)
		err = device < 0 ? exec(program) : exec_in_place(program, device);
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return err;
}
