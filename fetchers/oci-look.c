/* SPDX-License-Identifier: MIT */
#include "fetchers/oci-walk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fetchers/oci-digest.h"

/* From a reference to the first bytes of the blob that it means. */
struct oci_look {
	struct fetch_look *look;
	struct loop_deferred deferred; /* begins, or ends what could not begin */
	struct oci_walk walk;
	char digest[OCI_DIGEST_MAX]; /* of the blob */
	int document_err;	     /* what is wrong if it is no blob either */
	char document_error[FETCH_ERROR_MAX];

	struct fetch_look blob; /* a blob that no manifest describes */
	struct fetch_read head; /* one that has been described */
	struct http_target target;
};

/* Where err < 0, the look's error is told already. */
static void look_end(struct oci_look *l, int err)
{
	struct fetch_look *look = l->look;

	loop_defer_cancel(l->walk.oci->client.loop, &l->deferred);
	oci_walk_end(&l->walk);
	free(l->target.moved);
	free(l);
	look->done(look, err);
}

/* A request has failed; it has said why. */
static void look_failed(struct oci_look *l, int err, const char *error)
{
	snprintf(l->look->error, sizeof(l->look->error), "%s", error);
	look_end(l, err);
}

static void look_started(struct oci_look *l)
{
	if (!oci_walk_started(&l->walk))
		look_end(l, -ENOMEM);
}

/* ---- the blob --------------------------------------------------------------------------- */

/* What was read as a whole can be checked as a whole. */
static void look_finish(struct oci_look *l)
{
	struct fetch_look *look = l->look;

	if (look->head_filled == look->identity.size && look->head_len > 0 &&
	    oci_digest_check(l->digest, look->head, look->head_filled) < 0) {
		look_end(l,
			 oci_walk_fail(&l->walk, -EPROTO, "the blob is not what its digest says"));
		return;
	}
	snprintf(look->identity.validator, sizeof(look->identity.validator), OCI_VALIDATOR "%s",
		 l->digest);
	look_end(l, 0);
}

static void head_done(struct fetch_read *head, int err)
{
	struct oci_look *l = container_of(head, struct oci_look, head);

	if (err < 0) {
		look_failed(l, err, head->error);
		return;
	}
	l->look->head_filled = head->len;
	look_finish(l);
}

/* The blob that l->digest names has this size: its first bytes are missing. */
static void look_head(struct oci_look *l, uint64_t size)
{
	struct fetch_look *look = l->look;

	look->identity.size = size;
	look->head_filled = 0;
	l->head.len = look->head_len < size ? look->head_len : (size_t)size;
	if (l->head.len == 0) {
		look_finish(l);
		return;
	}
	l->head.buf = look->head;
	l->head.done = head_done;
	if (oci_walk_url(&l->walk, "blobs", l->digest)) {
		l->target.locator = l->walk.url;
		l->target.identity.size = size;
		l->target.auth = oci_auth_of(l->walk.auth);
		l->walk.request = http_request_read(&l->walk.oci->client, &l->target, &l->head);
	}
	look_started(l);
}

static void blob_done(struct fetch_look *blob, int err)
{
	struct oci_look *l = container_of(blob, struct oci_look, blob);

	if (err == -ENOENT && l->document_err < 0) {
		look_failed(l, l->document_err, l->document_error);
		return;
	}
	if (err < 0) {
		look_failed(l, err, blob->error);
		return;
	}
	l->look->identity.size = blob->identity.size;
	l->look->head_filled = blob->head_filled;
	look_finish(l);
}

static void look_blob(struct oci_look *l)
{
	if (oci_walk_url(&l->walk, "blobs", l->digest)) {
		l->blob = (struct fetch_look){
			.locator = l->walk.url,
			.head = l->look->head,
			.head_len = l->look->head_len,
			.done = blob_done,
		};
		l->walk.request = http_request_look(&l->walk.oci->client, &l->blob,
						    oci_auth_of(l->walk.auth));
	}
	look_started(l);
}

/* ---- begin and end ---------------------------------------------------------------------- */

static void walk_done(struct oci_walk *walk, int err)
{
	struct oci_look *l = container_of(walk, struct oci_look, walk);

	if (err == 0) {
		snprintf(l->digest, sizeof(l->digest), "%s", walk->choice.digest);
		look_head(l, walk->choice.size);
	} else if (oci_walk_may_be_blob(walk)) {
		l->document_err = err;
		memcpy(l->document_error, walk->error, FETCH_ERROR_MAX);
		look_blob(l);
	} else {
		look_end(l, err);
	}
}

static void look_begin(struct loop_deferred *deferred)
{
	struct oci_look *l = container_of(deferred, struct oci_look, deferred);
	int r = oci_walk_open(&l->walk, l->walk.oci, l->look->locator, l->look->error);

	if (r < 0) {
		look_end(l, r);
		return;
	}
	snprintf(l->digest, sizeof(l->digest), "%s", l->walk.reference.digest);
	if (l->walk.reference.select == OCI_SELECT_BLOB)
		look_blob(l);
	else
		oci_walk_start(&l->walk);
}

struct oci_look *oci_look_start(struct oci *oci, struct fetch_look *look)
{
	struct oci_look *l = malloc(sizeof(*l));

	if (!l)
		return NULL;
	*l = (struct oci_look){
		.look = look,
		.deferred.run = look_begin,
		.walk.oci = oci,
		.walk.done = walk_done,
	};
	loop_defer(oci->client.loop, &l->deferred);
	return l;
}

void oci_look_cancel(struct oci_look *l)
{
	oci_walk_cancel(&l->walk);
}
