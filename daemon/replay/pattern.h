/* SPDX-License-Identifier: MIT */
/*
 * The byte at (key, offset), computed: objects of any size without a file. Origins of tests and of
 * replays have these bytes.
 */
#pragma once

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The key of a name: FNV-1a. Different versions of one object take key + version. */
static inline uint64_t pattern_key(const char *name)
{
	uint64_t h = 0xcbf29ce484222325;

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * 0x100000001b3;
	return h;
}

/* Eight bytes at a time: splitmix64 of key and word number. */
static inline uint64_t pattern_word(uint64_t key, uint64_t number)
{
	uint64_t z = key + (number + 1) * 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static inline uint8_t pattern_byte(uint64_t key, uint64_t off)
{
	return (uint8_t)(pattern_word(key, off / 8) >> (off % 8 * 8));
}

/* The object's bytes [off, off + len). */
static inline void pattern_fill(void *buf, size_t len, uint64_t key, uint64_t off)
{
	uint8_t *to = buf;

	for (size_t i = 0; i < len;) {
		uint64_t word = pattern_word(key, (off + i) / 8);

		if ((off + i) % 8 == 0 && len - i >= 8) {
			word = htole64(word);
			memcpy(to + i, &word, 8);
			i += 8;
			continue;
		}
		do
			to[i] = (uint8_t)(word >> ((off + i) % 8 * 8));
		while (++i < len && (off + i) % 8 != 0);
	}
}

/* The first of len bytes at off that is not the object's; len when all are. */
static inline size_t pattern_check(const void *buf, size_t len, uint64_t key, uint64_t off)
{
	const uint8_t *from = buf;
	size_t i = 0;

	while (i < len) {
		uint64_t word = pattern_word(key, (off + i) / 8), whole = htole64(word);

		if ((off + i) % 8 == 0 && len - i >= 8 && memcmp(from + i, &whole, 8) == 0) {
			i += 8;
			continue;
		}
		do
			if (from[i] != (uint8_t)(word >> ((off + i) % 8 * 8)))
				return i;
		while (++i < len && (off + i) % 8 != 0);
	}
	return len;
}
