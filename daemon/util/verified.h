/* SPDX-License-Identifier: MIT */
/*
 * How far the bytes of an object are checked against a digest that was known before.
 */
#pragma once

#include <stdbool.h>

enum verified {
	VERIFIED_NO,	  /* nothing is known that they could be checked against */
	VERIFIED_PENDING, /* the digest of the whole is; not all is cached, or not looked at yet */
	VERIFIED_BLOCKS,  /* each block, before it goes into the cache */
	VERIFIED_WHOLE,	  /* all of it is cached, and is what its digest says */
	VERIFIED_FAILED,  /* all of it is cached, and is something else */
};

/* One word, for people and programs. */
const char *verified_name(enum verified verified);

/* Of several objects together: as little as of any of them, and one that is wrong spoils all. */
enum verified verified_least(enum verified a, enum verified b);

/* What the name and the identity of an object promise, before anything of it is cached. */
enum verified verified_promised(const char *locator, const char *validator);

/*
 * The 64 digits of "digest:sha256:...", the one validator that means the same at every origin: the
 * SHA-256 of all bytes. NULL: it is another one.
 */
const char *verified_sha256(const char *validator);
