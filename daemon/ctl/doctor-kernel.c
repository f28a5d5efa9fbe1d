/* SPDX-License-Identifier: MIT */
/* What the kernel is and has, who we are to it, and its clock. */
#include <stdio.h>
#include <string.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "daemon/ctl/doctor.h"
#include "daemon/kernel/holder.h"
#include "daemon/kernel/probe.h"

#define VERSION(major, minor) ((major)*1000u + (minor))

#define KERNEL_FIRST	      VERSION(5, 19) /* cachefiles on demand */
#define KERNEL_DOMAINS	      VERSION(6, 1)
#define KERNEL_GONE	      VERSION(7, 2) /* EROFS has no fscache back end any more */

/* ---- the kernel -------------------------------------------------------------------------------
 */

static void check_version(void)
{
	unsigned int major, minor, version;
	struct utsname u;

	if (uname(&u) < 0 || sscanf(u.release, "%u.%u", &major, &minor) != 2) {
		doctor_warn(NULL, "the kernel does not say which it is");
		return;
	}
	version = VERSION(major, minor);
	if (version < KERNEL_FIRST || version >= KERNEL_GONE)
		doctor_fail("Boot a kernel from 5.19 to 7.1, best 6.12 or 6.18.",
			    "Linux %s has no EROFS over fscache", u.release);
	else if (version < KERNEL_DOMAINS)
		doctor_warn("Boot 6.1 or later.",
			    "Linux %s has no shared domains, which images of the store need",
			    u.release);
	else
		doctor_ok("Linux %s", u.release);
}

static void check_option(const char *option)
{
	if (kconfig_get(option) == KCONFIG_NO)
		doctor_fail("Boot a kernel that was built with it.", "%s is off", option);
}

static void check_erofs(void)
{
	switch (probe_file_system("erofs") ? KCONFIG_YES : kconfig_get("CONFIG_EROFS_FS")) {
	case KCONFIG_YES:
	case KCONFIG_NO: /* said already: its on-demand mode is off, too */
		break;
	case KCONFIG_MODULE:
		doctor_ok("EROFS is a module, which the first mount loads");
		break;
	case KCONFIG_UNKNOWN:
		doctor_warn("Run `modprobe erofs`.", "EROFS is not there (yet)");
		break;
	}
}

void doctor_kernel(struct doctor *d)
{
	check_version();
	check_option("CONFIG_CACHEFILES");
	check_option("CONFIG_CACHEFILES_ONDEMAND");
	check_option("CONFIG_EROFS_FS_ONDEMAND");
	check_erofs();
}

void doctor_user(struct doctor *d)
{
	const char *remedy = "Run it as root, on the host: much of what follows is not for others.";

	if (!probe_initial_user_namespace())
		doctor_warn(remedy, "in a user namespace of a container");
	else if (!probe_sys_admin())
		doctor_warn(remedy, "uid %u without CAP_SYS_ADMIN", (unsigned int)geteuid());
	else
		doctor_ok("uid %u with CAP_SYS_ADMIN", (unsigned int)geteuid());
}

/* ---- the device -------------------------------------------------------------------------------
 */

/* Busy is what it is while our daemon runs. */
static void check_busy(const char *device, const char *error)
{
	char holders[512];

	holder_list(device, holders, sizeof(holders));
	if (strstr(holders, "(cachefilld)"))
		doctor_ok("%s is in use by %s", device, holders);
	else
		doctor_fail(NULL, "%s", error);
}

void doctor_device(struct doctor *d)
{
	const char *device = d->context.config->device;
	char error[STARTUP_ERROR_MAX];
	struct probe_device found;
	enum startup_status status = probe_device(&found, device, error);

	if (status == STARTUP_DEVICE_BUSY)
		check_busy(device, error);
	else if (status == STARTUP_NO_PERMISSION && !probe_sys_admin())
		doctor_warn(NULL, "%s", error);
	else if (status != STARTUP_OK)
		doctor_fail(NULL, "%s", error);
	else
		doctor_ok("%s is free", device);
	if (found.restore == KCONFIG_NO && status == STARTUP_OK)
		doctor_warn("Boot 6.8 or later, or a late 6.1.y or 6.6.y.",
			    "this kernel has no `restore`: mounts do not survive a restart of the "
			    "daemon");
}

/* ---- the clock --------------------------------------------------------------------------------
 */

/* This code is not older: certificates and signatures of today are from the future then. */
#define CLOCK_FIRST 1767225600 /* 2026-01-01 */

void doctor_clock(struct doctor *d)
{
	struct timex state = { .modes = 0 };
	time_t now = time(NULL);
	char text[32];
	struct tm tm;
	int r = adjtimex(&state);

	gmtime_r(&now, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	if (now < CLOCK_FIRST)
		doctor_fail("Set it, and enable a time service.",
			    "the clock says %s UTC, which is long ago: no certificate is good then",
			    text);
	else if (r < 0 || r == TIME_ERROR)
		doctor_warn("Enable a time service: systemd-timesyncd, chrony.",
			    "the clock says %s UTC, and nobody keeps it right", text);
	else
		doctor_ok("the clock says %s UTC, and is kept right", text);
}
