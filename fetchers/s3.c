/* SPDX-License-Identifier: MIT */
/*
 * s3: origins, buckets of AWS S3 and of servers like it: cachefill-s3(5). The requests are those of
 * the http fetcher; what is added are addresses and signatures (AWS Signature Version 4,
 * libcurl's).
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/cleanup.h"
#include "fetchers/http-request.h"
#include "fetchers/s3-config.h"
#include "fetchers/s3-error.h"

struct s3 {
	struct fetcher base;
	struct http_client client;
	struct http_auth auth;
	struct s3_config *config; /* owned */
	struct fetch_refusals refusals;
	char why[S3_WHY_MAX]; /* of the error that was explained last */
};

struct s3_object {
	struct fetch_object base;
	struct http_target target;
};

/* A look at the URL of a locator; or one that is refused, which needs no request. */
struct s3_look {
	struct fetch_look http;
	struct fetch_look *look; /* the caller's */
	struct http_request *request;
	struct loop_deferred refusal;
	char *url; /* owned */
};

/* ---- signing ---------------------------------------------------------------------------- */

static int add_field(struct curl_slist **fields, const char *name, const char *value)
{
	char line[S3_TOKEN_MAX + 32];
	struct curl_slist *longer;

	snprintf(line, sizeof(line), "%s: %s", name, value);
	longer = curl_slist_append(*fields, line);
	explicit_bzero(line, sizeof(line));
	if (!longer)
		return -ENOMEM;
	*fields = longer;
	return 0;
}

/* All x-amz- fields have to be signed: libcurl signs whatever is set. */
static int sign(const struct s3_profile *keys, CURL *easy, const char *region,
		struct curl_slist **ret)
{
	struct curl_slist *fields = NULL;
	char provider[S3_REGION_MAX + 16];
	int r = add_field(&fields, "x-amz-content-sha256", "UNSIGNED-PAYLOAD");

	if (r == 0 && keys->token[0])
		r = add_field(&fields, "x-amz-security-token", keys->token);
	snprintf(provider, sizeof(provider), "aws:amz:%s:s3", region);
	if (r == 0 && (curl_easy_setopt(easy, CURLOPT_AWS_SIGV4, provider) != CURLE_OK ||
		       curl_easy_setopt(easy, CURLOPT_USERNAME, keys->id) != CURLE_OK ||
		       curl_easy_setopt(easy, CURLOPT_PASSWORD, keys->secret) != CURLE_OK))
		r = -ENOMEM;
	if (r == 0)
		*ret = fields;
	else
		http_fields_free(fields);
	return r;
}

static int s3_sign(struct http_auth *auth, CURL *easy, const char *url, struct curl_slist **ret,
		   const char **ret_why)
{
	struct s3 *s3 = container_of(auth, struct s3, auth);
	struct s3_config *c = s3->config;
	char region[S3_REGION_MAX];

	if (!s3_address_owns(&c->endpoint, url, region)) {
		*ret_why = "redirected out of its endpoint";
		return -EACCES;
	}
	if (c->anonymous)
		return 0;
	s3_keyring_refresh(&c->keyring, s3->base.source);
	*ret_why = "no memory";
	return sign(&c->keyring.now, easy, region, ret);
}

static bool s3_refused(struct http_auth *auth, const struct curl_slist *sent,
		       const struct http_answer *answer)
{
	struct s3 *s3 = container_of(auth, struct s3, auth);

	/* ExpiredToken has the status 400. */
	if (!sent || (answer->status != 403 && answer->status != 400))
		return false;
	return s3_keyring_refused(&s3->config->keyring, s3->base.source);
}

static int s3_explain(struct http_auth *auth, int err, const char *body, size_t len,
		      const char **why)
{
	struct s3 *s3 = container_of(auth, struct s3, auth);

	err = s3_error_parse(s3->why, err, body, len);
	if (s3->why[0])
		*why = s3->why;
	return err;
}

/* ---- looks ------------------------------------------------------------------------------ */

static int s3_url(const struct s3 *s3, char **ret, const char *locator, const char **ret_why)
{
	if (s3_config_owns(s3->config, locator))
		return s3_address_url(ret, &s3->config->endpoint, locator, ret_why);
	*ret_why = "not below the template of its source";
	return -EINVAL;
}

/* The last thing that is done for a look: done() may free the fetcher. */
static void look_end(struct s3_look *l, int err)
{
	struct fetch_look *look = l->look;

	look->identity = l->http.identity;
	look->head_filled = l->http.head_filled;
	look->retry_after = l->http.retry_after;
	free(l->url);
	free(l);
	look->done(look, err);
}

static void look_done(struct fetch_look *http, int err)
{
	struct s3_look *l = container_of(http, struct s3_look, http);

	memcpy(l->look->error, http->error, sizeof(l->look->error));
	look_end(l, err);
}

static void look_refused(struct loop_deferred *deferred)
{
	look_end(container_of(deferred, struct s3_look, refusal), -EACCES);
}

/* NULL: no memory. */
static struct s3_look *look_new(struct s3 *s3, struct fetch_look *look)
{
	struct s3_look *l = calloc(1, sizeof(*l));
	const char *why = NULL;
	int r = l ? s3_url(s3, &l->url, look->locator, &why) : -ENOMEM;

	if (r == -EINVAL) {
		fetch_error(look->error, look->locator, "%s", why);
		l->look = look;
		l->refusal.run = look_refused;
		loop_defer(s3->client.loop, &l->refusal);
		return l;
	}
	if (r == 0) {
		l->look = look;
		l->http = (struct fetch_look){ .locator = l->url,
					       .head = look->head,
					       .head_len = look->head_len,
					       .done = look_done };
		l->request = http_request_look(&s3->client, &l->http, &s3->auth);
	}
	if (l && l->request)
		return l;
	free(l ? l->url : NULL);
	free(l);
	return NULL;
}

static void s3_look(struct fetcher *fetcher, struct fetch_look *look)
{
	struct s3 *s3 = container_of(fetcher, struct s3, base);
	struct s3_look *l = look_new(s3, look);

	look->fetcher_private = l;
	if (!l)
		fetch_refuse_look(&s3->refusals, look);
}

static void s3_cancel_look(struct fetcher *fetcher, struct fetch_look *look)
{
	struct s3 *s3 = container_of(fetcher, struct s3, base);
	struct s3_look *l = look->fetcher_private;

	if (!fetch_refused_look(&s3->refusals, look) && l->request)
		http_request_cancel(l->request);
}

/* ---- objects ---------------------------------------------------------------------------- */

static int s3_attach(struct fetcher *fetcher, struct fetch_object **ret, const char *locator,
		     const struct fetch_identity *identity)
{
	struct s3 *s3 = container_of(fetcher, struct s3, base);
	_cleanup_free_ char *url = NULL;
	struct s3_object *object;
	const char *why;
	int r = s3_url(s3, &url, locator, &why);

	if (r < 0)
		return r;
	object = malloc(sizeof(*object));
	if (!object)
		return -ENOMEM;
	*object = (struct s3_object){ .base.fetcher = fetcher,
				      .target.identity = *identity,
				      .target.auth = &s3->auth };
	r = http_condition_print(object->target.condition, identity);
	if (r < 0) {
		free(object);
		return r;
	}
	object->target.locator = steal(&url);
	*ret = &object->base;
	return 0;
}

static void s3_detach(struct fetch_object *base)
{
	struct s3_object *object = container_of(base, struct s3_object, base);

	http_target_end(&object->target);
	free(object);
}

static void s3_read(struct fetch_object *base, struct fetch_read *read)
{
	struct s3_object *object = container_of(base, struct s3_object, base);
	struct s3 *s3 = container_of(base->fetcher, struct s3, base);
	struct http_request *r;

	assert(read->len >= 1 && read->off + read->len <= object->target.identity.size);
	r = http_request_read(&s3->client, &object->target, read);
	read->fetcher_private = r;
	if (!r)
		fetch_refuse_read(&s3->refusals, read);
}

static void s3_cancel_read(struct fetch_object *base, struct fetch_read *read)
{
	struct s3 *s3 = container_of(base->fetcher, struct s3, base);

	if (!fetch_refused_read(&s3->refusals, read))
		http_request_cancel(read->fetcher_private);
}

/* ---- life ------------------------------------------------------------------------------- */

static void s3_free(struct fetcher *fetcher)
{
	struct s3 *s3 = container_of(fetcher, struct s3, base);

	http_client_end(&s3->client);
	s3_config_free(s3->config);
	free(s3);
}

static const struct fetcher_ops s3_ops = {
	.look = s3_look,
	.cancel_look = s3_cancel_look,
	.attach = s3_attach,
	.detach = s3_detach,
	.read = s3_read,
	.cancel_read = s3_cancel_read,
	.free = s3_free,
};

/* Takes the configuration, also when it fails. */
static int s3_new(struct fetcher **ret, struct loop *loop, struct s3_config *config)
{
	struct s3 *s3 = calloc(1, sizeof(*s3));

	if (!s3 || http_client_init(&s3->client, loop, steal(&config->http)) < 0) {
		s3_config_free(config);
		free(s3);
		return -ENOMEM;
	}
	s3->base.ops = &s3_ops;
	s3->auth =
		(struct http_auth){ .sign = s3_sign, .refused = s3_refused, .explain = s3_explain };
	s3->config = config;
	fetch_refusals_init(&s3->refusals, loop);
	*ret = &s3->base;
	return 0;
}

static int s3_create(struct fetcher **ret, struct loop *loop, const char *template,
		     const struct fetcher_param *params, char *error)
{
	struct s3_config *config = NULL;
	int r = s3_config_new(&config, template, params, error);

	if (r < 0)
		return r;
	if (!loop) {
		s3_config_free(config);
		return 0;
	}
	r = s3_new(ret, loop, config);
	if (r < 0)
		fetch_error(error, template, "no memory");
	return r;
}

const struct fetcher_class s3_fetcher_class = {
	.name = "s3",
	.schemes = (const char *const[]){ "s3", NULL },
	.keys = s3_keys,
	.create = s3_create,
};
