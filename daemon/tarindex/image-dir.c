/* SPDX-License-Identifier: MIT */
#include "daemon/tarindex/image-dir.h"

#include <endian.h>
#include <string.h>

#include "daemon/tarindex/image-disk.h"
#include "daemon/tarindex/image.h"

void image_dir_begin(struct image_dir *ret, const struct tree_inode *dir)
{
	*ret = (struct image_dir){ .dir = dir, .next = dir->children };
}

/* Looks at the next name; false: there is none. */
static bool peek(const struct image_dir *d, struct image_name *ret)
{
	const char *dots = d->dots == 0 ? "." : "..";

	/* "!" and some more come before a dot. */
	if (d->dots < 2 && (!d->next || strcmp(dots, d->next->name) < 0)) {
		*ret = (struct image_name){ dots, strlen(dots),
					    d->dots == 0 ? d->dir : d->dir->parent };
		return true;
	}
	if (!d->next)
		return false;
	*ret = (struct image_name){ d->next->name, d->next->len, d->next->inode };
	return true;
}

static void advance(struct image_dir *d, const struct image_name *name)
{
	if (d->next && name->name == d->next->name)
		d->next = d->next->next;
	else
		d->dots++;
}

static uint8_t type_of(uint16_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return 1;
	case S_IFDIR:
		return 2;
	case S_IFCHR:
		return 3;
	case S_IFBLK:
		return 4;
	case S_IFIFO:
		return 5;
	default:
		return 7; /* a symbolic link */
	}
}

/* How many names go into the next block, and the bytes that they need. */
static size_t fit(struct image_dir d, size_t *ret_bytes)
{
	struct image_name name;
	size_t n = 0, bytes = 0;

	while (peek(&d, &name) && bytes + sizeof(struct disk_dirent) + name.len <= IMAGE_BLOCK) {
		bytes += sizeof(struct disk_dirent) + name.len;
		advance(&d, &name);
		n++;
	}
	*ret_bytes = bytes;
	return n;
}

size_t image_dir_block(struct image_dir *dir, uint8_t *block)
{
	size_t bytes, n = fit(*dir, &bytes), at = n * sizeof(struct disk_dirent);
	struct disk_dirent *entries = (struct disk_dirent *)block;
	struct image_name name;

	for (size_t i = 0; i < n && peek(dir, &name); i++) {
		entries[i] = (struct disk_dirent){
			.nid = htole64(name.inode->nid),
			.nameoff = htole16((uint16_t)at),
			.file_type = type_of(name.inode->mode),
		};
		memcpy(block + at, name.name, name.len);
		at += name.len;
		advance(dir, &name);
	}
	return n;
}

uint64_t image_dir_size(const struct tree_inode *dir)
{
	struct image_dir d;
	struct image_name name;
	uint64_t blocks = 0;
	size_t bytes = 0, n;

	image_dir_begin(&d, dir);
	while ((n = fit(d, &bytes)) > 0) {
		for (; n > 0 && peek(&d, &name); n--)
			advance(&d, &name);
		blocks++;
		if (!peek(&d, &name))
			break;
	}
	return (blocks - 1) * IMAGE_BLOCK + bytes;
}
