/* SPDX-License-Identifier: MIT */
/*
 * The parts of `cachefillctl image build`:
 *
 *	build.c			options, and the order of it
 *	build-out.c		OUT, whole or not at all
 *	build-source.c		what SOURCEs consist of: directories and archives, bottom to top
 *	build-layer.c		one of them -> an EROFS image
 *	build-unpack.c		archive -> directory, with build-whiteout.c and build-dirs.c
 *	build-mkfs.c		directory -> EROFS image
 *	build-verity.c		EROFS image -> its hash tree
 *	build-image.c		configuration, manifest and index of the result
 *
 * Functions return CTL_OK, or CTL_FAILED after they have said why (a signal says it by itself).
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/ctl/build-dirs.h"
#include "daemon/ctl/build-mkfs.h"
#include "daemon/ctl/build-verity.h"
#include "daemon/ctl/context.h"
#include "daemon/ctl/layout.h"

/* A layer to be: a directory, or an archive here or at an origin. All text is owned. */
struct build_layer {
	char *name;    /* for people: path, or digest */
	char *title;   /* of the result */
	char *dir;     /* the directory; or NULL: */
	char *archive; /* path; or NULL: */
	char *locator;
	struct fetch_identity identity; /* of locator */
	char digest[LAYOUT_DIGEST_MAX]; /* of the archive, "" where nobody has told it */
	char *diff_id;			/* of it without compression, or NULL */
	struct layout_descriptor result;
	struct layout_descriptor tree;	   /* with --verity */
	char verity[FSVERITY_DIGEST_TEXT]; /* the same: its fs-verity digest */
};

struct build {
	struct context *context; /* for origins; open if a source needs it */
	struct build_mkfs mkfs;
	const char *tmp_dir, *tag;
	const char *plan; /* a file, or NULL */
	bool verity; /* hash trees are wanted */

	struct build_layer *layers; /* owned */
	size_t n_layers;
	size_t n_dirs;		 /* of them, directories */
	struct build_dirs *dirs; /* owned: of the archives so far */
	json_t *config;		 /* owned: of the last image among the sources, or NULL */
	json_t *annotations;	 /* owned: of its manifest, or NULL */
	char *source_tag;	 /* owned: its tag, or NULL */
	char *work;		 /* owned: temporary directory, or NULL */
};

void build_end(struct build *build);

/* ---- sources ---------------------------------------------------------------------------- */

/* Whether it is one of an origin: its context has to be open. */
bool build_source_remote(const char *source);
/* Whether it may have archives among its layers: they need root. */
bool build_source_archived(const char *source);

int build_add_source(struct build *build, const char *source);

/* ---- layers ----------------------------------------------------------------------------- */

/* Makes `out`, which must not exist. number: counted from 0. */
int build_layer(struct build *build, size_t number, const char *out);

/* ---- the result ------------------------------------------------------------------------- */

/* Configuration, manifest and index into a layout whose layers are there. */
int build_write_image(struct build *build, const char *layout, struct layout_descriptor *ret);
