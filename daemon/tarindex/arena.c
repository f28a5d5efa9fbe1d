/* SPDX-License-Identifier: MIT */
#include "daemon/tarindex/arena.h"

#include <stdint.h>
#include <stdlib.h>

#define PIECE ((size_t)256 << 10)

struct arena_piece {
	struct arena_piece *next;
	size_t size;
	max_align_t data[];
};

void *arena_alloc(struct arena *arena, size_t size)
{
	struct arena_piece *piece = arena->pieces;
	void *p;

	if (size > SIZE_MAX / 2)
		return NULL;
	size = (size + 7) & ~(size_t)7;
	if (!piece || piece->size - arena->used < size) {
		size_t room = size > PIECE ? size : PIECE;

		piece = calloc(1, sizeof(*piece) + room);
		if (!piece)
			return NULL;
		piece->next = arena->pieces;
		piece->size = room;
		arena->pieces = piece;
		arena->used = 0;
	}
	p = (char *)piece->data + arena->used;
	arena->used += size;
	return p;
}

void arena_end(struct arena *arena)
{
	while (arena->pieces) {
		struct arena_piece *piece = arena->pieces;

		arena->pieces = piece->next;
		free(piece);
	}
	arena->used = 0;
}
