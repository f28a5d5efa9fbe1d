/* SPDX-License-Identifier: MIT */
#include "fetchers/oci.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fetchers/oci-digest.h"

#define LOOK_DEPTH 4 /* documents: an index, its manifest, and indexes of indexes */

/*
 * From a reference to its first bytes: one request after the other, each started by the end of the
 * one before.
 */
struct oci_look {
	struct oci *oci;
	struct fetch_look *look;
	struct loop_deferred deferred; /* begins, or ends what could not begin */
	bool canceled;
	struct oci_reference reference;
	struct oci_auth *auth;
	struct http_request *request; /* under way, or NULL */
	char *url;		      /* owned: of request */

	struct http_document document;
	struct http_wanted wanted[3]; /* Content-Type, Docker-Content-Digest */
	char accept[512];
	char digest[OCI_DIGEST_MAX]; /* of the document that is asked for; empty: a tag's */
	uint64_t size;		     /* of it, where digest came from an index */
	bool sized;
	unsigned int depth;
	int document_err; /* what is wrong if it is no blob either */

	struct fetch_look blob; /* a blob that no manifest describes */
	struct fetch_read head; /* one that has been described */
	struct http_target target;
};

static void look_end(struct oci_look *l, int err)
{
	struct fetch_look *look = l->look;

	loop_defer_cancel(l->oci->client.loop, &l->deferred);
	oci_auth_put(l->auth);
	oci_reference_end(&l->reference);
	free(l->document.body);
	free(l->target.moved);
	free(l->url);
	free(l);
	look->done(look, err);
}

__attribute__((format(printf, 3, 4))) static void look_fail(struct oci_look *l, int err,
							    const char *fmt, ...)
{
	char why[OCI_WHY_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	fetch_error(l->look->error, l->look->locator, "%s", why);
	look_end(l, err);
}

/* A request has failed; it has said why. */
static void look_failed(struct oci_look *l, int err, const char *error)
{
	snprintf(l->look->error, sizeof(l->look->error), "%s", error);
	look_end(l, err);
}

/* What stands behind each start of a request. */
static void look_started(struct oci_look *l)
{
	if (!l->request)
		look_fail(l, -ENOMEM, "no memory");
	else if (l->canceled)
		http_request_cancel(l->request);
}

static bool look_set_url(struct oci_look *l, const char *kind, const char *name)
{
	free(l->url);
	l->request = NULL;
	l->url = oci_url(&l->oci->config, l->reference.repository, kind, name);
	return l->url;
}

/* ---- the blob --------------------------------------------------------------------------- */

/* What was read as a whole can be checked as a whole. */
static void look_finish(struct oci_look *l)
{
	struct fetch_look *look = l->look;

	if (look->head_filled == look->identity.size && look->head_len > 0 &&
	    oci_digest_check(l->digest, look->head, look->head_filled) < 0) {
		look_fail(l, -EPROTO, "the blob is not what its digest says");
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
	if (look_set_url(l, "blobs", l->digest)) {
		l->target.locator = l->url;
		l->target.identity.size = size;
		l->target.auth = oci_auth_of(l->auth);
		l->request = http_request_read(&l->oci->client, &l->target, &l->head);
	}
	look_started(l);
}

static void blob_done(struct fetch_look *blob, int err)
{
	struct oci_look *l = container_of(blob, struct oci_look, blob);

	if (err == -ENOENT && l->document_err < 0) {
		look_failed(l, l->document_err, l->document.error);
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
	if (look_set_url(l, "blobs", l->digest)) {
		l->blob = (struct fetch_look){
			.locator = l->url,
			.head = l->look->head,
			.head_len = l->look->head_len,
			.done = blob_done,
		};
		l->request = http_request_look(&l->oci->client, &l->blob, oci_auth_of(l->auth));
	}
	look_started(l);
}

/* ---- documents -------------------------------------------------------------------------- */

static void look_document(struct oci_look *l);

static void look_choose(struct oci_look *l)
{
	const struct http_document *d = &l->document;
	char why[OCI_WHY_MAX] = "";
	struct oci_choice choice;
	int r = oci_manifest_choose(&choice, d->body, d->len, l->wanted[0].value, &l->reference,
				    &l->oci->config.platform, why);

	if (r < 0) {
		look_fail(l, r, "%s", why);
		return;
	}
	snprintf(l->digest, sizeof(l->digest), "%s", choice.digest);
	if (!choice.is_manifest) {
		look_head(l, choice.size);
		return;
	}
	l->size = choice.size;
	l->sized = true;
	look_document(l);
}

/* A tag's document is what the registry says that it is; any other has to have its digest. */
static void look_check(struct oci_look *l)
{
	const struct http_document *d = &l->document;
	const char *told = l->wanted[1].value, *digest = l->digest[0] ? l->digest : told;
	int r = 0;

	if (l->sized && d->len != l->size)
		r = -EPROTO;
	else if (l->digest[0] || oci_digest_valid(told))
		r = oci_digest_check(digest, d->body, d->len);
	if (r < 0)
		look_fail(l, r == -ENOMEM ? r : -EPROTO,
			  "the manifest is not what its digest says");
	else
		look_choose(l);
}

/*
 * What a digest names may be a blob as well, unless a part of a manifest is wanted. Asked for one
 * as a manifest, docker-registry fails: it finds the blob and cannot parse it.
 */
static bool may_be_blob(const struct oci_look *l)
{
	return l->depth == 1 && l->reference.digest[0] && l->reference.select == OCI_SELECT_ONLY &&
	       (l->document.status == 404 || l->document.status == 500);
}

static void document_done(struct http_document *document, int err)
{
	struct oci_look *l = container_of(document, struct oci_look, document);

	if (err < 0 && may_be_blob(l)) {
		l->document_err = err;
		look_blob(l);
	} else if (err < 0) {
		look_failed(l, err, document->error);
	} else {
		look_check(l);
	}
}

/* Asks for the manifest or index of l->digest, or of the tag. */
static void look_document(struct oci_look *l)
{
	if (l->depth++ == LOOK_DEPTH) {
		look_fail(l, -EPROTO, "indexes inside of indexes");
		return;
	}
	if (!l->document.body)
		l->document.body = malloc(OCI_MANIFEST_MAX);
	if (look_set_url(l, "manifests", l->digest[0] ? l->digest : l->reference.tag) &&
	    l->document.body) {
		l->document.url = l->url;
		l->request = http_request_document(&l->oci->client, &l->document);
	}
	look_started(l);
}

/* ---- begin and end ---------------------------------------------------------------------- */

static void look_begin(struct loop_deferred *deferred)
{
	struct oci_look *l = container_of(deferred, struct oci_look, deferred);
	const char *why = NULL;
	int r;

	if (l->canceled) {
		look_fail(l, -ECANCELED, "canceled");
		return;
	}
	r = oci_reference_parse(&l->reference, l->look->locator, &why);
	/* A name that cannot be: none that the registry would let us have. */
	if (r < 0) {
		look_fail(l, r == -ENOMEM ? r : -EACCES, "%s", why);
		return;
	}
	if (strcmp(l->reference.registry, l->oci->config.registry) != 0) {
		look_fail(l, -EACCES, "not below the template of its source");
		return;
	}
	l->auth = oci_auth_get(l->oci, l->reference.repository);
	if (!l->auth) {
		look_fail(l, -ENOMEM, "no memory");
		return;
	}
	l->document.auth = oci_auth_of(l->auth);
	snprintf(l->digest, sizeof(l->digest), "%s", l->reference.digest);
	if (l->reference.select == OCI_SELECT_BLOB)
		look_blob(l);
	else
		look_document(l);
}

struct oci_look *oci_look_start(struct oci *oci, struct fetch_look *look)
{
	struct oci_look *l = malloc(sizeof(*l));

	if (!l)
		return NULL;
	*l = (struct oci_look){
		.oci = oci,
		.look = look,
		.deferred.run = look_begin,
		.wanted = { { .name = "Content-Type" }, { .name = "Docker-Content-Digest" } },
	};
	snprintf(l->accept, sizeof(l->accept), "Accept: %s", oci_manifest_accept);
	l->document.fields[0] = l->accept;
	l->document.wanted = l->wanted;
	l->document.room = OCI_MANIFEST_MAX;
	l->document.done = document_done;
	loop_defer(oci->client.loop, &l->deferred);
	return l;
}

void oci_look_cancel(struct oci_look *l)
{
	l->canceled = true;
	if (l->request)
		http_request_cancel(l->request);
}
