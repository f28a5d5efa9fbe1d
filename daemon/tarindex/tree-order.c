/* SPDX-License-Identifier: MIT */
#include "daemon/tarindex/tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/tarindex/tree-xattr.h"
#include "daemon/util/checked.h"

static int compare(const struct tree_entry *a, const struct tree_entry *b)
{
	int order = memcmp(a->name, b->name, min_u64(a->len, b->len));

	return order != 0 ? order : (int)a->len - (int)b->len;
}

static struct tree_entry *merge(struct tree_entry *a, struct tree_entry *b)
{
	struct tree_entry *head = NULL, **end = &head;

	while (a && b) {
		struct tree_entry **first = compare(a, b) < 0 ? &a : &b;

		*end = *first;
		end = &(*first)->next;
		*first = *end;
	}
	*end = a ? a : b;
	return head;
}

/* runs[i] holds 2^i sorted entries, or none. */
static struct tree_entry *sort(struct tree_entry *list)
{
	struct tree_entry *runs[32] = { NULL }, *all = NULL;

	while (list) {
		struct tree_entry *run = list;
		size_t i = 0;

		list = list->next;
		run->next = NULL;
		for (; runs[i]; i++) {
			run = merge(runs[i], run);
			runs[i] = NULL;
		}
		runs[i] = run;
	}
	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++)
		all = runs[i] ? merge(runs[i], all) : all;
	return all;
}

/* What is in a directory, behind all that is in order already. */
static void append_children(struct tree *tree, struct tree_inode *dir)
{
	for (struct tree_entry *e = dir->children; e; e = e->next) {
		struct tree_inode *inode = e->inode;

		if (inode->nlink == 0)
			tree->order[tree->n_inodes++] = inode;
		inode->nlink += tree_is_dir(inode) ? 2 : 1;
		dir->nlink += tree_is_dir(inode);
	}
}

int tree_finish(struct tree *tree)
{
	tree->order = calloc(tree->n_entries + 1, sizeof(struct tree_inode *));
	if (!tree->order)
		return -ENOMEM;
	tree->root->nlink = 2;
	tree->order[tree->n_inodes++] = tree->root;
	for (size_t i = 0; i < tree->n_inodes; i++) {
		struct tree_inode *inode = tree->order[i];
		int r = inode->opaque ? tree_xattr_opaque(tree, inode) : 0;

		if (r < 0)
			return r;
		if (!tree_is_dir(inode))
			continue;
		inode->children = sort(inode->children);
		append_children(tree, inode);
	}
	return 0;
}
