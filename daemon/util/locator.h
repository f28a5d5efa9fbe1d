/* SPDX-License-Identifier: MIT */
/*
 * Locators in what people read.
 */
#pragma once

#include <stddef.h>

/*
 * Writes a locator without what may be secret (userinfo, query, fragment) and without control
 * bytes; cut with "..." where it does not fit. Always terminates (n > 4). Returns buf.
 */
char *locator_print(const char *locator, char *buf, size_t n);

/*
 * "SCHEME:PATH;LOCATOR": bytes that come from another object by way of an index, such as the device
 * of a tar layer ("tarmap"). PATH is the absolute path of the index, percent-encoded. *ret_path is
 * the caller's, *ret_inner points into locator. -EINVAL, -ENOMEM.
 */
int locator_split_indexed(const char *locator, char **ret_path, const char **ret_inner);

/* The other way; owned by the caller, NULL: no memory. */
char *locator_join_indexed(const char *scheme, const char *path, const char *inner);
