/* SPDX-License-Identifier: MIT */
/*
 * The parts of `cachefillctl image push`: push.c (the command), push-collect.c (what belongs to an
 * image of a layout). Functions return CTL_OK, or CTL_FAILED after they have said why.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "daemon/ctl/context.h"
#include "daemon/ctl/layout.h"
#include "daemon/util/sha256.h"

/* A blob or a document of the layout, on its way. */
struct push_item {
	struct context_put put;
	struct push *push;
	struct layout_descriptor descriptor;
	bool is_document;
	char *text;	    /* owned: of a document */
	int fd;		    /* owned: of a blob, while it is read; or -1 */
	struct sha256 *sha; /* owned: of what was read, up to: */
	uint64_t at;
	bool damaged; /* it is not what its digest says */
};

/* Hash trees of the layers of one manifest: what they belong to, and their descriptors. */
struct push_trees {
	struct layout_descriptor manifest; /* owned */
	json_t *layers;			   /* owned */
};

#define PUSH_TREES_ARTIFACT "application/vnd.cachefilld.fsverity.v1"
#define PUSH_TREE_TYPE	    "application/vnd.cachefilld.fsverity.tree.v1"

struct push {
	struct layout *layout;
	struct push_item *items; /* owned; documents follow what they name */
	size_t n_items;
	uint64_t bytes; /* of all blobs */
	struct push_trees *trees; /* owned */
	size_t n_trees;
};

/* All that the layout's image consists of, each once; the last one is the image itself. */
int push_collect(struct push *push);
void push_end(struct push *push);
