/* SPDX-License-Identifier: MIT */
/*
 * Messages and commands of /dev/cachefiles in on-demand mode. Pure: no I/O, no allocation. What
 * is parsed is trusted by nobody: a bug in the kernel, a fuzzer or a replayed trace must end in a
 * verdict.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "daemon/util/bytes.h"
#include "proto/cachefiles-abi.h"

enum cf_verdict {
	CF_OK,
	CF_TRUNCATED,  /* fewer bytes than a header, or than the payload of its opcode */
	CF_BAD_LENGTH, /* `len` is not the number of bytes that were read, or of this opcode */
	CF_BAD_KEY,   /* key sizes are zero, overflow, disagree with len, or the NUL is misplaced */
	CF_BAD_RANGE, /* READ of nothing or past 2^63 - 1, or OPEN with no possible descriptor */
	CF_UNKNOWN_OP,
};

struct cf_msg {
	uint32_t msg_id; /* 0 is valid */
	uint32_t opcode;
	uint32_t object_id;
	union {
		struct {
			struct bytes volume; /* without its NUL; borrows from the buffer */
			struct bytes cookie; /* binary; borrows from the buffer */
			uint32_t flags;
			int fd; /* installed in this process, without close-on-exec */
		} open;
		struct {
			uint64_t off; /* bytes; the caller aligns */
			uint64_t len;
		} read;
	};
};

/*
 * Parses the n bytes of one message. On CF_OK *ret is whole. Otherwise ret->msg_id, opcode and
 * object_id are set when n holds a header, else opcode is UINT32_MAX; and for an OPEN ret->open.fd
 * is the descriptor when n holds it, else -1: so that the caller can refuse the OPEN and close the
 * descriptor of a message that is otherwise unusable.
 */
enum cf_verdict cf_parse(struct cf_msg *ret, const void *buf, size_t n);

/* One sentence for people, static. */
const char *cf_verdict_text(enum cf_verdict verdict);

/* ---- commands ---------------------------------------------------------------------------- */

/* The longest text that the device takes, and room for a terminator. */
#define CF_COMMAND_MAX 4096

/*
 * Each formats one command into buf (CF_COMMAND_MAX bytes, terminated) and returns its length
 * without the terminator, or -EINVAL for a value that the kernel would refuse or, worse, read as
 * something else (a newline cuts the command, a NUL fails it), or -ENAMETOOLONG.
 */
int cf_format_dir(char *buf, const char *path);
int cf_format_tag(char *buf, const char *tag);
int cf_format_secctx(char *buf, const char *context);
int cf_format_bind_ondemand(char *buf);
int cf_format_restore(char *buf);

/* `copen <id>,<size>`: decimal without leading zeros, since the kernel reads 010 as octal. */
int cf_format_copen(char *buf, uint32_t msg_id, uint64_t size);

/* `copen <id>,-<errno>`; error is a negative errno, anything outside -4095..-1 becomes -EIO: the
 * kernel fails such an OPEN but says EINVAL to us. */
int cf_format_copen_error(char *buf, uint32_t msg_id, int error);

/* name: one entry of the current working directory; -EINVAL for "", ".", ".." and slashes. */
int cf_format_inuse(char *buf, const char *name);
int cf_format_cull(char *buf, const char *name);

/* The cull limits in per cent of free blocks (b) and files (f). */
struct cf_limits {
	uint8_t brun, bcull, bstop;
	uint8_t frun, fcull, fstop;
};

#define CF_LIMITS_DEFAULT \
	((struct cf_limits){ .brun = 7, .bcull = 5, .bstop = 1, .frun = 7, .fcull = 5, .fstop = 1 })

/* 0 <= stop < cull < run < 100 for both; returns NULL or the sentence that says what is wrong. */
const char *cf_limits_check(const struct cf_limits *limits);

/*
 * The i-th (0..5) of the six commands that lead from the kernel's defaults to `limits`, in an
 * order in which each step satisfies the rule that the kernel checks at every command (to raise:
 * run, cull, stop; to lower: the other way). Returns the length, or 0 when i is past the end.
 */
int cf_format_limit(char *buf, const struct cf_limits *limits, unsigned int i);
