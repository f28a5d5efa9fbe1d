/* SPDX-License-Identifier: MIT */
/*
 * Locators in what people read.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Writes a locator without what may be secret (userinfo, query, fragment) and without control
 * bytes; cut with "..." where it does not fit. Always terminates (n > 4). Returns buf.
 */
char *locator_print(const char *locator, char *buf, size_t n);

/*
 * "tarmap:PATH;LOCATOR", the device of a tar layer: the absolute path of its map, percent-encoded,
 * and the locator of the layer's blob. *ret_map is the caller's, *ret_blob points into locator.
 * -EINVAL, -ENOMEM.
 */
bool locator_is_tarmap(const char *locator);
int locator_split_tarmap(const char *locator, char **ret_map, const char **ret_blob);

/* The other way; owned by the caller, NULL: no memory. */
char *locator_join_tarmap(const char *map, const char *blob);
