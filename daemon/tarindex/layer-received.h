/* SPDX-License-Identifier: MIT */
/*
 * The files of a layer that somebody else has made: they come in pieces, and are looked at before
 * they get their names among ours. That they fit to one another and to the blob can be seen, and
 * that the blob has what they say cannot: that takes reading it.
 *
 *	for each file: layer_received_begin(), _write()..., _end()
 *	layer_received_finish()
 *
 * Each returns 0 or a negative errno with half a sentence in layer_received_error(). After an
 * error only that and layer_received_free() may follow, and nothing is left behind.
 */
#pragma once

#include "daemon/tarindex/layer.h"

struct layer_received;

int layer_received_new(struct layer_received **ret, const char *dir, char *error);
struct layer_received *layer_received_free(struct layer_received *received);
static inline void layer_received_freep(struct layer_received **received)
{
	layer_received_free(*received);
}

int layer_received_begin(struct layer_received *received, enum layer_file which);
int layer_received_write(struct layer_received *received, const void *bytes, size_t len);

/* All of it is there. digest: "sha256:..." that it must have. -EPROTO: it has another. */
int layer_received_end(struct layer_received *received, const char *digest);

/*
 * All of them are: the metadata image, which the caller has looked at, and the map; the index,
 * where the blob is compressed. inner_size and validator: of the blob, as its fetcher says here.
 * -EPROTO: they are damaged, or of something else.
 */
int layer_received_finish(struct layer_received *received, uint64_t inner_size,
			  const char *validator, struct layer_files *ret);

const char *layer_received_error(const struct layer_received *received);
