/* SPDX-License-Identifier: MIT */
#include "daemon/tarindex/tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "daemon/tarindex/tree-xattr.h"
#include "daemon/util/cleanup.h"

#define WHITEOUT	".wh."
#define WHITEOUT_OPAQUE ".wh..wh..opq"
#define WHITEOUT_META	".wh..wh." /* aufs's own */

static int refuse(char *error, const char *why)
{
	snprintf(error, TAR_ERROR_MAX, "%s", why);
	return -EINVAL;
}

/* ---- names ------------------------------------------------------------------------------ */

static uint32_t hash_of(const struct tree_inode *dir, struct bytes name)
{
	return (uint32_t)XXH3_64bits_withSeed(name.data, name.len, (uintptr_t)dir);
}

/* The slot of a name, or the free one where it would be. */
static struct tree_entry **slot_of(struct tree *tree, const struct tree_inode *dir,
				   struct bytes name, uint32_t hash)
{
	size_t mask = tree->n_slots - 1, i = hash & mask;

	for (;; i = (i + 1) & mask) {
		struct tree_entry *e = tree->slots[i];

		if (!e || (e->hash == hash && e->dir == dir && e->len == name.len &&
			   memcmp(e->name, name.data, name.len) == 0))
			return &tree->slots[i];
	}
}

static int grow(struct tree *tree)
{
	size_t n_old = tree->n_slots, n = n_old * 2;
	struct tree_entry **old = tree->slots, **slots = calloc(n, sizeof(struct tree_entry *));

	if (!slots)
		return -ENOMEM;
	tree->slots = slots;
	tree->n_slots = n;
	for (size_t i = 0; i < n_old; i++)
		if (old[i])
			*slot_of(tree, old[i]->dir, bytes_of(old[i]->name, old[i]->len),
				 old[i]->hash) = old[i];
	free(old);
	return 0;
}

static struct tree_entry *find(struct tree *tree, struct tree_inode *dir, struct bytes name)
{
	return *slot_of(tree, dir, name, hash_of(dir, name));
}

static struct tree_inode *inode_new(struct tree *tree, uint16_t mode)
{
	struct tree_inode *inode = arena_alloc(&tree->arena, sizeof(*inode));

	if (inode)
		inode->mode = mode;
	return inode;
}

/* A name that is not there yet. */
static int insert(struct tree *tree, struct tree_inode *dir, struct bytes name,
		  struct tree_inode *inode, char *error)
{
	struct tree_entry *e;
	int r;

	if (tree->n_entries == TREE_ENTRIES_MAX) {
		refuse(error, "the layer has more files than can be indexed");
		return -E2BIG;
	}
	if (tree->n_entries * 4 >= tree->n_slots * 3) {
		r = grow(tree);
		if (r < 0)
			return r;
	}
	e = arena_alloc(&tree->arena, sizeof(*e) + name.len + 1);
	if (!e)
		return -ENOMEM;
	memcpy(e->name, name.data, name.len);
	e->len = (uint8_t)name.len;
	e->hash = hash_of(dir, name);
	e->dir = dir;
	e->inode = inode;
	e->next = dir->children;
	dir->children = e;
	*slot_of(tree, dir, name, e->hash) = e;
	tree->n_entries++;
	return 0;
}

/* ---- paths ------------------------------------------------------------------------------ */

/* The next part of *path, which is moved behind it. False: there is none. */
static bool next_part(const char **path, struct bytes *ret)
{
	size_t len;

	do {
		*path += strspn(*path, "/");
		len = strcspn(*path, "/");
		*ret = bytes_of(*path, len);
		*path += len;
	} while (len == 1 && ret->data[0] == '.');
	return len > 0;
}

static int check_part(struct bytes part, char *error)
{
	if (part.len == 2 && memcmp(part.data, "..", 2) == 0)
		return refuse(error, "a name with \"..\" in it");
	if (part.len > TREE_NAME_MAX)
		return refuse(error, "a name longer than 255 bytes");
	return 0;
}

static bool starts_with(struct bytes part, const char *prefix)
{
	return part.len >= strlen(prefix) && memcmp(part.data, prefix, strlen(prefix)) == 0;
}

static int make_parent(struct tree *tree, struct tree_inode *dir, struct tree_entry *e,
		       struct bytes name, struct tree_inode **ret, char *error)
{
	struct tree_inode *made = inode_new(tree, S_IFDIR | 0755);
	int r = 0;

	if (!made)
		return -ENOMEM;
	made->parent = dir;
	if (e)
		e->inode = made;
	else
		r = insert(tree, dir, name, made, error);
	/* What was removed and is there again hides what lies below. */
	made->opaque = e != NULL;
	*ret = made;
	return r;
}

/*
 * Finds the directory and the last part of a path; *ret_name is empty for the root itself. make:
 * directories that are missing. 1: below something of aufs's own, which nobody wants.
 */
static int walk(struct tree *tree, const char *path, bool make, struct tree_inode **ret_dir,
		struct bytes *ret_name, char *error)
{
	struct tree_inode *dir = tree->root;
	struct bytes part, next;
	bool more;
	int r;

	if (strlen(path) > TREE_PATH_MAX)
		return refuse(error, "a path longer than 4095 bytes");
	if (!next_part(&path, &part)) {
		*ret_dir = dir;
		*ret_name = part;
		return 0;
	}
	for (;; part = next) {
		struct tree_entry *e;

		r = check_part(part, error);
		if (r < 0)
			return r;
		more = next_part(&path, &next);
		if (!more)
			break;
		if (starts_with(part, WHITEOUT_META))
			return 1;
		if (starts_with(part, WHITEOUT))
			return refuse(error, "something below a whiteout");
		e = find(tree, dir, part);
		if (e && tree_is_dir(e->inode)) {
			dir = e->inode;
			continue;
		}
		if (!make)
			return refuse(error, "there is no such file in this layer");
		if (e && !e->inode->whiteout)
			return refuse(error, "it lies below something that is not a directory");
		r = make_parent(tree, dir, e, part, &dir, error);
		if (r < 0)
			return r;
	}
	*ret_dir = dir;
	*ret_name = part;
	return 0;
}

/* ---- entries ---------------------------------------------------------------------------- */

/* As new_encode_dev() of the kernel. */
static uint32_t rdev_of(uint32_t major, uint32_t minor)
{
	return (minor & 0xff) | major << 8 | (minor & ~0xffu) << 12;
}

static uint16_t type_bits(enum tar_type type)
{
	static const uint16_t bits[] = {
		[TAR_FILE] = S_IFREG, [TAR_DIR] = S_IFDIR,  [TAR_SYMLINK] = S_IFLNK,
		[TAR_CHAR] = S_IFCHR, [TAR_FIFO] = S_IFIFO, [TAR_BLOCK_DEVICE] = S_IFBLK,
	};

	return bits[type];
}

static int set_target(struct tree *tree, struct tree_inode *inode, const char *link, char *error)
{
	size_t len = strlen(link);
	char *copy;

	if (len == 0 || len > TREE_LINK_MAX)
		return refuse(error, "a symbolic link to nothing, or to too long a name");
	copy = arena_alloc(&tree->arena, len + 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, link, len);
	inode->target = copy;
	inode->size = len;
	inode->mode = S_IFLNK | 0777; /* as Linux makes them */
	return 0;
}

/* All but the place in the tree. */
static int fill(struct tree *tree, struct tree_inode *inode, const struct tar_entry *entry,
		char *error)
{
	inode->mode = (uint16_t)(type_bits(entry->type) | entry->mode);
	inode->uid = entry->uid;
	inode->gid = entry->gid;
	inode->mtime = entry->mtime;
	inode->mtime_nsec = entry->mtime_nsec;
	if (entry->type == TAR_CHAR || entry->type == TAR_BLOCK_DEVICE)
		inode->rdev = rdev_of(entry->major, entry->minor);
	if (entry->type == TAR_SYMLINK) {
		int r = set_target(tree, inode, entry->link, error);

		if (r < 0)
			return r;
	}
	if (entry->type == TAR_FILE && entry->size > 0) {
		inode->size = entry->size;
		inode->from = entry->data_at;
		*tree->files_end = inode;
		tree->files_end = &inode->next;
	}
	return tree_xattrs(tree, inode, entry, error);
}

/* Puts inode where name is, or would be. */
static int place(struct tree *tree, struct tree_inode *dir, struct bytes name,
		 struct tree_inode *inode, char *error)
{
	struct tree_entry *e = find(tree, dir, name);

	if (!e)
		return insert(tree, dir, name, inode, error);
	inode->opaque = tree_is_dir(inode) && (e->inode->whiteout || e->inode->opaque);
	e->inode = inode;
	return 0;
}

static int add_dir(struct tree *tree, struct tree_inode *dir, struct bytes name,
		   const struct tar_entry *entry, char *error)
{
	struct tree_entry *e = name.len > 0 ? find(tree, dir, name) : NULL;
	struct tree_inode *inode;
	int r;

	if (name.len == 0 || (e && tree_is_dir(e->inode)))
		/* It was there; it only gets its owner, mode, time. */
		return fill(tree, name.len == 0 ? tree->root : e->inode, entry, error);
	inode = inode_new(tree, S_IFDIR);
	if (!inode)
		return -ENOMEM;
	inode->parent = dir;
	r = fill(tree, inode, entry, error);
	return r < 0 ? r : place(tree, dir, name, inode, error);
}

static int add_hard_link(struct tree *tree, struct tree_inode *dir, struct bytes name,
			 const struct tar_entry *entry, char *error)
{
	struct tree_inode *target_dir;
	struct bytes target_name;
	struct tree_entry *target, *e;
	char why[TAR_ERROR_MAX] = "there is no such file in this layer", shown[80];
	int r = walk(tree, entry->link, false, &target_dir, &target_name, why);

	target = r == 0 && target_name.len > 0 ? find(tree, target_dir, target_name) : NULL;
	if (!target || target->inode->whiteout || tree_is_dir(target->inode)) {
		if (target && !target->inode->whiteout)
			snprintf(why, sizeof(why), "that is a directory");
		snprintf(error, TAR_ERROR_MAX, "a hard link to %s: %.100s",
			 bytes_print(bytes_str(entry->link), shown, sizeof(shown)), why);
		return -EINVAL;
	}
	e = find(tree, dir, name);
	if (e && e->inode == target->inode)
		return 0;
	return place(tree, dir, name, target->inode, error);
}

static int add_whiteout(struct tree *tree, struct tree_inode *dir, struct bytes name, char *error)
{
	struct bytes hidden = bytes_of(name.data + strlen(WHITEOUT), name.len - strlen(WHITEOUT));
	struct tree_inode *inode;
	struct tree_entry *e;

	if (hidden.len == 0 || bytes_equal(hidden, bytes_str(".")) ||
	    bytes_equal(hidden, bytes_str("..")))
		return refuse(error, "a whiteout of nothing");
	e = find(tree, dir, hidden);
	if (e) {
		/* It is about what lies below; of this layer it removes nothing. */
		e->inode->opaque = tree_is_dir(e->inode);
		return 0;
	}
	inode = inode_new(tree, S_IFCHR);
	if (!inode)
		return -ENOMEM;
	inode->whiteout = true;
	return insert(tree, dir, hidden, inode, error);
}

static int add_other(struct tree *tree, struct tree_inode *dir, struct bytes name,
		     const struct tar_entry *entry, char *error)
{
	struct tree_inode *inode = inode_new(tree, 0);
	int r;

	if (!inode)
		return -ENOMEM;
	r = fill(tree, inode, entry, error);
	return r < 0 ? r : place(tree, dir, name, inode, error);
}

int tree_add(void *arg, const struct tar_entry *entry, char *error)
{
	struct tree *tree = arg;
	struct tree_inode *dir;
	struct bytes name;
	int r;

	snprintf(error, TAR_ERROR_MAX, "no memory");
	r = walk(tree, entry->path, true, &dir, &name, error);
	if (r != 0)
		return r < 0 ? r : 0;
	if (bytes_equal(name, bytes_str(WHITEOUT_OPAQUE))) {
		dir->opaque = true;
		return 0;
	}
	if (starts_with(name, WHITEOUT_META))
		return 0;
	if (starts_with(name, WHITEOUT))
		return add_whiteout(tree, dir, name, error);
	if (entry->type == TAR_DIR)
		return add_dir(tree, dir, name, entry, error);
	if (name.len == 0)
		return refuse(error, "an entry without a name");
	if (entry->type == TAR_HARDLINK)
		return add_hard_link(tree, dir, name, entry, error);
	return add_other(tree, dir, name, entry, error);
}

/* ---- life ------------------------------------------------------------------------------- */

int tree_new(struct tree **ret)
{
	_cleanup_(tree_freep) struct tree *tree = calloc(1, sizeof(*tree));

	if (!tree)
		return -ENOMEM;
	tree->files_end = &tree->files;
	tree->n_slots = 1024;
	tree->slots = calloc(tree->n_slots, sizeof(struct tree_entry *));
	tree->root = inode_new(tree, S_IFDIR | 0755);
	if (!tree->slots || !tree->root)
		return -ENOMEM;
	tree->root->parent = tree->root;
	*ret = steal(&tree);
	return 0;
}

struct tree *tree_free(struct tree *tree)
{
	if (tree) {
		arena_end(&tree->arena);
		free(tree->slots);
		free(tree->order);
	}
	free(tree);
	return NULL;
}
