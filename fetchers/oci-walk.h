/* SPDX-License-Identifier: MIT */
/*
 * From a reference to what a manifest says of it: through indexes to the manifest, each document
 * checked against its digest. One request after the other, each started by the end of the one
 * before.
 *
 * Embedded by a look or a list, which goes on with steps of its own (oci_walk_step()) once the walk
 * is done. All calls are made from the loop.
 */
#pragma once

#include "fetchers/oci.h"

struct oci_walk;

/*
 * One thing that is asked for: at one host after the other, until one has it.
 *
 * ask() starts walk->request of walk->url at walk->host, by walk->auth; where there is no memory
 * it leaves request NULL. Whoever got an answer that is good sets request to NULL and goes on; one
 * that is not ends in oci_walk_again(), which asks the next host, or gives up with an error that is
 * told in walk->error.
 */
struct oci_step {
	enum oci_need need;
	const char *kind, *name; /* of the URL; borrowed until the step has ended */
	uint32_t last_of_all;	 /* as that of oci_tries */
	void (*ask)(struct oci_walk *walk);
	void (*give_up)(struct oci_walk *walk, int err);
};

struct oci_walk {
	struct oci *oci;
	const char *locator;
	char *error; /* FETCH_ERROR_MAX bytes: filled before done(err < 0) */
	/*
	 * 0: choice is a blob, or the manifest itself where that was selected. Comes once from
	 * oci_walk_start(), which may be inside of it.
	 */
	void (*done)(struct oci_walk *walk, int err);

	struct oci_reference reference;
	struct oci_step step;
	struct oci_tries tries; /* of the step */
	struct oci_host *host;
	struct oci_auth *auth;	      /* of that host, or NULL */
	struct http_request *request; /* under way, or NULL */
	char *url;		      /* owned: of request */
	bool canceled;

	struct http_document document; /* the last one; its body is owned */
	struct http_wanted wanted[3];  /* Content-Type, Docker-Content-Digest */
	char accept[512];
	char digest[OCI_DIGEST_MAX]; /* of the document; empty: a tag's, and nobody has told it */
	struct oci_choice choice;

	uint64_t size; /* of the document, where an index has told its digest */
	bool sized;
	unsigned int depth;
	bool no_manifest;     /* somebody has said so of the first document */
	uint64_t retry_after; /* what the request that failed last said, ns */
};

/* Takes the reference apart; 0, or an error that is told in error. The end is needed after both. */
int oci_walk_open(struct oci_walk *walk, struct oci *oci, const char *locator, char *error);
void oci_walk_start(struct oci_walk *walk);
void oci_walk_cancel(struct oci_walk *walk);
void oci_walk_end(struct oci_walk *walk);

/* Begins a step. It may come to its end inside of this. */
void oci_walk_step(struct oci_walk *walk, const struct oci_step *step);
void oci_walk_again(struct oci_walk *walk, int err, const char *error);

/* "<sentence>: <locator>" into error; returns err. */
int oci_walk_fail(struct oci_walk *walk, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * It has failed, but what a digest names may be a blob as well, unless a part of a manifest is
 * wanted. Asked for one as a manifest, docker-registry fails: it finds the blob and cannot parse
 * it.
 */
bool oci_walk_may_be_blob(const struct oci_walk *walk);
