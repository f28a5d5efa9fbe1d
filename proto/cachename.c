/* SPDX-License-Identifier: MIT */
#include "proto/cachename.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define KEY_MAX	   252 /* longer ones stop the kernel: BUG_ON in cachefiles_cook_key() */
#define WORD_BYTES ((size_t)4)

static const char alphabet[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-";

static_assert(sizeof(alphabet) - 1 == 64, "six bits per character");

/* ---- keys as 32-bit words ---------------------------------------------------------------- */

static size_t word_count(size_t len)
{
	return (len + WORD_BYTES - 1) / WORD_BYTES;
}

/* The i-th word, little-endian; the key counts as padded with NULs. */
static uint32_t word_le(struct bytes key, size_t i)
{
	uint32_t word = 0;

	for (size_t j = WORD_BYTES; j-- > 0;) {
		size_t at = i * WORD_BYTES + j;

		word = word << 8 | (at < key.len ? key.data[at] : 0);
	}
	return word;
}

static uint32_t word_of(struct bytes key, size_t i, bool big_endian)
{
	uint32_t word = word_le(key, i);

	return big_endian ? __builtin_bswap32(word) : word;
}

static size_t hex_digits(uint32_t word)
{
	size_t digits = 0;

	for (; word != 0; word >>= 4)
		digits++;
	return digits;
}

/* ---- encode ------------------------------------------------------------------------------ */

static bool is_plain(struct bytes key)
{
	for (size_t i = 0; i < key.len; i++)
		if (key.data[i] < 33 || key.data[i] > 127 || key.data[i] == '/')
			return false;
	return true;
}

/* Length of the name as words: each has a letter or comma before it. */
static size_t words_length(struct bytes key, bool big_endian)
{
	size_t length = 0;

	for (size_t i = 0; i < word_count(key.len); i++)
		length += 1 + hex_digits(word_of(key, i, big_endian));
	return length;
}

static size_t base64_length(struct bytes key)
{
	return 2 + (key.len + 2) / 3 * 4;
}

static void write_words(struct bytes key, bool big_endian, char *name)
{
	char before = big_endian ? 'S' : 'T';

	for (size_t i = 0; i < word_count(key.len); i++) {
		uint32_t word = word_of(key, i, big_endian);

		*name++ = before;
		before = ',';
		if (word != 0)
			name += sprintf(name, "%x", word);
	}
	*name = 0;
}

static void write_base64(struct bytes key, char *name)
{
	*name++ = 'E';
	*name++ = (char)('0' + (3 - key.len % 3) % 3);
	for (size_t i = 0; i < key.len; i += 3) {
		uint32_t group = key.data[i];

		if (i + 1 < key.len)
			group |= (uint32_t)key.data[i + 1] << 8;
		if (i + 2 < key.len)
			group |= (uint32_t)key.data[i + 2] << 16;
		for (int j = 0; j < 4; j++, group >>= 6)
			*name++ = alphabet[group & 63];
	}
	*name = 0;
}

/* The three forms, in the order in which the kernel tries them; ties go to the big-endian one. */
int cachename_encode(struct bytes cookie, char name[CACHENAME_MAX])
{
	size_t big, little, base64;

	if (cookie.len == 0)
		return -EINVAL;
	if (cookie.len > KEY_MAX)
		return -ENAMETOOLONG;
	if (is_plain(cookie)) {
		name[0] = 'D';
		memcpy(name + 1, cookie.data, cookie.len);
		name[1 + cookie.len] = 0;
		return 0;
	}

	big = words_length(cookie, true);
	little = words_length(cookie, false);
	base64 = base64_length(cookie);
	if (big < base64 || little < base64) {
		if ((big <= little ? big : little) >= CACHENAME_MAX)
			return -ENAMETOOLONG;
		write_words(cookie, big <= little, name);
		return 0;
	}
	if (base64 >= CACHENAME_MAX)
		return -ENAMETOOLONG;
	write_base64(cookie, name);
	return 0;
}

/* ---- decode ------------------------------------------------------------------------------ */

/* Each function fills key and returns its length, or -1; what they let through is checked later. */

static int read_plain(const char *name, uint8_t *key)
{
	size_t len = strlen(name);

	memcpy(key, name, len);
	return (int)len;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int read_words(const char *name, bool big_endian, uint8_t *key)
{
	size_t len = 0;

	for (;; name++) {
		uint32_t word = 0;

		for (int digits = 0; hex_value(*name) >= 0; name++) {
			if (++digits > 8)
				return -1;
			word = word << 4 | (uint32_t)hex_value(*name);
		}
		if (big_endian)
			word = __builtin_bswap32(word);
		if (len + WORD_BYTES > KEY_MAX)
			return -1;
		for (size_t j = 0; j < WORD_BYTES; j++, word >>= 8)
			key[len++] = (uint8_t)word;
		if (*name != ',')
			return *name == 0 ? (int)len : -1;
	}
}

static int read_base64(const char *name, uint8_t *key)
{
	int pad = *name++ - '0', len = 0;

	if (pad < 0 || pad > 2)
		return -1;
	while (*name) {
		uint32_t group = 0;

		for (int j = 0; j < 4; j++, name++) {
			const char *digit = *name ? strchr(alphabet, *name) : NULL;

			if (!digit)
				return -1;
			group |= (uint32_t)(digit - alphabet) << 6 * j;
		}
		for (int j = 0; j < 3; j++, group >>= 8)
			key[len++] = (uint8_t)group;
	}
	return len > 0 ? len - pad : -1;
}

static bool encodes_to(const uint8_t *key, size_t len, const char *name)
{
	char again[CACHENAME_MAX];

	return cachename_encode(bytes_of(key, len), again) == 0 && strcmp(again, name) == 0;
}

/*
 * Words do not tell how many of the last NULs are padding: the fewest bytes that the kernel would
 * give this name are taken, which for a key without NULs is the key.
 */
static int shortest_key(const char *name, const uint8_t *key, int len)
{
	int shortest = len;

	while (shortest > 1 && shortest > len - 3 && key[shortest - 1] == 0)
		shortest--;
	for (; shortest <= len; shortest++)
		if (encodes_to(key, (size_t)shortest, name))
			return shortest;
	return -EINVAL;
}

int cachename_decode(const char *name, uint8_t ret_key[CACHENAME_MAX])
{
	uint8_t key[CACHENAME_MAX];
	int len = -1;

	if (strnlen(name, CACHENAME_MAX) == CACHENAME_MAX)
		return -EINVAL;
	if (name[0] == 'D')
		len = read_plain(name + 1, key);
	else if (name[0] == 'S' || name[0] == 'T')
		len = read_words(name + 1, name[0] == 'S', key);
	else if (name[0] == 'E')
		len = read_base64(name + 1, key);

	/* One rule for all that is odd: a name is the kernel's if its key leads back to it. */
	if (len > 0 && (name[0] == 'S' || name[0] == 'T'))
		len = shortest_key(name, key, len);
	if (len <= 0 || !encodes_to(key, (size_t)len, name))
		return -EINVAL;
	memcpy(ret_key, key, (size_t)len);
	return len;
}

/* ---- fan-out and path -------------------------------------------------------------------- */

static uint32_t rotate(uint32_t v, unsigned int bits)
{
	return v << bits | v >> (32 - bits);
}

/* The kernel's __hash_32(): its 32-bit golden ratio. */
static uint32_t multiply(uint32_t v)
{
	return v * UINT32_C(0x61c88647);
}

static uint32_t hash(uint32_t salt, struct bytes key, size_t words)
{
	uint32_t x = 0, y = salt;

	for (size_t i = 0; i < words; i++) {
		x ^= word_le(key, i);
		y ^= x;
		x = rotate(x, 7);
		x += y;
		y = rotate(y, 20);
		y *= 9;
	}
	return multiply(y ^ multiply(x));
}

uint8_t cachename_fanout(struct bytes volume, struct bytes cookie)
{
	uint8_t key[1 + UINT8_MAX + 1] = { 0 };
	size_t len = volume.len < UINT8_MAX ? volume.len : UINT8_MAX;
	uint32_t salt;

	/* As the kernel keeps it: the length in front, at least one NUL behind. */
	key[0] = (uint8_t)len;
	if (len > 0)
		memcpy(key + 1, volume.data, len);
	salt = hash(0, bytes_of(key, 1 + len), word_count(1 + len + 1));
	return (uint8_t)hash(salt, cookie, word_count(cookie.len));
}

int cachename_path(struct bytes volume, struct bytes cookie, char path[CACHENAME_PATH_MAX])
{
	char object[CACHENAME_MAX];
	int r;

	if (volume.len > CACHENAME_MAX - 2)
		return -ENAMETOOLONG;
	if (volume.len > 0 &&
	    (memchr(volume.data, '/', volume.len) || memchr(volume.data, 0, volume.len)))
		return -EINVAL;
	r = cachename_encode(cookie, object);
	if (r < 0)
		return r;

	r = snprintf(path, CACHENAME_PATH_MAX, "cache/I%.*s/@%02x/%s", (int)volume.len,
		     volume.len > 0 ? (const char *)volume.data : "",
		     (unsigned int)cachename_fanout(volume, cookie), object);
	assert(r > 0 && r < CACHENAME_PATH_MAX);
	return 0;
}

/* ---- attribute --------------------------------------------------------------------------- */

/* struct cachefiles_xattr: be64 size, be64 zero point, type, content; EROFS adds nothing. */
#define XATTR_TYPE_AT	    16
#define XATTR_CONTENT_AT    17
#define XATTR_TYPE_DATA	    1
#define XATTR_CONTENT_DIRTY 4

bool cachename_parse_xattr(const void *value, size_t n, uint64_t *ret_size)
{
	const uint8_t *b = value;
	uint64_t size = 0;

	static_assert(XATTR_CONTENT_AT + 1 == CACHENAME_OBJECT_XATTR_LEN, "no coherency data");
	if (n != CACHENAME_OBJECT_XATTR_LEN)
		return false;
	if (b[XATTR_TYPE_AT] != XATTR_TYPE_DATA || b[XATTR_CONTENT_AT] == XATTR_CONTENT_DIRTY)
		return false;
	for (size_t i = 0; i < sizeof(size); i++)
		size = size << 8 | b[i];
	*ret_size = size;
	return true;
}
