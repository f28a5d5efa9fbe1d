/* SPDX-License-Identifier: MIT */
#include "daemon/tarindex/tarindex.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/tarindex/image.h"
#include "daemon/tarindex/output.h"
#include "daemon/tarindex/tar.h"
#include "daemon/tarindex/tree.h"
#include "daemon/util/checked.h"
#include "daemon/util/cleanup.h"
#include "proto/tarmap.h"

struct tarindex {
	struct tar *tar;   /* owned */
	struct tree *tree; /* owned */
	uint64_t size;	   /* bytes of the archive so far */
	char error[TARINDEX_ERROR_MAX];
};

int tarindex_new(struct tarindex **ret)
{
	_cleanup_(tarindex_freep) struct tarindex *index = calloc(1, sizeof(*index));
	int r = index ? tree_new(&index->tree) : -ENOMEM;

	if (r == 0)
		r = tar_new(&index->tar, tree_add, index->tree);
	if (r < 0)
		return r;
	*ret = steal(&index);
	return 0;
}

struct tarindex *tarindex_free(struct tarindex *index)
{
	if (index) {
		tar_free(index->tar);
		tree_free(index->tree);
	}
	free(index);
	return NULL;
}

const char *tarindex_error(const struct tarindex *index)
{
	return index->error;
}

static int fail(struct tarindex *index, int err, const char *why)
{
	snprintf(index->error, sizeof(index->error), "%s", why);
	return err;
}

int tarindex_write(struct tarindex *index, const void *bytes, size_t len)
{
	int r = tar_write(index->tar, bytes, len);

	index->size += len;
	return r < 0 ? fail(index, r, tar_error(index->tar)) : 0;
}

/*
 * Gives each file its place in the device, and makes the table of all places. Those that a later
 * entry replaced have none; names of one file share one.
 */
static int map_files(struct tree *tree, uint64_t *ret_size, uint8_t **ret_table, uint64_t *ret_n)
{
	uint64_t at = 0, n = 0;
	uint8_t *table;

	for (struct tree_inode *f = tree->files; f; f = f->next)
		n += f->nlink > 0;
	if (n > (TARMAP_FILE_MAX - TARMAP_HEADER) / TARMAP_EXTENT)
		return -E2BIG;
	table = malloc(n * TARMAP_EXTENT + 1);
	if (!table)
		return -ENOMEM;
	n = 0;
	for (struct tree_inode *f = tree->files; f; f = f->next) {
		if (f->nlink == 0)
			continue;
		f->at = at;
		tarmap_encode_extent(table + n++ * TARMAP_EXTENT,
				     (struct tarmap_extent){ at, f->from, f->size });
		/* Each size is below that of the archive, but an archive may repeat them. */
		if (!add_u64(at, round_up_u64(f->size, TARMAP_BLOCK), &at) ||
		    at > OBJECT_SIZE_MAX) {
			free(table);
			return -EFBIG;
		}
	}
	/* A device of nothing cannot be opened. */
	*ret_size = at > 0 ? at : TARMAP_BLOCK;
	*ret_table = table;
	*ret_n = n;
	return 0;
}

static int write_map(const struct tarmap *map, int fd, struct tarindex_result *ret)
{
	uint8_t header[TARMAP_HEADER];
	struct output out;
	int r = output_begin(&out, fd);

	if (r < 0)
		return r;
	tarmap_encode_header(header, map);
	r = output_write(&out, header, sizeof(header));
	if (r == 0)
		r = output_write(&out, map->table, map->n * TARMAP_EXTENT);
	if (r == 0)
		r = output_finish(&out, ret->map_sha256);
	ret->map_size = out.size;
	output_end(&out);
	return r;
}

/* Both name the image by the map: its device's tag, and an identifier of its own. */
static int write_image(struct tree *tree, uint64_t device_size, int fd, struct tarindex_result *ret)
{
	char tag[SHA256_HEX + sizeof("tar:")];
	uint8_t uuid[16];
	struct image_params params = { .tag = tag, .device_size = device_size, .uuid = uuid };
	struct output out;
	int r = output_begin(&out, fd);

	if (r < 0)
		return r;
	snprintf(tag, sizeof(tag), "tar:%s", ret->map_sha256);
	for (size_t i = 0; i < sizeof(uuid); i++) {
		char digits[] = { ret->map_sha256[2 * i], ret->map_sha256[2 * i + 1], '\0' };

		uuid[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x80); /* version 8: of one's own making */
	uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
	r = image_write(tree, &params, &out.sink);
	if (r == 0)
		r = output_finish(&out, ret->image_sha256);
	ret->image_size = out.size;
	output_end(&out);
	return r;
}

int tarindex_finish(struct tarindex *index, const char *validator, int image_fd, int map_fd,
		    struct tarindex_result *ret)
{
	struct tarmap map = { .inner_size = index->size, .validator = validator };
	struct tarindex_result result = { .archive_size = index->size };
	_cleanup_free_ char *owned = NULL;
	uint8_t *table = NULL;
	int r = tar_end(index->tar);

	assert(strlen(validator) < TARMAP_VALIDATOR_MAX);
	if (r < 0)
		return fail(index, r, tar_error(index->tar));
	r = tree_finish(index->tree);
	if (r == 0)
		r = map_files(index->tree, &map.size, &table, &map.n);
	if (r < 0)
		return fail(index, r, strerror(-r));
	owned = (char *)table;
	map.table = table;
	r = write_map(&map, map_fd, &result);
	if (r < 0)
		return fail(index, r, strerror(-r));
	r = write_image(index->tree, map.size, image_fd, &result);
	if (r < 0)
		return fail(index, r, strerror(-r));
	result.device_size = map.size;
	result.n_inodes = index->tree->n_inodes;
	result.n_xattrs_left_out = index->tree->n_xattrs_left_out;
	*ret = result;
	return 0;
}
