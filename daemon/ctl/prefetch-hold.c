/* SPDX-License-Identifier: MIT */
/*
 * The kernel takes bytes for what it has open alone. So an image that nobody has mounted is
 * mounted, as any other, at RUN_DIR/prefetch/JOB; whoever mounts it meanwhile shares its layers. A
 * process of its own unmounts it when the job has ended, since whoever waits for that may stop
 * waiting.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/ctl/mount-command.h"
#include "daemon/ctl/prefetch.h"
#include "daemon/util/cleanup.h"

#define LOOK_MS 1000
/* Looks at a job that waits until something is opened; doubling. */
#define WAITS_MIN 2
#define WAITS_MAX 64

static int make_dir(const struct prefetch_order *o, uint64_t job, char *path, size_t n)
{
	int len = snprintf(path, n, "%s/prefetch", o->context.run_dir);

	if (len < 0 || (size_t)len + 24 > n)
		return -ENAMETOOLONG;
	if ((mkdir(o->context.run_dir, 0755) != 0 && errno != EEXIST) ||
	    (mkdir(path, 0700) != 0 && errno != EEXIST))
		return -errno;
	snprintf(path + len, n - (size_t)len, "/%" PRIu64, job);
	return mkdir(path, 0700) != 0 && errno != EEXIST ? -errno : 0;
}

static int mount_it(const struct prefetch_order *o, const char *dir)
{
	/* Of the order's, the options alone: it is not open. */
	struct context context = o->context;
	struct mount_options options;
	int r;

	mount_options_begin(&options);
	r = mount_command(&context, &options, o->image, dir);
	mount_options_end(&options);
	return r == -EALREADY ? 0 : r;
}

static void unmount_it(const struct prefetch_order *o, const char *dir)
{
	char parent[PATH_MAX];

	if (umount_command(o->context.run_dir, dir, false) < 0)
		return;
	rmdir(dir);
	/* Where it was the last. */
	if (snprintf(parent, sizeof(parent), "%s/prefetch", o->context.run_dir) <
	    (int)sizeof(parent))
		rmdir(parent);
}

struct watch {
	unsigned int absent;	  /* looks in a row that no daemon has answered */
	unsigned int waits, most; /* that found it waiting; and at how many it is mounted anew */
};

static bool has_ended(const struct prefetch_order *o, uint64_t number, struct watch *w)
{
	json_t *job = NULL;
	bool ended;

	switch (prefetch_look(o, number, &job)) {
	case CTL_OK:
		w->absent = 0;
		ended = json_is_true(json_object_get(job, "ended"));
		w->waits = strcmp(daemon_text(job, "state"), "waiting") == 0 ? w->waits + 1 : 0;
		json_decref(job);
		return ended;
	case CTL_ABSENT:
		return ++w->absent == PREFETCH_ABSENT_SECONDS * 1000 / LOOK_MS;
	default: /* it ended so long ago that nobody knows it */
		return true;
	}
}

/*
 * After a restart the kernel has nothing opened of what nobody reads. Where others have mounted the
 * same, this changes nothing, and they are waited for.
 */
static void mount_anew(const struct prefetch_order *o, const char *dir, struct watch *w)
{
	if (w->waits < w->most)
		return;
	w->waits = 0;
	w->most = w->most < WAITS_MAX ? 2 * w->most : WAITS_MAX;
	if (umount_command(o->context.run_dir, dir, false) == 0)
		(void)mount_it(o, dir);
}

/* `wake` is readable when whoever waited for the job has gone. */
static _Noreturn void hold(const struct prefetch_order *o, uint64_t job, const char *dir, int wake)
{
	struct pollfd end = { .fd = wake, .events = POLLIN };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct watch watch = { .most = WAITS_MIN };

	setsid();
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	for (int fd = 0; null >= 0 && fd < 3; fd++)
		dup2(null, fd);
	(void)!chdir("/");
	while (!has_ended(o, job, &watch)) {
		mount_anew(o, dir, &watch);
		if (poll(&end, 1, LOOK_MS) > 0)
			end.fd = -1;
	}
	unmount_it(o, dir);
	_exit(0);
}

static int start_holder(const struct prefetch_order *o, uint64_t job, const char *dir,
			struct prefetch_holder *ret)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	fflush(stdout);
	ret->pid = fork();
	if (ret->pid == 0) {
		close(fds[1]);
		hold(o, job, dir, fds[0]);
	}
	close(fds[0]);
	ret->wake = fds[1];
	if (ret->pid < 0) {
		close(fds[1]);
		return -errno;
	}
	return 0;
}

int prefetch_hold(const struct prefetch_order *o, uint64_t job, struct prefetch_holder *ret)
{
	char dir[PATH_MAX];
	int r = make_dir(o, job, dir, sizeof(dir));

	if (r < 0)
		return ctl_error("%s/prefetch: %s", o->context.run_dir, strerror(-r));
	r = mount_it(o, dir);
	if (r < 0) {
		rmdir(dir);
		return ctl_error("the job waits until the image is mounted; 'cachefillctl prefetch "
				 "--cancel %" PRIu64 "' ends it",
				 job);
	}
	r = start_holder(o, job, dir, ret);
	if (r == 0)
		return CTL_OK;
	unmount_it(o, dir);
	return ctl_error("no process can be started: %s", strerror(-r));
}

void prefetch_release(struct prefetch_holder *holder)
{
	if (holder->wake < 0)
		return;
	close(holder->wake);
	while (waitpid(holder->pid, NULL, 0) < 0 && errno == EINTR)
		;
}
