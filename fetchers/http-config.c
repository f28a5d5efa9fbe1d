/* SPDX-License-Identifier: MIT */
#include "fetchers/http-config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "daemon/util/cleanup.h"
#include "daemon/util/secret.h"
#include "fetchers/http-auth.h"
#include "fetchers/http-range.h"

#define HEADER_LINE_MAX 8192
#define AUTHORITIES_MAX (4u << 20)

const struct fetcher_key http_keys[] = { HTTP_CONFIG_KEYS, { NULL, NULL } };

/* A parameter's key and value, and where to complain. */
struct setting {
	const char *key, *value;
	char *error;
};

static int refuse(const struct setting *s, int err, const char *why)
{
	/* The value may be a secret: only the key is named. */
	snprintf(s->error, FETCH_ERROR_MAX, "%s: %s", s->key, why);
	return err;
}

static int set_text(const struct setting *s, char **slot)
{
	char *copy = strdup(s->value);

	if (!copy)
		return refuse(s, -ENOMEM, "no memory");
	free(*slot);
	*slot = copy;
	return 0;
}

/* A path that can be read now. */
static int set_path(const struct setting *s, char **slot)
{
	if (access(s->value, R_OK) < 0)
		return refuse(s, -errno, strerror(errno));
	return set_text(s, slot);
}

static int set_number(const struct setting *s, long min, long max, long *slot)
{
	uint64_t n;

	if (!http_number_parse(&n, s->value, strlen(s->value)) || n < (uint64_t)min ||
	    n > (uint64_t)max) {
		snprintf(s->error, FETCH_ERROR_MAX, "%s: must be a number from %ld to %ld", s->key,
			 min, max);
		return -EINVAL;
	}
	*slot = (long)n;
	return 0;
}

/* "10" and "10s" are seconds; "500ms", "2min". In ms. */
static int set_duration(const struct setting *s, long min_ms, long *slot)
{
	static const struct {
		const char *unit;
		uint64_t ms;
	} units[] = { { "", 1000 }, { "s", 1000 }, { "ms", 1 }, { "min", 60000 } };
	size_t digits = strspn(s->value, "0123456789");
	uint64_t n;

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(s->value + digits, units[i].unit) != 0 ||
		    !http_number_parse(&n, s->value, digits) || n > 1000000)
			continue;
		n *= units[i].ms;
		if (n < (uint64_t)min_ms || n > 86400000)
			break;
		*slot = (long)n;
		return 0;
	}
	return refuse(s, -EINVAL,
		      min_ms < 1000 ? "must be a time such as 500ms or 10s"
				    : "must be a time of whole seconds such as 10s");
}

static int set_version(const struct setting *s, long *slot)
{
	if (strcmp(s->value, "1.1") == 0)
		*slot = CURL_HTTP_VERSION_1_1;
	else if (strcmp(s->value, "2") == 0)
		*slot = CURL_HTTP_VERSION_2TLS;
	else
		return refuse(s, -EINVAL, "must be 1.1 or 2");
	return 0;
}

/* ---- header fields ---------------------------------------------------------------------- */

/* These carry the meaning of our requests. */
static bool is_reserved(const char *field, size_t len)
{
	static const char *const names[] = {
		"Range",
		"If-Match",
		"If-None-Match",
		"If-Modified-Since",
		"If-Unmodified-Since",
		"If-Range",
		"Accept-Encoding",
		"Content-Length",
		"Transfer-Encoding",
		"Connection",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i]) == len && strncasecmp(names[i], field, len) == 0)
			return true;
	return false;
}

/* "Name: value", RFC 9110, 5.1 and 5.5. */
static int add_header(const struct setting *s, struct curl_slist **headers, const char *line)
{
	static const char token[] = "!#$%&'*+-.^_`|~0123456789"
				    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	size_t name = strspn(line, token);
	struct curl_slist *longer;

	if (name == 0 || line[name] != ':' ||
	    line[name + 1 + strspn(line + name + 1, " \t")] == '\0')
		return refuse(s, -EINVAL, "must have the form \"Name: value\"");
	for (const char *c = line; *c; c++)
		if (((unsigned char)*c < ' ' && *c != '\t') || *c == 0x7f)
			return refuse(s, -EINVAL, "has a control character");
	if (is_reserved(line, name))
		return refuse(s, -EINVAL, "names a field that ranged reads set themselves");
	longer = curl_slist_append(*headers, line);
	if (!longer)
		return refuse(s, -ENOMEM, "no memory");
	*headers = longer;
	return 0;
}

static int add_header_file(const struct setting *s, struct curl_slist **headers)
{
	FILE *f = fopen(s->value, "re");
	char line[HEADER_LINE_MAX], buffer[HEADER_LINE_MAX];
	int r = 0;

	if (!f)
		return refuse(s, -errno, strerror(errno));
	setvbuf(f, buffer, _IOFBF, sizeof(buffer));
	while (r == 0 && fgets(line, sizeof(line), f)) {
		size_t len = strcspn(line, "\r\n");

		if (line[len] == '\0' && !feof(f))
			r = refuse(s, -EINVAL, "has a line that is too long");
		line[len] = '\0';
		if (r == 0 && len > 0 && line[0] != '#')
			r = add_header(s, headers, line);
	}
	if (r == 0 && ferror(f))
		r = refuse(s, -EIO, "cannot be read");
	fclose(f);
	explicit_bzero(line, sizeof(line));
	explicit_bzero(buffer, sizeof(buffer));
	return r;
}

/* What every request carries: RFC 9110, 12.5.3: without it any encoding may be chosen. */
static int add_plain_headers(struct http_config *config, char *error)
{
	struct curl_slist *all = curl_slist_append(config->headers, "Accept-Encoding: identity");
	const struct curl_slist *last;

	if (!all) {
		snprintf(error, FETCH_ERROR_MAX, "no memory");
		return -ENOMEM;
	}
	config->headers = all;
	for (last = all; last->next; last = last->next)
		;
	config->plain_headers = last;
	return 0;
}

/* ---- the whole -------------------------------------------------------------------------- */

static int take_param(struct http_config *config, const struct setting *s)
{
	if (strcmp(s->key, "ca-file") == 0)
		return set_path(s, &config->ca_file);
	if (strcmp(s->key, "ca-path") == 0)
		return set_path(s, &config->ca_path);
	if (strcmp(s->key, "client-cert") == 0)
		return set_path(s, &config->client_cert);
	if (strcmp(s->key, "client-key") == 0)
		return set_path(s, &config->client_key);
	if (strcmp(s->key, "connect-timeout") == 0)
		return set_duration(s, 1, &config->connect_timeout_ms);
	if (strcmp(s->key, "header") == 0)
		return add_header(s, &config->headers, s->value);
	if (strcmp(s->key, "header-file") == 0)
		return add_header_file(s, &config->headers);
	if (strcmp(s->key, "http-version") == 0)
		return set_version(s, &config->http_version);
	if (strcmp(s->key, "max-connections") == 0)
		return set_number(s, 1, 1024, &config->max_connections);
	if (strcmp(s->key, "min-rate") == 0)
		return set_number(s, 1, 1000000000, &config->min_rate);
	if (strcmp(s->key, "proxy") == 0)
		return set_text(s, &config->proxy);
	if (strcmp(s->key, "redirects") == 0)
		return set_number(s, 0, 50, &config->redirects);
	if (strcmp(s->key, "stall-timeout") == 0) {
		int r = set_duration(s, 1000, &config->stall_timeout_s);

		config->stall_timeout_s /= r == 0 ? 1000 : 1;
		return r;
	}
	if (strcmp(s->key, "user-agent") == 0)
		return set_text(s, &config->user_agent);
	return refuse(s, -EINVAL, "no such key");
}

/* "http://host:port" of "http://host:port/{cookie}"; "https://" of "https://{domain}.org/x". */
static int take_origin(struct http_config *config, const char *template, char *error)
{
	static const char *const schemes[] = { "http://", "https://" };

	for (size_t i = 0; i < 2; i++) {
		size_t len = strlen(schemes[i]), end;

		if (strncasecmp(template, schemes[i], len) != 0)
			continue;
		end = len + strcspn(template + len, "/?#{}");
		if (end == len && template[end] != '{')
			break;
		/* A placeholder in the middle of a host name leaves no fixed host. */
		if (template[end] == '{' || template[end] == '}')
			end = len;
		config->origin = strndup(template, end);
		if (!config->origin) {
			snprintf(error, FETCH_ERROR_MAX, "no memory");
			return -ENOMEM;
		}
		return 0;
	}
	snprintf(error, FETCH_ERROR_MAX, "template must start with http://HOST or https://HOST");
	return -EINVAL;
}

bool http_config_owns(const struct http_config *config, const char *locator)
{
	size_t len = strlen(config->origin);

	if (strncmp(locator, config->origin, len) != 0)
		return false;
	return config->origin[len - 1] == '/' || strchr("/?#", locator[len]);
}

/* ---- authorities ------------------------------------------------------------------------ */

static int add_file(FILE *to, const char *path)
{
	char buf[4096];
	size_t n, total = 0;
	FILE *f = fopen(path, "re");
	int r = f ? 0 : -errno;

	while (r == 0 && (n = fread(buf, 1, sizeof(buf), f)) > 0) {
		total += n;
		r = total > AUTHORITIES_MAX ? -EFBIG : 0;
		fwrite(buf, 1, n, to);
	}
	if (r == 0 && ferror(f))
		r = -EIO;
	if (f)
		fclose(f);
	fputc('\n', to);
	return r;
}

int http_config_trust(struct http_config *config, char *const *files, size_t n, char *error)
{
	_cleanup_free_ char *pem = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&pem, &len);
	int r = f ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < n; i++) {
		r = add_file(f, files[i]);
		if (r < 0)
			snprintf(error, FETCH_ERROR_MAX, "ca: %.120s: %s", files[i], strerror(-r));
	}
	if (f && fclose(f) != 0 && r == 0)
		r = -ENOMEM;
	if (r == -ENOMEM)
		snprintf(error, FETCH_ERROR_MAX, "no memory");
	if (r < 0)
		return r;
	if (!strstr(pem, "-----BEGIN ")) {
		snprintf(error, FETCH_ERROR_MAX, "ca: no PEM certificate in %.120s", files[0]);
		return -EINVAL;
	}
	free(config->ca_pem);
	config->ca_pem = steal(&pem);
	return 0;
}

static void http_config_freep(struct http_config **config)
{
	http_config_free(*config);
}

int http_config_new(struct http_config **ret, const char *template,
		    const struct fetcher_param *params, char *error)
{
	_cleanup_(http_config_freep) struct http_config *config = malloc(sizeof(*config));
	int r;

	if (!config) {
		snprintf(error, FETCH_ERROR_MAX, "no memory");
		return -ENOMEM;
	}
	*config = (struct http_config){
		.connect_timeout_ms = 10000,
		.stall_timeout_s = 10,
		.min_rate = 1000,
		.max_connections = 16,
		.redirects = 5,
		.http_version = CURL_HTTP_VERSION_2TLS,
	};
	r = take_origin(config, template, error);
	for (; r == 0 && params && params->key; params++) {
		struct setting s = { .key = params->key, .value = params->value, .error = error };

		r = take_param(config, &s);
	}
	if (r == 0 && config->client_key && !config->client_cert) {
		snprintf(error, FETCH_ERROR_MAX, "client-key: there is no client-cert");
		r = -EINVAL;
	}
	if (r == 0)
		r = add_plain_headers(config, error);
	if (r < 0)
		return r;
	*ret = steal(&config);
	return 0;
}

struct http_config *http_config_free(struct http_config *config)
{
	if (!config)
		return NULL;
	secret_free(config->origin);
	free(config->ca_file);
	free(config->ca_path);
	free(config->ca_pem);
	free(config->client_cert);
	free(config->client_key);
	secret_free(config->proxy);
	free(config->user_agent);
	http_fields_free(config->headers);
	free(config);
	return NULL;
}
