/* SPDX-License-Identifier: MIT */
/*
 * Prefetches inside the engine: flights of the lowest class, each of which tells its end.
 */
#pragma once

#include "daemon/engine/object.h"

/* The flight of a prefetch has ended; the answer is taken down. */
void prefetch_ended(struct flight *flight);

/* What has not begun of [from, to) is left to a reader, who gets a flight of his own size. */
void prefetch_give_way(struct object *object, uint64_t from, uint64_t to);
