/* SPDX-License-Identifier: MIT */
#include "fetchers/http-url.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <curl/curl.h>

#include "daemon/util/cleanup.h"

static void urlp(CURLU **url)
{
	curl_url_cleanup(*url);
}

static void partp(char **part)
{
	curl_free(*part);
}

static CURLU *url_parse(const char *text)
{
	CURLU *url = curl_url();

	if (url && curl_url_set(url, CURLUPART_URL, text, 0) != CURLUE_OK) {
		curl_url_cleanup(url);
		url = NULL;
	}
	return url;
}

static bool part_equal(CURLU *a, CURLU *b, CURLUPart part)
{
	_cleanup_(partp) char *in_a = NULL;
	_cleanup_(partp) char *in_b = NULL;

	return curl_url_get(a, part, &in_a, CURLU_DEFAULT_PORT) == CURLUE_OK &&
	       curl_url_get(b, part, &in_b, CURLU_DEFAULT_PORT) == CURLUE_OK &&
	       strcasecmp(in_a, in_b) == 0;
}

int http_url_check(const char *from, const char *to, const char **ret_why)
{
	bool secure = strncasecmp(to, "https://", 8) == 0;

	*ret_why = "redirected to something that is no web server";
	if (!secure && strncasecmp(to, "http://", 7) != 0)
		return -EACCES;
	*ret_why = "redirected from https to http";
	return !secure && strncasecmp(from, "https://", 8) == 0 ? -EACCES : 0;
}

bool http_url_same_origin(const char *a, const char *b)
{
	_cleanup_(urlp) CURLU *url_a = url_parse(a);
	_cleanup_(urlp) CURLU *url_b = url_parse(b);

	return url_a && url_b && part_equal(url_a, url_b, CURLUPART_SCHEME) &&
	       part_equal(url_a, url_b, CURLUPART_HOST) && part_equal(url_a, url_b, CURLUPART_PORT);
}

char *http_url_resolve(const char *from, const char *to)
{
	_cleanup_(urlp) CURLU *url = url_parse(from);
	_cleanup_(partp) char *whole = NULL;

	if (url && curl_url_set(url, CURLUPART_URL, to, 0) == CURLUE_OK &&
	    curl_url_get(url, CURLUPART_URL, &whole, 0) == CURLUE_OK)
		return strdup(whole);
	return NULL;
}

char *http_url_with_user(const char *from, const char *to)
{
	static const CURLUPart parts[] = { CURLUPART_USER, CURLUPART_PASSWORD };
	_cleanup_(urlp) CURLU *url_from = url_parse(from);
	_cleanup_(urlp) CURLU *url_to = url_parse(to);
	_cleanup_(partp) char *whole = NULL;

	for (size_t i = 0; url_from && url_to && i < 2; i++) {
		_cleanup_(partp) char *part = NULL;

		if (curl_url_get(url_from, parts[i], &part, 0) == CURLUE_OK)
			curl_url_set(url_to, parts[i], part, 0);
	}
	if (url_to && curl_url_get(url_to, CURLUPART_URL, &whole, 0) == CURLUE_OK)
		return strdup(whole);
	return strdup(to);
}
