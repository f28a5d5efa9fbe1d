/* SPDX-License-Identifier: MIT */
/*
 * What the running kernel was configured with, from the places where it or its package tells:
 * /proc/config.gz, /boot, /lib/modules.
 */
#pragma once

enum kconfig {
	KCONFIG_UNKNOWN, /* nobody tells */
	KCONFIG_NO,
	KCONFIG_MODULE,
	KCONFIG_YES,
};

/* option: with its CONFIG_. */
enum kconfig kconfig_get(const char *option);

/* "yes", "module", "no", "unknown" */
const char *kconfig_text(enum kconfig value);

/* The minor number that the kernel gave to the misc device of this name, or -ENOENT without it. */
int kconfig_misc_minor(const char *name);
