/* SPDX-License-Identifier: MIT */
#include "daemon/kernel/startup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "daemon/kernel/cachedir.h"
#include "daemon/kernel/holder.h"
#include "daemon/kernel/kconfig.h"
#include "daemon/kernel/refuse.h"
#include "daemon/kernel/scrub.h"
#include "daemon/util/cleanup.h"
#include "daemon/util/log.h"

#define MISC_MAJOR 10

static void port_freep(struct port **port)
{
	if (*port)
		(*port)->ops->free(*port);
}

/* ---- the device -------------------------------------------------------------------------- */

/* The driver, its module or nothing at all: each is mended in another way. */
static enum startup_status no_device(const char *device, char *error)
{
	int minor = kconfig_misc_minor("cachefiles");

	if (minor >= 0)
		return startup_refuse(error, STARTUP_NO_DEVICE,
				      "The kernel has the cachefiles driver, but %s is not there; "
				      "make it: mknod -m 0600 %s c %d %d",
				      device, device, MISC_MAJOR, minor);
	switch (kconfig_get("CONFIG_CACHEFILES")) {
	case KCONFIG_NO:
		return startup_refuse(error, STARTUP_NO_DEVICE,
				      "There is no %s, and this kernel is built without "
				      "CONFIG_CACHEFILES; boot one that has it and "
				      "CONFIG_CACHEFILES_ONDEMAND.",
				      device);
	case KCONFIG_MODULE:
		return startup_refuse(
			error, STARTUP_NO_DEVICE,
			"There is no %s, because the kernel module is not loaded: run "
			"`modprobe cachefiles`.",
			device);
	default:
		return startup_refuse(error, STARTUP_NO_DEVICE,
				      "There is no %s: run `modprobe cachefiles`; if that finds no "
				      "module, boot a kernel with CONFIG_CACHEFILES and "
				      "CONFIG_CACHEFILES_ONDEMAND.",
				      device);
	}
}

static enum startup_status device_busy(const char *device, char *error)
{
	char holders[128];
	bool daemon;

	if (holder_list(device, holders, sizeof(holders)) == 0)
		return startup_refuse(
			error, STARTUP_DEVICE_BUSY,
			"%s is in use by a process that /proc does not show here; look "
			"for it outside of this PID namespace (cachefilesd?) and stop "
			"it.",
			device);
	daemon = strstr(holders, "(cachefilesd)");
	return startup_refuse(error, STARTUP_DEVICE_BUSY,
			      "%s is in use by process %s, and only one can have it; stop it%s.",
			      device, holders,
			      daemon ? ": systemctl disable --now cachefilesd"
				     : " (another cachefilld, or cachefilesd)");
}

static enum startup_status another_device(const char *device, char *error)
{
	return startup_refuse(
		error, STARTUP_NO_DEVICE,
		"%s is not the cachefiles device, whose number is in /proc/misc; name "
		"that, usually /dev/cachefiles, or make the node anew.",
		device);
}

/* Commands to a device of another kind would mean something else, or, worse, seem to succeed. */
static bool is_cachefiles(int fd)
{
	int number = kconfig_misc_minor("cachefiles");
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && major(st.st_rdev) == MISC_MAJOR &&
	       (int)minor(st.st_rdev) == number;
}

enum startup_status startup_open_device(int *ret_fd, const char *device, char *error)
{
	_cleanup_close_ int fd = open(device, O_RDWR | O_CLOEXEC | O_NOCTTY);

	if (fd >= 0) {
		if (!is_cachefiles(fd))
			return another_device(device, error);
		*ret_fd = steal_fd(&fd);
		return STARTUP_OK;
	}
	switch (errno) {
	case ENOENT:
	case ENOTDIR:
		return no_device(device, error);
	case ENODEV:
	case ENXIO:
		if (kconfig_misc_minor("cachefiles") >= 0)
			return another_device(device, error);
		return no_device(device, error);
	case EBUSY:
		return device_busy(device, error);
	case EPERM:
	case EACCES:
		return startup_refuse(error, STARTUP_NO_PERMISSION,
				      "%s may not be opened (%m): it takes CAP_SYS_ADMIN in the "
				      "initial user namespace; start as root on the host, not in a "
				      "user namespace or an unprivileged container.",
				      device);
	default:
		return startup_refuse(error, STARTUP_NO_DEVICE,
				      "%s cannot be opened (%m); the kernel log may say why.",
				      device);
	}
}

/* ---- the cache directory ----------------------------------------------------------------- */

static enum startup_status check_cache_dir(int *ret_fd, const struct startup_config *config,
					   char *error)
{
	enum startup_status status;
	struct cachedir dir;

	status = cachedir_check(&dir, config->cache_dir, &config->limits, true, error);
	if (status != STARTUP_OK)
		return status;
	if (!dir.fs_tried)
		log_warning("%s is on a file system (%s) that is not among those known to work: "
			    "ext4, xfs, btrfs",
			    config->cache_dir, dir.fs);
	if (dir.noatime)
		log_warning("%s is mounted noatime, so that nobody can tell which cache files were "
			    "used last; mount it relatime",
			    config->cache_dir);
	if (dir.low)
		log_warning("%s has %.1f %% of its blocks and %.1f %% of its inodes free, below "
			    "bcull or fcull",
			    config->cache_dir, dir.blocks, dir.files);
	*ret_fd = dir.fd;
	return STARTUP_OK;
}

/* A volume that cannot be scrubbed is lost for mounts of it only; all others can be served. */
static void scrub(int dir_fd, const char *path)
{
	struct scrub_result result;
	int r = scrub_cache(dir_fd, &result);

	if (result.volumes || result.objects || result.graves)
		log_notice("%s: removed %u volumes and %u files that a crash left unfinished, and "
			   "%u entries of the graveyard",
			   path, result.volumes, result.objects, result.graves);
	if (r < 0)
		log_warning("%s: could not remove all that a crash left unfinished (%s); mounts "
			    "that need it will fail",
			    path, strerror(-r));
}

/* ---- commands ---------------------------------------------------------------------------- */

/* n: what the formatter returned. */
static int send(struct port *port, const char *text, int n)
{
	return n < 0 ? n : port->ops->command(port, text, (size_t)n);
}

static enum startup_status settle(struct port *port, const struct startup_config *config,
				  char *error)
{
	char text[CF_COMMAND_MAX];
	int n, r;

	r = send(port, text, cf_format_dir(text, config->cache_dir));
	if (r < 0)
		return startup_refuse(
			error, STARTUP_BAD_CACHE_DIR,
			"The kernel does not take the cache directory '%s' (%s); name "
			"one whose path is shorter and has no newline.",
			config->cache_dir, strerror(-r));
	r = send(port, text, cf_format_tag(text, config->tag));
	if (r < 0)
		return startup_refuse(error, STARTUP_BIND_FAILED,
				      "The kernel does not take the tag '%s' (%s); choose a plain "
				      "word.",
				      config->tag, strerror(-r));
	if (config->secctx) {
		r = send(port, text, cf_format_secctx(text, config->secctx));
		if (r < 0)
			return startup_refuse(error, STARTUP_BIND_FAILED,
					      "The kernel does not take the security context '%s' "
					      "(%s); it needs a security module that knows it, or "
					      "leave it out.",
					      config->secctx, strerror(-r));
	}
	for (unsigned int i = 0; (n = cf_format_limit(text, &config->limits, i)) != 0; i++) {
		r = send(port, text, n);
		if (r < 0)
			return startup_refuse(error, STARTUP_BIND_FAILED,
					      "The kernel refuses the limit '%s' (%s).", text,
					      strerror(-r));
	}
	return STARTUP_OK;
}

/* cachefiles_daemon_bind() and cachefiles_add_cache(), error by error. */
static enum startup_status explain_bind(int r, const struct startup_config *config, char *error)
{
	switch (-r) {
	case EINVAL:
		/* Argument unknown, or else the mount is an idmapped one. */
		if (kconfig_get("CONFIG_CACHEFILES_ONDEMAND") == KCONFIG_YES)
			return startup_refuse(
				error, STARTUP_BAD_FILESYSTEM,
				"The kernel refuses %s as a cache, probably because its "
				"mount is idmapped; use a mount that is not.",
				config->cache_dir);
		return startup_refuse(
			error, STARTUP_NO_ONDEMAND,
			"The kernel has cachefiles, but not its on-demand mode; boot one "
			"built with CONFIG_CACHEFILES_ONDEMAND and "
			"CONFIG_EROFS_FS_ONDEMAND.");
	case EOPNOTSUPP:
		return startup_refuse(
			error, STARTUP_BAD_FILESYSTEM,
			"The kernel does not take the file system of %s for a cache; use "
			"ext4, xfs or btrfs.",
			config->cache_dir);
	case EROFS:
	case ENOENT:
	case ENOTDIR:
		return startup_refuse(error, STARTUP_BAD_CACHE_DIR,
				      "The kernel cannot use the cache directory %s (%s); is it "
				      "another one in this mount namespace?",
				      config->cache_dir, strerror(-r));
	case ENOBUFS:
	case ENOSPC:
		return startup_refuse(
			error, STARTUP_NO_SPACE,
			"The kernel cannot make its directories in %s (%s); free some "
			"space or lower bstop and fstop.",
			config->cache_dir, strerror(-r));
	case EBUSY:
		return startup_refuse(
			error, STARTUP_BIND_FAILED,
			"A cache with the tag '%s' or in %s is still being taken down; "
			"try again when its last process has ended.",
			config->tag, config->cache_dir);
	default:
		return startup_refuse(error, STARTUP_BIND_FAILED,
				      "The kernel refuses to bind %s (%s); its log may say why.",
				      config->cache_dir, strerror(-r));
	}
}

enum startup_status startup_adopt(struct port **ret, int device_fd,
				  const struct startup_config *config, char *error)
{
	_cleanup_(port_freep) struct port *port = NULL;
	char text[CF_COMMAND_MAX];
	bool real = is_cachefiles(device_fd);
	int r = port_device_new(&port, device_fd);

	if (r < 0 || !real)
		return startup_refuse(error, STARTUP_NO_DEVICE,
				      "The descriptor that was passed on is not the cachefiles "
				      "device.");
	/* A cache has one tag: to a second one it says so, while it lives. */
	r = send(port, text, cf_format_tag(text, config->tag));
	if (r == -EIO)
		return startup_refuse(error, STARTUP_BIND_FAILED,
				      "The kernel has given up the cache of the device that was "
				      "passed on after an I/O error (see the kernel log).");
	if (r != -EEXIST)
		return startup_refuse(error, STARTUP_BIND_FAILED,
				      "The device that was passed on was never bound.");
	*ret = steal(&port);
	return STARTUP_OK;
}

enum startup_status startup_bind(struct port **ret, bool *ret_restore,
				 const struct startup_config *config, char *error)
{
	_cleanup_(port_freep) struct port *port = NULL;
	_cleanup_close_ int dir_fd = -1;
	const char *wrong = cf_limits_check(&config->limits);
	char text[CF_COMMAND_MAX];
	enum startup_status status;
	int fd, r;

	if (wrong)
		return startup_refuse(error, STARTUP_BIND_FAILED,
				      "The limits cannot be set: %s; mend the configuration.",
				      wrong);
	status = startup_open_device(&fd, config->device, error);
	if (status != STARTUP_OK)
		return status;
	r = port_device_new(&port, fd);
	if (r < 0)
		return startup_refuse(error, STARTUP_BIND_FAILED,
				      "%s cannot be set up (%s); try again.", config->device,
				      strerror(-r));

	status = check_cache_dir(&dir_fd, config, error);
	if (status == STARTUP_OK)
		status = settle(port, config, error);
	if (status != STARTUP_OK)
		return status;
	scrub(dir_fd, config->cache_dir);

	r = send(port, text, cf_format_bind_ondemand(text));
	if (r < 0)
		return explain_bind(r, config, error);
	/* Nothing is pending yet, so that it has no effect but to be known or not. */
	*ret_restore = send(port, text, cf_format_restore(text)) == 0;
	*ret = steal(&port);
	return STARTUP_OK;
}
