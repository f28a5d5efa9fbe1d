/* SPDX-License-Identifier: MIT */
/*
 * A locator out of a list of images: whatever it looks like, no source of the configuration, whose
 * passwords it would get, serves another host than its own. libcurl is the judge of what a host is.
 */
#include <curl/curl.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "daemon/origins.h"
#include "tests/fuzz/fuzz.h"

static void nothing_to_free(struct fetcher *fetcher)
{
}

static const struct fetcher_ops fake_ops = { .free = nothing_to_free };
static struct fetcher fake = { &fake_ops };

static int fake_create(struct fetcher **ret, struct loop *loop, const char *template,
		       const struct fetcher_param *params, char *error)
{
	if (loop)
		*ret = &fake;
	return 0;
}

static const struct fetcher_class fake_class = {
	.name = "fake",
	.schemes = (const char *const[]){ "http", "https", "oci", "s3", "file", NULL },
	.keys = (const struct fetcher_key[]){ { NULL, NULL } },
	.create = fake_create,
};

const struct fetcher_class *const fetcher_classes[] = { &fake_class, NULL };

static const char text[] = "source a { url https://h/{cookie} }\n"
			   "source b { url https://h/team/{cookie} }\n";

static bool part_is(CURLU *url, CURLUPart part, const char *want)
{
	char *is = NULL;
	bool same = curl_url_get(url, part, &is, CURLU_DEFAULT_PORT) == CURLUE_OK &&
		    strcasecmp(is, want) == 0;

	curl_free(is);
	return same;
}

/* What libcurl takes for no URL is never sent. */
static bool is_at_home(const char *locator)
{
	CURLU *url = curl_url();
	bool home = curl_url_set(url, CURLUPART_URL, locator, 0) != CURLUE_OK ||
		    (part_is(url, CURLUPART_SCHEME, "https") && part_is(url, CURLUPART_HOST, "h") &&
		     part_is(url, CURLUPART_PORT, "443"));

	curl_url_cleanup(url);
	return home;
}

static void check(struct origins *origins, const char *locator)
{
	char error[ORIGINS_ERROR_MAX] = "";
	struct origin origin, again;
	const char *blob = locator;
	int r = origins_find(origins, locator, &origin, error);

	if (r < 0) {
		FUZZ_CHECK(r == -EINVAL || r == -EPROTONOSUPPORT);
		FUZZ_CHECK(*error && strlen(error) < sizeof(error));
		return;
	}
	FUZZ_CHECK(origin.fetcher && origin.source && origin.number <= 2);
	FUZZ_CHECK(origins_find(origins, locator, &again, error) == 0);
	FUZZ_CHECK(again.fetcher == origin.fetcher && again.number == origin.number);
	while (strncmp(blob, "tarmap:", 7) == 0 || strncmp(blob, "gunzip:", 7) == 0)
		blob = strchr(blob, ';') + 1;
	if (origin.number < 2)
		FUZZ_CHECK(is_at_home(blob));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *locator = strndup((const char *)data, n), error[CONFIG_ERROR_MAX];
	struct config *config;
	struct origins *origins;
	struct loop *loop;

	FUZZ_CHECK(config_new(&config) == 0);
	FUZZ_CHECK(config_parse(config, "F", text, strlen(text), error) == 0);
	FUZZ_CHECK(config_finish(config, error) == 0);
	FUZZ_CHECK(loop_new(&loop, LOOP_VIRTUAL) == 0);
	FUZZ_CHECK(origins_new(&origins, loop, config) == 0);
	check(origins, locator);
	origins_free(origins);
	loop_free(loop);
	config_free(config);
	free(locator);
	return 0;
}
