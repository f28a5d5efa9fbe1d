/* SPDX-License-Identifier: MIT */
#include "fetchers/s3-address.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/util/cleanup.h"
#include "fetchers/common.h"

#define SCHEME	   "s3://"
#define KEY_MAX	   1024 /* bytes, S3's own bound */
#define BUCKET_MAX 255	/* today's have 63 at most, others' and old ones more */

/* ---- URLs ------------------------------------------------------------------------------- */

static void urlp(CURLU **url)
{
	curl_url_cleanup(*url);
}

static bool part(CURLU *url, CURLUPart which, unsigned int flags, char *ret, size_t n)
{
	char *text = NULL;
	int len;

	if (curl_url_get(url, which, &text, flags) != CURLUE_OK)
		return false;
	len = snprintf(ret, n, "%s", text);
	curl_free(text);
	return len < (int)n;
}

/* Into the first three members; false: no web server, or with a user name. */
static bool url_parse(struct s3_endpoint *ret, const char *text, bool *ret_bare)
{
	_cleanup_(urlp) CURLU *url = curl_url();
	char rest[8];
	bool is_web;

	if (!url || curl_url_set(url, CURLUPART_URL, text, 0) != CURLUE_OK)
		return false;
	if (!part(url, CURLUPART_SCHEME, 0, ret->scheme, sizeof(ret->scheme)) ||
	    !part(url, CURLUPART_HOST, 0, ret->host, sizeof(ret->host)) ||
	    !part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT, ret->port, sizeof(ret->port)) ||
	    part(url, CURLUPART_USER, 0, rest, sizeof(rest)))
		return false;
	ret->usual_port = strcmp(ret->port, strcmp(ret->scheme, "https") == 0 ? "443" : "80") == 0;
	*ret_bare = part(url, CURLUPART_PATH, 0, rest, sizeof(rest)) && strcmp(rest, "/") == 0 &&
		    !strpbrk(text, "?#");
	is_web = strcmp(ret->scheme, "http") == 0 || strcmp(ret->scheme, "https") == 0;
	return is_web && ret->host[0];
}

/* ---- whose is it? ----------------------------------------------------------------------- */

/* Cuts the last label off host and returns it. */
static char *last_label(char *host)
{
	char *dot = strrchr(host, '.');

	if (!dot)
		return host;
	*dot = '\0';
	return dot + 1;
}

/*
 * The hosts of AWS S3, with or without a bucket in front: s3, s3-REGION, s3.REGION and
 * s3.dualstack.REGION below amazonaws.com. Nothing else there: customers have names there, too.
 */
static bool is_aws_host(const char *host, char ret_region[S3_REGION_MAX])
{
	char rest[256], *last;
	size_t len;

	snprintf(rest, sizeof(rest), ".%s", host);
	len = strlen(rest);
	if (len > 3 && strcasecmp(rest + len - 3, ".cn") == 0)
		rest[len -= 3] = '\0';
	if (len <= 14 || strcasecmp(rest + len - 14, ".amazonaws.com") != 0)
		return false;
	rest[len - 14] = '\0';
	last = last_label(rest);
	if (strcasecmp(last, "s3") == 0 || strncasecmp(last, "s3-", 3) == 0) {
		snprintf(ret_region, S3_REGION_MAX, "%.60s", last[2] ? last + 3 : "us-east-1");
		return true;
	}
	snprintf(ret_region, S3_REGION_MAX, "%.60s", last);
	last = last_label(rest);
	if (strcasecmp(last, "dualstack") == 0)
		last = last_label(rest);
	return strcasecmp(last, "s3") == 0;
}

static bool is_below(const char *host, const char *domain)
{
	size_t n = strlen(host), d = strlen(domain);

	return n >= d && strcasecmp(host + n - d, domain) == 0 &&
	       (n == d || host[n - d - 1] == '.');
}

bool s3_endpoint_parse(struct s3_endpoint *endpoint, const char *url)
{
	char region[S3_REGION_MAX];
	bool bare;

	if (!url_parse(endpoint, url, &bare) || !bare)
		return false;
	endpoint->is_aws = is_aws_host(endpoint->host, region);
	return true;
}

bool s3_address_owns(const struct s3_endpoint *endpoint, const char *url,
		     char ret_region[S3_REGION_MAX])
{
	struct s3_endpoint to;
	bool bare, same_port;

	if (!url_parse(&to, url, &bare))
		return false;
	same_port = strcmp(to.scheme, endpoint->scheme) == 0
			    ? strcmp(to.port, endpoint->port) == 0
			    : strcmp(to.scheme, "https") == 0 && to.usual_port;
	if (!same_port)
		return false;
	if (is_below(to.host, endpoint->host)) {
		memcpy(ret_region, endpoint->region, S3_REGION_MAX);
		return true;
	}
	return endpoint->is_aws && is_aws_host(to.host, ret_region);
}

/* ---- locators --------------------------------------------------------------------------- */

/* What a host name or a path can have in it without harm. */
static bool is_bucket(const char *name, size_t len)
{
	static const char good[] = "0123456789abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ._-";

	return len > 0 && len <= BUCKET_MAX && strspn(name, good) >= len && *name != '.' &&
	       name[len - 1] != '.';
}

/* One that a certificate for "*.host" covers, and that a host name may be. */
static bool is_label(const char *name, size_t len)
{
	return len <= 63 && strspn(name, "0123456789abcdefghijklmnopqrstuvwxyz-") >= len &&
	       *name != '-' && name[len - 1] != '-';
}

static bool climbs(const char *key)
{
	for (const char *at = key;; at++) {
		size_t len = strcspn(at, "/");

		if ((len == 1 && *at == '.') || (len == 2 && at[0] == '.' && at[1] == '.'))
			return true;
		at += len;
		if (!*at)
			return false;
	}
}

static void encode(char *to, const char *key)
{
	static const char plain[] = "0123456789abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ-._~/";

	for (; *key; key++) {
		if (strchr(plain, *key))
			*to++ = *key;
		else
			to += sprintf(to, "%%%02X", (unsigned char)*key);
	}
	*to = '\0';
}

static int take_key(char ret[KEY_MAX * 3 + 1], const char *text, const char **ret_why)
{
	_cleanup_free_ char *key = strdup(text);
	int len;

	*ret_why = "no memory";
	if (!key)
		return -ENOMEM;
	len = fetch_unescape(key);
	*ret_why = len == 0	   ? "without a key"
		   : len < 0	   ? "not percent-encoded"
		   : len > KEY_MAX ? "with too long a key"
				   : "with a key that climbs";
	if (len <= 0 || len > KEY_MAX || climbs(key))
		return -EINVAL;
	encode(ret, key);
	return 0;
}

int s3_address_url(char **ret, const struct s3_endpoint *e, const char *locator,
		   const char **ret_why)
{
	const size_t skip = sizeof(SCHEME) - 1;
	const char *bucket = locator + skip, *colon = e->usual_port ? "" : ":";
	const char *port = e->usual_port ? "" : e->port;
	char key[KEY_MAX * 3 + 1];
	size_t len;
	int r;

	*ret_why = "no locator s3://BUCKET/KEY";
	if (strncasecmp(locator, SCHEME, skip) != 0)
		return -EINVAL;
	len = strcspn(bucket, "/");
	if (!is_bucket(bucket, len) || bucket[len] != '/' || strpbrk(bucket, "?#"))
		return -EINVAL;
	r = take_key(key, bucket + len + 1, ret_why);
	if (r < 0)
		return r;
	if (e->as_path || !is_label(bucket, len))
		r = asprintf(ret, "%s://%s%s%s/%.*s/%s", e->scheme, e->host, colon, port, (int)len,
			     bucket, key);
	else
		r = asprintf(ret, "%s://%.*s.%s%s%s/%s", e->scheme, (int)len, bucket, e->host,
			     colon, port, key);
	*ret_why = "no memory";
	return r < 0 ? -ENOMEM : 0;
}
