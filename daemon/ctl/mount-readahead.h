/* SPDX-License-Identifier: MIT */
/*
 * How far the kernel reads ahead of a reader in a file system that was just mounted, where somebody
 * wants it otherwise than the kernel has it (128 KiB).
 *
 * EROFS over fscache has a bdi of its own, erofs-N, where N counts such file systems since the
 * boot; nothing connects it with the mount. So it is found as the one that was not there before.
 */
#pragma once

#include <stdint.h>

/* The highest number so far. */
uint64_t mount_readahead_before(void);

/* Sets it for what has appeared since. 0 or a negative errno; -ENOENT: nothing has. */
int mount_readahead_raise(uint64_t before, uint32_t kib);
