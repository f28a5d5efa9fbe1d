/* SPDX-License-Identifier: MIT */
/*
 * Has the kernel drop what it has cached of an object that it is about to open.
 */
#pragma once

#include "daemon/util/bytes.h"

/*
 * To be called between an OPEN and its copen. cache_dir_fd is the root of the kernel's cache;
 * -EBADF without one. 0, also when nothing is cached, or a negative errno.
 */
int discard_cached(int cache_dir_fd, struct bytes volume, struct bytes cookie);
