/* SPDX-License-Identifier: MIT */
#include "fetchers/oci.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/util/cleanup.h"
#include "fetchers/auth-file.h"

const struct fetcher_key oci_keys[] = {
	{ "auth-file", "credentials, as of podman-login(1) or docker-login(1)" },
	{ "plain-http", "yes: the registry has no TLS; default no" },
	{ "platform", "OS/ARCHITECTURE[/VARIANT] of images for several; default: this host" },
	HTTP_CONFIG_KEYS,
	{ NULL, NULL },
};

/* Parameters of both kinds, in the order in which they came. */
struct split {
	bool plain;
	struct fetcher_param *http; /* owned; ends with a NULL key */
	size_t n_http;
};

static int refuse(char *error, int err, const char *key, const char *why)
{
	snprintf(error, FETCH_ERROR_MAX, "%s: %s", key, why);
	return err;
}

static int take_truth(const struct fetcher_param *param, bool *ret, char *error)
{
	static const char *const words[] = { "no", "yes", "false", "true", "off", "on" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasecmp(param->value, words[i]) == 0) {
			*ret = i % 2;
			return 0;
		}
	return refuse(error, -EINVAL, param->key, "must be yes or no");
}

static int take_param(struct oci_config *config, struct split *split,
		      const struct fetcher_param *param, char *error)
{
	if (strcmp(param->key, "auth-file") == 0) {
		free(config->auth_file);
		config->auth_file = strdup(param->value);
		return config->auth_file ? 0 : refuse(error, -ENOMEM, param->key, "no memory");
	}
	if (strcmp(param->key, "platform") == 0)
		return oci_platform_parse(&config->platform, param->value)
			       ? 0
			       : refuse(error, -EINVAL, param->key,
					"must have the form linux/amd64 or linux/arm/v7");
	if (strcmp(param->key, "plain-http") == 0)
		return take_truth(param, &split->plain, error);
	split->http[split->n_http++] = *param;
	return 0;
}

static int take_params(struct oci_config *config, struct split *split,
		       const struct fetcher_param *params, char *error)
{
	size_t n = 0;
	int r = 0;

	while (params && params[n].key)
		n++;
	split->http = calloc(n + 1, sizeof(*split->http));
	if (!split->http)
		return refuse(error, -ENOMEM, "oci", "no memory");
	for (size_t i = 0; i < n && r == 0; i++)
		r = take_param(config, split, &params[i], error);
	return r;
}

/* The host of "oci://host:port/{cookie}" is a fixed one: resolve_check_template(). */
static int take_template(struct oci_config *config, bool plain, const char *template, char *error)
{
	static const char why[] = "template must start with oci://HOST/";
	const char *host = template + strlen(OCI_SCHEME);
	size_t len;

	if (strncasecmp(template, OCI_SCHEME, strlen(OCI_SCHEME)) != 0)
		return refuse(error, -EINVAL, "oci", why);
	len = strcspn(host, "/");
	if (len == 0 || host[len] != '/' || strcspn(host, "{}@?#%") < len)
		return refuse(error, -EINVAL, "oci", why);
	config->registry = strndup(host, len);
	if (!config->registry ||
	    asprintf(&config->base, "http%s://%s/v2/", plain ? "" : "s", config->registry) < 0) {
		config->base = NULL;
		return refuse(error, -ENOMEM, "oci", "no memory");
	}
	return 0;
}

/* A file that was named has to be one; others are looked for when they are needed. */
static int check_auth_file(const struct oci_config *config, char *error)
{
	struct auth_credentials credentials = { 0 };
	char why[AUTH_WHY_MAX];
	int r;

	if (!config->auth_file)
		return 0;
	r = auth_file_load(&credentials, config->auth_file, config->registry, "", why);
	auth_credentials_end(&credentials);
	return r < 0 ? refuse(error, r, "auth-file", why) : 0;
}

int oci_config_init(struct oci_config *config, struct http_config **ret_http, const char *template,
		    const struct fetcher_param *params, char *error)
{
	struct split split = { 0 };
	int r;

	*config = (struct oci_config){ 0 };
	oci_platform_host(&config->platform);
	r = take_params(config, &split, params, error);
	if (r == 0)
		r = take_template(config, split.plain, template, error);
	if (r == 0)
		r = check_auth_file(config, error);
	if (r == 0)
		r = http_config_new(ret_http, config->base, split.http, error);
	free(split.http);
	if (r < 0)
		oci_config_end(config);
	return r;
}

void oci_config_end(struct oci_config *config)
{
	free(config->registry);
	free(config->base);
	free(config->auth_file);
}

char *oci_url(const struct oci_config *config, const char *repository, const char *kind,
	      const char *name)
{
	char *url = NULL;

	return asprintf(&url, "%s%s/%s/%s", config->base, repository, kind, name) < 0 ? NULL : url;
}
