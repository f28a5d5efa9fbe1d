/* SPDX-License-Identifier: MIT */
/*
 * Tar archives by hand, also such as no program writes.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct tar_entry {
	const char *name;
	char type;	   /* '0' file, '1' hard link, '2' symbolic link, '3' character device, '5'
			      directory */
	const char *text;  /* of a file; or the target of a link */
	unsigned int mode; /* 0: 0644, of a directory 0755 */
	unsigned int uid, gid, major, minor;
	long mtime;
	const char *pax; /* "NAME=VALUE", for this entry; or NULL */
};

void tar_add(FILE *f, const struct tar_entry *entry);
void tar_end(FILE *f);

/* Into a file. */
void tar_write(const char *path, const struct tar_entry *entries, size_t n);
