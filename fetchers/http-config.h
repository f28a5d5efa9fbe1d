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
	char *ca_pem;  /* owned: authorities beside those of the system, or NULL */
	bool insecure; /* the server may be anybody */
	char *proxy;   /* NULL: the environment decides */
	char *user_agent;
	/* The source's fields, then those of every request: the tail that any host may see. */
	struct curl_slist *headers;
	const struct curl_slist *plain_headers; /* borrowed */
	long connect_timeout_ms, stall_timeout_s, max_connections, redirects;
	long min_rate;	   /* bytes/s: less for stall_timeout_s is a stall */
	long http_version; /* CURL_HTTP_VERSION_* */
};

/* Also the keys of others whose origins are web servers. */
/* clang-format off */
#define HTTP_CONFIG_KEYS \
	{ "ca-file", "PEM file of the authorities that may vouch for the server", true }, \
	{ "ca-path", "directory of such authorities, hashed by openssl-rehash(1)", true }, \
	{ "client-cert", "PEM file with the certificate to show to the server", true }, \
	{ "client-key", "PEM file with its private key, where client-cert has none", true }, \
	{ "connect-timeout", "longest wait for a connection, default 10s", true }, \
	{ "header", "field of every request, \"Name: value\"; repeatable" }, \
	{ "header-file", "file of such fields, one per line, for secrets", true }, \
	{ "http-version", "1.1, or 2 where the server offers it (default)", true }, \
	{ "max-connections", "connections to one host, default 16", true }, \
	{ "proxy", "URL of a proxy, \"\" for none; default: the environment" }, \
	{ "redirects", "how many are followed, default 5", true }, \
	{ "min-rate", "bytes per second below which a transfer is slow, default 1000", true }, \
	{ "stall-timeout", "longest time with less than min-rate, default 10s", true }, \
	{ "user-agent", "what we call ourselves" }
/* clang-format on */

extern const struct fetcher_key http_keys[];

/* error: as in fetcher_class.create(). */
int http_config_new(struct http_config **ret, const char *template,
		    const struct fetcher_param *params, char *error);
struct http_config *http_config_free(struct http_config *config);

/* Authorities beside those of the system: reads these files now. error: as above. */
int http_config_trust(struct http_config *config, char *const *files, size_t n, char *error);

/* Whether a locator is one of this source. */
bool http_config_owns(const struct http_config *config, const char *locator);
