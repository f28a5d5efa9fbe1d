/* SPDX-License-Identifier: MIT */
/*
 * uthash with the hash of the project, which a chosen key does not defeat as easily as its own,
 * and without its exit(): when there is no memory, HASH_ADD leaves the element out and
 * table_has() says so.
 */
#pragma once

#include <xxhash.h>

#define HASH_NONFATAL_OOM	       1
#define uthash_nonfatal_oom(elt)       ((void)(elt))
#define HASH_FUNCTION(key, len, hashv) ((hashv) = (unsigned int)XXH3_64bits(key, len))

#include <uthash.h>

/* After HASH_ADD(hh, ...): it is in its table. */
#define table_has(elt) ((elt)->hh.tbl != NULL)
