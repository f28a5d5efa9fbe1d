/* SPDX-License-Identifier: MIT */
#include "fetchers/oci.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/util/log.h"
#include "fetchers/auth-file.h"

const struct fetcher_key oci_keys[] = {
	{ "allow-skip-verify", "yes: hosts.toml may turn off the check of certificates", true },
	{ "auth-file", "credentials, as of podman-login(1) or docker-login(1)", true },
	{ "hosts-dir", "mirrors, as of containerd; default: its usual directory", true },
	{ "plain-http", "yes: the registry has no TLS; default no", true },
	{ "platform", "OS/ARCHITECTURE[/VARIANT] of images for several; default: this host", true },
	{ "trust-mirrors", "yes: also those that may not resolve are asked for ranges", true },
	HTTP_CONFIG_KEYS,
	{ NULL, NULL },
};

/* Parameters of both kinds, in the order in which they came. */
struct split {
	bool plain, allow_skip_verify;
	const char *hosts_dir;	    /* or NULL: the usual places */
	struct fetcher_param *http; /* owned */
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
	if (strcmp(param->key, "allow-skip-verify") == 0)
		return take_truth(param, &split->allow_skip_verify, error);
	if (strcmp(param->key, "trust-mirrors") == 0)
		return take_truth(param, &config->trust_mirrors, error);
	if (strcmp(param->key, "hosts-dir") == 0) {
		split->hosts_dir = param->value;
		return 0;
	}
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
static int take_template(struct oci_config *config, const char *template, char *error)
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
	return config->registry ? 0 : refuse(error, -ENOMEM, "oci", "no memory");
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

/* ---- hosts ------------------------------------------------------------------------------ */

__attribute__((format(printf, 5, 6))) static int refuse_site(const struct oci_config *config,
							     const struct oci_site *site, int err,
							     char *error, const char *fmt, ...)
{
	int n = snprintf(error, FETCH_ERROR_MAX, "%.120s", config->hosts.where);
	va_list ap;

	if (site)
		n += snprintf(error + n, FETCH_ERROR_MAX - (size_t)n, ":%u", site->line);
	n += snprintf(error + n, FETCH_ERROR_MAX - (size_t)n, ": ");
	va_start(ap, fmt);
	vsnprintf(error + n, FETCH_ERROR_MAX - (size_t)n, fmt, ap);
	va_end(ap);
	return err;
}

/* What the source says for the registry is not for its mirrors. */
static bool is_private(const char *key)
{
	static const char *const keys[] = { "header", "header-file", "client-cert", "client-key" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strcmp(key, keys[i]) == 0)
			return true;
	return false;
}

/* Of what comes later the last counts. */
static int make_http(struct oci_config *config, const struct split *split, size_t i, char *error)
{
	/* Somebody else is left to ask before the deadline. */
	static const struct fetcher_param hasty[] = { { "connect-timeout", "3s" },
						      { "stall-timeout", "5s" } };
	const struct oci_site *site = &config->hosts.sites[i];
	struct fetcher_param *params =
		calloc(2 + split->n_http + site->n_params + 1, sizeof(*params));
	char why[FETCH_ERROR_MAX];
	size_t n = 0;
	int r;

	if (!params)
		return refuse(error, -ENOMEM, "oci", "no memory");
	for (size_t j = 0; j < 2 && i + 1 < config->hosts.n; j++)
		params[n++] = hasty[j];
	for (size_t j = 0; j < split->n_http; j++)
		if (site->own || !is_private(split->http[j].key))
			params[n++] = split->http[j];
	memcpy(params + n, site->params, site->n_params * sizeof(*params));
	r = http_config_new(&config->http[i], site->base, params, error);
	free(params);
	if (r == 0 && site->n_ca > 0)
		r = http_config_trust(config->http[i], site->ca, site->n_ca, error);
	if (r == 0 && site->skip_verify)
		config->http[i]->insecure = true;
	if (r == 0 || r == -ENOMEM || !config->hosts.where)
		return r;
	snprintf(why, sizeof(why), "%s", error);
	return refuse_site(config, site, r, error, "%s", why);
}

/* A host whose certificate nobody looks at may be anybody. */
static int check_sites(const struct oci_config *config, const struct split *split, char *error)
{
	bool any = false;

	for (size_t i = 0; i < config->hosts.n; i++) {
		const struct oci_site *site = &config->hosts.sites[i];

		any = any || (site->pull && (site->resolve || config->trust_mirrors));
		if (!site->skip_verify)
			continue;
		if (!split->allow_skip_verify)
			return refuse_site(config, site, -EINVAL, error,
					   "skip_verify: needs 'allow-skip-verify = yes'");
		log_warning("%s: certificates of %s are not checked: it may be anybody",
			    config->hosts.where, site->authority);
	}
	return any ? 0
		   : refuse_site(config, NULL, -EINVAL, error,
				 "no host may both pull and resolve, and trust-mirrors is not set");
}

static int make_sites(struct oci_config *config, const struct split *split, char *error)
{
	char why[FETCH_ERROR_MAX];
	int r = oci_hosts_load(&config->hosts, split->hosts_dir, config->registry, split->plain,
			       why);

	if (r < 0) {
		snprintf(error, FETCH_ERROR_MAX, "hosts-dir: %.180s", why);
		return r;
	}
	r = check_sites(config, split, error);
	for (size_t i = 0; r == 0 && i < config->hosts.n; i++)
		r = make_http(config, split, i, error);
	return r;
}

int oci_config_init(struct oci_config *config, const char *template,
		    const struct fetcher_param *params, char *error)
{
	struct split split = { 0 };
	int r;

	*config = (struct oci_config){ 0 };
	oci_platform_host(&config->platform);
	r = take_params(config, &split, params, error);
	if (r == 0)
		r = take_template(config, template, error);
	if (r == 0)
		r = check_auth_file(config, error);
	if (r == 0)
		r = make_sites(config, &split, error);
	free(split.http);
	if (r < 0)
		oci_config_end(config);
	return r;
}

void oci_config_end(struct oci_config *config)
{
	for (size_t i = 0; i < config->hosts.n; i++)
		http_config_free(config->http[i]);
	oci_hosts_end(&config->hosts);
	free(config->registry);
	free(config->auth_file);
}
