/* SPDX-License-Identifier: MIT */
/*
 * The tree that the entries of a tar layer describe, as an image will have it: the last entry of
 * a name counts, missing parents are made, hard links are one inode, and the whiteouts of OCI
 * layers (".wh.NAME", ".wh..wh..opq") become what overlayfs understands: a character device 0:0,
 * and the attribute trusted.overlay.opaque of a directory.
 *
 * No name leaves the root: absolute ones begin there, and ".." is refused. What a layer says of
 * overlayfs itself ("trusted.overlay.*") is left out: it could make a file show another's bytes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "daemon/tarindex/arena.h"
#include "daemon/tarindex/tar.h"

enum {
	TREE_NAME_MAX = 255,
	TREE_PATH_MAX = 4095,
	TREE_ENTRIES_MAX = 4 << 20, /* 700 MiB of memory */
	TREE_LINK_MAX = 4095,	    /* a symbolic link's text */
};

struct tree_inode {
	uint64_t size; /* of a file; of a link's text; the writer's for directories */
	int64_t mtime;
	uint64_t nid;	 /* the writer's */
	uint64_t from;	 /* of a file: where its bytes lie in the archive */
	uint64_t at;	 /* of a file: where they lie in the device. Of others: the writer's */
	uint8_t *xattrs; /* entries as in an image; the arena's */
	union {
		struct tree_entry *children; /* of a directory; sorted by tree_finish() */
		const char *target;	     /* of a symbolic link; the arena's */
		struct tree_inode *next;     /* of a file: in the order of the archive */
	};
	struct tree_inode *parent; /* of a directory; its own of the root */
	uint32_t mtime_nsec, uid, gid;
	uint32_t rdev; /* as the kernel encodes it */
	uint32_t nlink;
	uint32_t xattrs_len;
	uint16_t mode; /* with the type */
	bool opaque;   /* a directory that hides those below it */
	bool whiteout;
};

struct tree_entry {
	struct tree_entry *next; /* sibling */
	struct tree_inode *dir, *inode;
	uint32_t hash;
	uint8_t len;
	char name[]; /* with a NUL that is not counted */
};

struct tree {
	struct arena arena;
	struct tree_inode *root;
	struct tree_entry **slots; /* owned; by directory and name, open addressing */
	size_t n_slots;
	size_t n_entries;	  /* names, without the root */
	struct tree_inode *files; /* those with bytes, in the order of the archive */
	struct tree_inode **files_end;
	uint64_t n_xattrs_left_out;
	/* Set by tree_finish(): every inode once, directories before what is in them. */
	struct tree_inode **order; /* owned */
	size_t n_inodes;
};

int tree_new(struct tree **ret); /* -ENOMEM */
struct tree *tree_free(struct tree *tree);
static inline void tree_freep(struct tree **tree)
{
	tree_free(*tree);
}

/*
 * Adds what an entry says; arg is the tree: a callback of tar_new(). -EINVAL with why in error
 * (TAR_ERROR_MAX); -E2BIG: more entries than TREE_ENTRIES_MAX; -ENOMEM.
 */
int tree_add(void *arg, const struct tar_entry *entry, char *error);

/* After the last: sorts, counts links, puts inodes in order. Those without a link are not in it. */
int tree_finish(struct tree *tree); /* -ENOMEM */

static inline bool tree_is_dir(const struct tree_inode *inode)
{
	return S_ISDIR(inode->mode);
}
