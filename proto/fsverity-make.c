/* SPDX-License-Identifier: MIT */
#include "proto/fsverity-make.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/checked.h"

/* The block of each level that is being filled. */
struct level {
	uint8_t block[FSVERITY_BLOCK];
	size_t len;	 /* bytes of hashes in it */
	uint64_t number; /* of it, in the level */
};

struct fsverity_maker {
	struct fsverity_shape shape;
	struct fsverity_descriptor descriptor; /* without a root, until the end */
	struct sha256 *sha;		       /* owned */
	int (*put)(void *arg, uint64_t number, const void *block);
	void *arg;
	uint64_t at; /* bytes of the data so far */
	struct level levels[FSVERITY_LEVELS_MAX];
};

int fsverity_maker_new(struct fsverity_maker **ret, uint64_t size,
		       int (*put)(void *arg, uint64_t number, const void *block), void *arg)
{
	struct fsverity_maker *m = calloc(1, sizeof(*m));

	if (!m || sha256_new(&m->sha) < 0) {
		free(m);
		return -ENOMEM;
	}
	fsverity_shape(&m->shape, size);
	m->descriptor.size = size;
	m->put = put;
	m->arg = arg;
	*ret = m;
	return 0;
}

struct fsverity_maker *fsverity_maker_free(struct fsverity_maker *m)
{
	if (m)
		sha256_free(m->sha);
	free(m);
	return NULL;
}

uint64_t fsverity_maker_blocks(const struct fsverity_maker *m)
{
	return m->shape.n_blocks;
}

static int add_hash(struct fsverity_maker *m, unsigned int n,
		    const uint8_t hash[static FSVERITY_HASH]);

/* Full, or the last one of its level: padded with zeros. */
static int end_block(struct fsverity_maker *m, unsigned int n)
{
	struct level *level = &m->levels[n];
	uint8_t hash[FSVERITY_HASH];
	int err;

	memset(level->block + level->len, 0, sizeof(level->block) - level->len);
	err = m->put(m->arg, m->shape.start[n] + level->number, level->block);
	if (err < 0)
		return err;
	fsverity_hash(&m->descriptor, m->sha, level->block, sizeof(level->block), hash);
	level->number++;
	level->len = 0;
	return add_hash(m, n + 1, hash);
}

/* Above the highest level there is the root. */
static int add_hash(struct fsverity_maker *m, unsigned int n,
		    const uint8_t hash[static FSVERITY_HASH])
{
	struct level *level = &m->levels[n];

	if (n == m->shape.n_levels) {
		memcpy(m->descriptor.root, hash, FSVERITY_HASH);
		return 0;
	}
	memcpy(level->block + level->len, hash, FSVERITY_HASH);
	level->len += FSVERITY_HASH;
	return level->len == sizeof(level->block) ? end_block(m, n) : 0;
}

int fsverity_maker_add(struct fsverity_maker *m, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	uint8_t hash[FSVERITY_HASH];
	int err = 0;

	assert(m->at % FSVERITY_BLOCK == 0 && len <= m->descriptor.size - m->at);
	m->at += len;
	while (err == 0 && len > 0) {
		size_t n = min_u64(len, FSVERITY_BLOCK);

		fsverity_hash(&m->descriptor, m->sha, at, n, hash);
		err = add_hash(m, 0, hash);
		at += n;
		len -= n;
	}
	return err;
}

int fsverity_maker_finish(struct fsverity_maker *m,
			  uint8_t ret_descriptor[static FSVERITY_DESCRIPTOR],
			  uint8_t ret_digest[static FSVERITY_HASH])
{
	assert(m->at == m->descriptor.size);
	for (unsigned int n = 0; n < m->shape.n_levels; n++) {
		int err = m->levels[n].len > 0 ? end_block(m, n) : 0;

		if (err < 0)
			return err;
	}
	fsverity_descriptor_write(&m->descriptor, ret_descriptor);
	sha256_update(m->sha, ret_descriptor, FSVERITY_DESCRIPTOR);
	sha256_final(m->sha, ret_digest);
	return 0;
}
