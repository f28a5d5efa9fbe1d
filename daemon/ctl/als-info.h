/* SPDX-License-Identifier: MIT */
/*
 * What an additional layer store tells podman of a layer, instead of its bytes: the file "info".
 * Pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct als_info {
	char *digest; /* owned, as the next: of the blob in the manifest */
	char *diff_id;
	uint64_t size;	    /* bytes of the blob */
	uint64_t diff_size; /* bytes of the files, about; podman only shows it */
	int compression;    /* as containers/storage counts them */
};

/* -EINVAL: layers of this media type are no archives, and podman does not take them. */
int als_compression(const char *media_type, int *ret);

/* The text, to be freed; NULL: no memory. */
char *als_info_format(const struct als_info *info);

/* *ret is for als_info_end(). -EINVAL: it is none, -ENOMEM. */
int als_info_parse(struct als_info *ret, const char *text, size_t len);
void als_info_end(struct als_info *info);
