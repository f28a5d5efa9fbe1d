/* SPDX-License-Identifier: MIT */
/*
 * Bytes that are checked before anybody gets them: a decorator for objects whose fs-verity digest
 *is known, cachefill-verify(5). Its locators are those of locator_split_verified():
 *
 *	fs-verity:sha256:DIGEST;<locator of the bytes>
 *	fs-verity:sha256:DIGEST,<percent-encoded locator of the hash tree>;<locator of the bytes>
 *
 * Identities are those of the bytes. The tree is at the same origin, and fetched beside the bytes,
 * as far as it is needed. What is wrong is asked for once more, "elsewhere"; then it is -EBADMSG.
 */
#pragma once

#include "fetchers/fetcher.h"

/* next reads bytes and trees; it is borrowed. -ENOMEM. */
int verify_new(struct fetcher **ret, struct loop *loop, struct fetcher *next);
