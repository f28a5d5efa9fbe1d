/* SPDX-License-Identifier: MIT */
/*
 * The grammar of cachefilld.conf(5), without any key: text -> entries, one at a time. Pure, no
 * allocation.
 *
 *	# to the end of the line
 *	key value                    the form of cachefilesd.conf(5)
 *	key = value;  key = "value"  "=" and ";" are allowed, an entry ends with its line
 *	key value {                  a block: entries up to its "}"
 *	}
 *
 * A value in "..." knows the escapes \" and \\, one in '...' none. A bare value ends at a blank or
 * at ";"; "#", "{" and "}" mean something at the beginning of a word only, so that a URL with
 * {braces} needs no quotes. There are no includes, variables or commands.
 */
#pragma once

#include <stddef.h>

#define CONFIG_ENTRY_MAX  8192 /* bytes of one key and its values */
#define CONFIG_VALUES_MAX 4

struct config_reader {
	const char *at, *end; /* borrowed; not terminated */
	unsigned int line;    /* of `at`, from 1 */
};

enum config_item {
	CONFIG_END,
	CONFIG_ENTRY,	  /* key and values */
	CONFIG_BLOCK,	  /* the same, and "{" */
	CONFIG_BLOCK_END, /* "}" */
	CONFIG_FAULT,	  /* reading ends here */
};

struct config_entry {
	unsigned int line; /* where the item begins; of a fault, where it is */
	const char *key;   /* into text, as are the values */
	const char *values[CONFIG_VALUES_MAX];
	size_t n_values;
	const char *fault; /* CONFIG_FAULT: a sentence, static */
	char text[CONFIG_ENTRY_MAX];
	size_t used;
};

static inline struct config_reader config_reader_of(const char *text, size_t len)
{
	return (struct config_reader){ .at = text, .end = text + len, .line = 1 };
}

enum config_item config_read(struct config_reader *reader, struct config_entry *ret);
