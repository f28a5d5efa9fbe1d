/* SPDX-License-Identifier: MIT */
/*
 * One cache file against its digest. Blocking, and of any thread.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/util/sha256.h"

/*
 * path: from dir_fd, the cache root, on. size: bytes of the object; ret_hex: the digest of these.
 * *ret_bytes: how many were hashed, whatever comes of it. -ENOENT: it has no name yet, or the
 * kernel would not take what has; -ENODATA: not all of it is there; -ECANCELED: *stop was set; or
 * the errno of reading it.
 */
int audit_file(int dir_fd, const char *path, uint64_t size, const atomic_bool *stop,
	       char ret_hex[SHA256_HEX], uint64_t *ret_bytes);
