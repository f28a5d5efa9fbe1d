/* SPDX-License-Identifier: MIT */
#include "daemon/kernel/probe.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "daemon/kernel/cachedir.h"
#include "daemon/kernel/refuse.h"
#include "daemon/util/cleanup.h"

static void line(const char *name, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void line(const char *name, const char *fmt, ...)
{
	va_list ap;

	printf("%-16s ", name);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

static void probe_kernel(void)
{
	struct utsname u;

	if (uname(&u) == 0)
		line("kernel:", "%s %s %s", u.sysname, u.release, u.machine);
}

/* ---- user -------------------------------------------------------------------------------- */

bool probe_sys_admin(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

	return syscall(SYS_capget, &header, data) == 0 &&
	       data[CAP_TO_INDEX(CAP_SYS_ADMIN)].effective & CAP_TO_MASK(CAP_SYS_ADMIN);
}

/* Its map is the whole range onto itself. */
bool probe_initial_user_namespace(void)
{
	FILE *file = fopen("/proc/self/uid_map", "re");
	unsigned int inside, outside, count;
	bool initial;

	if (!file)
		return false;
	initial = fscanf(file, "%u %u %u", &inside, &outside, &count) == 3 && inside == 0 &&
		  outside == 0 && count == UINT32_MAX;
	fclose(file);
	return initial;
}

static void probe_user(void)
{
	line("user:", "uid %u, CAP_SYS_ADMIN %s, in %s user namespace", (unsigned int)geteuid(),
	     probe_sys_admin() ? "yes" : "no",
	     probe_initial_user_namespace() ? "the initial" : "a nested");
}

/* ---- device ------------------------------------------------------------------------------ */

static int command(int fd, const char *text, int n)
{
	if (n < 0)
		return n;
	return write(fd, text, (size_t)n) == n ? 0 : -errno;
}

/*
 * Asks the driver without binding anything: with a cache directory that is none, a kernel with
 * on-demand mode takes the word `ondemand` and then fails to look the directory up, one without
 * it refuses the word. The mode it has entered by then is what `restore` wants.
 */
static enum startup_status ask_for_modes(struct probe_device *ret, int fd, const char *device,
					 char *error)
{
	char text[CF_COMMAND_MAX];
	int r;

	r = command(fd, text, cf_format_dir(text, device));
	if (r == 0)
		r = command(fd, text, cf_format_bind_ondemand(text));
	if (r == -ENOTDIR) {
		ret->ondemand = KCONFIG_YES;
		r = command(fd, text, cf_format_restore(text));
		ret->restore = r == 0 ? KCONFIG_YES : KCONFIG_NO;
		return STARTUP_OK;
	}
	ret->ondemand = ret->restore = KCONFIG_NO;
	return startup_refuse(
		error, STARTUP_NO_ONDEMAND,
		"The kernel has cachefiles, but not its on-demand mode (%s); boot one "
		"built with CONFIG_CACHEFILES_ONDEMAND and CONFIG_EROFS_FS_ONDEMAND.",
		strerror(-r));
}

enum startup_status probe_device(struct probe_device *ret, const char *device, char *error)
{
	_cleanup_close_ int fd = -1;
	enum startup_status status = startup_open_device(&fd, device, error);

	*ret = (struct probe_device){ .free = status == STARTUP_OK };
	if (status == STARTUP_OK)
		return ask_for_modes(ret, fd, device, error);
	ret->ondemand = kconfig_get("CONFIG_CACHEFILES_ONDEMAND");
	ret->restore = ret->ondemand == KCONFIG_NO ? KCONFIG_NO : KCONFIG_UNKNOWN;
	return status;
}

static const char *mode_text(enum kconfig mode)
{
	return mode == KCONFIG_UNKNOWN ? "unknown until bind" : kconfig_text(mode);
}

static enum startup_status print_device(const char *device, char *error)
{
	struct probe_device found;
	enum startup_status status = probe_device(&found, device, error);

	if (found.free)
		line("device:", "%s, free", device);
	else
		line("device:", "%s", error);
	line("on-demand mode:", "%s", mode_text(found.ondemand));
	line("restore:", "%s%s", mode_text(found.restore),
	     found.free && found.ondemand == KCONFIG_YES && found.restore == KCONFIG_NO
		     ? ": readers fail when the daemon restarts"
		     : "");
	return status;
}

/* ---- the rest ---------------------------------------------------------------------------- */

bool probe_file_system(const char *name)
{
	FILE *file = fopen("/proc/filesystems", "re");
	bool found = false;
	char text[128];

	if (!file)
		return false;
	while (!found && fgets(text, sizeof(text), file)) {
		char *entry = strchr(text, '\t');

		text[strcspn(text, "\n")] = 0;
		found = entry && strcmp(entry + 1, name) == 0;
	}
	fclose(file);
	return found;
}

static void probe_erofs(void)
{
	line("erofs:", "%s, over fscache: %s",
	     probe_file_system("erofs") ? "registered" : "not registered (modprobe erofs)",
	     kconfig_text(kconfig_get("CONFIG_EROFS_FS_ONDEMAND")));
}

static void probe_io_uring(void)
{
	struct io_uring_params params = { 0 };
	_cleanup_close_ int fd = (int)syscall(SYS_io_uring_setup, 1, &params);

	if (fd >= 0)
		line("io_uring:", "yes");
	else
		line("io_uring:", "no (%m): poll is used instead");
}

static enum startup_status probe_cache_dir(const struct startup_config *config, char *error)
{
	enum startup_status status;
	_cleanup_close_ int fd = -1;
	struct cachedir dir;

	status = cachedir_check(&dir, config->cache_dir, &config->limits, false, error);
	fd = dir.fd;
	if (status != STARTUP_OK)
		line("cache directory:", "%s", error);
	else
		line("cache directory:", "%s, usable", config->cache_dir);
	if (!dir.fs[0])
		return status;
	line("file system:", "%s%s, blocks of %u bytes%s", dir.fs,
	     dir.fs_tried ? "" : " (not among those known to work)", dir.block,
	     dir.noatime ? ", noatime (use relatime)" : "");
	if (dir.blocks > 0 || dir.files > 0)
		line("free:", "%.1f %% of the blocks, %.1f %% of the inodes%s", dir.blocks,
		     dir.files, dir.low ? ": below bcull or fcull" : "");
	return status;
}

enum startup_status startup_probe(const struct startup_config *config)
{
	char error[STARTUP_ERROR_MAX], later[STARTUP_ERROR_MAX];
	enum startup_status status, second;

	probe_kernel();
	probe_user();
	status = print_device(config->device, error);
	probe_erofs();
	probe_io_uring();
	if (config->cache_dir) {
		second = probe_cache_dir(config, status == STARTUP_OK ? error : later);
		if (status == STARTUP_OK)
			status = second;
	}
	if (status == STARTUP_OK)
		line("result:", "cachefilld can start");
	else
		line("result:", "cachefilld cannot start. %s", error);
	fflush(stdout);
	return status;
}
