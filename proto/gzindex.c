/* SPDX-License-Identifier: MIT */
#include "proto/gzindex.h"

#include <assert.h>
#include <string.h>
#define XXH_STATIC_LINKING_ONLY /* XXH3_state_t on the stack */
#include <xxhash.h>

#include "daemon/util/checked.h"
#include "daemon/util/little-endian.h"

/* Where the fields of the header lie. The hash is of all that is parsed behind it. */
enum {
	AT_MAGIC = 0,
	AT_VERSION = 8,
	AT_HASH = 16,
	AT_INNER_SIZE = 24,
	AT_SIZE = 32,
	AT_POINTS = 40,
	AT_RESERVED = 48, /* 0 */
	AT_VALIDATOR = 64,
	HASHED = AT_INNER_SIZE,
};

static_assert(AT_VALIDATOR + GZINDEX_VALIDATOR_MAX == GZINDEX_HEADER, "the header is full");

static const char magic[8] = "CFgzindx";

static uint64_t hash_of(const uint8_t *header, const struct gzindex *index)
{
	XXH3_state_t state;

	XXH3_64bits_reset(&state);
	XXH3_64bits_update(&state, header + HASHED, GZINDEX_HEADER - HASHED);
	XXH3_64bits_update(&state, index->points, index->n_points * GZINDEX_POINT);
	XXH3_64bits_update(&state, index->sums, index->n_sums * 8);
	return XXH3_64bits_digest(&state);
}

struct gzindex_point gzindex_point(const struct gzindex *index, uint64_t i)
{
	const uint8_t *from = index->points + i * GZINDEX_POINT;
	uint64_t window = get_le64(from + 32);

	return (struct gzindex_point){
		.in = get_le64(from),
		.out = get_le64(from + 8),
		.window_at = get_le64(from + 16),
		.window_hash = get_le64(from + 24),
		.window_len = (uint32_t)window,
		.bits = (uint8_t)(window >> 32),
	};
}

void gzindex_encode_point(uint8_t to[static GZINDEX_POINT], const struct gzindex_point *point)
{
	put_le64(to, point->in);
	put_le64(to + 8, point->out);
	put_le64(to + 16, point->window_at);
	put_le64(to + 24, point->window_hash);
	put_le64(to + 32, point->window_len | (uint64_t)point->bits << 32);
}

uint64_t gzindex_sum(const struct gzindex *index, uint64_t block)
{
	return get_le64(index->sums + block * 8);
}

void gzindex_encode_sum(uint8_t to[static 8], uint64_t sum)
{
	put_le64(to, sum);
}

void gzindex_encode_header(uint8_t to[static GZINDEX_HEADER], const struct gzindex *index)
{
	size_t len = strlen(index->validator);

	assert(len < GZINDEX_VALIDATOR_MAX);
	memset(to, 0, GZINDEX_HEADER);
	memcpy(to + AT_MAGIC, magic, sizeof(magic));
	put_le64(to + AT_VERSION, GZINDEX_VERSION);
	put_le64(to + AT_INNER_SIZE, index->inner_size);
	put_le64(to + AT_SIZE, index->size);
	put_le64(to + AT_POINTS, index->n_points);
	memcpy(to + AT_VALIDATOR, index->validator, len);
	put_le64(to + AT_HASH, hash_of(to, index));
}

static uint64_t sums_of(uint64_t size)
{
	return round_up_u64(size, GZINDEX_BLOCK) / GZINDEX_BLOCK;
}

/* The numbers of a header, if they are sane. */
static bool counts_of(struct gzindex *ret, const uint8_t *header)
{
	ret->inner_size = get_le64(header + AT_INNER_SIZE);
	ret->size = get_le64(header + AT_SIZE);
	ret->n_points = get_le64(header + AT_POINTS);
	if (ret->inner_size > OBJECT_SIZE_MAX || ret->size > OBJECT_SIZE_MAX ||
	    ret->n_points == 0 || ret->n_points > GZINDEX_FILE_MAX / GZINDEX_POINT)
		return false;
	ret->n_sums = sums_of(ret->size);
	return ret->n_sums <= GZINDEX_FILE_MAX / 8;
}

static uint64_t table_size(const struct gzindex *index)
{
	return GZINDEX_HEADER + index->n_points * GZINDEX_POINT + index->n_sums * 8;
}

uint64_t gzindex_table_size(struct bytes header)
{
	struct gzindex index;

	if (header.len < GZINDEX_HEADER || !counts_of(&index, header.data))
		return 0;
	return table_size(&index);
}

static bool points_valid(const struct gzindex *index)
{
	struct gzindex_point before = { 0 };

	for (uint64_t i = 0; i < index->n_points; i++) {
		struct gzindex_point p = gzindex_point(index, i);
		bool first = i == 0 && p.in == 0 && p.out == 0 && p.window_len == 0;

		if (!first && (i == 0 || p.in <= before.in || p.out <= before.out ||
			       p.in > index->inner_size || p.out > index->size))
			return false;
		if (p.bits > 7 || (p.window_len == 0 && p.bits > 0) ||
		    p.window_len > 2 * GZINDEX_WINDOW || p.window_at > GZINDEX_FILE_MAX ||
		    (p.window_len > 0 && p.out < GZINDEX_WINDOW))
			return false;
		before = p;
	}
	return true;
}

enum gzindex_verdict gzindex_parse(struct gzindex *ret, struct bytes table)
{
	struct gzindex index;

	if (table.len < sizeof(magic) || memcmp(table.data, magic, sizeof(magic)) != 0)
		return GZINDEX_NO_INDEX;
	if (table.len < GZINDEX_HEADER)
		return GZINDEX_DAMAGED;
	if (get_le64(table.data + AT_VERSION) != GZINDEX_VERSION)
		return GZINDEX_NEW_VERSION;
	if (!counts_of(&index, table.data) || table.len != table_size(&index))
		return GZINDEX_DAMAGED;
	index.validator = (const char *)table.data + AT_VALIDATOR;
	index.points = table.data + GZINDEX_HEADER;
	index.sums = index.points + index.n_points * GZINDEX_POINT;
	if (!memchr(index.validator, '\0', GZINDEX_VALIDATOR_MAX) ||
	    get_le64(table.data + AT_HASH) != hash_of(table.data, &index) || !points_valid(&index))
		return GZINDEX_DAMAGED;
	*ret = index;
	return GZINDEX_OK;
}

uint64_t gzindex_find(const struct gzindex *index, uint64_t out)
{
	uint64_t low = 0, high = index->n_points;

	while (high - low > 1) {
		uint64_t middle = low + (high - low) / 2;

		if (gzindex_point(index, middle).out <= out)
			low = middle;
		else
			high = middle;
	}
	return low;
}
