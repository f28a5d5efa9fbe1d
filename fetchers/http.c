/* SPDX-License-Identifier: MIT */
/*
 * http: and https: origins: cachefill-http(5).
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fetchers/http-request.h"

static void http_look(struct fetcher *fetcher, struct fetch_look *look)
{
	struct http *http = container_of(fetcher, struct http, base);
	struct http_request *r = http_request_look(http, look);

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

	if (!http_config_owns(http->config, locator))
		return -EINVAL;
	object = malloc(sizeof(*object));
	if (!object)
		return -ENOMEM;
	*object = (struct http_object){ .base.fetcher = fetcher, .identity = *identity };
	r = http_condition_print(object->condition, identity);
	if (r == 0) {
		object->locator = strdup(locator);
		r = object->locator ? 0 : -ENOMEM;
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

	free(object->locator);
	free(object);
}

static void http_read(struct fetch_object *base, struct fetch_read *read)
{
	struct http_object *object = container_of(base, struct http_object, base);
	struct http *http = container_of(base->fetcher, struct http, base);
	struct http_request *r;

	assert(read->len >= 1 && read->off + read->len <= object->identity.size);
	r = http_request_read(http, object, read);
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

	http_multi_free(http->multi);
	http_config_free(http->config);
	free(http);
	curl_global_cleanup();
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

static int http_new(struct fetcher **ret, struct loop *loop, struct http_config *config)
{
	struct http *http = malloc(sizeof(*http));
	int r;

	if (!http)
		return -ENOMEM;
	*http = (struct http){ .base.ops = &http_ops, .loop = loop, .config = config };
	fetch_refusals_init(&http->refusals, loop);
	r = http_multi_new(&http->multi, loop, config->max_connections, http_request_transferred);
	if (r < 0) {
		free(http);
		return r;
	}
	*ret = &http->base;
	return 0;
}

static int http_create(struct fetcher **ret, struct loop *loop, const char *template,
		       const struct fetcher_param *params, char *error)
{
	struct http_config *config = NULL;
	int r = http_config_new(&config, template, params, error);

	if (r < 0)
		return r;
	if (!loop) {
		http_config_free(config);
		return 0;
	}
	/* Counted by libcurl: one for each instance. */
	if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) {
		r = http_new(ret, loop, config);
		if (r == 0)
			return 0;
		curl_global_cleanup();
	}
	http_config_free(config);
	fetch_error(error, template, "no memory");
	return -ENOMEM;
}

const struct fetcher_class http_fetcher_class = {
	.name = "http",
	.schemes = (const char *const[]){ "http", "https", NULL },
	.keys = http_keys,
	.create = http_create,
};
