/* SPDX-License-Identifier: MIT */
/*
 * Sentences about what went wrong, for the one place that prints them.
 */
#pragma once

enum { MOUNT_ERROR_MAX = 1024 };

/* Writes a sentence to `error`, of MOUNT_ERROR_MAX bytes; returns err, so that it can be returned.
 */
int mount_fail(char *error, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The same with ": " and what the (negative) number err stands for. */
int mount_fail_errno(char *error, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
