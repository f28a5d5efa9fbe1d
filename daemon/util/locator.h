/* SPDX-License-Identifier: MIT */
/*
 * Locators in what people read.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Writes a locator without what may be secret (userinfo, query, fragment, where a hash tree is) and
 * without control bytes; cut with "..." where it does not fit. Always terminates (n > 4). Returns
 * buf.
 */
char *locator_print(const char *locator, char *buf, size_t n);

/*
 * What is kept on disk to know the same place by: what locator_print() leaves, and where that is
 * not all, a hash of all but the userinfo, since another password is no other place. n > 32.
 */
void locator_record(const char *locator, char *buf, size_t n);

/*
 * "SCHEME:PATH;LOCATOR": bytes that come from another object by way of an index, such as the device
 * of a tar layer ("tarmap"). PATH is the absolute path of the index, percent-encoded. *ret_path is
 * the caller's, *ret_inner points into locator. -EINVAL, -ENOMEM.
 */
int locator_split_indexed(const char *locator, char **ret_path, const char **ret_inner);

/* The other way; owned by the caller, NULL: no memory. */
char *locator_join_indexed(const char *scheme, const char *path, const char *inner);

/*
 * "fs-verity:sha256:DIGEST;LOCATOR": bytes that are checked against a digest. Their hash tree is at
 * a locator of its own, which stands percent-encoded behind the digest, "DIGEST,TREE;", or beside
 * them: ".verity" is added to their path (to the whole locator of a registry).
 */
#define LOCATOR_VERIFIED "fs-verity"
bool locator_is_verified(const char *locator);

/* *ret_digest ("sha256:...", not checked) and *ret_tree are the caller's, *ret_inner points into
 * locator. -EINVAL, -ENOMEM. */
int locator_split_verified(const char *locator, char **ret_digest, char **ret_tree,
			   const char **ret_inner);

/* The other way; tree NULL: beside it. Owned by the caller, NULL: no memory. */
char *locator_join_verified(const char *digest, const char *tree, const char *inner);
