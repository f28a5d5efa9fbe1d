/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/secret.h"
#include "fetchers/auth-file.h"
#include "fetchers/http-url.h"
#include "fetchers/oci-auth-internal.h"
#include "fetchers/oci-token.h"

#define TOKEN_MAX      (64u << 10) /* a token server's answer */

#define GUESS_PATIENCE (3 * NSEC_PER_SEC) /* with a token server that nobody has named yet */

static void answer_end(struct http_document *answer)
{
	free((char *)answer->url);
	secret_clear((char **)&answer->form);
	secret_clear((char **)&answer->fields[0]);
	if (answer->body)
		explicit_bzero(answer->body, answer->room);
	free(answer->body);
	*answer = (struct http_document){ 0 };
}

/* ---- tokens ----------------------------------------------------------------------------- */

static int helper_start(struct oci_auth *a, const char *helper);

/*
 * Each time anew: somebody may have logged in again. -EINPROGRESS: a helper has them, and goes on
 * with the challenge by itself.
 */
static int load_credentials(struct oci_auth *a, struct auth_credentials *ret)
{
	char why[AUTH_WHY_MAX];
	int r = auth_file_load(ret, a->host->oci->config.auth_file, a->host->site->authority,
			       a->repository, why);

	if (r < 0) {
		snprintf(a->why, sizeof(a->why), "%s", why);
		return r == -ENOMEM ? r : -EACCES;
	}
	if (!ret->helper)
		return 0;
	r = helper_start(a, ret->helper);
	auth_credentials_end(ret);
	return r < 0 ? r : -EINPROGRESS;
}

static void wake_all(struct oci_auth *a, int err)
{
	struct http_waiter *waiter;

	if (err < 0 && !a->field && oci_auth_give_up_guess(a))
		err = 0;
	while ((waiter = LIST_FIRST(&a->waiters))) {
		LIST_REMOVE(waiter, link);
		waiter->ready(waiter, err, a->why);
	}
}

/* Ahead of its end, and not at the same moment as everybody else's. */
static void token_take(struct oci_auth *a, char *field, uint64_t seconds)
{
	uint64_t life = seconds * NSEC_PER_SEC, now = loop_now(a->host->oci->loop);

	secret_clear(&a->field);
	a->field = field;
	a->expires = now + life;
	a->refresh = a->expires - life / 10 - now / 1000 % 1000 * (life / 10000);
}

static int token_read(struct oci_auth *a)
{
	const char *why = "no memory";
	char *token = NULL, *field;
	uint64_t seconds;
	int r = oci_token_parse(&token, &seconds, a->answer.body, a->answer.len, &why);

	field = r == 0 ? oci_token_bearer(token) : NULL;
	secret_clear(&token);
	if (field) {
		token_take(a, field, seconds);
		return 0;
	}
	fetch_error(a->why, a->answer.url, "%s", why);
	return r < 0 ? r : -ENOMEM;
}

/* An error of the token server is one of its own: "there is no such object" it cannot say. */
static int token_verdict(struct oci_auth *a, int err)
{
	switch (a->answer.status) {
	case 400:
	case 401:
	case 403:
		fetch_error(a->why, a->answer.url,
			    "the token server refuses us (status %u): log in again",
			    a->answer.status);
		return -EACCES;
	default:
		snprintf(a->why, sizeof(a->why), "%s", a->answer.error);
		return err == -ENOENT ? -EIO : err;
	}
}

static void token_arrived(struct http_document *answer, int err)
{
	struct oci_auth *a = container_of(answer, struct oci_auth, answer);

	a->asking = NULL;
	loop_timer_cancel(&a->patience);
	err = err < 0 ? token_verdict(a, err) : token_read(a);
	answer_end(answer);
	/* The old one may be good for a while: do not ask with each request. */
	if (err < 0 && a->field)
		a->refresh = a->expires;
	wake_all(a, err);
}

static int token_prepare(struct oci_auth *a, const struct auth_credentials *credentials)
{
	struct http_document *answer = &a->answer;
	char *url, *form;

	if (oci_token_request(&url, &form, &a->challenge, credentials) < 0)
		return -ENOMEM;
	*answer = (struct http_document){
		.url = url,
		.method = form ? HTTP_POST : HTTP_GET,
		.form = form,
		.body = malloc(TOKEN_MAX),
		.room = TOKEN_MAX,
		.done = token_arrived,
	};
	if (credentials->user)
		answer->fields[0] = oci_token_basic(credentials);
	return answer->body && (answer->fields[0] || !credentials->user) ? 0 : -ENOMEM;
}

/* It may have moved away, and the registry knows where. */
static void guess_takes_long(struct loop_timer *timer)
{
	struct oci_auth *a = container_of(timer, struct oci_auth, patience);

	if (a->asking && a->guessed)
		http_request_cancel(a->asking);
}

static int token_send(struct oci_auth *a, const struct auth_credentials *credentials)
{
	if (token_prepare(a, credentials) == 0)
		a->asking = http_request_document(&a->host->client, &a->answer);
	a->patience.fire = guess_takes_long;
	if (a->asking && a->guessed && !a->field)
		(void)loop_timer_set(a->host->oci->loop, &a->patience,
				     loop_now(a->host->oci->loop) + GUESS_PATIENCE);
	if (a->asking)
		return 0;
	answer_end(&a->answer);
	snprintf(a->why, sizeof(a->why), "no memory");
	return -ENOMEM;
}

/* Starts to ask for a token; errors have their text in a->why. */
static int token_ask(struct oci_auth *a)
{
	struct auth_credentials credentials = { 0 };
	const char *why;
	int r = http_url_check(a->host->site->base, a->challenge.realm, &why);

	if (r < 0) {
		snprintf(a->why, sizeof(a->why), "the token server is not asked without TLS");
		return r;
	}
	r = load_credentials(a, &credentials);
	if (r == 0)
		r = token_send(a, &credentials);
	auth_credentials_end(&credentials);
	return r == -EINPROGRESS ? 0 : r;
}

/* ---- passwords -------------------------------------------------------------------------- */

static int password_use(struct oci_auth *a, const struct auth_credentials *credentials)
{
	snprintf(a->why, sizeof(a->why),
		 "the registry asks for a password, and there is none: log in, see auth-file");
	if (!credentials->user)
		return -EACCES;
	a->field = oci_token_basic(credentials);
	a->refresh = a->expires = UINT64_MAX;
	snprintf(a->why, sizeof(a->why), "no memory");
	return a->field ? 0 : -ENOMEM;
}

/* -EINPROGRESS: a helper is asked. */
static int password_take(struct oci_auth *a)
{
	struct auth_credentials credentials = { 0 };
	int r = load_credentials(a, &credentials);

	if (r == 0)
		r = password_use(a, &credentials);
	auth_credentials_end(&credentials);
	return r;
}

/* ---- helpers ---------------------------------------------------------------------------- */

/* Goes on where load_credentials() could not. */
static void helper_answered(struct credential_ask *ask, int err, struct auth_credentials *found,
			    const char *why)
{
	struct oci_auth *a = container_of(ask, struct oci_auth, helper);
	bool basic = a->challenge.scheme == HTTP_SCHEME_BASIC;

	a->helping = false;
	if (err < 0)
		snprintf(a->why, sizeof(a->why), "%s", why);
	else
		err = basic ? password_use(a, found) : token_send(a, found);
	auth_credentials_end(found);
	if (err < 0 && a->field)
		a->refresh = a->expires;
	if (err < 0 || basic)
		wake_all(a, err);
}

static int helper_start(struct oci_auth *a, const char *helper)
{
	const char *registry = a->host->site->authority;
	const struct fetch_host *host = loop_host(a->host->oci->loop);
	int r;

	if (!host || !host->credentials) {
		snprintf(a->why, sizeof(a->why),
			 "docker-credential-%.24s has the password of %.60s, and is only run with "
			 "'credential-helpers = yes'",
			 helper, registry);
		return -EACCES;
	}
	a->helper.done = helper_answered;
	r = credential_ask_start(host->credentials, a->host->oci->loop, &a->helper, helper,
				 auth_helper_server(registry));
	a->helping = r == 0;
	if (r < 0)
		snprintf(a->why, sizeof(a->why), "docker-credential-%.24s cannot be asked: %s",
			 helper, strerror(-r));
	return r;
}

/* ---- either ----------------------------------------------------------------------------- */

static int start(struct oci_auth *a)
{
	if (a->helping)
		return 0;
	if (a->challenge.scheme == HTTP_SCHEME_BASIC)
		return a->field ? 0 : password_take(a);
	if (a->asking || (a->field && loop_now(a->host->oci->loop) < a->refresh))
		return 0;
	return token_ask(a);
}

int oci_auth_ask(struct oci_auth *a)
{
	int r = start(a);

	if (r == -EINPROGRESS)
		r = 0;
	if (r < 0 && a->field)
		a->refresh = a->expires;
	return r;
}

bool oci_auth_asks(const struct oci_auth *a)
{
	return a->asking || a->helping;
}

void oci_auth_ask_end(struct oci_auth *a)
{
	if (a->helping)
		credential_ask_cancel(&a->helper);
	loop_timer_cancel(&a->patience);
	if (a->asking)
		http_request_drop(a->asking);
	answer_end(&a->answer);
	secret_clear(&a->field);
}
