/* SPDX-License-Identifier: MIT */
/*
 * Digests of the image specification: "sha256:..." and "sha512:...".
 */
#pragma once

#include <stddef.h>

/* 0; -EPROTO: these are other bytes; -EINVAL: no digest that we know; -ENOMEM. */
int oci_digest_check(const char *digest, const void *bytes, size_t len);

/* "sha256:..." of them. -ENOMEM. */
int oci_digest_make(char *ret, size_t n, const void *bytes, size_t len);
