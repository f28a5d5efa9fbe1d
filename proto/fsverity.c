/* SPDX-License-Identifier: MIT */
#include "proto/fsverity.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/util/checked.h"
#include "daemon/util/little-endian.h"

/* struct fsverity_descriptor of the kernel's fs/verity/fsverity_private.h */
enum {
	AT_VERSION = 0,
	AT_HASH_ALGORITHM = 1,
	AT_LOG_BLOCK = 2,
	AT_SALT_SIZE = 3,
	AT_SIGNATURE_SIZE = 4,
	AT_SIZE = 8,
	AT_ROOT = 16, /* 64 bytes */
	AT_SALT = 80, /* 32 */
	AT_RESERVED = 112,
	VERSION = 1,
	ALGORITHM_SHA256 = 1,
	LOG_BLOCK = 12,
	SALT_UNIT = 64, /* the salt is padded to a block of the hash */
};

static_assert(FSVERITY_BLOCK == CACHE_BLOCK, "what is checked is what is stored");
static_assert(FSVERITY_HASHES * FSVERITY_HASH == FSVERITY_BLOCK, "a block is full of hashes");

/* ---- digests ------------------------------------------------------------------------------ */

static int digit(uint8_t c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

int fsverity_digest_parse(struct bytes text, uint8_t ret[static FSVERITY_HASH])
{
	static const char begin[] = "sha256:";
	uint8_t digest[FSVERITY_HASH];
	const uint8_t *hex = text.data + strlen(begin);

	if (text.len != FSVERITY_DIGEST_TEXT - 1 || memcmp(text.data, begin, strlen(begin)) != 0)
		return -EINVAL;
	for (size_t i = 0; i < FSVERITY_HASH; i++) {
		int high = digit(hex[2 * i]), low = digit(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		digest[i] = (uint8_t)(high << 4 | low);
	}
	memcpy(ret, digest, sizeof(digest));
	return 0;
}

void fsverity_digest_print(const uint8_t digest[static FSVERITY_HASH],
			   char ret[static FSVERITY_DIGEST_TEXT])
{
	int at = sprintf(ret, "sha256:");

	for (size_t i = 0; i < FSVERITY_HASH; i++)
		at += sprintf(ret + at, "%02x", digest[i]);
}

/* ---- descriptors -------------------------------------------------------------------------- */

static bool is_zero(const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (bytes[i])
			return false;
	return true;
}

enum fsverity_verdict fsverity_parse(struct fsverity_descriptor *ret, struct bytes descriptor,
				     struct sha256 *sha, const uint8_t digest[static FSVERITY_HASH])
{
	const uint8_t *d = descriptor.data;
	struct fsverity_descriptor found = { 0 };
	uint8_t hash[FSVERITY_HASH];

	if (descriptor.len < FSVERITY_DESCRIPTOR || d[AT_VERSION] != VERSION ||
	    d[AT_SALT_SIZE] > FSVERITY_SALT_MAX || !is_zero(d + AT_RESERVED, 144))
		return FSVERITY_NONE;
	if (d[AT_HASH_ALGORITHM] != ALGORITHM_SHA256 || d[AT_LOG_BLOCK] != LOG_BLOCK ||
	    !is_zero(d + AT_SIGNATURE_SIZE, 4))
		return FSVERITY_OTHER;
	sha256_update(sha, d, FSVERITY_DESCRIPTOR);
	sha256_final(sha, hash);
	if (memcmp(hash, digest, sizeof(hash)) != 0)
		return FSVERITY_NOT_PINNED;
	found.size = get_le64(d + AT_SIZE);
	if (found.size > OBJECT_SIZE_MAX)
		return FSVERITY_NONE;
	memcpy(found.root, d + AT_ROOT, sizeof(found.root));
	found.salt_len = d[AT_SALT_SIZE];
	memcpy(found.salt, d + AT_SALT, found.salt_len);
	*ret = found;
	return FSVERITY_OK;
}

void fsverity_descriptor_write(const struct fsverity_descriptor *descriptor,
			       uint8_t ret[static FSVERITY_DESCRIPTOR])
{
	memset(ret, 0, FSVERITY_DESCRIPTOR);
	ret[AT_VERSION] = VERSION;
	ret[AT_HASH_ALGORITHM] = ALGORITHM_SHA256;
	ret[AT_LOG_BLOCK] = LOG_BLOCK;
	ret[AT_SALT_SIZE] = (uint8_t)descriptor->salt_len;
	put_le64(ret + AT_SIZE, descriptor->size);
	memcpy(ret + AT_ROOT, descriptor->root, sizeof(descriptor->root));
	memcpy(ret + AT_SALT, descriptor->salt, descriptor->salt_len);
}

const char *fsverity_verdict_text(enum fsverity_verdict verdict)
{
	switch (verdict) {
	case FSVERITY_OK:
		return "it is the descriptor of that digest";
	case FSVERITY_NONE:
		return "there is no fs-verity descriptor at its beginning";
	case FSVERITY_OTHER:
		return "it is not of SHA-256, of blocks of 4 KiB and without a signature";
	default:
		return "its descriptor is not the one that the digest is of";
	}
}

/* ---- where things are --------------------------------------------------------------------- */

static uint64_t divide_up(uint64_t n, uint64_t by)
{
	return n / by + (n % by > 0);
}

void fsverity_shape(struct fsverity_shape *ret, uint64_t size)
{
	uint64_t blocks = divide_up(size, FSVERITY_BLOCK), of_level[FSVERITY_LEVELS_MAX];

	*ret = (struct fsverity_shape){ .size = size };
	while (blocks > 1) {
		assert(ret->n_levels < FSVERITY_LEVELS_MAX);
		blocks = divide_up(blocks, FSVERITY_HASHES);
		of_level[ret->n_levels++] = blocks;
	}
	for (unsigned int level = ret->n_levels; level-- > 0;) {
		ret->start[level] = ret->n_blocks;
		ret->n_blocks += of_level[level];
	}
}

uint64_t fsverity_leaf(const struct fsverity_shape *shape, uint64_t data_block, size_t *ret_at)
{
	*ret_at = (size_t)(data_block % FSVERITY_HASHES) * FSVERITY_HASH;
	return shape->start[0] + data_block / FSVERITY_HASHES;
}

bool fsverity_parent(const struct fsverity_shape *shape, uint64_t tree_block, uint64_t *ret_block,
		     size_t *ret_at)
{
	unsigned int level = 0;
	uint64_t number;

	/* The higher a level, the earlier it begins. */
	while (tree_block < shape->start[level])
		level++;
	if (level + 1 == shape->n_levels)
		return false;
	number = tree_block - shape->start[level];
	*ret_at = (size_t)(number % FSVERITY_HASHES) * FSVERITY_HASH;
	*ret_block = shape->start[level + 1] + number / FSVERITY_HASHES;
	return true;
}

/* ---- hashes ------------------------------------------------------------------------------- */

void fsverity_hash(const struct fsverity_descriptor *descriptor, struct sha256 *sha,
		   const void *block, size_t len, uint8_t ret[static FSVERITY_HASH])
{
	static const uint8_t zeros[FSVERITY_BLOCK];
	uint8_t salt[SALT_UNIT] = { 0 };

	assert(len <= FSVERITY_BLOCK);
	if (descriptor->salt_len > 0) {
		memcpy(salt, descriptor->salt, descriptor->salt_len);
		sha256_update(sha, salt, sizeof(salt));
	}
	sha256_update(sha, block, len);
	if (len < FSVERITY_BLOCK)
		sha256_update(sha, zeros, FSVERITY_BLOCK - len);
	sha256_final(sha, ret);
}
