/* SPDX-License-Identifier: MIT */
/*
 * oci: origins, registries of the distribution specification: cachefill-oci(5).
 */
#include "fetchers/oci.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A blob: what its digest names never changes, so that ranges need no condition. */
struct oci_object {
	struct fetch_object base;
	struct http_target target;
	struct oci_auth *auth;
};

static void oci_look(struct fetcher *fetcher, struct fetch_look *look)
{
	struct oci *oci = container_of(fetcher, struct oci, base);

	look->fetcher_private = oci_look_start(oci, look);
	if (!look->fetcher_private)
		fetch_refuse_look(&oci->refusals, look);
}

static void oci_cancel_look(struct fetcher *fetcher, struct fetch_look *look)
{
	struct oci *oci = container_of(fetcher, struct oci, base);

	if (!fetch_refused_look(&oci->refusals, look))
		oci_look_cancel(look->fetcher_private);
}

static struct oci_object *object_new(struct oci *oci, const char *repository,
				     const struct fetch_identity *identity)
{
	struct oci_object *object = malloc(sizeof(*object));

	if (!object)
		return NULL;
	*object = (struct oci_object){
		.base.fetcher = &oci->base,
		.auth = oci_auth_get(oci, repository),
		.target = {
			.locator = oci_url(&oci->config, repository, "blobs",
					   identity->validator + strlen(OCI_VALIDATOR)),
			.identity.size = identity->size,
			.keeps_moves = true,
		},
	};
	if (object->auth && object->target.locator) {
		object->target.auth = oci_auth_of(object->auth);
		return object;
	}
	oci_auth_put(object->auth);
	http_target_end(&object->target);
	free(object);
	return NULL;
}

static int oci_attach(struct fetcher *fetcher, struct fetch_object **ret, const char *locator,
		      const struct fetch_identity *identity)
{
	struct oci *oci = container_of(fetcher, struct oci, base);
	struct oci_reference reference;
	struct oci_object *object;
	const char *why;
	int r;

	if (strncmp(identity->validator, OCI_VALIDATOR, strlen(OCI_VALIDATOR)) != 0 ||
	    !oci_digest_valid(identity->validator + strlen(OCI_VALIDATOR)))
		return -EINVAL;
	r = oci_reference_parse(&reference, locator, &why);
	if (r < 0)
		return r;
	r = strcmp(reference.registry, oci->config.registry) == 0 ? 0 : -EINVAL;
	object = r == 0 ? object_new(oci, reference.repository, identity) : NULL;
	oci_reference_end(&reference);
	if (!object)
		return r < 0 ? r : -ENOMEM;
	*ret = &object->base;
	return 0;
}

static void oci_detach(struct fetch_object *base)
{
	struct oci_object *object = container_of(base, struct oci_object, base);

	oci_auth_put(object->auth);
	http_target_end(&object->target);
	free(object);
}

static void oci_read(struct fetch_object *base, struct fetch_read *read)
{
	struct oci_object *object = container_of(base, struct oci_object, base);
	struct oci *oci = container_of(base->fetcher, struct oci, base);

	assert(read->len >= 1 && read->off + read->len <= object->target.identity.size);
	read->fetcher_private = http_request_read(&oci->client, &object->target, read);
	if (!read->fetcher_private)
		fetch_refuse_read(&oci->refusals, read);
}

static void oci_cancel_read(struct fetch_object *base, struct fetch_read *read)
{
	struct oci *oci = container_of(base->fetcher, struct oci, base);

	if (!fetch_refused_read(&oci->refusals, read))
		http_request_cancel(read->fetcher_private);
}

static void oci_list(struct fetcher *fetcher, struct fetch_list *list)
{
	struct oci *oci = container_of(fetcher, struct oci, base);

	list->fetcher_private = oci_list_start(oci, list);
	if (!list->fetcher_private)
		fetch_refuse_list(&oci->refusals, list);
}

static void oci_cancel_list(struct fetcher *fetcher, struct fetch_list *list)
{
	struct oci *oci = container_of(fetcher, struct oci, base);

	if (!fetch_refused_list(&oci->refusals, list))
		oci_list_cancel(list->fetcher_private);
}

static void oci_put(struct fetcher *fetcher, struct fetch_put *put)
{
	struct oci *oci = container_of(fetcher, struct oci, base);

	put->fetcher_private = oci_put_start(oci, put);
	if (!put->fetcher_private)
		fetch_refuse_put(&oci->refusals, put);
}

static void oci_cancel_put(struct fetcher *fetcher, struct fetch_put *put)
{
	struct oci *oci = container_of(fetcher, struct oci, base);

	if (!fetch_refused_put(&oci->refusals, put))
		oci_put_cancel(put->fetcher_private);
}

static void oci_free(struct fetcher *fetcher)
{
	struct oci *oci = container_of(fetcher, struct oci, base);

	oci_auths_end(oci);
	http_client_end(&oci->client);
	oci_config_end(&oci->config);
	free(oci);
}

static const struct fetcher_ops oci_ops = {
	.look = oci_look,
	.cancel_look = oci_cancel_look,
	.attach = oci_attach,
	.detach = oci_detach,
	.read = oci_read,
	.cancel_read = oci_cancel_read,
	.list = oci_list,
	.cancel_list = oci_cancel_list,
	.put = oci_put,
	.cancel_put = oci_cancel_put,
	.free = oci_free,
};

static int oci_create(struct fetcher **ret, struct loop *loop, const char *template,
		      const struct fetcher_param *params, char *error)
{
	struct http_config *http = NULL;
	struct oci_config config;
	struct oci *oci = NULL;
	int r = oci_config_init(&config, &http, template, params, error);

	if (r < 0)
		return r;
	if (loop)
		oci = malloc(sizeof(*oci));
	if (!oci)
		http_config_free(http);
	if (!oci || http_client_init(&oci->client, loop, http) < 0) {
		free(oci);
		oci_config_end(&config);
		if (!loop)
			return 0;
		fetch_error(error, template, "no memory");
		return -ENOMEM;
	}
	oci->base.ops = &oci_ops;
	oci->config = config;
	oci->n_auths = 0;
	TAILQ_INIT(&oci->auths);
	fetch_refusals_init(&oci->refusals, loop);
	*ret = &oci->base;
	return 0;
}

const struct fetcher_class oci_fetcher_class = {
	.name = "oci",
	.schemes = (const char *const[]){ "oci", NULL },
	.keys = oci_keys,
	.create = oci_create,
};
