/* SPDX-License-Identifier: MIT */
/*
 * Two web servers on this machine and the http fetcher that has the first one for its origin.
 */
#pragma once

#include "tests/lib/host.h"
#include "tests/lib/origin.h"

#define SIZE  ((uint64_t)300000)
#define LARGE ((uint64_t)256 << 20)
#define OFF   8192
#define LEN   65536

/* Both have "blob" of SIZE, the first one also "large" of LARGE and "tiny" of 100 bytes. */
extern struct origin *origin, *other;
extern struct host host;

/* Fixtures. */
void http_start(void);
void http_stop(void);

/* The host again, with other parameters. */
void http_restart(const struct fetcher_param *params);

/* At the first server. Static. */
const char *locator_of(const char *path);

struct fetch_identity identity_of(const char *path);

/* Reads LEN at OFF by a faulty path what was pinned by a good one; the bytes that count must be
 * right. ret_error: FETCH_ERROR_MAX bytes, or NULL. */
int read_pinned(const char *path, const struct fetch_identity *identity, char *ret_error);
