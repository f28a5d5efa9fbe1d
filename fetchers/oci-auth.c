/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/secret.h"
#include "fetchers/oci-auth-internal.h"

#define AUTHS_KEPT    64 /* of repositories that nobody reads at the moment */
#define NOTE_NAME_MAX 512

/* ---- for requests ----------------------------------------------------------------------- */

bool oci_auth_give_up_guess(struct oci_auth *a)
{
	if (!a->guessed)
		return false;
	a->guessed = a->told = false;
	a->challenge.scheme = HTTP_SCHEME_NONE;
	secret_clear(&a->field);
	return true;
}

static int auth_fields(struct http_auth *base, struct http_waiter *waiter, struct curl_slist **ret,
		       const char **ret_why)
{
	struct oci_auth *a = container_of(base, struct oci_auth, base);
	int r;

	*ret_why = a->why;
	*ret = NULL;
	if (a->challenge.scheme == HTTP_SCHEME_NONE)
		return 0;
	if (a->field && loop_now(a->host->oci->loop) >= a->expires)
		secret_clear(&a->field);
	r = oci_auth_ask(a);
	if (a->field) {
		*ret = curl_slist_append(NULL, a->field);
		return *ret ? 0 : -ENOMEM;
	}
	if (r < 0)
		return oci_auth_give_up_guess(a) ? 0 : r;
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
		return oci_auth_give_up_guess(a);
	if (!understood)
		return false;
	/* Others were refused before: there is something better by now, or soon. */
	if (!newest && before != HTTP_SCHEME_NONE && (a->field || oci_auth_asks(a)))
		return true;
	/* Or the guess was given up. */
	if (sent && before == HTTP_SCHEME_NONE)
		return true;
	secret_clear(&a->field);
	if (before != HTTP_SCHEME_NONE && oci_auth_asks(a))
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
	oci_auth_ask_end(a);
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
	if (!a->field && !oci_auth_asks(a))
		oci_auth_give_up_guess(a);
}

void oci_auths_end(struct oci_host *host)
{
	while (!TAILQ_EMPTY(&host->auths))
		auth_free(TAILQ_FIRST(&host->auths));
}
