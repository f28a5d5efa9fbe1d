/* SPDX-License-Identifier: MIT */
/*
 * Decorators of an origin: one that gives a wrong byte or fails, one that tells a wrong size.
 */
#pragma once

#include "fetchers/fetcher.h"

/* Where it lies, and how: 0, the byte is wrong; else the read over it fails with that. */
extern uint64_t liar_at;
extern int liar_error;

struct fetcher *make_liar(struct fetcher *inner);

/* Objects have a block less than they have. */
struct fetcher *make_smaller(struct fetcher *inner);
