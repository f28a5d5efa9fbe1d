/* SPDX-License-Identifier: MIT */
/*
 * What fetchers have in common below the contract of fetcher.h: text of errors, percent-encoding,
 * and the answer to a request for which there is no memory.
 */
#pragma once

#include <stdbool.h>

#include "fetchers/fetcher.h"

/*
 * Writes "<sentence>: <locator>" into error (FETCH_ERROR_MAX bytes). The locator loses what may be
 * secret (userinfo, query, fragment) and control bytes; both are cut where they are long.
 */
void fetch_error(char *error, const char *locator, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Writes more behind what error (FETCH_ERROR_MAX bytes) says, whose end is cut off if need be. */
void fetch_error_add(char *error, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * Undoes percent-encoding (RFC 3986, 2.1) in place. Returns the length; -EINVAL for a "%" without
 * two hex digits and for an encoded NUL, with text undefined.
 */
int fetch_unescape(char *text);

/*
 * Requests that could not be started for lack of memory still get their one done(), with -ENOMEM
 * and from the loop. They are chained through fetcher_private, so that this needs no memory.
 */
struct fetch_refusals {
	struct loop *loop;
	struct loop_deferred deferred;
	struct fetch_look *looks;
	struct fetch_read *reads;
	struct fetch_list *lists;
	struct fetch_put *puts;
};

void fetch_refusals_init(struct fetch_refusals *refusals, struct loop *loop);
void fetch_refuse_look(struct fetch_refusals *refusals, struct fetch_look *look);
void fetch_refuse_read(struct fetch_refusals *refusals, struct fetch_read *read);
void fetch_refuse_list(struct fetch_refusals *refusals, struct fetch_list *list);
void fetch_refuse_put(struct fetch_refusals *refusals, struct fetch_put *put);

/* Whether the request waits here: then it has no other state, and a cancel has nothing to do. */
bool fetch_refused_look(const struct fetch_refusals *refusals, const struct fetch_look *look);
bool fetch_refused_read(const struct fetch_refusals *refusals, const struct fetch_read *read);
bool fetch_refused_list(const struct fetch_refusals *refusals, const struct fetch_list *list);
bool fetch_refused_put(const struct fetch_refusals *refusals, const struct fetch_put *put);
