/* SPDX-License-Identifier: MIT */
#include "proto/cachefiles.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "daemon/util/checked.h"

/* ---- layout ------------------------------------------------------------------------------ */

#define ASSERT_FIELD(type, field, offset, size)                            \
	static_assert(offsetof(struct type, field) == (offset) &&          \
			      sizeof(((struct type *)0)->field) == (size), \
		      #type "." #field)

ASSERT_FIELD(cachefiles_msg_header, msg_id, 0, 4);
ASSERT_FIELD(cachefiles_msg_header, opcode, 4, 4);
ASSERT_FIELD(cachefiles_msg_header, len, 8, 4);
ASSERT_FIELD(cachefiles_msg_header, object_id, 12, 4);
static_assert(sizeof(struct cachefiles_msg_header) == 16, "struct cachefiles_msg");

ASSERT_FIELD(cachefiles_open_payload, volume_key_size, 0, 4);
ASSERT_FIELD(cachefiles_open_payload, cookie_key_size, 4, 4);
ASSERT_FIELD(cachefiles_open_payload, fd, 8, 4);
ASSERT_FIELD(cachefiles_open_payload, flags, 12, 4);
static_assert(sizeof(struct cachefiles_open_payload) == 16, "struct cachefiles_open");

ASSERT_FIELD(cachefiles_read_payload, off, 0, 8);
ASSERT_FIELD(cachefiles_read_payload, len, 8, 8);
static_assert(sizeof(struct cachefiles_read_payload) == 16, "struct cachefiles_read");

/* ---- messages ---------------------------------------------------------------------------- */

/*
 * Keys follow the payload without a gap and end the message: cachefiles_ondemand_init_open_req().
 * The volume key counts its NUL, the only one in it; the cookie key has none and may hold any.
 */
static enum cf_verdict parse_keys(struct cf_msg *ret, const struct cachefiles_open_payload *open,
				  const uint8_t *keys, size_t n)
{
	size_t volume_size = open->volume_key_size;

	if (volume_size == 0 || open->cookie_key_size == 0)
		return CF_BAD_KEY;
	if ((uint64_t)open->volume_key_size + open->cookie_key_size != n)
		return CF_BAD_KEY;
	if (memchr(keys, 0, volume_size) != keys + volume_size - 1)
		return CF_BAD_KEY;

	ret->open.volume = bytes_of(keys, volume_size - 1);
	ret->open.cookie = bytes_of(keys + volume_size, n - volume_size);
	return CF_OK;
}

static enum cf_verdict parse_open(struct cf_msg *ret, const uint8_t *data, size_t n, bool whole)
{
	struct cachefiles_open_payload open = { 0 };

	ret->open.fd = -1;
	memcpy(&open, data, n < sizeof(open) ? n : sizeof(open));
	/* Whatever else is wrong, the descriptor is installed and somebody has to close it. */
	if (n >= offsetof(struct cachefiles_open_payload, flags) && open.fd <= INT_MAX)
		ret->open.fd = (int)open.fd;

	if (n < sizeof(open))
		return CF_TRUNCATED;
	if (!whole)
		return CF_BAD_LENGTH;
	if (open.fd > INT_MAX)
		return CF_BAD_RANGE;

	ret->open.flags = open.flags;
	return parse_keys(ret, &open, data + sizeof(open), n - sizeof(open));
}

static enum cf_verdict parse_read(struct cf_msg *ret, const uint8_t *data, size_t n, bool whole)
{
	struct cachefiles_read_payload read;
	uint64_t end;

	if (n < sizeof(read))
		return CF_TRUNCATED;
	if (!whole || n > sizeof(read))
		return CF_BAD_LENGTH;

	memcpy(&read, data, sizeof(read));
	if (read.len == 0 || !add_u64(read.off, read.len, &end) || end > INT64_MAX)
		return CF_BAD_RANGE;

	ret->read.off = read.off;
	ret->read.len = read.len;
	return CF_OK;
}

enum cf_verdict cf_parse(struct cf_msg *ret, const void *buf, size_t n)
{
	struct cachefiles_msg_header header;
	const uint8_t *data = buf;
	bool whole;

	*ret = (struct cf_msg){ .opcode = UINT32_MAX };
	if (n < sizeof(header))
		return CF_TRUNCATED;

	/* Copied, since nobody promises that a replayed or fuzzed buffer is aligned. */
	memcpy(&header, data, sizeof(header));
	ret->msg_id = header.msg_id;
	ret->opcode = header.opcode;
	ret->object_id = header.object_id;
	whole = header.len == n;
	data += sizeof(header);
	n -= sizeof(header);

	switch (header.opcode) {
	case CACHEFILES_OP_OPEN:
		return parse_open(ret, data, n, whole);
	case CACHEFILES_OP_CLOSE:
		return whole && n == 0 ? CF_OK : CF_BAD_LENGTH;
	case CACHEFILES_OP_READ:
		return parse_read(ret, data, n, whole);
	default:
		return CF_UNKNOWN_OP;
	}
}

const char *cf_verdict_text(enum cf_verdict verdict)
{
	switch (verdict) {
	case CF_OK:
		return "the message is well-formed";
	case CF_TRUNCATED:
		return "the message ends before its fixed part does";
	case CF_BAD_LENGTH:
		return "the length in the message is not the length of the message";
	case CF_BAD_KEY:
		return "the sizes of the keys or the end of the volume key are wrong";
	case CF_BAD_RANGE:
		return "a range or descriptor in the message is out of bounds";
	case CF_UNKNOWN_OP:
		return "the opcode of the message is unknown";
	}
	return "the verdict is unknown";
}

/* ---- commands ---------------------------------------------------------------------------- */

static int __attribute__((format(printf, 2, 3))) format(char *buf, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, CF_COMMAND_MAX, fmt, ap);
	va_end(ap);
	if (n < 0)
		return -EINVAL;
	return n < CF_COMMAND_MAX ? n : -ENAMETOOLONG;
}

/*
 * An argument is the rest of the line after its leading blanks: cachefiles_daemon_write(). Blanks
 * there are those of the kernel's own table, which has Latin-1's 0xa0 among them.
 */
static bool argument_survives(const char *arg)
{
	unsigned char first = (unsigned char)arg[0];

	if (first == 0 || first == ' ' || (first >= '\t' && first <= '\r') || first == 0xa0)
		return false;
	return !strchr(arg, '\n');
}

static int format_argument(char *buf, const char *command, const char *arg)
{
	if (!argument_survives(arg))
		return -EINVAL;
	return format(buf, "%s %s", command, arg);
}

int cf_format_dir(char *buf, const char *path)
{
	return format_argument(buf, "dir", path);
}

int cf_format_tag(char *buf, const char *tag)
{
	return format_argument(buf, "tag", tag);
}

int cf_format_secctx(char *buf, const char *context)
{
	return format_argument(buf, "secctx", context);
}

int cf_format_bind_ondemand(char *buf)
{
	return format(buf, "bind ondemand");
}

int cf_format_restore(char *buf)
{
	return format(buf, "restore");
}

int cf_format_copen(char *buf, uint32_t msg_id, uint64_t size)
{
	if (size > INT64_MAX)
		return -EINVAL;
	return format(buf, "copen %" PRIu32 ",%" PRIu64, msg_id, size);
}

int cf_format_copen_error(char *buf, uint32_t msg_id, int error)
{
	if (error < -4095 || error > -1)
		error = -EIO;
	return format(buf, "copen %" PRIu32 ",%d", msg_id, error);
}

static int format_entry(char *buf, const char *command, const char *name)
{
	if (strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return -EINVAL;
	return format_argument(buf, command, name);
}

int cf_format_inuse(char *buf, const char *name)
{
	return format_entry(buf, "inuse", name);
}

int cf_format_cull(char *buf, const char *name)
{
	return format_entry(buf, "cull", name);
}

/* ---- limits ------------------------------------------------------------------------------ */

const char *cf_limits_check(const struct cf_limits *limits)
{
	if (limits->brun >= 100 || limits->frun >= 100)
		return "brun and frun must be below 100 %";
	if (limits->bcull >= limits->brun)
		return "bcull must be below brun";
	if (limits->bstop >= limits->bcull)
		return "bstop must be below bcull";
	if (limits->fcull >= limits->frun)
		return "fcull must be below frun";
	if (limits->fstop >= limits->fcull)
		return "fstop must be below fcull";
	return NULL;
}

int cf_format_limit(char *buf, const struct cf_limits *limits, unsigned int i)
{
	const struct cf_limits old = CF_LIMITS_DEFAULT;
	const bool files = i >= 3;
	const struct {
		const char *name;
		unsigned int percent;
	} steps[] = {
		{ "run", files ? limits->frun : limits->brun },
		{ "cull", files ? limits->fcull : limits->bcull },
		{ "stop", files ? limits->fstop : limits->bstop },
	};
	/* Top down as long as the new run and cull fit above the old values below them. */
	const bool down = steps[0].percent > old.bcull && steps[1].percent > old.bstop;
	unsigned int step = down ? i % 3 : 2 - i % 3;

	static_assert(sizeof(*limits) == 6, "six limits, six commands");
	if (i >= 6)
		return 0;
	return format(buf, "%c%s %u%%", files ? 'f' : 'b', steps[step].name, steps[step].percent);
}
