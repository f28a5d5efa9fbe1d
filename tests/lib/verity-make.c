/* SPDX-License-Identifier: MIT */
#include "tests/lib/verity-make.h"

#include <check.h>
#include <libfsverity.h>
#include <stdlib.h>
#include <string.h>

struct making {
	struct verity_made *made;
	const uint8_t *from;
};

static int take_bytes(void *fd, void *buf, size_t n)
{
	struct making *m = fd;

	memcpy(buf, m->from, n);
	m->from += n;
	return 0;
}

static int take_size(void *ctx, uint64_t size)
{
	struct making *m = ctx;

	m->made->len = FSVERITY_DESCRIPTOR + size;
	m->made->bytes = calloc(1, m->made->len);
	ck_assert_ptr_nonnull(m->made->bytes);
	return 0;
}

static int take_block(void *ctx, const void *block, size_t size, uint64_t off)
{
	struct making *m = ctx;

	ck_assert_uint_le(FSVERITY_DESCRIPTOR + off + size, m->made->len);
	memcpy(m->made->bytes + FSVERITY_DESCRIPTOR + off, block, size);
	return 0;
}

static int take_descriptor(void *ctx, const void *descriptor, size_t size)
{
	struct making *m = ctx;

	ck_assert_uint_eq(size, FSVERITY_DESCRIPTOR);
	memcpy(m->made->bytes, descriptor, size);
	return 0;
}

void verity_make(struct verity_made *ret, const void *bytes, size_t len, const char *salt)
{
	struct making making = { .made = ret, .from = bytes };
	struct libfsverity_metadata_callbacks callbacks = {
		.ctx = &making,
		.merkle_tree_size = take_size,
		.merkle_tree_block = take_block,
		.descriptor = take_descriptor,
	};
	struct libfsverity_merkle_tree_params params = {
		.version = 1,
		.file_size = len,
		.salt_size = (uint32_t)strlen(salt),
		.salt = *salt ? (const uint8_t *)salt : NULL,
		.metadata_callbacks = &callbacks,
	};
	struct libfsverity_digest *digest;

	*ret = (struct verity_made){ 0 };
	ck_assert_int_eq(libfsverity_compute_digest(&making, take_bytes, &params, &digest), 0);
	ck_assert_uint_eq(digest->digest_size, FSVERITY_HASH);
	fsverity_digest_print(digest->digest, ret->digest);
	free(digest);
}

void verity_made_end(struct verity_made *made)
{
	free(made->bytes);
	*made = (struct verity_made){ 0 };
}
