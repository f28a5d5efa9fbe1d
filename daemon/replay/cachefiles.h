/* SPDX-License-Identifier: MIT */
/*
 * The cache files of a replay: one sparse file without a name per object, which keeps its bytes
 * from one open to the next. When descriptors run short, a file that is not open is given up, as
 * the kernel may cull it: its bytes are fetched again.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "daemon/replay/catalog.h"

struct cachefiles;

struct cachefile {
	struct catalog_object *object;
	int fd;
	uint64_t size; /* of the object, bytes */
	uint64_t seed; /* of its version */
	bool compressed;
	unsigned int users;
	TAILQ_ENTRY(cachefile) link; /* least recently closed first, while nobody uses it */
	TAILQ_ENTRY(cachefile) all;
};

/*
 * `dir` must be on a file system that knows holes (asked by writing one). error
 * (CATALOG_ERROR_MAX bytes): a sentence.
 */
int cachefiles_new(struct cachefiles **ret, const char *dir, char *error);
struct cachefiles *cachefiles_free(struct cachefiles *files);

/*
 * The object's file, kept until cachefile_put(): the one that it has, if that is of this
 * version, else a new one. -EMFILE: too many are in use; -EFBIG: larger than the file system takes.
 */
int cachefile_get(struct cachefiles *files, struct catalog_object *object,
		  const struct catalog_version *version, struct cachefile **ret);
void cachefile_put(struct cachefiles *files, struct cachefile *file);

/* All of [off, off + len), rounded out to blocks and cut at the object's end, is there. */
bool cachefile_present(const struct cachefile *file, uint64_t off, uint64_t len);

/* The next run of data at or behind `from`; false: there is none. */
bool cachefile_data(const struct cachefile *file, uint64_t from, uint64_t *ret_from,
		    uint64_t *ret_to);

/* Bytes beyond the last block of the object. */
uint64_t cachefile_beyond(const struct cachefile *file);

/* Called for each file before it is given up. */
void cachefiles_on_end(struct cachefiles *files, void (*ended)(void *, struct cachefile *),
		       void *arg);
