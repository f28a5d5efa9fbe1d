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

	loop_defer_cancel(l->walk.oci->loop, &l->deferred);
	if (err == 0 && l->walk.auth)
		oci_auth_worked(l->walk.auth);
	look->retry_after = err < 0 ? l->walk.retry_after : 0;
	oci_walk_end(&l->walk);
	free(l->target.moved);
	free(l);
	look->done(look, err);
}

/* ---- the blob --------------------------------------------------------------------------- */

static void look_good(struct oci_look *l)
{
	struct fetch_identity *identity = &l->look->identity;

	snprintf(identity->validator, sizeof(identity->validator), OCI_VALIDATOR "%s", l->digest);
	look_end(l, 0);
}

/* What was read as a whole can be checked as a whole. */
static bool head_is_wrong(const struct oci_look *l)
{
	const struct fetch_look *look = l->look;

	return look->head_filled == look->identity.size && look->head_len > 0 &&
	       oci_digest_check(l->digest, look->head, look->head_filled) < 0;
}

static void look_answered(struct oci_look *l)
{
	char error[FETCH_ERROR_MAX];

	if (head_is_wrong(l)) {
		fetch_error(error, l->walk.url, "the blob is not what its digest says");
		oci_walk_again(&l->walk, -EPROTO, error);
		return;
	}
	oci_host_worked(l->walk.host);
	oci_host_answered(l->walk.host, l->look->locator);
	look_good(l);
}

/* Nobody has to be asked for its bytes. */
static void look_without_bytes(struct oci_look *l)
{
	if (head_is_wrong(l))
		look_end(l,
			 oci_walk_fail(&l->walk, -EPROTO, "the blob is not what its digest says"));
	else
		look_good(l);
}

/* Others first, if those bytes were wrong. */
static uint32_t who_was_wrong(const struct oci_look *l)
{
	return l->look->elsewhere ? oci_who_answered(l->walk.oci, l->look->locator) : 0;
}

static void step_give_up(struct oci_walk *walk, int err)
{
	look_end(container_of(walk, struct oci_look, walk), err);
}

static void head_done(struct fetch_read *head, int err)
{
	struct oci_look *l = container_of(head, struct oci_look, head);
	char error[FETCH_ERROR_MAX];

	l->walk.request = NULL;
	l->walk.retry_after = head->retry_after;
	if (err < 0) {
		memcpy(error, head->error, sizeof(error));
		if (err == -ESTALE) {
			err = -EPROTO;
			fetch_error(error, l->walk.url,
				    "the blob is not as large as its manifest says");
		}
		oci_walk_again(&l->walk, err, error);
		return;
	}
	l->look->head_filled = head->len;
	look_answered(l);
}

static void head_ask(struct oci_walk *walk)
{
	struct oci_look *l = container_of(walk, struct oci_look, walk);

	free(l->target.moved);
	l->target = (struct http_target){
		.locator = walk->url,
		.identity.size = l->look->identity.size,
		.auth = oci_auth_of(walk->auth),
	};
	walk->request = http_request_read(&walk->host->client, &l->target, &l->head);
}

/* The blob that l->digest names has this size: its first bytes are missing. */
static void look_head(struct oci_look *l, uint64_t size)
{
	struct fetch_look *look = l->look;
	const struct oci_step step = {
		.need = look->head_len < size ? OCI_NEED_RANGE : OCI_NEED_CHECKED,
		.kind = "blobs",
		.name = l->digest,
		.last_of_all = who_was_wrong(l),
		.ask = head_ask,
		.give_up = step_give_up,
	};

	look->identity.size = size;
	look->head_filled = 0;
	l->head.len = look->head_len < size ? look->head_len : (size_t)size;
	if (l->head.len == 0) {
		look_without_bytes(l);
		return;
	}
	l->head.buf = look->head;
	l->head.done = head_done;
	oci_walk_step(&l->walk, &step);
}

static void blob_done(struct fetch_look *blob, int err)
{
	struct oci_look *l = container_of(blob, struct oci_look, blob);
	char error[FETCH_ERROR_MAX];

	l->walk.request = NULL;
	l->walk.retry_after = blob->retry_after;
	if (err < 0) {
		memcpy(error, blob->error, sizeof(error));
		oci_walk_again(&l->walk, err, error);
		return;
	}
	l->look->identity.size = blob->identity.size;
	l->look->head_filled = blob->head_filled;
	look_answered(l);
}

static void blob_ask(struct oci_walk *walk)
{
	struct oci_look *l = container_of(walk, struct oci_look, walk);

	l->blob = (struct fetch_look){
		.locator = walk->url,
		.head = l->look->head,
		.head_len = l->look->head_len,
		.done = blob_done,
	};
	walk->request = http_request_look(&walk->host->client, &l->blob, oci_auth_of(walk->auth));
}

/* What was wrong with the manifest says more than that there is no such blob either. */
static void blob_give_up(struct oci_walk *walk, int err)
{
	struct oci_look *l = container_of(walk, struct oci_look, walk);

	if (err == -ENOENT && l->document_err < 0) {
		memcpy(l->look->error, l->document_error, FETCH_ERROR_MAX);
		err = l->document_err;
	}
	look_end(l, err);
}

/* Its size is not known: whether all of it will come, and can be checked, neither. */
static void look_blob(struct oci_look *l)
{
	const struct oci_step step = {
		.need = OCI_NEED_RANGE,
		.kind = "blobs",
		.name = l->digest,
		.last_of_all = who_was_wrong(l),
		.ask = blob_ask,
		.give_up = blob_give_up,
	};

	oci_walk_step(&l->walk, &step);
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
	if (l->walk.reference.select == OCI_SELECT_REFERRERS)
		look_end(l, oci_walk_fail(&l->walk, -EACCES, "names a list, and no object"));
	else if (l->walk.reference.select == OCI_SELECT_BLOB)
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
	loop_defer(oci->loop, &l->deferred);
	return l;
}

void oci_look_cancel(struct oci_look *l)
{
	oci_walk_cancel(&l->walk);
}
