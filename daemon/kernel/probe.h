/* SPDX-License-Identifier: MIT */
/*
 * What the running kernel offers, and what this process may do with it: for --probe, and for tools
 * that look for what is wrong. Changes nothing.
 */
#pragma once

#include <stdbool.h>

#include "daemon/kernel/kconfig.h"
#include "daemon/kernel/startup.h"

struct probe_device {
	bool free;	       /* nobody holds it */
	enum kconfig ondemand; /* it has the mode that we need */
	enum kconfig restore;  /* readers outlive a restart of the daemon */
};

/*
 * Asks the device without binding anything; takes it, where it is free, only for a moment. What it
 * cannot be asked is taken from the kernel's configuration. STARTUP_OK: a daemon could bind; else
 * error (STARTUP_ERROR_MAX bytes) says why not. *ret is filled in any case.
 */
enum startup_status probe_device(struct probe_device *ret, const char *device, char *error);

/* A file system of this name is there; one that is a module is only after it was loaded. */
bool probe_file_system(const char *name);

bool probe_sys_admin(void);
bool probe_initial_user_namespace(void);
