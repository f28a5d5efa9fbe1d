/* SPDX-License-Identifier: MIT */
/*
 * A layer of a container image, a tar archive, as the directory that overlayfs wants for it:
 * owners, modes, times, extended attributes, hard links and devices as they are in the archive;
 * whiteouts of the image specification (.wh.NAME, .wh..wh..opq) become what overlayfs takes for
 * them.
 *
 * The archive is of somebody else. No name in it leads out of the directory: absolute ones, ".."
 * and those through a symbolic link are errors, also in the targets of hard links.
 */
#pragma once

#include <stdint.h>

#include "daemon/ctl/build-dirs.h"
#include "daemon/ctl/progress.h"

struct build_unpack {
	const char *name;	   /* of the archive, for errors */
	int fd;			   /* of it: tar, perhaps compressed by gzip or zstd */
	uint64_t size;		   /* bytes to read from fd */
	const char *dir;	   /* absolute; empty, and nobody else can get into it */
	struct build_dirs *dirs;   /* of the layers below; those of this one are added */
	struct progress *progress; /* of the bytes that are read */
};

/* CTL_OK, or CTL_FAILED after it has said why; then there are remains in dir. Needs root. */
int build_unpack(const struct build_unpack *unpack);
