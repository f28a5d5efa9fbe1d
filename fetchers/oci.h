/* SPDX-License-Identifier: MIT */
/*
 * The parts of the oci fetcher (cachefill-oci(5)):
 *
 *	oci.c		the fetcher; blobs are read as http ranges of a URL that names their digest
 *	oci-config.c	parameters
 *	oci-walk.c	reference -> manifests -> what they say
 *	oci-look.c	... -> descriptor -> first bytes
 *	oci-list.c	... -> layers and configuration of an image
 *	oci-put.c	a blob or a manifest -> the registry
 *	oci-auth.c	who may use a repository: one token for all its requests
 *
 * and what is pure: oci-reference, oci-manifest, oci-image, oci-token, oci-digest, oci-error,
 * auth-file, http-challenge.
 */
#pragma once

#include "fetchers/common.h"
#include "fetchers/http-request.h"
#include "fetchers/oci-manifest.h"

#define OCI_VALIDATOR "digest:" /* in front of the digest, in identities */

struct oci_auth;
TAILQ_HEAD(oci_auths, oci_auth);

struct oci_config {
	char *registry;	 /* owned: "host:port", as in the template */
	char *base;	 /* owned: "https://host:port/v2/" */
	char *auth_file; /* owned, or NULL: the usual places */
	struct oci_platform platform;
};

struct oci {
	struct fetcher base;
	struct http_client client;
	struct fetch_refusals refusals;
	struct oci_config config;
	struct oci_auths auths; /* the one that was used last is the last */
	unsigned int n_auths;
};

/* ---- parameters ------------------------------------------------------------------------- */

extern const struct fetcher_key oci_keys[];

/* Both are made or, with text in error, none. */
int oci_config_init(struct oci_config *config, struct http_config **ret_http, const char *template,
		    const struct fetcher_param *params, char *error);
void oci_config_end(struct oci_config *config);

/* "https://host/v2/REPOSITORY/blobs/DIGEST", owned by the caller; NULL: no memory. */
char *oci_url(const struct oci_config *config, const char *repository, const char *kind,
	      const char *name);

/* ---- authorisation ---------------------------------------------------------------------- */

/* The one of this repository, kept until it is put and then for a while. NULL: no memory. */
struct oci_auth *oci_auth_get(struct oci *oci, const char *repository);
void oci_auth_put(struct oci_auth *auth);
struct http_auth *oci_auth_of(struct oci_auth *auth);

/* From now on tokens are asked for with which one may store, too. */
void oci_auth_widen(struct oci_auth *auth);

/* All have been put. */
void oci_auths_end(struct oci *oci);

/* ---- looks ------------------------------------------------------------------------------ */

struct oci_look;

/* NULL: no memory, nothing is started. It frees itself before look->done(). */
struct oci_look *oci_look_start(struct oci *oci, struct fetch_look *look);
void oci_look_cancel(struct oci_look *l);

/* ---- lists ------------------------------------------------------------------------------ */

struct oci_list;

/* As for looks. */
struct oci_list *oci_list_start(struct oci *oci, struct fetch_list *list);
void oci_list_cancel(struct oci_list *l);

/* ---- storing ---------------------------------------------------------------------------- */

struct oci_put;

/* NULL: no memory, nothing is started. It frees itself before put->done(). */
struct oci_put *oci_put_start(struct oci *oci, struct fetch_put *put);
void oci_put_cancel(struct oci_put *p);
