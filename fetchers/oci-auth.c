/* SPDX-License-Identifier: MIT */
#include "fetchers/oci.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/secret.h"
#include "fetchers/auth-file.h"
#include "fetchers/credential-agent.h"
#include "fetchers/http-challenge.h"
#include "fetchers/http-url.h"
#include "fetchers/oci-token.h"

#define AUTHS_KEPT     64	   /* of repositories that nobody reads at the moment */
#define TOKEN_MAX      (64u << 10) /* a token server's answer */

#define NOTE_NAME_MAX  512

#define GUESS_PATIENCE (3 * NSEC_PER_SEC) /* with a token server that nobody has named yet */

/*
 * What one repository asks of us. Nothing, until it refuses a request; from then on each request
 * carries a field: a password, or a token that its server gave. While a token is asked for,
 * requests without one wait; when it gets old, another is asked for and the old one is used
 * meanwhile.
 */
struct oci_auth {
	struct http_auth base;
	TAILQ_ENTRY(oci_auth) link;
	unsigned int refs;
	struct oci_host *host;
	char *repository;		 /* owned */
	struct http_challenge challenge; /* scheme NONE: was never refused */
	bool guessed;			 /* by what another repository was told, or a note says */
	bool recalled;			 /* there is a note */
	bool told;			 /* the challenge is of this registry, and not noted yet */
	bool stores;			 /* reading is not all that is wanted */
	char *field;			 /* owned, secret: "Authorization: ...", or NULL */
	uint64_t refresh, expires;	 /* of field, ns; UINT64_MAX: never */

	struct credential_ask helper; /* asked for who we are */
	bool helping;		      /* it is */
	struct http_request *asking;  /* for a token, or NULL */
	struct http_document answer;  /* to it, owns what it points to */
	struct loop_timer patience;   /* while a guess is asked for */
	struct http_waiters waiters;
	char why[FETCH_ERROR_MAX];
};

static void secret_clear(char **text)
{
	secret_free(*text);
	*text = NULL;
}

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

/* What was guessed did not help: the request goes without, and the registry says what it wants. */
static bool give_up_guess(struct oci_auth *a)
{
	if (!a->guessed)
		return false;
	a->guessed = a->told = false;
	a->challenge.scheme = HTTP_SCHEME_NONE;
	secret_clear(&a->field);
	return true;
}

static void wake_all(struct oci_auth *a, int err)
{
	struct http_waiter *waiter;

	if (err < 0 && !a->field && give_up_guess(a))
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

/* ---- for requests ----------------------------------------------------------------------- */

static int auth_fields(struct http_auth *base, struct http_waiter *waiter, struct curl_slist **ret,
		       const char **ret_why)
{
	struct oci_auth *a = container_of(base, struct oci_auth, base);
	uint64_t now = loop_now(a->host->oci->loop);
	int r = 0;

	*ret_why = a->why;
	*ret = NULL;
	if (a->challenge.scheme == HTTP_SCHEME_NONE)
		return 0;
	if (a->field && now >= a->expires)
		secret_clear(&a->field);
	if (a->helping)
		r = 0;
	else if (a->challenge.scheme == HTTP_SCHEME_BASIC)
		r = a->field ? 0 : password_take(a);
	else if (!a->asking && (!a->field || now >= a->refresh))
		r = token_ask(a);
	if (r == -EINPROGRESS)
		r = 0;
	if (r < 0 && a->field)
		a->refresh = a->expires;
	if (a->field) {
		*ret = curl_slist_append(NULL, a->field);
		return *ret ? 0 : -ENOMEM;
	}
	if (r < 0)
		return give_up_guess(a) ? 0 : r;
	LIST_INSERT_HEAD(&a->waiters, waiter, link);
	return -EINPROGRESS;
}

/* Those after which other fields may help: no status says that for certain. */
static bool is_about_us(const struct http_answer *answer, const struct http_challenge *challenge)
{
	return answer->status == 401 || ((answer->status == 400 || answer->status == 403) &&
					 strcmp(challenge->error, "invalid_token") == 0);
}

/* What was asked for at first may be a read, and the token that it needs too little. */
static void widen_scope(const struct oci_auth *a, char *scope, size_t n)
{
	char *pull;

	if (asprintf(&pull, "repository:%s:pull", a->repository) < 0)
		return;
	if (!scope[0] || strcmp(scope, pull) == 0)
		snprintf(scope, n, "%s%s", pull, a->stores ? ",push" : "");
	free(pull);
}

/*
 * What nobody had asked for may be why the request was refused: sent without, it may be let in. A
 * registry that wants a token, though, has said of which server.
 */
static bool may_be_the_guess(const struct oci_auth *a, const struct http_answer *answer,
			     const struct http_challenge *challenge)
{
	if (!challenge)
		return answer->status == 400 || answer->status == 401 || answer->status == 403;
	return challenge->scheme == HTTP_SCHEME_BASIC && a->challenge.scheme == HTTP_SCHEME_BASIC;
}

static bool auth_refused(struct http_auth *base, const struct curl_slist *sent,
			 const struct http_answer *answer)
{
	struct oci_auth *a = container_of(base, struct oci_auth, base);
	bool newest = sent && a->field && strcmp(sent->data, a->field) == 0;
	enum http_scheme before = a->challenge.scheme;
	struct http_challenge challenge;
	bool understood = http_challenge_parse(&challenge, answer->challenge) &&
			  is_about_us(answer, &challenge);

	if (newest && a->guessed && may_be_the_guess(a, answer, understood ? &challenge : NULL))
		return give_up_guess(a);
	if (!understood)
		return false;
	/* Others were refused before: there is something better by now, or soon. */
	if (!newest && before != HTTP_SCHEME_NONE && (a->field || a->asking || a->helping))
		return true;
	/* Or the guess was given up. */
	if (sent && before == HTTP_SCHEME_NONE)
		return true;
	secret_clear(&a->field);
	if (before != HTTP_SCHEME_NONE && (a->asking || a->helping))
		return true;
	widen_scope(a, challenge.scope, sizeof(challenge.scope));
	a->challenge = challenge;
	a->told = true;
	a->guessed &= sent != NULL;
	/* The same password would be refused again; the next request reads the file anew. */
	return !sent || challenge.scheme == HTTP_SCHEME_BEARER ||
	       (a->guessed && before == HTTP_SCHEME_BEARER);
}

/* What it means that we are refused, and what may help. */
static int auth_explain(struct http_auth *base, int err, const char *body, size_t len,
			const char **why)
{
	struct oci_auth *a = container_of(base, struct oci_auth, base);

	if (err == -EACCES && a->challenge.scheme == HTTP_SCHEME_BASIC)
		*why = "the registry refuses our password: log in again";
	else if (err == -EACCES && a->challenge.scheme == HTTP_SCHEME_BEARER)
		*why = "the registry refuses our token: who logged in may not read this";
	return err;
}

/* ---- notes ------------------------------------------------------------------------------ */

/*
 * Under "https://host:port": what was said without TLS is not believed with it. NULL: there is
 * nobody to note it.
 */
static struct fetch_notes *notes_of(const struct oci_host *host, char name[NOTE_NAME_MAX])
{
	const struct fetch_host *services = loop_host(host->oci->loop);
	const char *base = host->site->base;
	const char *authority = strstr(base, "://") + 3;
	int len = (int)(authority - base + (ptrdiff_t)strcspn(authority, "/"));

	if (!services || !services->notes || len >= NOTE_NAME_MAX)
		return NULL;
	snprintf(name, NOTE_NAME_MAX, "%.*s", len, base);
	return services->notes;
}

static bool auth_recall(const struct oci_host *host, struct http_challenge *ret)
{
	char name[NOTE_NAME_MAX], text[FETCH_NOTE_MAX];
	struct fetch_notes *notes = notes_of(host, name);

	return notes && notes->recall(notes, name, text) && http_challenge_parse(ret, text);
}

/* A name or a password in a URL is nothing to keep. */
static bool may_be_noted(const struct oci_auth *a, char text[FETCH_NOTE_MAX])
{
	return !strchr(a->challenge.realm, '@') &&
	       http_challenge_print(&a->challenge, text, FETCH_NOTE_MAX);
}

void oci_auth_worked(struct oci_auth *a)
{
	char name[NOTE_NAME_MAX], text[FETCH_NOTE_MAX] = "";
	struct fetch_notes *notes = notes_of(a->host, name);
	bool vain = a->recalled && a->challenge.scheme == HTTP_SCHEME_NONE;

	/* Who that host is was not looked at. */
	if (!notes || !notes->remember || a->host->site->skip_verify)
		return;
	if (vain || (a->told && may_be_noted(a, text)))
		notes->remember(notes, name, text);
	a->told = false;
	a->recalled &= !vain;
}

/* ---- life ------------------------------------------------------------------------------- */

static void auth_free(struct oci_auth *a)
{
	assert(a->refs == 0 && LIST_EMPTY(&a->waiters));
	TAILQ_REMOVE(&a->host->auths, a, link);
	a->host->n_auths--;
	if (a->helping)
		credential_ask_cancel(&a->helper);
	loop_timer_cancel(&a->patience);
	if (a->asking)
		http_request_drop(a->asking);
	answer_end(&a->answer);
	secret_clear(&a->field);
	free(a->repository);
	free(a);
}

static void forget_oldest(struct oci_host *host)
{
	struct oci_auth *a, *next;

	for (a = TAILQ_FIRST(&host->auths); a && host->n_auths >= AUTHS_KEPT; a = next) {
		next = TAILQ_NEXT(a, link);
		if (a->refs == 0)
			auth_free(a);
	}
}

/* What another repository of the registry is read by, or NULL. */
static const struct http_challenge *challenge_of_another(const struct oci_auth *a)
{
	const struct oci_auth *other;
	char scope[sizeof(a->challenge.scope)];

	TAILQ_FOREACH_REVERSE(other, &a->host->auths, oci_auths, link)
	{
		snprintf(scope, sizeof(scope), "repository:%s:pull", other->repository);
		if (other->challenge.scheme == HTTP_SCHEME_BEARER && other->field &&
		    strcmp(other->challenge.scope, scope) == 0)
			break;
	}
	return other ? &other->challenge : NULL;
}

/*
 * A registry that wants tokens of one server for one repository will want them for the next, also
 * of the next process: that saves the request that is refused. Nobody is told more than that
 * registry has asked for before.
 */
static void auth_guess(struct oci_auth *a)
{
	const struct http_challenge *other = challenge_of_another(a);
	struct http_challenge noted;

	a->recalled = auth_recall(a->host, &noted);
	if (!other && !a->recalled)
		return;
	a->challenge = other ? *other : noted;
	a->guessed = true;
	*a->challenge.error = '\0';
	snprintf(a->challenge.scope, sizeof(a->challenge.scope), "repository:%s:pull",
		 a->repository);
}

static struct oci_auth *auth_new(struct oci_host *host, const char *repository)
{
	struct oci_auth *a = malloc(sizeof(*a));

	if (!a)
		return NULL;
	*a = (struct oci_auth){
		.base = { .fields = auth_fields, .refused = auth_refused, .explain = auth_explain },
		.host = host,
		.patience.fire = guess_takes_long,
		.repository = strdup(repository),
	};
	if (!a->repository) {
		free(a);
		return NULL;
	}
	auth_guess(a);
	forget_oldest(host);
	TAILQ_INSERT_TAIL(&host->auths, a, link);
	host->n_auths++;
	return a;
}

struct oci_auth *oci_auth_get(struct oci_host *host, const char *repository)
{
	struct oci_auth *a;

	TAILQ_FOREACH(a, &host->auths, link) {
		if (strcmp(a->repository, repository) == 0)
			break;
	}
	if (!a)
		a = auth_new(host, repository);
	if (a)
		a->refs++;
	return a;
}

void oci_auth_put(struct oci_auth *a)
{
	if (!a)
		return;
	assert(a->refs > 0);
	a->refs--;
	TAILQ_REMOVE(&a->host->auths, a, link);
	TAILQ_INSERT_TAIL(&a->host->auths, a, link);
}

struct http_auth *oci_auth_of(struct oci_auth *a)
{
	return &a->base;
}

/* A token that was got for less does not get better: the next one is refused, or asked for. */
void oci_auth_widen(struct oci_auth *a)
{
	a->stores = true;
	if (!a->field && !a->asking && !a->helping)
		give_up_guess(a);
}

void oci_auths_end(struct oci_host *host)
{
	while (!TAILQ_EMPTY(&host->auths))
		auth_free(TAILQ_FIRST(&host->auths));
}
