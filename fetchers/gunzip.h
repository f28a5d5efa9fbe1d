/* SPDX-License-Identifier: MIT */
/*
 * What is in a gzip file, at any place of it: a decorator that reads the compressed bytes behind
 *the nearest point of an index, and inflates, cachefill-tarmap(5). Its locators are
 *
 *	gunzip:<percent-encoded absolute path of the index>;<locator of the gzip file>
 *
 * Nothing is given out before the sum of its block was right, whatever the origin sends. It
 *inflates on the loop's thread, a few blocks at a time.
 */
#pragma once

#include "fetchers/fetcher.h"

/* next reads the gzip file; it is borrowed. -ENOMEM. */
int gunzip_new(struct fetcher **ret, struct loop *loop, struct fetcher *next);
