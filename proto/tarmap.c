/* SPDX-License-Identifier: MIT */
#include "proto/tarmap.h"

#include <assert.h>
#include <string.h>
#define XXH_STATIC_LINKING_ONLY /* XXH3_state_t on the stack */
#include <xxhash.h>

#include "daemon/util/checked.h"
#include "daemon/util/little-endian.h"

/* Where the fields of the header lie. The hash is of everything behind itself, the table too. */
enum {
	AT_MAGIC = 0,
	AT_VERSION = 8, /* 32 bits, as what follows it, which is 0 */
	AT_HASH = 16,
	AT_INNER_SIZE = 24,
	AT_SIZE = 32,
	AT_COUNT = 40,
	AT_RESERVED = 48, /* 0 */
	AT_VALIDATOR = 64,
	HASHED = AT_INNER_SIZE,
};

static_assert(AT_VALIDATOR + TARMAP_VALIDATOR_MAX == TARMAP_HEADER, "the header is full");

static const char magic[8] = "CFtarmap";

static uint64_t hash_of(const uint8_t *header, const uint8_t *table, size_t n)
{
	XXH3_state_t state;

	XXH3_64bits_reset(&state);
	XXH3_64bits_update(&state, header + HASHED, TARMAP_HEADER - HASHED);
	XXH3_64bits_update(&state, table, n);
	return XXH3_64bits_digest(&state);
}

struct tarmap_extent tarmap_extent(const struct tarmap *map, uint64_t i)
{
	const uint8_t *from = map->table + i * TARMAP_EXTENT;

	return (struct tarmap_extent){ get_le64(from), get_le64(from + 8), get_le64(from + 16) };
}

void tarmap_encode_extent(uint8_t to[static TARMAP_EXTENT], struct tarmap_extent extent)
{
	put_le64(to, extent.at);
	put_le64(to + 8, extent.from);
	put_le64(to + 16, extent.len);
}

void tarmap_encode_header(uint8_t to[static TARMAP_HEADER], const struct tarmap *map)
{
	size_t len = strlen(map->validator);

	assert(len < TARMAP_VALIDATOR_MAX);
	memset(to, 0, TARMAP_HEADER);
	memcpy(to + AT_MAGIC, magic, sizeof(magic));
	put_le64(to + AT_VERSION, TARMAP_VERSION);
	put_le64(to + AT_INNER_SIZE, map->inner_size);
	put_le64(to + AT_SIZE, map->size);
	put_le64(to + AT_COUNT, map->n);
	memcpy(to + AT_VALIDATOR, map->validator, len);
	put_le64(to + AT_HASH, hash_of(to, map->table, map->n * TARMAP_EXTENT));
}

static bool table_valid(const struct tarmap *map)
{
	uint64_t end = 0;

	for (uint64_t i = 0; i < map->n; i++) {
		struct tarmap_extent e = tarmap_extent(map, i);
		uint64_t inner_end;

		if (e.at < end || e.at % TARMAP_BLOCK != 0 || e.len == 0 ||
		    !add_u64(e.at, e.len, &end) || end > map->size ||
		    !add_u64(e.from, e.len, &inner_end) || inner_end > map->inner_size)
			return false;
	}
	return true;
}

enum tarmap_verdict tarmap_parse(struct tarmap *ret, struct bytes file)
{
	struct tarmap map;

	if (file.len < sizeof(magic) || memcmp(file.data, magic, sizeof(magic)) != 0)
		return TARMAP_NO_MAP;
	if (file.len < TARMAP_HEADER)
		return TARMAP_DAMAGED;
	if (get_le64(file.data + AT_VERSION) != TARMAP_VERSION)
		return TARMAP_NEW_VERSION;
	map = (struct tarmap){
		.inner_size = get_le64(file.data + AT_INNER_SIZE),
		.size = get_le64(file.data + AT_SIZE),
		.validator = (const char *)file.data + AT_VALIDATOR,
		.n = get_le64(file.data + AT_COUNT),
		.table = file.data + TARMAP_HEADER,
	};
	if (map.n > TARMAP_FILE_MAX / TARMAP_EXTENT ||
	    file.len != TARMAP_HEADER + map.n * TARMAP_EXTENT || map.inner_size > OBJECT_SIZE_MAX ||
	    map.size > OBJECT_SIZE_MAX || !memchr(map.validator, '\0', TARMAP_VALIDATOR_MAX) ||
	    get_le64(file.data + AT_HASH) != hash_of(file.data, map.table, map.n * TARMAP_EXTENT) ||
	    !table_valid(&map))
		return TARMAP_DAMAGED;
	*ret = map;
	return TARMAP_OK;
}

uint64_t tarmap_find(const struct tarmap *map, uint64_t at)
{
	uint64_t low = 0, high = map->n;

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;
		struct tarmap_extent e = tarmap_extent(map, middle);

		if (e.at + e.len > at)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}
