/* SPDX-License-Identifier: MIT */
#include "fetchers/oci-hosts.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/util/cleanup.h"
#include "fetchers/toml.h"

#define HUB	 "docker.io" /* what the hub is called, and where its registry is */
#define HUB_HOST "registry-1.docker.io"

struct reader {
	const char *dir, *registry;
	char *error;
};

__attribute__((format(printf, 3, 4))) static int
fail(const struct reader *r, const struct toml *where, const char *fmt, ...)
{
	int n = snprintf(r->error, FETCH_ERROR_MAX, "line %u: ", where->line);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->error + n, FETCH_ERROR_MAX - (size_t)n, fmt, ap);
	va_end(ap);
	for (char *c = r->error; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	return -EINVAL;
}

static int no_memory(const struct reader *r)
{
	snprintf(r->error, FETCH_ERROR_MAX, "no memory");
	return -ENOMEM;
}

void oci_hosts_end(struct oci_hosts *hosts)
{
	for (size_t i = 0; i < hosts->n; i++) {
		struct oci_site *site = &hosts->sites[i];

		free(site->base);
		free(site->authority);
		for (size_t j = 0; j < site->n_ca; j++)
			free(site->ca[j]);
		for (size_t j = 0; j < site->n_params; j++)
			free((char *)site->params[j].value);
	}
	free(hosts->where);
	*hosts = (struct oci_hosts){ 0 };
}

/* ---- places ----------------------------------------------------------------------------- */

static bool is_own(const char *authority, const char *registry)
{
	return strcasecmp(authority, registry) == 0 ||
	       (strcasecmp(registry, HUB) == 0 && strcasecmp(authority, HUB_HOST) == 0);
}

/* Printable, and nothing that would end a name of a host, or show a secret. */
static bool is_url(const char *text)
{
	size_t host;

	for (const char *c = text; *c; c++)
		if (*c <= ' ' || *c == 0x7f || strchr("\"<>\\^`{|}@?#", *c))
			return false;
	if (strncasecmp(text, "http://", 7) != 0 && strncasecmp(text, "https://", 8) != 0)
		return false;
	host = strcspn(text, ":") + 3;
	return text[host] && text[host] != '/' && text[host] != ':';
}

/* "https://host/path" -> base "https://host/path/v2/", authority "host". -EINVAL: no such URL. */
static int site_place(struct oci_site *site, const char *text, bool override_path,
		      const char *registry)
{
	_cleanup_free_ char *url = NULL;
	const char *host;
	size_t len;
	bool versioned;

	if (asprintf(&url, "%s%s", strstr(text, "://") ? "" : "https://", text) < 0) {
		url = NULL;
		return -ENOMEM;
	}
	if (!is_url(url))
		return -EINVAL;
	host = strstr(url, "://") + 3;
	for (len = strlen(url); url[len - 1] == '/';)
		url[--len] = '\0';
	versioned = override_path || (len > 3 && strcmp(url + len - 3, "/v2") == 0);
	site->authority = strndup(host, strcspn(host, "/"));
	if (asprintf(&site->base, "%s%s/", url, versioned ? "" : "/v2") < 0)
		site->base = NULL;
	if (!site->authority || !site->base)
		return -ENOMEM;
	site->own = is_own(site->authority, registry);
	return 0;
}

/* The registry itself, where nothing else is said. */
static int site_default(struct oci_site *site, const char *registry, bool plain)
{
	const char *host = strcasecmp(registry, HUB) == 0 ? HUB_HOST : registry;
	_cleanup_free_ char *url = NULL;

	if (asprintf(&url, "http%s://%s", plain ? "" : "s", host) < 0) {
		url = NULL;
		return -ENOMEM;
	}
	return site_place(site, url, false, registry);
}

/* ---- values ----------------------------------------------------------------------------- */

static int take_truth(const struct reader *r, const struct toml *value, bool *ret)
{
	if (value->type != TOML_BOOLEAN)
		return fail(r, value, "%s: must be true or false", value->key);
	*ret = value->truth;
	return 0;
}

static int take_text(const struct reader *r, const struct toml *value, const char **ret)
{
	if (value->type != TOML_STRING)
		return fail(r, value, "a string was expected");
	*ret = value->text;
	return 0;
}

static int add_param(const struct reader *r, struct oci_site *site, const struct toml *where,
		     const char *key, char *value)
{
	if (!value)
		return no_memory(r);
	if (site->n_params == OCI_SITE_PARAMS_MAX - 1) {
		free(value);
		return fail(r, where, "more than %d settings for one host",
			    OCI_SITE_PARAMS_MAX - 1);
	}
	site->params[site->n_params++] = (struct fetcher_param){ .key = key, .value = value };
	return 0;
}

static char *absolute(const struct reader *r, const char *path)
{
	char *ret = NULL;

	if (path[0] == '/')
		return strdup(path);
	return asprintf(&ret, "%s/%s", r->dir, path) < 0 ? NULL : ret;
}

static int take_path(const struct reader *r, const struct toml *value, char **ret)
{
	const char *text = "";
	int err = take_text(r, value, &text);

	if (err == 0 && !*text)
		err = fail(r, value, "a name of a file is empty");
	if (err < 0)
		return err;
	*ret = absolute(r, text);
	return *ret ? 0 : no_memory(r);
}

static int take_capabilities(const struct reader *r, struct oci_site *site,
			     const struct toml *value)
{
	if (value->type != TOML_ARRAY)
		return fail(r, value, "capabilities: must be an array");
	/* An empty one says nothing. */
	if (value->first)
		site->pull = site->resolve = site->push = false;
	for (const struct toml *c = value->first; c; c = c->next) {
		const char *word = "";
		int err = take_text(r, c, &word);

		if (err < 0)
			return err;
		if (strcasecmp(word, "pull") == 0)
			site->pull = true;
		else if (strcasecmp(word, "resolve") == 0)
			site->resolve = true;
		else if (strcasecmp(word, "push") == 0)
			site->push = true;
		else
			return fail(r, c, "no such capability: '%.40s' (pull, resolve or push)",
				    word);
	}
	return 0;
}

static int take_ca(const struct reader *r, struct oci_site *site, const struct toml *value)
{
	const struct toml *c = value->type == TOML_ARRAY ? value->first : value;

	for (; c; c = value->type == TOML_ARRAY ? c->next : NULL) {
		int err;

		if (site->n_ca == OCI_SITE_CA_MAX)
			return fail(r, c, "more than %d files in ca", OCI_SITE_CA_MAX);
		err = take_path(r, c, &site->ca[site->n_ca]);
		if (err < 0)
			return err;
		site->n_ca++;
	}
	return 0;
}

static int take_client_file(const struct reader *r, struct oci_site *site, const char *key,
			    const struct toml *value)
{
	char *path = NULL;
	int err = take_path(r, value, &path);

	return err < 0 ? err : add_param(r, site, value, key, path);
}

/* [CERTIFICATE, KEY], of which the key may be "": then it is in the same file. */
static int take_client_pair(const struct reader *r, struct oci_site *site, const struct toml *pair)
{
	const struct toml *key = pair->first ? pair->first->next : NULL;
	int err;

	if (!key || key->next)
		return fail(r, pair, "client: a pair is a certificate and its key");
	err = take_client_file(r, site, "client-cert", pair->first);
	if (err < 0 || (key->type == TOML_STRING && !*key->text))
		return err;
	return take_client_file(r, site, "client-key", key);
}

/* A file, an array of files, or an array of pairs; of which we can show one. */
static int take_client(const struct reader *r, struct oci_site *site, const struct toml *value)
{
	const struct toml *one = value->type == TOML_ARRAY ? value->first : value;

	if (!one)
		return 0;
	if (one != value && one->next)
		return fail(r, one->next, "client: only one certificate can be used");
	if (one->type == TOML_ARRAY)
		return take_client_pair(r, site, one);
	return take_client_file(r, site, "client-cert", one);
}

static int take_header(const struct reader *r, struct oci_site *site, const struct toml *table)
{
	if (table->type != TOML_TABLE)
		return fail(r, table, "header: must be a table");
	for (const struct toml *h = table->first; h; h = h->next) {
		const struct toml *v = h->type == TOML_ARRAY ? h->first : h;

		for (; v; v = h->type == TOML_ARRAY ? v->next : NULL) {
			char *line = NULL;
			const char *text = "";
			int err = take_text(r, v, &text);

			if (err < 0)
				return err;
			if (asprintf(&line, "%s: %s", h->key, text) < 0)
				line = NULL;
			err = add_param(r, site, v, "header", line);
			if (err < 0)
				return err;
		}
	}
	return 0;
}

/* "500ms", "10s", "2m": what has one unit of those of Go. */
static int take_timeout(const struct reader *r, struct oci_site *site, const struct toml *value)
{
	const char *text = value->type == TOML_STRING ? value->text : "";
	size_t digits = strspn(text, "0123456789");
	const char *unit = text + digits;
	char *time = NULL;

	if (digits == 0 || digits > 6 ||
	    (strcmp(unit, "ms") != 0 && strcmp(unit, "s") != 0 && strcmp(unit, "m") != 0))
		return fail(r, value, "%s: must be a time such as \"500ms\" or \"10s\"",
			    value->key);
	if (asprintf(&time, "%s%s", text, strcmp(unit, "m") == 0 ? "in" : "") < 0)
		time = NULL;
	return add_param(r, site, value, "connect-timeout", time);
}

static int take_proxy(const struct reader *r, struct oci_site *site, const struct toml *value)
{
	const char *text = "";
	int err = take_text(r, value, &text);

	return err < 0 ? err : add_param(r, site, value, "proxy", strdup(text));
}

/* ---- tables ----------------------------------------------------------------------------- */

static int take_setting(const struct reader *r, struct oci_site *site, const struct toml *value)
{
	bool ignored;

	if (strcmp(value->key, "capabilities") == 0)
		return take_capabilities(r, site, value);
	if (strcmp(value->key, "ca") == 0)
		return take_ca(r, site, value);
	if (strcmp(value->key, "client") == 0)
		return take_client(r, site, value);
	if (strcmp(value->key, "skip_verify") == 0)
		return take_truth(r, value, &site->skip_verify);
	if (strcmp(value->key, "override_path") == 0)
		return take_truth(r, value, &ignored);
	if (strcmp(value->key, "header") == 0)
		return take_header(r, site, value);
	if (strcmp(value->key, "dial_timeout") == 0)
		return take_timeout(r, site, value);
	if (strcmp(value->key, "proxy") == 0)
		return take_proxy(r, site, value);
	return fail(r, value, "no such key: '%.60s'", value->key);
}

/* root: the table of the file itself, in which there are more keys. */
static int take_site(const struct reader *r, struct oci_site *site, const struct toml *table,
		     bool root)
{
	int err = 0;

	site->pull = site->resolve = site->push = true;
	site->line = table->line;
	for (const struct toml *v = table->first; err == 0 && v; v = v->next)
		if (!root || (strcmp(v->key, "host") != 0 && strcmp(v->key, "server") != 0))
			err = take_setting(r, site, v);
	if (err == 0 && site->skip_verify && strncasecmp(site->base, "https:", 6) != 0)
		site->skip_verify = false;
	return err;
}

static int place(const struct reader *r, struct oci_site *site, const struct toml *where,
		 const char *url, const struct toml *table)
{
	const struct toml *override = toml_get(table, "override_path");
	int err = site_place(site, url, override && override->truth, r->registry);

	if (err == -EINVAL)
		return fail(r, where, "'%.80s' is no URL of a host", url);
	return err < 0 ? no_memory(r) : 0;
}

static int take_host(const struct reader *r, struct oci_hosts *hosts, const struct toml *table)
{
	struct oci_site *site = &hosts->sites[hosts->n];
	int err;

	if (table->type != TOML_TABLE)
		return fail(r, table, "host: must be tables, [host.\"https://NAME\"]");
	if (hosts->n == OCI_HOSTS_MAX - 1)
		return fail(r, table, "more than %d hosts", OCI_HOSTS_MAX - 1);
	hosts->n++;
	err = place(r, site, table, table->key, table);
	return err < 0 ? err : take_site(r, site, table, false);
}

static int take_server(const struct reader *r, struct oci_hosts *hosts, const struct toml *root,
		       bool plain)
{
	struct oci_site *site = &hosts->sites[hosts->n++];
	const struct toml *server = toml_get(root, "server");
	const char *url = "";
	int err = server ? take_text(r, server, &url) : 0;

	if (err == 0 && *url)
		err = place(r, site, server, url, root);
	else if (err == 0 && site_default(site, r->registry, plain) < 0)
		err = no_memory(r);
	if (err == 0)
		err = take_site(r, site, root, true);
	if (err == 0 && server)
		site->line = server->line;
	return err;
}

static void hosts_endp(struct oci_hosts *hosts)
{
	oci_hosts_end(hosts);
}

static void toml_freep(struct toml **root)
{
	toml_free(*root);
}

int oci_hosts_parse(struct oci_hosts *ret, const char *text, size_t len, const char *dir,
		    const char *registry, bool plain, char *error)
{
	_cleanup_(hosts_endp) struct oci_hosts hosts = { 0 };
	_cleanup_(toml_freep) struct toml *root = NULL;
	struct reader r = { .dir = dir, .registry = registry, .error = error };
	const struct toml *table, *host;
	int err = toml_parse(&root, text, len, error);

	if (err < 0)
		return err;
	table = toml_get(root, "host");
	if (table && table->type != TOML_TABLE)
		return fail(&r, table, "host: must be tables, [host.\"https://NAME\"]");
	for (host = table ? table->first : NULL; err == 0 && host; host = host->next)
		err = take_host(&r, &hosts, host);
	if (err == 0)
		err = take_server(&r, &hosts, root, plain);
	if (err < 0)
		return err;
	*ret = hosts;
	hosts = (struct oci_hosts){ 0 };
	return 0;
}
