/* SPDX-License-Identifier: MIT */
/*
 * What goes wrong in a replay, as text: one rule per line. Pure.
 *
 *   latency T                        each request at an origin begins so much later
 *   bandwidth RATE                   bytes per second that each source gives, in all
 *   error GLOB OFF ERRNO [COUNT]     a read that reaches OFF fails there, COUNT times (always)
 *   stall GLOB OFF T                 a read that reaches OFF rests there, T may be "forever"
 *
 * GLOB is matched on "volume/cookie" in printable form; OFF may be "look" for the request that
 * learns size and version; "from T to T" at the end of a line bounds it, counted from the start of
 * the replay. Of several latencies or bandwidths the last one that holds counts.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCRIPT_ERROR_MAX 512
#define SCRIPT_RULES_MAX 1024
#define SCRIPT_TEXT_MAX	 (1u << 20) /* bytes of a file */
#define SCRIPT_FOREVER	 UINT64_MAX

enum script_kind {
	SCRIPT_LATENCY,
	SCRIPT_BANDWIDTH,
	SCRIPT_ERROR,
	SCRIPT_STALL,
};

struct script_rule {
	enum script_kind kind;
	char *glob;	   /* owned; NULL: everything */
	bool look;	   /* instead of an offset */
	uint64_t off;	   /* bytes */
	uint64_t value;	   /* ns, or bytes per second; of an error how often it comes */
	int error;	   /* negative errno */
	uint64_t from, to; /* ns */
};

/* Zero is empty. */
struct script {
	struct script_rule *rules; /* owned */
	size_t n;
};

void script_deinit(struct script *script);

/* Adds the rules of a text. error: "NAME:LINE: sentence". -EINVAL, -ENOMEM; the rules before the
 * fault have been added. */
int script_parse(struct script *script, const char *name, const char *text, size_t len,
		 char *error);
/* The same for a file; the errno of reading it. */
int script_load(struct script *script, const char *path, char *error);

/* Whether the rule holds at this time (ns since the start), for what has this name. */
bool script_holds(const struct script_rule *rule, uint64_t time, const char *name);
