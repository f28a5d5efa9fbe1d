/* SPDX-License-Identifier: MIT */
/*
 * cachefilld.conf(5): text -> struct config. The parser is libucl's; this file knows the keys,
 * their units and defaults. No I/O but reading the files that it is told to read.
 *
 * The keywords of cachefilesd.conf (dir, tag, secctx, brun ... fstop) keep their names and meaning.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/engine/resolve.h"
#include "fetchers/fetcher.h"
#include "proto/cachefiles.h"

#define CONFIG_ERROR_MAX 1024

enum compressed_policy {
	COMPRESSED_WHOLE,  /* fetch all of a compressed image before its first block is there */
	COMPRESSED_REFUSE, /* fail its OPEN */
};

/* One `source` section, in the order of the files. All text is owned. */
struct config_source {
	char *name;		      /* the section's label, for logs */
	struct resolve_rule rule;     /* globs and template */
	struct fetcher_param *params; /* what the fetcher understands; ends with a NULL key */
	uint32_t open_deadline_ms;    /* a request is answered by then, at the latest */
	uint32_t read_deadline_ms;
	uint32_t max_requests;	      /* at this origin at the same time */
	bool revalidate;	      /* ask the origin at each first OPEN whether the object changed */
	enum compressed_policy compressed;
};

struct config {
	char *cache_dir; /* absolute */
	char *state_dir; /* absolute */
	char *tag;
	char *secctx; /* or NULL */
	char *device;
	struct cf_limits limits;
	struct config_source *sources;
	size_t n_sources;
	uint64_t buffers;	/* bytes, budget of all fetch buffers */
	uint64_t readahead_max; /* bytes, the widest window of one sequential reader */
	char *user;		/* run as, after bind; NULL: stay */
	int log_level;		/* syslog priority */
};

/* Defaults, no source. */
int config_new(struct config **ret);
struct config *config_free(struct config *config);

/*
 * Reads `file`, then every *.conf of `file`.d/ in the order of their names; later scalars win,
 * sources add up. error: "FILE:LINE: sentence", CONFIG_ERROR_MAX bytes. -ENOENT when file is
 * missing; -EINVAL otherwise. Unknown keys, wrong types and units, keys that the source's fetcher
 * does not have: all are errors with their line.
 */
int config_load(struct config *config, const char *file, char *error);

/* The same from memory, for tests and fuzzing; `name` stands for the file in errors. */
int config_parse(struct config *config, const char *name, const char *text, size_t len,
		 char *error);

/* `--source [VOLUME-GLOB=]TEMPLATE`: adds a source with defaults, before those of the files. */
int config_add_source(struct config *config, const char *spec, char *error);

/* What can only be said of the whole: there is a source, limits fit each other, buffers are large
 * enough, each fetcher accepts its parameters. */
int config_finish(struct config *config, char *error);
