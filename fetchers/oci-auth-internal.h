/* SPDX-License-Identifier: MIT */
/*
 * What oci-auth.c (who is refused, and what for) and oci-auth-ask.c (which password or token helps)
 * share.
 */
#pragma once

#include "fetchers/credential-agent.h"
#include "fetchers/http-challenge.h"
#include "fetchers/oci.h"

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

/*
 * Starts to get a field, where there is none or an old one, and nobody is asked already: requests
 * without one wait until somebody wakes them. Errors have their text in auth->why.
 */
int oci_auth_ask(struct oci_auth *auth);

/* Somebody is asked. */
bool oci_auth_asks(const struct oci_auth *auth);

/* Nobody is asked any more, and there is no field. */
void oci_auth_ask_end(struct oci_auth *auth);

/* What was guessed did not help: the request goes without, and the registry says what it wants.
 * false: nothing was. */
bool oci_auth_give_up_guess(struct oci_auth *auth);
