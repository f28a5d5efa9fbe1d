/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/mount-error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int mount_fail(char *error, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(error, MOUNT_ERROR_MAX, fmt, ap);
	va_end(ap);
	return err;
}

int mount_fail_errno(char *error, int err, const char *fmt, ...)
{
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	vsnprintf(error, MOUNT_ERROR_MAX, fmt, ap);
	va_end(ap);
	n = strlen(error);
	snprintf(error + n, MOUNT_ERROR_MAX - n, ": %s", strerror(-err));
	return err;
}
