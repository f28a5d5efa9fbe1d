/* SPDX-License-Identifier: MIT */
#include "daemon/tarindex/tree-xattr.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Prefixes of names that an image has numbers for. */
static const struct {
	const char *prefix;
	uint8_t index;
	bool exact; /* the whole name */
} prefixes[] = {
	{ "user.", 1, false },
	{ "system.posix_acl_access", 2, true },
	{ "system.posix_acl_default", 3, true },
	{ "trusted.", 4, false },
	{ "security.", 6, false },
};

static bool has_prefix(struct bytes name, const char *prefix)
{
	return name.len >= strlen(prefix) && memcmp(name.data, prefix, strlen(prefix)) == 0;
}

/* The number of a name's prefix, and what is left of the name; 0: cannot be kept, or must not. */
static uint8_t index_of(struct bytes name, struct bytes *ret_rest)
{
	if (has_prefix(name, "trusted.overlay.") || has_prefix(name, "user.overlay."))
		return 0;
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		size_t len = strlen(prefixes[i].prefix);

		if (!has_prefix(name, prefixes[i].prefix) || (name.len == len) != prefixes[i].exact)
			continue;
		*ret_rest = bytes_of(name.data + len, name.len - len);
		return ret_rest->len <= UINT8_MAX ? prefixes[i].index : 0;
	}
	return 0;
}

static size_t entry_size(struct bytes name, struct bytes value)
{
	return (4 + name.len + value.len + 3) & ~(size_t)3;
}

/* In front of what follows; to is zeros. */
static uint8_t *encode(uint8_t *to, uint8_t index, struct bytes name, struct bytes value)
{
	to[0] = (uint8_t)name.len;
	to[1] = index;
	to[2] = value.len & 0xff;
	to[3] = (uint8_t)(value.len >> 8);
	if (name.len > 0)
		memcpy(to + 4, name.data, name.len);
	if (value.len > 0)
		memcpy(to + 4 + name.len, value.data, value.len);
	return to + entry_size(name, value);
}

int tree_xattrs(struct tree *tree, struct tree_inode *inode, const struct tar_entry *entry,
		char *error)
{
	struct bytes rest = { 0 };
	size_t size = 0;
	uint8_t *to;

	inode->xattrs = NULL;
	inode->xattrs_len = 0;
	for (size_t i = 0; i < entry->n_xattrs; i++) {
		const struct tar_xattr *x = &entry->xattrs[i];

		if (index_of(x->name, &rest) == 0) {
			tree->n_xattrs_left_out++;
			continue;
		}
		size += entry_size(rest, x->value);
		if (x->value.len > UINT16_MAX || size > TREE_XATTRS_MAX) {
			snprintf(error, TAR_ERROR_MAX, "its extended attributes are too long");
			return -EINVAL;
		}
	}
	if (size == 0)
		return 0;
	to = arena_alloc(&tree->arena, size);
	if (!to)
		return -ENOMEM;
	inode->xattrs = to;
	inode->xattrs_len = (uint32_t)size;
	for (size_t i = 0; i < entry->n_xattrs; i++) {
		uint8_t index = index_of(entry->xattrs[i].name, &rest);

		if (index != 0)
			to = encode(to, index, rest, entry->xattrs[i].value);
	}
	return 0;
}

int tree_xattr_opaque(struct tree *tree, struct tree_inode *inode)
{
	struct bytes name = bytes_str("overlay.opaque"), value = bytes_str("y");
	size_t size = entry_size(name, value);
	uint8_t *to = arena_alloc(&tree->arena, size + inode->xattrs_len), *rest;

	if (!to)
		return -ENOMEM;
	rest = encode(to, 4, name, value);
	if (inode->xattrs_len > 0)
		memcpy(rest, inode->xattrs, inode->xattrs_len);
	inode->xattrs = to;
	inode->xattrs_len += (uint32_t)size;
	return 0;
}
