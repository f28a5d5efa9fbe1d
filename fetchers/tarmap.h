/* SPDX-License-Identifier: MIT */
/*
 * The virtual device of a tar layer: a decorator that finds the bytes of each file in the layer's
 * own blob, by a map that was made beforehand, cachefill-tarmap(5). Its locators are
 *
 *	tarmap:<percent-encoded absolute path of the map>;<locator of the blob>
 *
 * A read of a range becomes one ranged read of the blob where the files of the range lie near to
 * each other there, and several, one after the other, where they do not.
 */
#pragma once

#include "fetchers/fetcher.h"

/*
 * next reads the archive; it is borrowed. Of a layer that is compressed it is one of
 * fetchers/gunzip.h. -ENOMEM.
 */
int tarmap_new(struct fetcher **ret, struct loop *loop, struct fetcher *next);
