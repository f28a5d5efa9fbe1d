/* SPDX-License-Identifier: MIT */
/*
 * What names a verified object, and what describes it: a line, a locator, and behind it a
 * descriptor, for which its own digest is asked for, so that all of it is looked at.
 */
#include <string.h>

#include "daemon/util/checked.h"
#include "daemon/util/locator.h"
#include "proto/fsverity.h"
#include "tests/fuzz/fuzz.h"

static void try_locator(const char *locator)
{
	char *digest, *tree, *again_digest, *again_tree, *joined;
	const char *inner, *again_inner;

	if (locator_split_verified(locator, &digest, &tree, &inner) < 0)
		return;
	FUZZ_CHECK(locator_is_verified(locator));
	FUZZ_CHECK(*tree && *inner && inner > locator && inner < locator + strlen(locator));
	joined = locator_join_verified(digest, tree, inner);
	/* A digest that is none may have what would be encoded. */
	if (!strpbrk(digest, "%,;") &&
	    locator_split_verified(joined, &again_digest, &again_tree, &again_inner) == 0) {
		FUZZ_CHECK(strcmp(digest, again_digest) == 0);
		FUZZ_CHECK(strcmp(tree, again_tree) == 0);
		FUZZ_CHECK(strcmp(inner, again_inner) == 0);
		free(again_digest);
		free(again_tree);
	}
	free(joined);
	free(digest);
	free(tree);
}

/* From the hash of any data block it is a few steps to the root, all within the tree. */
static void try_shape(uint64_t size, uint64_t number)
{
	struct fsverity_shape shape;
	uint64_t blocks = size / FSVERITY_BLOCK + (size % FSVERITY_BLOCK != 0), block;
	unsigned int steps = 1;
	size_t at;

	fsverity_shape(&shape, size);
	FUZZ_CHECK((shape.n_levels == 0) == (blocks <= 1) &&
		   (shape.n_levels == 0) == !shape.n_blocks);
	FUZZ_CHECK(shape.n_levels <= FSVERITY_LEVELS_MAX);
	if (shape.n_levels == 0)
		return;
	block = fsverity_leaf(&shape, number % blocks, &at);
	while (1) {
		FUZZ_CHECK(block < shape.n_blocks && at % FSVERITY_HASH == 0 &&
			   at < FSVERITY_BLOCK);
		if (!fsverity_parent(&shape, block, &block, &at))
			break;
		steps++;
	}
	FUZZ_CHECK(block == 0 && steps == shape.n_levels);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const uint8_t *end = memchr(data, '\n', n);
	size_t len = end ? (size_t)(end - data) : n;
	char *locator = strndup((const char *)data, len);
	struct fsverity_descriptor descriptor = { .size = 1 };
	uint8_t digest[FSVERITY_HASH];
	struct sha256 *sha;

	try_locator(locator);
	fsverity_digest_parse(bytes_str(locator), digest);
	free(locator);
	if (!end || sha256_new(&sha) < 0)
		return 0;
	data = end + 1;
	n -= len + 1;
	sha256_update(sha, data, n < FSVERITY_DESCRIPTOR ? n : FSVERITY_DESCRIPTOR);
	sha256_final(sha, digest);
	if (fsverity_parse(&descriptor, (struct bytes){ .data = data, .len = n }, sha, digest) ==
	    FSVERITY_OK) {
		FUZZ_CHECK(descriptor.size <= OBJECT_SIZE_MAX);
		FUZZ_CHECK(descriptor.salt_len <= FSVERITY_SALT_MAX);
		try_shape(descriptor.size, digest[0] | (uint64_t)digest[1] << 40);
		digest[0] ^= 1;
		FUZZ_CHECK(fsverity_parse(&descriptor, (struct bytes){ .data = data, .len = n },
					  sha, digest) == FSVERITY_NOT_PINNED);
	} else {
		FUZZ_CHECK(descriptor.size == 1);
	}
	sha256_free(sha);
	return 0;
}
