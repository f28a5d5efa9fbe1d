/* SPDX-License-Identifier: MIT */
#include "fetchers/oci-walk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fetchers/oci-digest.h"
#include "fetchers/oci-image.h"
#include "fetchers/oci-referrers.h"

/*
 * From a reference to the layers of its image: manifests, then the configuration. Or to what refers
 * to it: one index.
 */
struct oci_list {
	struct fetch_list *list;
	struct loop_deferred deferred; /* begins, or ends what could not begin */
	struct oci_walk walk;
	struct oci_image image;
	struct http_document config;	 /* its body is owned */
	char name[OCI_DIGEST_MAX + 300]; /* of a list of referrers, in its URL */
};

/* Where err < 0, the list's error is told already. */
static void list_end(struct oci_list *l, int err)
{
	struct fetch_list *list = l->list;

	loop_defer_cancel(l->walk.oci->loop, &l->deferred);
	if (err == 0 && l->walk.auth)
		oci_auth_worked(l->walk.auth);
	oci_walk_end(&l->walk);
	oci_image_end(&l->image);
	free(l->config.body);
	free(l);
	if (err < 0)
		fetch_list_end(list);
	list->done(list, err);
}

static void list_fail(struct oci_list *l, int err, const char *why)
{
	list_end(l, oci_walk_fail(&l->walk, err, "%s", why));
}

/* ---- what was found --------------------------------------------------------------------- */

static bool list_part(const struct oci_list *l, struct fetch_part *part,
		      const struct oci_layer *layer)
{
	const struct oci_reference *ref = &l->walk.reference;

	if (asprintf(&part->locator, OCI_SCHEME "%s/%s@%s?blob", ref->registry, ref->repository,
		     layer->digest) < 0)
		part->locator = NULL;
	part->identity.size = layer->size;
	snprintf(part->identity.validator, sizeof(part->identity.validator), OCI_VALIDATOR "%s",
		 layer->digest);
	part->digest = strdup(layer->digest);
	part->media_type = strdup(layer->media_type);
	part->title = strdup(layer->title);
	part->diff_id = strdup(layer->diff_id);
	return part->locator && part->digest && part->media_type && part->title && part->diff_id;
}

static bool list_parts(struct oci_list *l)
{
	struct fetch_list *list = l->list;
	bool good = true;

	list->parts = calloc(l->image.n_layers, sizeof(*list->parts));
	if (!list->parts)
		return false;
	list->n_parts = l->image.n_layers;
	for (size_t i = 0; good && i < list->n_parts; i++)
		good = list_part(l, &list->parts[i], &l->image.layers[i]);
	return good;
}

/* What the configuration says of the layers. */
static bool list_diff_ids(struct oci_list *l)
{
	bool good = true;

	for (size_t i = 0; good && i < l->list->n_parts; i++) {
		char **diff_id = &l->list->parts[i].diff_id;

		free(*diff_id);
		*diff_id = strdup(l->image.layers[i].diff_id);
		good = *diff_id;
	}
	return good;
}

static void list_finish(struct oci_list *l)
{
	const struct http_document *manifest = &l->walk.document;
	struct fetch_list *list = l->list;

	list->manifest = strndup(manifest->body, manifest->len);
	list->manifest_digest = strdup(l->walk.digest);
	list->config = strndup(l->config.body ?: "", l->config.len);
	if (list->manifest && list->manifest_digest && list->config && list_diff_ids(l))
		list_end(l, 0);
	else
		list_fail(l, -ENOMEM, "no memory");
}

/* ---- the configuration ------------------------------------------------------------------ */

static void config_read(struct oci_list *l)
{
	char why[OCI_WHY_MAX];
	int r = oci_image_configure(&l->image, l->config.body, l->config.len, why);

	oci_host_worked(l->walk.host);
	if (r < 0)
		list_fail(l, r, why);
	else
		list_finish(l);
}

static void config_done(struct http_document *config, int err)
{
	struct oci_list *l = container_of(config, struct oci_list, config);
	char error[FETCH_ERROR_MAX];

	l->walk.request = NULL;
	memcpy(error, config->error, sizeof(error));
	if (err == 0) {
		err = config->len == l->image.config_size
			      ? oci_digest_check(l->image.config_digest, config->body, config->len)
			      : -EPROTO;
		fetch_error(error, l->walk.url, "the configuration is not what the manifest says");
	}
	if (err == 0)
		config_read(l);
	else
		oci_walk_again(&l->walk, err == -EINVAL ? -EPROTO : err, error);
}

static void config_ask(struct oci_walk *walk)
{
	struct oci_list *l = container_of(walk, struct oci_list, walk);

	l->config.room = (size_t)l->image.config_size;
	if (!l->config.body)
		l->config.body = malloc(l->config.room + 1);
	if (!l->config.body)
		return;
	l->config.auth = oci_auth_of(walk->auth);
	l->config.done = config_done;
	l->config.url = walk->url;
	walk->request = http_request_document(&walk->host->client, &l->config);
}

static void config_give_up(struct oci_walk *walk, int err)
{
	list_end(container_of(walk, struct oci_list, walk), err);
}

static void list_config(struct oci_list *l)
{
	const struct oci_step step = {
		.need = OCI_NEED_CHECKED,
		.kind = "blobs",
		.name = l->image.config_digest,
		.ask = config_ask,
		.give_up = config_give_up,
	};

	oci_walk_step(&l->walk, &step);
}

/* ---- what refers to a manifest ---------------------------------------------------------- */

static bool list_referrer(const struct oci_list *l, struct fetch_part *part,
			  const struct oci_referrer *referrer)
{
	const struct oci_reference *ref = &l->walk.reference;

	if (asprintf(&part->locator, OCI_SCHEME "%s/%s@%s", ref->registry, ref->repository,
		     referrer->digest) < 0)
		part->locator = NULL;
	part->identity.size = referrer->size;
	snprintf(part->identity.validator, sizeof(part->identity.validator), OCI_VALIDATOR "%s",
		 referrer->digest);
	part->digest = strdup(referrer->digest);
	part->media_type = strdup(referrer->media_type);
	part->title = strdup(referrer->artifact_type);
	part->diff_id = strdup("");
	return part->locator && part->digest && part->media_type && part->title && part->diff_id;
}

static void referrers_finish(struct oci_list *l, const struct oci_referrers *referrers)
{
	const struct http_document *index = &l->walk.document;
	struct fetch_list *list = l->list;
	bool good;

	list->manifest = strndup(index->body, index->len);
	list->manifest_digest = strdup("");
	list->config = strdup("");
	list->parts = calloc(referrers->n, sizeof(*list->parts));
	good = list->manifest && list->manifest_digest && list->config && list->parts;
	if (list->parts)
		list->n_parts = referrers->n;
	for (size_t i = 0; good && i < list->n_parts; i++)
		good = list_referrer(l, &list->parts[i], &referrers->all[i]);
	if (good)
		list_end(l, 0);
	else
		list_fail(l, -ENOMEM, "no memory");
}

static void referrers_done(struct http_document *document, int err)
{
	struct oci_list *l = container_of(document, struct oci_list, walk.document);
	struct oci_referrers referrers;
	char why[OCI_WHY_MAX], error[FETCH_ERROR_MAX];
	int r;

	l->walk.request = NULL;
	if (err < 0) {
		memcpy(error, document->error, sizeof(error));
		oci_walk_again(&l->walk, err, error);
		return;
	}
	oci_host_worked(l->walk.host);
	r = oci_referrers_read(&referrers, document->body, document->len, l->walk.reference.type,
			       why);
	if (r < 0) {
		list_fail(l, r, why);
		return;
	}
	referrers_finish(l, &referrers);
	oci_referrers_end(&referrers);
}

static void referrers_ask(struct oci_walk *w)
{
	struct http_document *d = &w->document;

	if (!d->body)
		d->body = malloc(OCI_MANIFEST_MAX);
	if (!d->body)
		return;
	snprintf(w->accept, sizeof(w->accept), "Accept: %s", oci_manifest_accept);
	d->fields[0] = w->accept;
	d->room = OCI_MANIFEST_MAX;
	d->done = referrers_done;
	d->auth = oci_auth_of(w->auth);
	d->url = w->url;
	w->request = http_request_document(&w->host->client, d);
}

static void referrers_by_tag(struct oci_list *l, const char *tag)
{
	const struct oci_step step = {
		.need = OCI_NEED_RESOLVE,
		.kind = "manifests",
		.name = tag,
		.ask = referrers_ask,
		.give_up = config_give_up,
	};

	oci_walk_step(&l->walk, &step);
}

/* A registry that does not know what is asked of it: who stores there keeps an index. */
static void referrers_give_up(struct oci_walk *walk, int err)
{
	struct oci_list *l = container_of(walk, struct oci_list, walk);

	if (err != -ENOENT) {
		list_end(l, err);
		return;
	}
	oci_referrers_tag(l->name, walk->reference.digest);
	referrers_by_tag(l, l->name);
}

static void list_referrers(struct oci_list *l)
{
	const struct oci_reference *ref = &l->walk.reference;
	const struct oci_step step = {
		.need = OCI_NEED_RESOLVE,
		.kind = "referrers",
		.name = l->name,
		.ask = referrers_ask,
		.give_up = referrers_give_up,
	};

	if (!ref->digest[0]) {
		referrers_by_tag(l, ref->tag);
		return;
	}
	snprintf(l->name, sizeof(l->name), "%s%s%s", ref->digest,
		 *ref->type ? "?artifactType=" : "", ref->type);
	oci_walk_step(&l->walk, &step);
}

/* ---- begin and end ---------------------------------------------------------------------- */

static void walk_done(struct oci_walk *walk, int err)
{
	struct oci_list *l = container_of(walk, struct oci_list, walk);
	char why[OCI_WHY_MAX];
	int r;

	if (err < 0) {
		list_end(l, oci_walk_may_be_blob(walk) ? -ENOTDIR : err);
		return;
	}
	r = oci_image_read(&l->image, walk->document.body, walk->document.len, why);
	/* A registry need not tell it. */
	if (r == 0 && !walk->digest[0] &&
	    oci_digest_make(walk->digest, sizeof(walk->digest), walk->document.body,
			    walk->document.len) < 0)
		r = oci_manifest_verdict(-ENOMEM, why, "no memory");
	if (r == 0 && !list_parts(l))
		r = oci_manifest_verdict(-ENOMEM, why, "no memory");
	if (r < 0) {
		list_fail(l, r, why);
	} else if (l->image.has_config) {
		if (l->list->found)
			l->list->found(l->list);
		list_config(l);
	} else {
		list_finish(l);
	}
}

static void list_begin(struct loop_deferred *deferred)
{
	struct oci_list *l = container_of(deferred, struct oci_list, deferred);
	int r = oci_walk_open(&l->walk, l->walk.oci, l->list->locator, l->list->error);

	if (r < 0) {
		list_end(l, r);
	} else if (l->walk.reference.select == OCI_SELECT_REFERRERS) {
		list_referrers(l);
	} else if (l->walk.reference.select != OCI_SELECT_ONLY) {
		list_fail(l, -ENOTDIR, "names one object");
	} else {
		l->walk.reference.select = OCI_SELECT_MANIFEST;
		oci_walk_start(&l->walk);
	}
}

struct oci_list *oci_list_start(struct oci *oci, struct fetch_list *list)
{
	struct oci_list *l = malloc(sizeof(*l));

	if (!l)
		return NULL;
	*l = (struct oci_list){
		.list = list,
		.deferred.run = list_begin,
		.walk.oci = oci,
		.walk.done = walk_done,
	};
	loop_defer(oci->loop, &l->deferred);
	return l;
}

void oci_list_cancel(struct oci_list *l)
{
	oci_walk_cancel(&l->walk);
}
