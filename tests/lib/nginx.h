/* SPDX-License-Identifier: MIT */
/*
 * nginx(8) over a test's own files: a real web server, where there is one.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

/* Why there is none here; NULL: there is, and in $PATH from now on. */
const char *nginx_missing(void);

/* Starts one that goes with this process, and writes to DIR/NAME.* alone. fmt is what stands inside
 * of http { } there: it has to say where to listen and to log. tests/lib/server.h knows whether it
 * does, or whether the port is somebody else's and another is to be tried. */
__attribute__((format(printf, 3, 4))) pid_t nginx_start(const char *dir, const char *name,
							const char *fmt, ...);
void nginx_stop(pid_t pid);

/* Makes DIR/www/NAME or replaces it, in one moment: the bytes of pattern_key(name) + version, with
 * a time of their own, since nginx's ETag is time and size. */
void nginx_put(const char *dir, const char *name, uint64_t size, unsigned int version);
