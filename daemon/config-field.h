/* SPDX-License-Identifier: MIT */
/*
 * The field of a configuration, or of a source, that a key of one value sets: which values it may
 * have, and which it has. Internal to daemon/config*.c.
 */
#pragma once

#include "daemon/config-key.h"

enum config_kind {
	KIND_TEXT,
	KIND_PATH,	  /* absolute */
	KIND_SOCKET,	  /* absolute, or none */
	KIND_DOMAIN,	  /* a part of mount options, and of a key */
	KIND_TEMPLATE,	  /* resolve_check_template() */
	KIND_DIGEST,	  /* the same, of a digest to verify by */
	KIND_ALTERNATIVE, /* one more template */
	KIND_SIZE,
	KIND_TIME,
	KIND_PERCENT,
	KIND_COUNT,
	KIND_BOOL,
	KIND_LEVEL,
	KIND_COMPRESSED,
	KIND_FILTER,
	KIND_IGNORED,
};

struct config_field {
	const char *name;
	enum config_kind kind;
	size_t offset;	   /* in struct config or struct config_source */
	uint64_t min, max; /* of numbers; max of text: bytes */
	const char *wants; /* "NAME needs WANTS" */
};

/* base: the struct config or struct config_source. Or CONFIG_BAD, and a sentence in error. */
enum config_verdict config_field_set(const struct config_field *key, void *base, const char *value,
				     char *error);

/* What it has, as text from which it could be set; nothing of what is ignored or not set, nor of
 * alternatives. */
void config_field_tell(const struct config_field *key, const void *base, config_visit *visit,
		       void *arg);
