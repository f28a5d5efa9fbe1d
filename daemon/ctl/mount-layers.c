/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/mount-layers.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/ctl/ctl.h"
#include "daemon/ctl/mount-opened.h"
#include "daemon/ctl/mount-readahead.h"
#include "daemon/ctl/mount-wait.h"
#include "daemon/util/cleanup.h"
#include "daemon/util/locator.h"

/* ---- checks and sentences ----------------------------------------------------------------- */

static int check_object(const struct images_object *object, const char *what, char *error)
{
	char locator[256];

	if (!mount_cookie_good(object->cookie))
		return mount_fail(error, -EINVAL,
				  "the key of %s cannot be mounted: it has more than %d bytes, or "
				  "some that are not printable: '%.64s'; add the image again",
				  what, MOUNT_COOKIE_MAX - 1, object->cookie);
	if (object->size == 0)
		return mount_fail(error, -EINVAL, "%s is empty: %s", what,
				  locator_print(object->locator, locator, sizeof(locator)));
	return 0;
}

int mount_layer_check(const struct images_layer *layer, const char *domain, char *error)
{
	int r = check_object(&layer->primary, "an image", error);

	for (size_t i = 0; r == 0 && i < layer->n_devices; i++)
		r = check_object(&layer->devices[i], "a device", error);
	if (r == 0 && !mount_cookie_good(domain))
		r = mount_fail(error, -EINVAL,
			       "'%.64s' cannot be a domain: see image-domain in cachefilld.conf(5)",
			       domain);
	return r;
}

/* What mount(2) tells of an OPEN that went wrong is a number without much meaning. */
static const char *reason(int err)
{
	switch (err) {
	case -ENOBUFS:
		return "cachefilld does not run, or could not open it (its log says why; the disk "
		       "of "
		       "its cache may also be full)";
	case -EIO:
		return "it could not be opened, or its first block could not be read: the log of "
		       "cachefilld says why";
	case -EBUSY:
	case -EEXIST:
		return "it is mounted elsewhere: by hand, in another mount namespace, or it was "
		       "unmounted lazily and is still in use";
	case -EINVAL:
		return "it is no EROFS image that the kernel takes: other contents, blocks of "
		       "another size than 4 KiB, or a wrong number of devices (dmesg says more), "
		       "or a kernel without shared domains";
	case -EBADMSG:
		return "its superblock is damaged: the checksum is wrong";
	case -EUCLEAN:
		return "the file system in it is damaged";
	case -EOPNOTSUPP:
		return "it uses features that this kernel does not support over fscache";
	case -ENODEV:
		return "this kernel has no EROFS";
	case -ENOENT:
	case -ENOTBLK:
		return "this kernel cannot mount EROFS over fscache (CONFIG_EROFS_FS_ONDEMAND)";
	case -EPERM:
		return "that takes root in the initial user namespace";
	default:
		return strerror(-err);
	}
}

void mount_layer_explain(const struct images_layer *layer, int err, char *error)
{
	char locator[512];

	locator_print(layer->primary.locator, locator, sizeof(locator));
	mount_fail(error, err, "%s (%s) cannot be mounted: %s. See also 'cachefilld --probe'",
		   locator, layer->primary.cookie, reason(err));
}

/* ---- the mount ---------------------------------------------------------------------------- */

/* Of the one call, in parent and child. */
struct job {
	const struct mount_layer *layer;
	char dir[PATH_MAX];
	char kernel[256]; /* what the kernel had to say */
};

static int set(int context, const char *name, const char *value)
{
	return fsconfig(context, FSCONFIG_SET_STRING, name, value, 0) < 0 ? -errno : 0;
}

/* One option a call: all devices of a large image would not fit into the page of mount(2). */
static int configure(int context, const struct mount_layer *layer)
{
	int r = set(context, "source", "cachefilld");

	if (r == 0)
		r = set(context, "fsid", layer->layer->primary.cookie);
	if (r == 0)
		r = set(context, "domain_id", layer->domain);
	for (size_t i = 0; r == 0 && i < layer->layer->n_devices; i++)
		r = set(context, "device", layer->layer->devices[i].cookie);
	return r;
}

/* The last error message of the context, "e erofs: ...". */
static void read_messages(int context, char *text, size_t n)
{
	char line[256];
	ssize_t got;

	while ((got = read(context, line, sizeof(line) - 1)) > 0) {
		line[got] = '\0';
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == 'e')
			snprintf(text, n, "%s", line + 2);
	}
}

/* In the child. FSCONFIG_CMD_CREATE is what waits for the daemon. */
static int mount_it(void *arg)
{
	struct job *job = arg;
	_cleanup_close_ int context = fsopen("erofs", FSOPEN_CLOEXEC);
	_cleanup_close_ int mount = -1;
	int r;

	if (context < 0)
		return -errno;
	r = configure(context, job->layer);
	if (r == 0 && fsconfig(context, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0)
		r = -errno;
	if (r == 0 && fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		r = -errno;
	if (r < 0) {
		read_messages(context, job->kernel, sizeof(job->kernel));
		return r;
	}
	mount = fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY);
	if (mount < 0 || move_mount(mount, "", AT_FDCWD, job->dir, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return -errno;
	return 0;
}

static void leave_it(void *arg)
{
	struct job *job = arg;

	if (job->layer->abandoned)
		job->layer->abandoned(job->layer->arg);
}

static void raise_read_ahead(const struct mount_layer *layer, uint64_t before)
{
	int r = 0;

	if (layer->read_ahead_kib > 0)
		r = mount_readahead_raise(before, layer->read_ahead_kib);
	if (r < 0)
		ctl_error("%s: the kernel's read-ahead stays as it is: %s",
			  layer->layer->primary.cookie, strerror(-r));
}

/* The mount succeeds without its devices, and what reads of them fails later. */
static int check_devices(const struct mount_layer *layer, char *error)
{
	for (size_t i = 0; i < layer->layer->n_devices; i++) {
		const struct images_object *device = &layer->layer->devices[i];
		char locator[512];

		if (mount_opened(device->cookie) != MOUNT_OPENED_FAILED)
			continue;
		return mount_fail(error, -EIO,
				  "a device of the image could not be opened: %s (%s): the log of "
				  "cachefilld says why",
				  locator_print(device->locator, locator, sizeof(locator)),
				  device->cookie);
	}
	return 0;
}

static int mount_new(const struct mount_layer *layer, struct job *job, char *error)
{
	uint64_t before = mount_readahead_before();
	char what[MOUNT_COOKIE_MAX + 16];
	struct mount_call call = {
		.what = what,
		.call = mount_it,
		.abandoned = leave_it,
		.arg = job,
		.text = job->kernel,
		.text_max = sizeof(job->kernel),
	};
	int r;

	snprintf(what, sizeof(what), "%s", layer->layer->primary.cookie);
	r = mount_wait_call(&call);
	if (r == -EINTR)
		return r;
	if (r < 0) {
		mount_layer_explain(layer->layer, r, error);
		if (*job->kernel) {
			size_t n = strlen(error);

			snprintf(error + n, MOUNT_ERROR_MAX - n, " (kernel: %s)", job->kernel);
		}
		return r;
	}
	raise_read_ahead(layer, before);
	return check_devices(layer, error);
}

static int get_locked(const struct mount_layer *layer, struct job *job, char *error)
{
	const char *cookie = layer->layer->primary.cookie;
	struct mount_table table;
	bool there;
	int r = mount_table_load(&table);

	if (r == 0) {
		there = mount_entry_is_layer(mount_table_top(&table, job->dir), cookie);
		mount_table_end(&table);
		if (there)
			return 0;
		if (mkdir(job->dir, 0700) != 0 && errno != EEXIST)
			r = -errno;
	}
	if (r < 0)
		return mount_fail_errno(error, r, "%s", job->dir);
	return mount_new(layer, job, error);
}

int mount_layer_get(const struct mount_layer *layer, char *error)
{
	const char *cookie = layer->layer->primary.cookie;
	struct job job = { .layer = layer };
	int r = mount_layer_check(layer->layer, layer->domain, error);

	if (r < 0)
		return r;
	r = mount_run_layer(layer->run, cookie, job.dir);
	if (r == 0)
		r = mount_wait_lock(layer->run, MOUNT_LOCK_LAYER, cookie, cookie);
	if (r == -EINTR)
		return mount_fail(error, -ECANCELED, "interrupted");
	if (r < 0)
		return mount_fail_errno(error, r, "%s", job.dir);
	r = get_locked(layer, &job, error);
	if (r != -EINTR)
		mount_run_unlock(layer->run, MOUNT_LOCK_LAYER, cookie);
	return r;
}

/* ---- the end ------------------------------------------------------------------------------ */

static int put_locked(const char *dir, const struct mount_table *table, const char *cookie,
		      bool lazy)
{
	const struct mount_entry *top = mount_table_top(table, dir);

	if (top && !mount_entry_is_layer(top, cookie))
		return -EBUSY; /* something of somebody else */
	if (top && umount2(dir, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) != 0 && errno != EINVAL)
		return -errno;
	if (rmdir(dir) != 0 && errno != ENOENT)
		return -errno;
	return 0;
}

int mount_layer_put(const struct mount_run *run, const struct mount_table *table,
		    const char *cookie, bool lazy)
{
	char dir[PATH_MAX];
	int r = mount_run_layer(run, cookie, dir);

	if (r == 0)
		r = mount_run_lock(run, MOUNT_LOCK_LAYER, cookie, true);
	if (r < 0)
		return r == -EAGAIN ? -EBUSY : r;
	r = put_locked(dir, table, cookie, lazy);
	mount_run_unlock(run, MOUNT_LOCK_LAYER, cookie);
	return r;
}
