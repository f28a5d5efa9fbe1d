/* SPDX-License-Identifier: MIT */
/*
 * Names in the kernel's cache directory: DIR/cache/I<volume>/@xx/<object>. Pure. Mirrors
 * fs/cachefiles/key.c (cachefiles_cook_key), fs/cachefiles/volume.c and the hash of
 * fs/netfs/fscache_cookie.c (fscache_hash), and the extended attribute that makes the kernel
 * accept an entry (fs/cachefiles/xattr.c).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/util/bytes.h"

#define CACHENAME_MAX		   256 /* one path component with its terminator */
#define CACHENAME_PATH_MAX	   (2 * CACHENAME_MAX + 16)
#define CACHENAME_XATTR		   "user.CacheFiles.cache"
#define CACHENAME_OBJECT_XATTR_LEN 18
#define CACHENAME_VOLUME_XATTR_LEN 4

/* The longest keys that our own tools hand to mount(2): 253..255 in a domain hit a BUG_ON. */
#define CACHENAME_KEY_MAX 200

/* File name of a cookie key. -EINVAL: empty, which no netfs can register; -ENAMETOOLONG: no file
 * system takes it (or, from 253 bytes on, the kernel does not survive it). */
int cachename_encode(struct bytes cookie, char name[CACHENAME_MAX]);

/*
 * Back to the key: its length, or -EINVAL for a name that the kernel did not make. Exact for all
 * keys that do not end in NUL; for one that does, some of the last NULs may be missing: the kernel
 * itself keeps both in one file.
 */
int cachename_decode(const char *name, uint8_t key[CACHENAME_MAX]);

/* The fan-out number 0..255 of an object. volume without its NUL. */
uint8_t cachename_fanout(struct bytes volume, struct bytes cookie);

/* "cache/I<volume>/@xx/<object>", relative to what `dir` names. -EINVAL: a '/' or NUL in the volume
 * key (the kernel cannot make that directory either); -ENAMETOOLONG. */
int cachename_path(struct bytes volume, struct bytes cookie, char path[CACHENAME_PATH_MAX]);

/* The size in an object's attribute; false: the kernel would drop the file. */
bool cachename_parse_xattr(const void *value, size_t n, uint64_t *ret_size);
