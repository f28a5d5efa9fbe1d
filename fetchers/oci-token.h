/* SPDX-License-Identifier: MIT */
/*
 * The text of the token protocol: how a token server is asked, what it answers. Pure, fuzzed.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "fetchers/auth-file.h"
#include "fetchers/http-challenge.h"

/*
 * How to ask: *ret_url for a GET, and with an identity token *ret_form as the body of a POST. Both
 * owned by the caller; the form is secret. -ENOMEM.
 */
int oci_token_request(char **ret_url, char **ret_form, const struct http_challenge *challenge,
		      const struct auth_credentials *credentials);

/* "Authorization: Basic ..." or "Bearer ...": owned by the caller, secret. NULL: no memory. */
char *oci_token_basic(const struct auth_credentials *credentials);
char *oci_token_bearer(const char *token);

/*
 * An answer: the token, owned by the caller, and for how many seconds it is good. -EPROTO with
 * half a sentence, static: none that can be sent.
 */
int oci_token_parse(char **ret_token, uint64_t *ret_seconds, const char *text, size_t len,
		    const char **ret_why);
