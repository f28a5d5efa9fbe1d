/* SPDX-License-Identifier: MIT */
/*
 * http: and https: origins: cachefill-http(5).
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fetchers/http-request.h"

struct http {
	struct fetcher base;
	struct http_client client;
	struct fetch_refusals refusals;
};

struct http_object {
	struct fetch_object base;
	struct http_target target;
};

static void http_look(struct fetcher *fetcher, struct fetch_look *look)
{
	struct http *http = container_of(fetcher, struct http, base);
	struct http_request *r = http_request_look(&http->client, look, NULL);

	look->fetcher_private = r;
	if (!r)
		fetch_refuse_look(&http->refusals, look);
}

static void http_cancel_look(struct fetcher *fetcher, struct fetch_look *look)
{
	struct http *http = container_of(fetcher, struct http, base);

	if (!fetch_refused_look(&http->refusals, look))
		http_request_cancel(look->fetcher_private);
}

static int http_attach(struct fetcher *fetcher, struct fetch_object **ret, const char *locator,
		       const struct fetch_identity *identity)
{
	struct http *http = container_of(fetcher, struct http, base);
	struct http_object *object;
	int r;

	if (!http_config_owns(http->client.config, locator))
		return -EINVAL;
	object = malloc(sizeof(*object));
	if (!object)
		return -ENOMEM;
	*object = (struct http_object){ .base.fetcher = fetcher, .target.identity = *identity };
	r = http_condition_print(object->target.condition, identity);
	if (r == 0) {
		object->target.locator = strdup(locator);
		r = object->target.locator ? 0 : -ENOMEM;
	}
	if (r < 0) {
		free(object);
		return r;
	}
	*ret = &object->base;
	return 0;
}

static void http_detach(struct fetch_object *base)
{
	struct http_object *object = container_of(base, struct http_object, base);

	http_target_end(&object->target);
	free(object);
}

static void http_read(struct fetch_object *base, struct fetch_read *read)
{
	struct http_object *object = container_of(base, struct http_object, base);
	struct http *http = container_of(base->fetcher, struct http, base);
	struct http_request *r;

	assert(read->len >= 1 && read->off + read->len <= object->target.identity.size);
	r = http_request_read(&http->client, &object->target, read);
	read->fetcher_private = r;
	if (!r)
		fetch_refuse_read(&http->refusals, read);
}

static void http_cancel_read(struct fetch_object *base, struct fetch_read *read)
{
	struct http *http = container_of(base->fetcher, struct http, base);

	if (!fetch_refused_read(&http->refusals, read))
		http_request_cancel(read->fetcher_private);
}

static void http_free(struct fetcher *fetcher)
{
	struct http *http = container_of(fetcher, struct http, base);

	http_client_end(&http->client);
	free(http);
}

static const struct fetcher_ops http_ops = {
	.look = http_look,
	.cancel_look = http_cancel_look,
	.attach = http_attach,
	.detach = http_detach,
	.read = http_read,
	.cancel_read = http_cancel_read,
	.free = http_free,
};

static int http_create(struct fetcher **ret, struct loop *loop, const char *template,
		       const struct fetcher_param *params, char *error)
{
	struct http_config *config = NULL;
	struct http *http;
	int r = http_config_new(&config, template, params, error);

	if (r < 0)
		return r;
	if (!loop) {
		http_config_free(config);
		return 0;
	}
	http = malloc(sizeof(*http));
	if (!http)
		http_config_free(config);
	if (!http || http_client_init(&http->client, loop, config) < 0) {
		free(http);
		fetch_error(error, template, "no memory");
		return -ENOMEM;
	}
	http->base.ops = &http_ops;
	fetch_refusals_init(&http->refusals, loop);
	*ret = &http->base;
	return 0;
}

const struct fetcher_class http_fetcher_class = {
	.name = "http",
	.schemes = (const char *const[]){ "http", "https", NULL },
	.keys = http_keys,
	.create = http_create,
};
