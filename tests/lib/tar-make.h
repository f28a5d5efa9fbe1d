/* SPDX-License-Identifier: MIT */
/*
 * Archives in memory, written header by header, right or wrong.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct tar_make {
	uint8_t *bytes; /* owned */
	size_t len, room;
};

/* A header; fields that are not named are as in a file of root's, mode 0644. */
struct tar_make_entry {
	const char *name, *link;
	char type;	  /* '0' if 0 */
	const char *data; /* of size bytes; NULL: pattern of 'x' */
	uint64_t size;
	unsigned int mode, uid, gid;
	uint64_t mtime;
};

void tar_make_header(struct tar_make *tar, struct tar_make_entry entry);

/* A header and its data. */
void tar_make_add(struct tar_make *tar, struct tar_make_entry entry);

/* An extended header of n records: "key=value", lengths are computed. */
void tar_make_pax(struct tar_make *tar, const char *const *records, const size_t *lens, size_t n);

void tar_make_raw(struct tar_make *tar, const void *bytes, size_t len);
void tar_make_checksum(struct tar_make *tar, size_t header_at); /* anew, after a change */
void tar_make_end(struct tar_make *tar);			/* two blocks of zeros */
void tar_make_free(struct tar_make *tar);
