/* SPDX-License-Identifier: MIT */
/*
 * OCI image layouts on disk: oci-layout, index.json, blobs/sha256/HEX. Their JSON and their blobs
 * are of somebody else: what is read is checked against its digest.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/ctl/progress.h"

#define LAYOUT_PREFIX	     "oci-layout:"
#define LAYOUT_DIGEST_MAX    72 /* "sha256:", 64 digits, NUL */
#define LAYOUT_TEXT_MAX	     (4u << 20)

#define LAYOUT_MANIFEST_TYPE "application/vnd.oci.image.manifest.v1+json"
#define LAYOUT_INDEX_TYPE    "application/vnd.oci.image.index.v1+json"
#define LAYOUT_CONFIG_TYPE   "application/vnd.oci.image.config.v1+json"
#define LAYOUT_EROFS_TYPE    "application/vnd.erofs.layer.v1"
#define LAYOUT_REF_NAME	     "org.opencontainers.image.ref.name"
/* Of a layer that was made of an archive: its digest, and that of it without compression. */
#define LAYOUT_SOURCE_DIGEST  "io.cachefilld.source.digest"
#define LAYOUT_SOURCE_DIFF_ID "io.cachefilld.source.diff-id"
/* Of a layer that can be verified: its fs-verity digest, and that of the blob with its hash tree.
 */
#define LAYOUT_VERITY_DIGEST "io.cachefilld.fsverity.digest"
#define LAYOUT_VERITY_TREE   "io.cachefilld.fsverity.tree"
/* Of such a blob, in the manifest that it is pushed with: whose it is. */
#define LAYOUT_VERITY_LAYER   "io.cachefilld.fsverity.layer"
#define LAYOUT_TITLE	      "org.opencontainers.image.title"

struct layout_descriptor {
	char digest[LAYOUT_DIGEST_MAX];
	uint64_t size;
	char *media_type; /* owned */
};
void layout_descriptor_end(struct layout_descriptor *descriptor);

/* ---- reading: all return CTL_OK, or CTL_FAILED after they have said why ------------------- */

/* "[oci-layout:]DIR[:TAG]". */
struct layout {
	char *dir, *tag;	      /* owned; tag: "" for none */
	struct layout_descriptor top; /* the one that is meant: of a manifest, or of an index */
};

int layout_open(struct layout *ret, const char *ref);
void layout_close(struct layout *layout);

/* "DIR/blobs/sha256/HEX", owned by the caller; NULL: no memory. */
char *layout_path(const char *dir, const char *digest);

/* Opens a blob of that size; *ret_fd is the caller's. */
int layout_open_blob(const char *dir, const struct layout_descriptor *descriptor, int *ret_fd);

/* A document, terminated, checked; *ret is the caller's. */
int layout_read_text(const char *dir, const struct layout_descriptor *descriptor, char **ret);

/* ---- digests ------------------------------------------------------------------------------ */

bool layout_digest_good(const char *text); /* sha256 is the only one that we read */

/* Of all of a file from its beginning; 0 or a negative errno, -EINTR: interrupt_pending(). */
int layout_digest_fd(int fd, struct progress *progress, char ret[LAYOUT_DIGEST_MAX],
		     uint64_t *ret_size);
int layout_digest_text(const char *text, size_t len, char ret[LAYOUT_DIGEST_MAX]);

/* ---- writing ------------------------------------------------------------------------------ */

/* Makes the directories of one in an empty directory. */
int layout_create(const char *dir);

/* The file gets its place by its digest; it has to be below dir's file system. */
int layout_adopt(const char *dir, const char *file, struct progress *progress,
		 struct layout_descriptor *ret);

/* The same for text. */
int layout_add_text(const char *dir, const char *text, size_t len, struct layout_descriptor *ret);

/* index.json, the last thing that is written. */
int layout_finish(const char *dir, const char *index, size_t len);
