/* SPDX-License-Identifier: MIT */
#include "fetchers/oci-walk.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fetchers/oci-digest.h"

#define WALK_DEPTH 4 /* documents: an index, its manifest, and indexes of indexes */

int oci_walk_fail(struct oci_walk *w, int err, const char *fmt, ...)
{
	char why[OCI_WHY_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	fetch_error(w->error, w->locator, "%s", why);
	return err;
}

bool oci_walk_url(struct oci_walk *w, const char *kind, const char *name)
{
	free(w->url);
	w->request = NULL;
	w->url = oci_url(&w->oci->config, w->reference.repository, kind, name);
	return w->url;
}

bool oci_walk_started(struct oci_walk *w)
{
	if (!w->request)
		oci_walk_fail(w, -ENOMEM, "no memory");
	else if (w->canceled)
		http_request_cancel(w->request);
	return w->request;
}

bool oci_walk_may_be_blob(const struct oci_walk *w)
{
	return w->depth == 1 && w->reference.digest[0] &&
	       (w->reference.select == OCI_SELECT_ONLY ||
		w->reference.select == OCI_SELECT_MANIFEST) &&
	       (w->document.status == 404 || w->document.status == 500);
}

/* ---- documents -------------------------------------------------------------------------- */

static void walk_document(struct oci_walk *w);

static void walk_choose(struct oci_walk *w)
{
	const struct http_document *d = &w->document;
	char why[OCI_WHY_MAX] = "";
	int r = oci_manifest_choose(&w->choice, d->body, d->len, w->wanted[0].value, &w->reference,
				    &w->oci->config.platform, why);

	if (r < 0) {
		w->done(w, oci_walk_fail(w, r, "%s", why));
	} else if (!w->choice.is_manifest) {
		w->done(w, 0);
	} else {
		snprintf(w->digest, sizeof(w->digest), "%s", w->choice.digest);
		w->size = w->choice.size;
		w->sized = true;
		walk_document(w);
	}
}

/* A tag's document is what the registry says that it is; any other has to have its digest. */
static void walk_check(struct oci_walk *w)
{
	const struct http_document *d = &w->document;
	const char *told = w->wanted[1].value;
	int r = 0;

	if (!w->digest[0] && oci_digest_valid(told))
		snprintf(w->digest, sizeof(w->digest), "%.*s", OCI_DIGEST_MAX - 1, told);
	if (w->sized && d->len != w->size)
		r = -EPROTO;
	else if (w->digest[0])
		r = oci_digest_check(w->digest, d->body, d->len);
	if (r < 0)
		w->done(w, oci_walk_fail(w, r == -ENOMEM ? r : -EPROTO,
					 "the manifest is not what its digest says"));
	else
		walk_choose(w);
}

static void document_done(struct http_document *document, int err)
{
	struct oci_walk *w = container_of(document, struct oci_walk, document);

	w->request = NULL;
	if (err == 0) {
		walk_check(w);
		return;
	}
	snprintf(w->error, FETCH_ERROR_MAX, "%s", document->error);
	w->done(w, err);
}

/* Asks for the manifest or index of w->digest, or of the tag. */
static void walk_document(struct oci_walk *w)
{
	if (w->depth++ == WALK_DEPTH) {
		w->done(w, oci_walk_fail(w, -EPROTO, "indexes inside of indexes"));
		return;
	}
	if (!w->document.body)
		w->document.body = malloc(OCI_MANIFEST_MAX);
	if (oci_walk_url(w, "manifests", w->digest[0] ? w->digest : w->reference.tag) &&
	    w->document.body) {
		w->document.url = w->url;
		w->request = http_request_document(&w->oci->client, &w->document);
	}
	if (!oci_walk_started(w))
		w->done(w, -ENOMEM);
}

/* ---- begin and end ---------------------------------------------------------------------- */

int oci_walk_open(struct oci_walk *w, struct oci *oci, const char *locator, char *error)
{
	const char *why = NULL;
	int r;

	w->oci = oci;
	w->locator = locator;
	w->error = error;
	if (w->canceled)
		return oci_walk_fail(w, -ECANCELED, "canceled");
	r = oci_reference_parse(&w->reference, locator, &why);
	/* A name that cannot be: none that the registry would let us have. */
	if (r < 0)
		return oci_walk_fail(w, r == -ENOMEM ? r : -EACCES, "%s", why);
	if (strcmp(w->reference.registry, oci->config.registry) != 0)
		return oci_walk_fail(w, -EACCES, "not below the template of its source");
	w->auth = oci_auth_get(oci, w->reference.repository);
	return w->auth ? 0 : oci_walk_fail(w, -ENOMEM, "no memory");
}

void oci_walk_start(struct oci_walk *w)
{
	w->wanted[0].name = "Content-Type";
	w->wanted[1].name = "Docker-Content-Digest";
	snprintf(w->accept, sizeof(w->accept), "Accept: %s", oci_manifest_accept);
	w->document.fields[0] = w->accept;
	w->document.wanted = w->wanted;
	w->document.room = OCI_MANIFEST_MAX;
	w->document.auth = oci_auth_of(w->auth);
	w->document.done = document_done;
	snprintf(w->digest, sizeof(w->digest), "%s", w->reference.digest);
	walk_document(w);
}

void oci_walk_cancel(struct oci_walk *w)
{
	w->canceled = true;
	if (w->request)
		http_request_cancel(w->request);
}

void oci_walk_end(struct oci_walk *w)
{
	oci_auth_put(w->auth);
	oci_reference_end(&w->reference);
	free(w->document.body);
	free(w->url);
}
