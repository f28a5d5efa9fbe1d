/* SPDX-License-Identifier: MIT */
/*
 * The parameters of an http source (cachefill-http(5)): text -> struct http_config, checked.
 */
#pragma once

#include <stdbool.h>
#include <curl/curl.h>

#include "fetchers/fetcher.h"

struct http_config {
	/*
	 * What every locator starts with: scheme and, unless it has a placeholder, authority. The
	 * source's headers go there and nowhere else.
	 */
	char *origin;
	char *ca_file, *ca_path, *client_cert, *client_key; /* or NULL */
	char *proxy;					    /* NULL: the environment decides */
	char *user_agent;
	/* The source's fields, then those of every request: the tail that any host may see. */
	struct curl_slist *headers;
	const struct curl_slist *plain_headers; /* borrowed */
	long connect_timeout_ms, stall_timeout_s, max_connections, redirects;
	long http_version; /* CURL_HTTP_VERSION_* */
};

extern const struct fetcher_key http_keys[];

/* error: as in fetcher_class.create(). */
int http_config_new(struct http_config **ret, const char *template,
		    const struct fetcher_param *params, char *error);
struct http_config *http_config_free(struct http_config *config);

/* Whether a locator is one of this source. */
bool http_config_owns(const struct http_config *config, const char *locator);
