/* SPDX-License-Identifier: MIT */
/*
 * Decorators whose bytes come from another fetcher's object by way of an index, which is a file on
 * this host. What they have in common: locators
 *
 *	SCHEME:<percent-encoded absolute path of the index>;<locator of the inner object>
 *
 * identities "SCHEME:<SHA-256 of the index>", reading and checking the index when it is first
 * needed, reads that wait for that. A kind of its own says what an index means and how to read.
 *
 * The inner object is pinned by the size and the validator that the index names.
 */
#pragma once

#include <stdbool.h>
#include <sys/queue.h>

#include "daemon/util/bytes.h"
#include "fetchers/common.h"

struct indexed_object;

/* One read of an object whose index is loaded. Kinds embed it; it is theirs until indexed_done().
 */
struct indexed_read {
	struct fetch_read *read;
	struct indexed_object *object;
	/* private */
	TAILQ_ENTRY(indexed_read) link;
	struct loop_deferred deferred;
	int err;
	bool started, canceled;
};

struct indexed_kind {
	const char *scheme; /* "tarmap" */
	uint64_t file_max;  /* bytes of an index */
	size_t read_size;   /* of what embeds indexed_read as its first member */
	size_t parsed_size; /* of what parse() fills */
	size_t shared_size; /* of what all objects of a fetcher share; zeros at first */

	/* How much of an index stays in memory; first: its first bytes, at least some of them. */
	uint64_t (*keep)(struct bytes first, uint64_t size);
	/*
	 * kept lives as long as parsed. Sets the identity of the inner object, and the size of
	 * ours. NULL, or half a sentence of why not.
	 */
	const char *(*parse)(void *parsed, struct bytes kept, struct fetch_identity *ret_inner,
			     uint64_t *ret_size);
	/* Frees what reads left in parsed, or in shared for it; may be NULL. */
	void (*end)(void *parsed, void *shared);

	/*
	 * Sets what stands behind the indexed_read. Ends in one indexed_done() or
	 * indexed_defer_done(); indexed_done() not from inside.
	 */
	void (*start)(struct indexed_read *read);
	/* Of a read that was started and is not done. */
	void (*cancel)(struct indexed_read *read);
	/* Frees what a read has; before its done(). May be NULL. */
	void (*finish)(struct indexed_read *read);
};

/* next is borrowed. -ENOMEM. */
int indexed_new(struct fetcher **ret, struct loop *loop, struct fetcher *next,
		const struct indexed_kind *kind);

/* For kinds: */
void *indexed_parsed(struct indexed_read *read);
void *indexed_shared(struct indexed_read *read);
struct fetch_object *indexed_inner(struct indexed_read *read);
struct loop *indexed_loop(struct indexed_read *read);
int indexed_fd(struct indexed_read *read); /* of the index; -1 where all of it was kept */
bool indexed_canceled(const struct indexed_read *read);

/* The end. The text of an error is in read->error. */
void indexed_done(struct indexed_read *read, int err);
/* As that, from inside start(). */
void indexed_defer_done(struct indexed_read *read, int err);
