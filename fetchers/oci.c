/* SPDX-License-Identifier: MIT */
/*
 * oci: origins, registries of the distribution specification: cachefill-oci(5).
 */
#include "fetchers/oci.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/cleanup.h"
#include "daemon/util/locator.h"

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
	object = r == 0 ? oci_object_new(oci, reference.repository, identity) : NULL;
	oci_reference_end(&reference);
	if (!object)
		return r < 0 ? r : -ENOMEM;
	*ret = &object->base;
	return 0;
}

static void oci_detach(struct fetch_object *base)
{
	oci_object_free(container_of(base, struct oci_object, base));
}

static void oci_read(struct fetch_object *base, struct fetch_read *read)
{
	struct oci_object *object = container_of(base, struct oci_object, base);
	struct oci *oci = container_of(base->fetcher, struct oci, base);

	assert(read->len >= 1 && read->off + read->len <= object->identity.size);
	if (!oci_read_start(object, read))
		fetch_refuse_read(&oci->refusals, read);
}

static void oci_cancel_read(struct fetch_object *base, struct fetch_read *read)
{
	struct oci *oci = container_of(base->fetcher, struct oci, base);

	if (!fetch_refused_read(&oci->refusals, read))
		oci_read_cancel(container_of(base, struct oci_object, base), read);
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

/* A registry alone is the origin, of which others keep the health. */
static const struct fetch_health *oci_health(const struct fetcher *fetcher, size_t i)
{
	const struct oci *oci = container_of(fetcher, struct oci, base);

	return oci->n_hosts > 1 && i < oci->n_hosts ? &oci->hosts[i].health : NULL;
}

static void oci_free(struct fetcher *fetcher)
{
	struct oci *oci = container_of(fetcher, struct oci, base);

	for (size_t i = 0; i < oci->n_hosts; i++) {
		oci_auths_end(&oci->hosts[i]);
		http_client_end(&oci->hosts[i].client);
	}
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
	.health = oci_health,
	.free = oci_free,
};

/* -ENOMEM with n_hosts, those that were made. */
static int make_hosts(struct oci *oci)
{
	for (size_t i = 0; i < oci->config.hosts.n; i++) {
		struct oci_host *host = &oci->hosts[i];

		*host = (struct oci_host){ .oci = oci, .site = &oci->config.hosts.sites[i] };
		locator_print(host->site->base, host->health.name, sizeof(host->health.name));
		TAILQ_INIT(&host->auths);
		if (http_client_init(&host->client, oci->loop, steal(&oci->config.http[i])) < 0)
			return -ENOMEM;
		oci->n_hosts++;
	}
	return 0;
}

static int oci_create(struct fetcher **ret, struct loop *loop, const char *template,
		      const struct fetcher_param *params, char *error)
{
	struct oci *oci = calloc(1, sizeof(*oci));
	int r;

	if (!oci) {
		fetch_error(error, template, "no memory");
		return -ENOMEM;
	}
	oci->base.ops = &oci_ops;
	oci->loop = loop;
	fetch_refusals_init(&oci->refusals, loop);
	r = oci_config_init(&oci->config, template, params, error);
	if (r < 0) {
		free(oci);
		return r;
	}
	r = loop ? make_hosts(oci) : 0;
	if (r < 0)
		fetch_error(error, template, "no memory");
	if (r < 0 || !loop)
		oci_free(&oci->base);
	else
		*ret = &oci->base;
	return r;
}

const struct fetcher_class oci_fetcher_class = {
	.name = "oci",
	.schemes = (const char *const[]){ "oci", NULL },
	.keys = oci_keys,
	.create = oci_create,
};
