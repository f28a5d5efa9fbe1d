/* SPDX-License-Identifier: MIT */
#include "fetchers/s3-config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/util/cleanup.h"

#define DEFAULT_REGION "us-east-1"

const struct fetcher_key s3_keys[] = {
	{ "anonymous", "yes: requests are not signed, for public buckets", true },
	{ "credentials-file", "file of access keys, as the AWS tools have it", true },
	{ "endpoint", "URL of the server, default that of AWS in the region" },
	{ "path-style", "yes: the bucket is in the path, no: in the host name", true },
	{ "profile", "section of the file of access keys", true },
	{ "region", "where the bucket is, default " DEFAULT_REGION, true },
	HTTP_CONFIG_KEYS,
	{ NULL, NULL },
};

/* The values of our own keys, borrowed; NULL: not given. */
struct settings {
	const char *anonymous, *file, *endpoint, *path_style, *profile, *region;
	struct fetcher_param *http; /* owned: all other parameters */
};

static void settings_end(struct settings *s)
{
	free(s->http);
}

static int refuse(char *error, const char *key, const char *why)
{
	snprintf(error, FETCH_ERROR_MAX, "%s: %s", key, why);
	return -EINVAL;
}

static int no_memory(char *error)
{
	snprintf(error, FETCH_ERROR_MAX, "no memory");
	return -ENOMEM;
}

static const char **slot_of(struct settings *s, const char *key)
{
	const struct {
		const char *key, **slot;
	} slots[] = {
		{ "anonymous", &s->anonymous }, { "credentials-file", &s->file },
		{ "endpoint", &s->endpoint },	{ "path-style", &s->path_style },
		{ "profile", &s->profile },	{ "region", &s->region },
	};

	for (size_t i = 0; i < sizeof(slots) / sizeof(slots[0]); i++)
		if (strcmp(key, slots[i].key) == 0)
			return slots[i].slot;
	return NULL;
}

static int sort_params(struct settings *ret, const struct fetcher_param *params, char *error)
{
	size_t n = 0;

	while (params && params[n].key)
		n++;
	ret->http = calloc(n + 1, sizeof(*ret->http));
	if (!ret->http)
		return no_memory(error);
	for (size_t i = 0, others = 0; i < n; i++) {
		const char **slot = slot_of(ret, params[i].key);

		if (slot)
			*slot = params[i].value;
		else
			ret->http[others++] = params[i];
	}
	return 0;
}

static int take_bool(const char *key, const char *value, bool *slot, char *error)
{
	if (value && strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
		return refuse(error, key, "must be yes or no");
	if (value)
		*slot = strcmp(value, "yes") == 0;
	return 0;
}

/* A part of a host name, and of what is signed. */
static bool is_region(const char *name)
{
	return *name && strlen(name) < S3_REGION_MAX &&
	       name[strspn(name, "0123456789abcdefghijklmnopqrstuvwxyz"
				 "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_")] == '\0';
}

static int take_region(struct s3_config *c, const struct settings *s, char *error)
{
	char *region = c->endpoint.region;
	const char *first = getenv("AWS_REGION"), *second = getenv("AWS_DEFAULT_REGION");

	snprintf(region, S3_REGION_MAX, DEFAULT_REGION);
	if (s->region || (first && *first) || (second && *second))
		snprintf(region, S3_REGION_MAX, "%s",
			 s->region	   ? s->region
			 : first && *first ? first
					   : second);
	else if (c->keyring.now.region[0])
		memcpy(region, c->keyring.now.region, S3_REGION_MAX);
	else
		s3_keyring_region(region, s->profile);
	return is_region(region) ? 0 : refuse(error, "region", "must be a name such as eu-west-1");
}

static int take_endpoint(struct s3_config *c, const struct settings *s, char *error)
{
	struct s3_endpoint *e = &c->endpoint;
	char url[S3_REGION_MAX + 64];

	snprintf(url, sizeof(url), "https://s3.%s.amazonaws.com%s", e->region,
		 strncmp(e->region, "cn-", 3) == 0 ? ".cn" : "");
	if (!s3_endpoint_parse(e, s->endpoint ? s->endpoint : url))
		return refuse(error, "endpoint",
			      "must be http://HOST[:PORT] or https://HOST[:PORT]");
	e->as_path = !e->is_aws;
	return take_bool("path-style", s->path_style, &e->as_path, error);
}

/* "s3://bucket/" of "s3://bucket/{cookie}", "s3://" of "s3://{volume}/{cookie}". */
static int take_template(struct s3_config *c, const char *template, char *error)
{
	size_t len = strlen("s3://"), bucket;

	if (strncasecmp(template, "s3://", len) != 0 || !strchr(template + len, '/') ||
	    strpbrk(template, "?#")) {
		snprintf(error, FETCH_ERROR_MAX, "template must have the form s3://BUCKET/KEY");
		return -EINVAL;
	}
	bucket = strcspn(template + len, "/{");
	if (template[len + bucket] == '/')
		len += bucket + 1;
	c->fixed = strndup(template, len);
	return c->fixed ? 0 : no_memory(error);
}

static int take_http(struct s3_config *c, const struct settings *s, char *error)
{
	char origin[16];

	/* All our URLs are made by us: none is of another host. */
	snprintf(origin, sizeof(origin), "%s://{bucket}", c->endpoint.scheme);
	return http_config_new(&c->http, origin, s->http, error);
}

bool s3_config_owns(const struct s3_config *config, const char *locator)
{
	return strncmp(locator, config->fixed, strlen(config->fixed)) == 0;
}

static void configp(struct s3_config **config)
{
	s3_config_free(*config);
}

int s3_config_new(struct s3_config **ret, const char *template, const struct fetcher_param *params,
		  char *error)
{
	_cleanup_(configp) struct s3_config *c = calloc(1, sizeof(*c));
	_cleanup_(settings_end) struct settings s = { 0 };
	int r = c ? 0 : no_memory(error);

	r = r < 0 ? r : sort_params(&s, params, error);
	r = r < 0 ? r : take_template(c, template, error);
	r = r < 0 ? r : take_bool("anonymous", s.anonymous, &c->anonymous, error);
	if (r == 0 && !c->anonymous)
		r = s3_keyring_init(&c->keyring, s.file, s.profile, error);
	r = r < 0 ? r : take_region(c, &s, error);
	r = r < 0 ? r : take_endpoint(c, &s, error);
	r = r < 0 ? r : take_http(c, &s, error);
	if (r < 0)
		return r;
	*ret = steal(&c);
	return 0;
}

struct s3_config *s3_config_free(struct s3_config *config)
{
	if (!config)
		return NULL;
	s3_keyring_end(&config->keyring);
	http_config_free(config->http);
	free(config->fixed);
	free(config);
	return NULL;
}
