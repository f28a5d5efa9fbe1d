/* SPDX-License-Identifier: MIT */
/* Numbers of files, which are little-endian and lie anywhere. */
#pragma once

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t get_le64(const uint8_t *from)
{
	uint64_t v;

	memcpy(&v, from, sizeof(v));
	return le64toh(v);
}

static inline void put_le64(uint8_t *to, uint64_t v)
{
	v = htole64(v);
	memcpy(to, &v, sizeof(v));
}
