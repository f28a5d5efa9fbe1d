/* SPDX-License-Identifier: MIT */
/*
 * Layers of a registry that can be verified block by block: their manifest says the fs-verity
 * digest of each, and which blob beside it has the hash tree. `image build --verity` makes such
 * images.
 */
#pragma once

#include "fetchers/fetcher.h"

/*
 * For each part of a list: *ret is owned, as are its members, which are NULL for what is not
 * verified; or NULL, where nothing is. image_verity_free() takes that. -ENOMEM; -EPROTO with a
 * sentence in error: what the manifest says makes no sense.
 */
int image_verity_locators(char ***ret, const struct fetch_list *list, char *error);
void image_verity_free(char **locators, size_t n);
