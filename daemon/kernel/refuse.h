/* SPDX-License-Identifier: MIT */
/*
 * How the diagnoses of the start end: the sentence into error, the status to the caller.
 */
#pragma once

#include <stdarg.h>
#include <stdio.h>

#include "daemon/kernel/startup.h"

static inline enum startup_status __attribute__((format(printf, 3, 4)))
startup_refuse(char *error, enum startup_status status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(error, STARTUP_ERROR_MAX, fmt, ap);
	va_end(ap);
	return status;
}
