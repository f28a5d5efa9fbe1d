/* SPDX-License-Identifier: MIT */
/*
 * What a build makes: whole or not at all. It is made in a directory beside its place, which
 * build_out_end() removes with what is left in it.
 */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>

struct build_out {
	const char *name; /* as it was given; borrowed */
	bool force;	  /* put in the place of one that exists */
	bool verity;	  /* beside a plain image there will be its hash tree */
	bool plain;	  /* set: an EROFS image, and no layout */
	char *place;	  /* owned: absolute */
	char *unfinished; /* owned: that directory, or NULL: not begun. Of a layout: itself */
};

/* All return CTL_OK, or CTL_FAILED after they have said why. */
int build_out_find(struct build_out *out);
int build_out_begin(struct build_out *out);

/* made: the file of a plain image, or the layout. */
int build_out_finish(struct build_out *out, const char *made, mode_t mode);
/* The tree of a plain image, before that. */
int build_out_finish_tree(struct build_out *out, const char *made);

/* Also of one that was not begun. */
int build_out_end(struct build_out *out);
