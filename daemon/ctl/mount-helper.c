/* SPDX-License-Identifier: MIT */
/*
 * mount.cachefill(8) and umount.cachefill(8): the same program under the names that mount(8) and
 * umount(8) look for, with their arguments and their exit statuses.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/ctl.h"
#include "daemon/ctl/mount-command.h"
#include "daemon/util/cleanup.h"

/* mount(8), EXIT STATUS */
enum { EX_OK = 0, EX_WRONG_USE = 1, EX_SYSTEM = 2, EX_INTERRUPTED = 8, EX_FAILED = 32 };

struct call {
	bool fake, lazy, verbose;
	const char *namespace;
};

static int status_of(int r)
{
	switch (r) {
	case 0:
		return EX_OK;
	case -ENOMEM:
		return EX_SYSTEM;
	case -EINTR:
	case -ECANCELED:
		return EX_INTERRUPTED;
	default:
		return EX_FAILED;
	}
}

/* -N: a process, or the file of a namespace. */
static int enter(const char *namespace)
{
	_cleanup_close_ int fd = -1;
	char path[4096];

	if (!namespace)
		return 0;
	if (namespace[0] && namespace[strspn(namespace, "0123456789")] == '\0')
		snprintf(path, sizeof(path), "/proc/%s/ns/mnt", namespace);
	else
		snprintf(path, sizeof(path), "%s", namespace);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNS) != 0) {
		ctl_error("%s: %s", namespace, strerror(errno));
		return -EINVAL;
	}
	return 0;
}

/* An option of both; false: there is none of that letter. */
static bool take(struct call *call, int opt)
{
	switch (opt) {
	case 'f':
		call->fake = true;
		return true;
	case 'l':
		call->lazy = true;
		return true;
	case 'v':
		call->verbose = true;
		return true;
	case 'N':
		call->namespace = optarg;
		return true;
	case 'n': /* no /etc/mtab: nobody has one */
	case 'r': /* read-only when it is busy: what is an image is that already */
	case 's': /* sloppy: not with us */
	case 't':
		return true;
	}
	return false;
}

static int usage(const char *text)
{
	fprintf(stderr, "Usage: %s\n", text);
	return EX_WRONG_USE;
}

/* ---- mount -------------------------------------------------------------------------------- */

static int mount_it(const struct call *call, const struct mount_options *options, const char *image,
		    const char *dir)
{
	struct context context = CONTEXT_INIT;
	int r;

	if (call->fake)
		return EX_OK;
	if (enter(call->namespace) < 0)
		return EX_WRONG_USE;
	r = mount_command(&context, options, image, dir);
	/* `mount -a` cannot know that it is there already. */
	if (call->verbose && (r == 0 || r == -EALREADY))
		printf("mount.cachefill: %s %s on %s\n", image,
		       r == 0 ? "mounted" : "was mounted already", dir);
	return status_of(r == -EALREADY ? 0 : r);
}

static int run_mount(int argc, char *argv[], struct mount_options *options)
{
	static const char text[] = "mount.cachefill IMAGE|REF DIR [-fnsv] [-N NAMESPACE] "
				   "[-o OPTION,...] [-t TYPE]";
	char error[MOUNT_ERROR_MAX];
	struct call call = { 0 };
	int opt, r = 0;

	while ((opt = getopt(argc, argv, "fnsvN:o:t:")) != -1) {
		if (opt == 'o')
			r = mount_options_add(options, optarg, error);
		else if (!take(&call, opt))
			return usage(text);
		if (r < 0)
			break;
	}
	if (r == 0 && argc - optind != 2)
		return usage(text);
	if (r == 0)
		r = mount_options_check(options, error);
	if (r < 0) {
		ctl_error("%s", error);
		return EX_WRONG_USE;
	}
	return mount_it(&call, options, argv[optind], argv[optind + 1]);
}

int ctl_mount_helper(int argc, char *argv[])
{
	struct mount_options options;
	int status;

	mount_options_begin(&options);
	status = run_mount(argc, argv, &options);
	mount_options_end(&options);
	return status;
}

/* ---- umount ------------------------------------------------------------------------------- */

int ctl_umount_helper(int argc, char *argv[])
{
	static const char text[] = "umount.cachefill DIR [-flnrv] [-N NAMESPACE] [-t TYPE]";
	struct call call = { 0 };
	int opt, r;

	while ((opt = getopt(argc, argv, "flnrvN:t:")) != -1)
		if (!take(&call, opt))
			return usage(text);
	if (argc - optind != 1)
		return usage(text);
	if (enter(call.namespace) < 0)
		return EX_WRONG_USE;
	r = umount_command(MOUNT_RUN_DIR, argv[optind], call.lazy);
	if (r == 0 && call.verbose)
		printf("umount.cachefill: %s unmounted\n", argv[optind]);
	return status_of(r);
}
