/* SPDX-License-Identifier: MIT */
/*
 * What is in a cache directory: each object with what it takes on the disk and when it was used
 * last. Blocking, and of any thread.
 *
 * Last use is the access time of the cache file. The kernel sets it when it opens the file, as far
 * as relatime goes, and the daemon when the object is closed (survey_touch()).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/util/bytes.h"
#include "daemon/util/table.h"

/* Why an object may go before others that were used longer ago. */
enum survey_value {
	SURVEY_UNKNOWN, /* nobody knows which version it is of: it is dropped when it is opened */
	SURVEY_UNOWNED, /* of the volume of images, and no image has it */
	SURVEY_CACHED,
	SURVEY_PINNED, /* never goes */
};

struct survey_object {
	enum survey_value value;
	bool counted;		     /* for whoever counts */
	struct bytes volume, cookie; /* its own */
	uint64_t size;		     /* bytes, rounded up to blocks */
	uint64_t bytes;		     /* on the disk */
	int64_t used;		     /* ns, Unix time */
	UT_hash_handle hh;	     /* by path */
	char path[];		     /* from the cache directory on; then the cookie */
};

struct survey {
	struct survey_object **objects; /* owned, as they are; as they were found */
	size_t n;
	uint64_t bytes; /* of all */
	struct survey_object *by_path;
	char **empty; /* owned: volumes without an object, "I..." */
	size_t n_empty;
};

/* dir_fd: the cache root. 0, -ENOMEM, or the errno of reading it; what is not the kernel's is left
 * out. */
int survey_take(struct survey **ret, int dir_fd);
struct survey *survey_free(struct survey *survey);

/* NULL: there is no such file. */
struct survey_object *survey_find(const struct survey *survey, struct bytes volume,
				  struct bytes cookie);

/* Those that go first come first: by value, then by last use. */
void survey_sort(struct survey *survey);

/* The object was used until then. -ENOENT: it has no name yet. */
int survey_touch(int dir_fd, const char *path, int64_t used);
