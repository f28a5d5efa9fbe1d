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

bool oci_walk_may_be_blob(const struct oci_walk *w)
{
	return w->no_manifest && w->reference.digest[0] &&
	       (w->reference.select == OCI_SELECT_ONLY ||
		w->reference.select == OCI_SELECT_MANIFEST);
}

/* ---- steps ------------------------------------------------------------------------------ */

static void walk_give_up(struct oci_walk *w, int err, const char *error)
{
	snprintf(w->error, FETCH_ERROR_MAX, "%s", error);
	w->step.give_up(w, err);
}

/* False: no memory. */
static bool walk_use(struct oci_walk *w, struct oci_host *host)
{
	oci_auth_put(w->auth);
	free(w->url);
	w->host = host;
	w->auth = oci_auth_get(host, w->reference.repository);
	w->url = oci_url(host, w->reference.repository, w->step.kind, w->step.name);
	return w->auth && w->url;
}

static void walk_try(struct oci_walk *w)
{
	struct oci_host *host = oci_host_next(w->oci, w->step.need, &w->tries);

	w->request = NULL;
	if (!host) {
		walk_give_up(w, w->tries.err, w->tries.error);
		return;
	}
	if (walk_use(w, host))
		w->step.ask(w);
	if (!w->request) {
		(void)oci_host_failed(host, &w->tries, -ENOMEM, "no memory", 0);
		w->step.give_up(w, oci_walk_fail(w, -ENOMEM, "no memory"));
	} else if (w->canceled) {
		http_request_cancel(w->request);
	}
}

void oci_walk_step(struct oci_walk *w, const struct oci_step *step)
{
	w->step = *step;
	w->tries = (struct oci_tries){ .last_of_all = step->last_of_all };
	walk_try(w);
}

void oci_walk_again(struct oci_walk *w, int err, const char *error)
{
	w->request = NULL;
	if (oci_host_failed(w->host, &w->tries, err, error, w->retry_after))
		walk_try(w);
	else
		walk_give_up(w, err, error);
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
	char digest[OCI_DIGEST_MAX] = "", error[FETCH_ERROR_MAX];
	int r = 0;

	if (w->digest[0] || oci_digest_valid(told))
		snprintf(digest, sizeof(digest), "%.*s", OCI_DIGEST_MAX - 1,
			 w->digest[0] ? w->digest : told);
	if (w->sized && d->len != w->size)
		r = -EPROTO;
	else if (digest[0])
		r = oci_digest_check(digest, d->body, d->len);
	if (r == 0) {
		memcpy(w->digest, digest, sizeof(digest));
		oci_host_worked(w->host);
		walk_choose(w);
		return;
	}
	fetch_error(error, w->url, "the manifest is not what its digest says");
	oci_walk_again(w, r == -ENOMEM ? r : -EPROTO, error);
}

static void document_done(struct http_document *document, int err)
{
	struct oci_walk *w = container_of(document, struct oci_walk, document);
	char error[FETCH_ERROR_MAX];

	w->request = NULL;
	if (err == 0) {
		walk_check(w);
		return;
	}
	w->retry_after = document->retry_after;
	if (w->depth == 1 && (document->status == 404 || document->status == 500))
		w->no_manifest = true;
	memcpy(error, document->error, sizeof(error));
	oci_walk_again(w, err, error);
}

static void document_ask(struct oci_walk *w)
{
	if (!w->document.body)
		w->document.body = malloc(OCI_MANIFEST_MAX);
	if (!w->document.body)
		return;
	w->document.url = w->url;
	w->document.auth = oci_auth_of(w->auth);
	w->request = http_request_document(&w->host->client, &w->document);
}

static void document_give_up(struct oci_walk *w, int err)
{
	w->done(w, err);
}

/* Asks for the manifest or index of w->digest, or of the tag. */
static void walk_document(struct oci_walk *w)
{
	const struct oci_step step = {
		.need = w->digest[0] ? OCI_NEED_CHECKED : OCI_NEED_RESOLVE,
		.kind = "manifests",
		.name = w->digest[0] ? w->digest : w->reference.tag,
		.ask = document_ask,
		.give_up = document_give_up,
	};

	if (w->depth++ == WALK_DEPTH)
		w->done(w, oci_walk_fail(w, -EPROTO, "indexes inside of indexes"));
	else
		oci_walk_step(w, &step);
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
	return 0;
}

void oci_walk_start(struct oci_walk *w)
{
	w->wanted[0].name = "Content-Type";
	w->wanted[1].name = "Docker-Content-Digest";
	snprintf(w->accept, sizeof(w->accept), "Accept: %s", oci_manifest_accept);
	w->document.fields[0] = w->accept;
	w->document.wanted = w->wanted;
	w->document.room = OCI_MANIFEST_MAX;
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
