/* SPDX-License-Identifier: MIT */
/*
 * cf_parse() on any bytes: what it takes must be written in the bytes, and what it refuses must
 * leave enough behind to answer and to close the descriptor.
 */
#include <limits.h>
#include <string.h>

#include "proto/cachefiles.h"
#include "tests/fuzz/fuzz.h"

static uint32_t u32_at(const uint8_t *data, size_t at)
{
	uint32_t v;

	memcpy(&v, data + at, sizeof(v));
	return v;
}

static void check_inside(struct bytes b, const uint8_t *data, size_t n)
{
	FUZZ_CHECK(b.data >= data + 32 && b.len <= n && b.data + b.len <= data + n);
}

static void check_open(const struct cf_msg *msg, const uint8_t *data, size_t n)
{
	FUZZ_CHECK(msg->open.fd >= 0 && (uint32_t)msg->open.fd == u32_at(data, 24));
	check_inside(msg->open.volume, data, n);
	check_inside(msg->open.cookie, data, n);
	FUZZ_CHECK(msg->open.cookie.len > 0);
	FUZZ_CHECK(msg->open.volume.len == 0 ||
		   !memchr(msg->open.volume.data, 0, msg->open.volume.len));
	/* Together they are the rest of the message. */
	FUZZ_CHECK(msg->open.volume.data + msg->open.volume.len + 1 == msg->open.cookie.data);
	FUZZ_CHECK(msg->open.cookie.data + msg->open.cookie.len == data + n);
}

static void check_taken(const struct cf_msg *msg, const uint8_t *data, size_t n)
{
	FUZZ_CHECK(u32_at(data, 8) == n);
	switch (msg->opcode) {
	case CACHEFILES_OP_OPEN:
		check_open(msg, data, n);
		break;
	case CACHEFILES_OP_READ:
		FUZZ_CHECK(n == 32 && msg->read.len > 0);
		FUZZ_CHECK(msg->read.off <= INT64_MAX &&
			   msg->read.len <= (uint64_t)INT64_MAX - msg->read.off);
		break;
	default:
		FUZZ_CHECK(msg->opcode == CACHEFILES_OP_CLOSE && n == 16);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct cf_msg msg;
	enum cf_verdict verdict;

	memset(&msg, 0xa5, sizeof(msg));
	verdict = cf_parse(&msg, data, n);
	FUZZ_CHECK(*cf_verdict_text(verdict));
	if (n < 16) {
		FUZZ_CHECK(verdict == CF_TRUNCATED && msg.opcode == UINT32_MAX);
		return 0;
	}

	FUZZ_CHECK(msg.msg_id == u32_at(data, 0) && msg.opcode == u32_at(data, 4));
	FUZZ_CHECK(msg.object_id == u32_at(data, 12));
	FUZZ_CHECK((verdict == CF_UNKNOWN_OP) == (msg.opcode > CACHEFILES_OP_READ));
	if (msg.opcode == CACHEFILES_OP_OPEN) {
		uint32_t fd = n >= 28 ? u32_at(data, 24) : UINT32_MAX;

		FUZZ_CHECK(msg.open.fd == (fd <= INT_MAX ? (int)fd : -1));
	}
	if (verdict == CF_OK)
		check_taken(&msg, data, n);
	return 0;
}
