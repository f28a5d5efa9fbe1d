/* SPDX-License-Identifier: MIT */
/*
 * cachefilld.conf(5): text -> struct config. config-text.c knows the grammar, config-value.c the
 * units, config-key.c the keys and their bounds, config-field.c what is stored of their values. No
 * I/O but reading the files that it is told to read.
 *
 * The keywords of cachefilesd.conf (dir, tag, secctx, brun ... fstop) keep their names and meaning.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/engine/resolve.h"
#include "daemon/syscall-filter.h"
#include "fetchers/fetcher.h"
#include "proto/cachefiles.h"

#define CONFIG_ERROR_MAX	1024
#define CONFIG_ALTERNATIVES_MAX 7

enum compressed_policy {
	COMPRESSED_WHOLE,  /* fetch all of a compressed image before its first block is there */
	COMPRESSED_REFUSE, /* fail its OPEN */
};

/* One `source` section, in the order of the files. All text is owned. */
struct config_source {
	char *name;		  /* the section's label, or "source-N"; for logs */
	char *where;		  /* "FILE:LINE", or "--source" */
	struct resolve_rule rule; /* globs and template */
	bool for_keys;		  /* `rule`: asked for keys, not only for images */
	char **alternatives;	  /* templates, in their order; or NULL */
	size_t n_alternatives;
	bool trust_alternatives;      /* also with what is not named by its content */
	char *verify;		      /* template of a digest, "fs-verity:sha256:...", or NULL */
	char *verified;		      /* with it: what keys become, in front of the template */
	struct fetcher_param *params; /* what the fetcher understands; ends with a NULL key */
	uint32_t open_deadline_ms;    /* a request is answered by then, at the latest */
	uint32_t read_deadline_ms;
	uint32_t positive_ttl_ms; /* what a key means is remembered for this long */
	uint32_t negative_ttl_ms; /* so is that there is no such object */
	uint32_t max_requests;	  /* at this origin at the same time */
	uint32_t retries;	  /* of a request that failed; 0: none, and no decorator for them */
	uint32_t backoff_ms;	  /* before the first of them, at most; then up to twice as long */
	uint32_t backoff_max_ms;
	bool revalidate; /* ask the origin at each first OPEN whether the object changed */
	enum compressed_policy compressed;
	uint32_t set; /* private: the keys that it names itself */
};

struct config {
	char *cache_dir; /* absolute */
	char *state_dir; /* absolute */
	char *tag;
	char *secctx; /* or NULL */
	char *device;
	bool credential_helpers; /* docker-credential-NAME may be run */
	enum syscall_filter seccomp;
	char *image_domain;   /* where images are mounted: volume "erofs,DOMAIN" */
	char *trace;	      /* absolute: record into it from the start; or NULL */
	char *control_socket; /* absolute, or "none" */
	char *control_group;  /* may use it; a name that need not exist */
	struct cf_limits limits;
	uint64_t size_limit; /* bytes of all cache files; 0: none */
	struct config_source *sources;
	size_t n_sources;
	struct config_source defaults; /* deadlines and so on, where a source is silent */
	uint64_t buffers;	       /* bytes, budget of all fetch buffers */
	uint64_t readahead_max;	       /* bytes, the widest window of one sequential reader */
	uint64_t names_max;	       /* bytes of names that are remembered */
	uint64_t prefetch_rate;	       /* bytes/s of all jobs together; 0: no limit */
	uint32_t prefetch_requests;    /* of all jobs at the same time; 0: no limit */
	uint32_t slow_request_ms;      /* one that took longer is logged; 0: none is */
	int log_level;		       /* syslog priority */
};

/* Defaults, no source. */
int config_new(struct config **ret);
struct config *config_free(struct config *config);

/*
 * Reads `file`, then every *.conf of `file`.d/ in the order of their names; later scalars win,
 * sources add up. error: "FILE:LINE: sentence", CONFIG_ERROR_MAX bytes. -ENOENT when file is
 * missing (the directory was read all the same); -EINVAL for what is written wrong: unknown keys,
 * wrong types and units, keys that the source's fetcher does not have; else the errno of reading.
 * After an error the configuration is good for config_free() only.
 */
int config_load(struct config *config, const char *file, char *error);

/* The same from memory, for tests and fuzzing; `name` stands for the file in errors. */
int config_parse(struct config *config, const char *name, const char *text, size_t len,
		 char *error);

/*
 * Sets one key of the top level, as a line of a file would: for options that win over the file.
 * error: a sentence without a place. -EINVAL, -ENOMEM.
 */
int config_set(struct config *config, const char *key, const char *value, char *error);

/* `--source [VOLUME-GLOB=]TEMPLATE`: adds a source with defaults. Called before config_load(), so
 * that it stands before those of the files. error: a sentence without a place. */
int config_add_source(struct config *config, const char *spec, char *error);

/* The parameters of the source whose url is this template, for the fetcher of an alternative;
 * others have none. Ends with a NULL key. */
const struct fetcher_param *config_params_of(const struct config *config, const char *template);

/* What a source makes of keys; its locator is NULL where it is not asked for any. Borrowed. */
struct resolve_rule config_rule_of(const struct config_source *source);

/*
 * Each key of the top level (source NULL) or of a source, with its value as it may be shown to
 * anybody: URLs are without what may be secret, and parameters of fetchers that may be are told as
 * "(set)". plain: a number or a word, neither a name nor a place.
 */
typedef void config_visit(void *arg, const char *key, const char *value, bool plain);
void config_each(const struct config *config, const struct config_source *source,
		 config_visit *visit, void *arg);

/* What can only be said of the whole: limits fit each other, each fetcher accepts its parameters.
 * Gives sources their defaults. */
int config_finish(struct config *config, char *error);

/* When a key with another value comes into force, where the daemon runs and images are mounted. */
enum config_when {
	CONFIG_NOW,	/* with the next process that goes on for this one */
	CONFIG_LATER,	/* the same, but that key: it does when the service was stopped */
	CONFIG_STOPPED, /* what is mounted would be lost: nothing else can be changed before */
};

/* Keys of the top level that are not the same in both, in the order of their table. */
typedef void config_visit_change(void *arg, const char *key, enum config_when when);
void config_changes(const struct config *from, const struct config *to, config_visit_change *visit,
		    void *arg);
