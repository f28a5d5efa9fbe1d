/* SPDX-License-Identifier: MIT */
#include "daemon/tarindex/tar-pax.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int refuse(char *why, const char *text)
{
	snprintf(why, TAR_ERROR_MAX, "%s", text);
	return -EINVAL;
}

/* Decimal digits alone. */
static bool number_of(const char *text, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;

	if (!*text)
		return false;
	for (; *text >= '0' && *text <= '9'; text++)
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*text - '0'), &v) || v > max)
			return false;
	*ret = v;
	return *text == '\0';
}

/* "[-]seconds[.fraction]", rounded down to nanoseconds. */
static bool time_of(char *text, int64_t *ret_sec, uint32_t *ret_nsec)
{
	char *point = strchr(text, '.');
	bool negative = *text == '-', rest = false;
	uint32_t nsec = 0, unit = 100000000;
	uint64_t sec;

	if (point)
		*point++ = '\0';
	if (!number_of(text + negative, INT64_MAX, &sec))
		return false;
	for (; point && *point >= '0' && *point <= '9'; point++, unit /= 10) {
		nsec += (uint32_t)(*point - '0') * unit;
		rest |= unit == 0 && *point != '0';
	}
	if (point && *point)
		return false;
	*ret_sec = (int64_t)sec;
	if (negative) {
		nsec += rest;
		*ret_sec = -*ret_sec - (nsec > 0);
		nsec = nsec > 0 ? 1000000000 - nsec : 0;
	}
	*ret_nsec = nsec;
	return true;
}

/* "%41" is "A", as libarchive writes names. Returns the length. */
static size_t decode_name(char *name)
{
	char *to = name;

	for (const char *from = name; *from; from++, to++) {
		*to = *from;
		if (*from == '%' && isxdigit((unsigned char)from[1]) &&
		    isxdigit((unsigned char)from[2])) {
			char digits[] = { from[1], from[2], '\0' };

			*to = (char)strtoul(digits, NULL, 16);
			from += 2;
		}
	}
	*to = '\0';
	return (size_t)(to - name);
}

static int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* In place; padding may lack, as it does where libarchive writes. False: that is no base64. */
static bool decode_base64(char *text, size_t len, size_t *ret_len)
{
	uint32_t bits = 0;
	unsigned int n_bits = 0;
	size_t to = 0;

	while (len > 0 && text[len - 1] == '=')
		len--;
	for (size_t i = 0; i < len; i++) {
		int digit = base64_digit(text[i]);

		if (digit < 0)
			return false;
		bits = bits << 6 | (uint32_t)digit;
		n_bits += 6;
		if (n_bits >= 8) {
			n_bits -= 8;
			text[to++] = (char)(bits >> n_bits & 0xff);
		}
	}
	*ret_len = to;
	return true;
}

/* overrule: of two values of one name this one counts. */
static int add_xattr(struct tar_pax *pax, struct bytes name, struct bytes value, bool overrule,
		     char *why)
{
	for (size_t i = 0; i < pax->n_xattrs; i++)
		if (bytes_equal(pax->xattrs[i].name, name)) {
			if (overrule)
				pax->xattrs[i].value = value;
			return 0;
		}
	if (pax->n_xattrs == TAR_XATTRS_MAX)
		return refuse(why, "more extended attributes than a file may have");
	pax->xattrs[pax->n_xattrs++] = (struct tar_xattr){ name, value };
	return 0;
}

static const char *behind(const char *text, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(text, prefix, len) == 0 ? text + len : NULL;
}

static int text_record(const char **ret, char *value, size_t len, char *why)
{
	if (strlen(value) != len)
		return refuse(why, "a NUL in a name");
	*ret = len > 0 ? value : NULL;
	return 0;
}

static int xattr_record(struct tar_pax *pax, char *key, char *value, size_t len, char *why)
{
	const char *name = behind(key, "SCHILY.xattr.");
	size_t name_len;

	if (name)
		return add_xattr(pax, bytes_str(name), bytes_of(value, len), true, why);
	name = behind(key, "LIBARCHIVE.xattr.");
	if (!name)
		return 0;
	name_len = decode_name(key + (name - key));
	if (!decode_base64(value, len, &len))
		return refuse(why, "an extended attribute that is no base64");
	/* libarchive writes both forms, and of this one the name may be ambiguous. */
	return add_xattr(pax, bytes_of(name, name_len), bytes_of(value, len), false, why);
}

/* One record, key and value with their NULs. An empty value takes back what was said. */
static int record(struct tar_pax *pax, char *key, char *value, size_t len, char *why)
{
	uint64_t n = 0;

	if (strcmp(key, "path") == 0)
		return text_record(&pax->path, value, len, why);
	if (strcmp(key, "linkpath") == 0)
		return text_record(&pax->link, value, len, why);
	if (strcmp(key, "size") == 0) {
		pax->has_size = len > 0;
		if (len > 0 && !number_of(value, INT64_MAX, &pax->size))
			return refuse(why, "a size that is none");
	} else if (strcmp(key, "uid") == 0) {
		pax->has_uid = len > 0;
		if (len > 0 && !number_of(value, UINT32_MAX, &n))
			return refuse(why, "a user id that is none");
		pax->uid = (uint32_t)n;
	} else if (strcmp(key, "gid") == 0) {
		pax->has_gid = len > 0;
		if (len > 0 && !number_of(value, UINT32_MAX, &n))
			return refuse(why, "a group id that is none");
		pax->gid = (uint32_t)n;
	} else if (strcmp(key, "mtime") == 0) {
		pax->has_mtime = len > 0;
		if (len > 0 && !time_of(value, &pax->mtime, &pax->mtime_nsec))
			return refuse(why, "a time that is none");
	} else if (behind(key, "GNU.sparse.")) {
		return refuse(why,
			      "a sparse file, which cannot be mapped; pack it without --sparse");
	}
	return xattr_record(pax, key, value, len, why);
}

/* "<length> <key>=<value>\n", the length of all of that. */
int tar_pax_parse(struct tar_pax *pax, char *text, size_t len, char *why)
{
	char *end = text + len;

	/* Fields of GNU tar are padded with NULs. */
	while (text < end && *text) {
		size_t n = 0;
		char *at = text, *value, *stop;
		int r;

		for (; at < end && *at >= '0' && *at <= '9' && n <= len; at++)
			n = n * 10 + (size_t)(*at - '0');
		if (at == text || at == end || *at != ' ' || n > (size_t)(end - text) ||
		    n < (size_t)(at - text) + 3 || text[n - 1] != '\n')
			return refuse(why, "an extended header that is damaged");
		at++;
		stop = text + n - 1;
		value = memchr(at, '=', (size_t)(stop - at));
		if (!value || value == at || memchr(at, '\0', (size_t)(value - at)))
			return refuse(why, "an extended header that is damaged");
		*value++ = '\0';
		*stop = '\0';
		r = record(pax, at, value, (size_t)(stop - value), why);
		if (r < 0)
			return r;
		text += n;
	}
	return 0;
}
