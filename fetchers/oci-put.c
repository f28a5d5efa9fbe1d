/* SPDX-License-Identifier: MIT */
#include "fetchers/oci.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fetchers/http-url.h"
#include "fetchers/oci-error.h"

/*
 * A blob is asked for first, since it may be there: HEAD; if not, POST tells where to send it, and
 * PUT sends it in one piece. A manifest is a PUT alone.
 */
struct oci_put {
	struct oci *oci;
	struct oci_host *host; /* once it has begun */
	struct fetch_put *put;
	struct loop_deferred deferred; /* begins, or ends what could not begin */
	bool canceled;
	struct oci_reference reference;
	struct oci_auth *auth;
	struct http_request *request;  /* under way, or NULL */
	char *url;		       /* owned: of request */
	struct http_document document; /* the one of now */
	struct http_wanted wanted[4];  /* Location, Docker-Content-Digest, OCI-Subject */
	struct http_upload upload;
	char type[FETCH_VALIDATOR_MAX]; /* "Content-Type: ..." */
	char complaint[HTTP_COMPLAINT_MAX + 1];
};

static void put_end(struct oci_put *p, int err)
{
	struct fetch_put *put = p->put;

	loop_defer_cancel(p->oci->loop, &p->deferred);
	oci_auth_put(p->auth);
	oci_reference_end(&p->reference);
	free(p->url);
	free(p);
	put->done(put, err);
}

__attribute__((format(printf, 3, 4))) static void put_fail(struct oci_put *p, int err,
							   const char *fmt, ...)
{
	char why[OCI_WHY_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	fetch_error(p->put->error, p->put->locator, "%s", why);
	put_end(p, err);
}

/* A request has failed: the registry's own words are the best. */
static void put_failed(struct oci_put *p, int err)
{
	const struct http_document *d = &p->document;
	char why[OCI_ERROR_MAX];

	oci_error_parse(why, p->complaint);
	/* That a place to store is not there is nothing that one may ask for again. */
	if (err == -ENOENT)
		err = -EIO;
	if (why[0]) {
		put_fail(p, err, "%s (status %u)", why, d->status);
		return;
	}
	snprintf(p->put->error, sizeof(p->put->error), "%s", d->error);
	put_end(p, err);
}

/* Sends the document to url, which is consumed; NULL: no memory. */
static void put_send(struct oci_put *p, char *url, enum http_method method,
		     void (*done)(struct http_document *document, int err))
{
	struct http_document *d = &p->document;

	free(p->url);
	p->url = url;
	p->complaint[0] = '\0';
	*d = (struct http_document){
		.url = url,
		.method = method,
		.form = "",
		.upload = &p->upload,
		.wanted = p->wanted,
		.complaint = p->complaint,
		.done = done,
	};
	if (method == HTTP_PUT)
		d->fields[0] = p->type;
	/* A registry may have its uploads elsewhere, where who we are is nobody's business. */
	if (url && http_url_same_origin(p->host->site->base, url))
		d->auth = oci_auth_of(p->auth);
	p->request = url ? http_request_document(&p->host->client, d) : NULL;
	if (!p->request)
		put_fail(p, -ENOMEM, "no memory");
	else if (p->canceled)
		http_request_cancel(p->request);
}

static ssize_t upload_read(struct http_upload *upload, void *buf, size_t n, uint64_t off)
{
	struct oci_put *p = container_of(upload, struct oci_put, upload);

	return p->put->read(p->put, buf, n, off);
}

/* ---- blobs ------------------------------------------------------------------------------ */

/* Both kinds: the registry has it, and has looked at it. */
static void stored(struct http_document *document, int err)
{
	struct oci_put *p = container_of(document, struct oci_put, document);
	const char *told = p->wanted[1].value;

	p->request = NULL;
	p->put->linked = p->wanted[2].value[0] != '\0';
	if (err < 0)
		put_failed(p, err);
	else if (p->reference.digest[0] && told[0] && strcmp(told, p->reference.digest) != 0)
		put_fail(p, -EPROTO, "the registry has stored something else");
	else
		put_end(p, 0);
}

/* The upload's URL, whose query is the registry's, with our digest. *ret is the caller's. */
static int upload_url(const struct oci_put *p, char **ret, const char **ret_why)
{
	const char *location = p->wanted[0].value;
	char *base, *url = NULL;
	int r;

	*ret_why = "the registry does not say where to send the blob";
	if (!location[0])
		return -EPROTO;
	*ret_why = "no memory";
	base = http_url_resolve(p->url, location);
	if (!base)
		return -ENOMEM;
	r = http_url_check(p->url, base, ret_why);
	if (r == 0 && asprintf(&url, "%s%cdigest=%s", base, strchr(base, '?') ? '&' : '?',
			       p->reference.digest) < 0) {
		url = NULL;
		r = -ENOMEM;
	}
	free(base);
	*ret = url;
	return r;
}

static void upload_begun(struct http_document *document, int err)
{
	struct oci_put *p = container_of(document, struct oci_put, document);
	const char *why = NULL;
	char *url = NULL;
	int r;

	p->request = NULL;
	if (err < 0) {
		put_failed(p, err);
		return;
	}
	r = upload_url(p, &url, &why);
	if (r < 0)
		put_fail(p, r, "%s", why);
	else
		put_send(p, url, HTTP_PUT, stored);
}

static char *put_url(const struct oci_put *p, const char *kind, const char *name)
{
	return oci_url(p->host, p->reference.repository, kind, name);
}

static void blob_asked(struct http_document *document, int err)
{
	struct oci_put *p = container_of(document, struct oci_put, document);

	p->request = NULL;
	if (err == 0) {
		p->put->existed = true;
		put_end(p, 0);
	} else if (err == -ENOENT) {
		put_send(p, put_url(p, "blobs", "uploads/"), HTTP_POST, upload_begun);
	} else {
		put_failed(p, err);
	}
}

/* ---- begin and end ---------------------------------------------------------------------- */

static void put_begin(struct loop_deferred *deferred)
{
	struct oci_put *p = container_of(deferred, struct oci_put, deferred);
	const struct oci_reference *ref = &p->reference;
	const char *why = NULL;
	int r = oci_reference_parse(&p->reference, p->put->locator, &why);

	if (r < 0) {
		put_fail(p, r, "%s", why);
		return;
	}
	if (strcmp(ref->registry, p->oci->config.registry) != 0) {
		put_fail(p, -EACCES, "not below the template of its source");
		return;
	}
	if (ref->select != OCI_SELECT_BLOB && ref->select != OCI_SELECT_ONLY) {
		put_fail(p, -EINVAL, "names a part of an image: a tag or a digest is needed");
		return;
	}
	p->host = oci_host_for_push(p->oci);
	if (!p->host) {
		put_fail(p, -EACCES, "none of the hosts in hosts.toml may push");
		return;
	}
	p->auth = oci_auth_get(p->host, ref->repository);
	if (!p->auth) {
		put_fail(p, -ENOMEM, "no memory");
		return;
	}
	oci_auth_widen(p->auth);
	if (ref->select == OCI_SELECT_BLOB)
		put_send(p, put_url(p, "blobs", ref->digest), HTTP_HEAD, blob_asked);
	else
		put_send(p, put_url(p, "manifests", ref->digest[0] ? ref->digest : ref->tag),
			 HTTP_PUT, stored);
}

struct oci_put *oci_put_start(struct oci *oci, struct fetch_put *put)
{
	struct oci_put *p = malloc(sizeof(*p));

	if (!p)
		return NULL;
	*p = (struct oci_put){
		.oci = oci,
		.put = put,
		.deferred.run = put_begin,
		.wanted = { { .name = "Location" },
			    { .name = "Docker-Content-Digest" },
			    { .name = "OCI-Subject" } },
		.upload = { .size = put->size, .read = upload_read },
	};
	snprintf(p->type, sizeof(p->type), "Content-Type: %s",
		 put->media_type ? put->media_type : "application/octet-stream");
	put->existed = put->linked = false;
	loop_defer(oci->loop, &p->deferred);
	return p;
}

void oci_put_cancel(struct oci_put *p)
{
	p->canceled = true;
	if (p->request)
		http_request_cancel(p->request);
}
