/* SPDX-License-Identifier: MIT */
/*
 * What decorators have in common that own the fetcher behind them, and change nothing about what
 * is listed and stored there: those requests are handed on.
 */
#pragma once

#include "fetchers/fetcher.h"

/* Decorators embed it. */
struct fetch_front {
	struct fetcher base;
	struct fetcher_ops ops; /* of base */
	struct fetcher *next;	/* owned by the decorator */
};

/* ops: of the decorator, without list and put. */
void fetch_front_init(struct fetch_front *front, const struct fetcher_ops *ops,
		      struct fetcher *next);
