/* SPDX-License-Identifier: MIT */
/*
 * The parts of the oci fetcher (cachefill-oci(5)):
 *
 *	oci.c		the fetcher, and its objects
 *	oci-config.c	parameters
 *	oci-host.c	which host is asked, and which one next
 *	oci-read.c	blobs, read as http ranges of a URL that names their digest
 *	oci-walk.c	reference -> manifests -> what they say
 *	oci-look.c	... -> descriptor -> first bytes
 *	oci-list.c	... -> layers and configuration of an image, or what refers to one
 *	oci-put.c	a blob or a manifest -> the registry
 *	oci-auth.c	who may use a repository: one token for all its requests
 *	oci-auth-ask.c	... and where that, or a password, is had
 *
 * and what is pure: oci-reference, oci-manifest, oci-image, oci-referrers, oci-hosts, oci-token,
 * oci-digest, oci-error, auth-file, http-challenge, toml.
 */
#pragma once

#include "fetchers/answers.h"
#include "fetchers/common.h"
#include "fetchers/health.h"
#include "fetchers/http-request.h"
#include "fetchers/oci-hosts.h"
#include "fetchers/oci-manifest.h"

#define OCI_VALIDATOR "digest:" /* in front of the digest, in identities */

struct oci_auth;
TAILQ_HEAD(oci_auths, oci_auth);

struct oci_config {
	char *registry;	 /* owned: "host:port", as in the template */
	char *auth_file; /* owned, or NULL: the usual places */
	bool trust_mirrors;
	struct oci_platform platform;
	struct oci_hosts hosts;
	struct http_config *http[OCI_HOSTS_MAX]; /* of each; owned until it is taken */
};

/* Where a registry's manifests and blobs may be had: itself, or a mirror. */
struct oci_host {
	struct oci *oci;
	const struct oci_site *site;
	struct http_client client;
	struct oci_auths auths; /* the one that was used last is the last */
	unsigned int n_auths;
	struct fetch_health health; /* where there are several: only then is one avoided */
	uint64_t complained;	    /* ns: nothing is said of it before that */
};

struct oci {
	struct fetcher base;
	struct loop *loop;
	struct fetch_refusals refusals;
	struct oci_config config;
	struct oci_host hosts[OCI_HOSTS_MAX];
	size_t n_hosts;
	struct fetch_answers answers; /* bits: hosts */
};

/* ---- parameters ------------------------------------------------------------------------- */

extern const struct fetcher_key oci_keys[];

/* Made or, with text in error, not. */
int oci_config_init(struct oci_config *config, const char *template,
		    const struct fetcher_param *params, char *error);
void oci_config_end(struct oci_config *config);

/* ---- hosts ------------------------------------------------------------------------------ */

/* What a host has to be trusted with. */
enum oci_need {
	OCI_NEED_RESOLVE, /* which digest a tag has */
	OCI_NEED_CHECKED, /* what is checked against its digest */
	OCI_NEED_RANGE,	  /* bytes of a blob, which cannot be checked */
};

/* One thing that is asked for, of one host after the other. Zero at its beginning. */
struct oci_tries {
	uint32_t tried;	      /* bits: hosts */
	uint32_t last_of_all; /* bits: those that are asked only when nobody else is left */
	int err;	/* of the last of them in their order, which is the one to believe */
	size_t err_host;
	char error[FETCH_ERROR_MAX];
};

/* NULL: all that may be asked were, and tries->err and error say what came of it. What is asked of
 * a host ends in one oci_host_failed() or oci_host_worked(). */
struct oci_host *oci_host_next(struct oci *oci, enum oci_need need, struct oci_tries *tries);

/* False: this is no failure of the host, and no other one is to be asked. */
bool oci_host_failed(struct oci_host *host, struct oci_tries *tries, int err, const char *error,
		     uint64_t retry_after);
void oci_host_worked(struct oci_host *host);

/* Of oci_tries. */
static inline uint32_t oci_host_bit(const struct oci_host *host)
{
	return 1u << (host - host->oci->hosts);
}

/* Whose bytes a look at the locator has brought, as a bit, or 0. */
void oci_host_answered(struct oci_host *host, const char *locator);
uint32_t oci_who_answered(const struct oci *oci, const char *locator);

/* The last that may; NULL: none may. */
struct oci_host *oci_host_for_push(struct oci *oci);

/* "https://host/v2/REPOSITORY/blobs/DIGEST", owned by the caller; NULL: no memory. */
char *oci_url(const struct oci_host *host, const char *repository, const char *kind,
	      const char *name);

/* ---- authorisation ---------------------------------------------------------------------- */

/* The one of this repository, kept until it is put and then for a while. NULL: no memory. */
struct oci_auth *oci_auth_get(struct oci_host *host, const char *repository);
void oci_auth_put(struct oci_auth *auth);
struct http_auth *oci_auth_of(struct oci_auth *auth);

/* From now on tokens are asked for with which one may store, too. */
void oci_auth_widen(struct oci_auth *auth);

/* Something came by it: what its registry had asked for is noted, for those who begin anew. */
void oci_auth_worked(struct oci_auth *auth);

/* All have been put. */
void oci_auths_end(struct oci_host *host);

/* ---- reads ------------------------------------------------------------------------------ */

/* How a blob is read of one host. */
struct oci_way {
	struct http_target target;
	struct oci_auth *auth;
};

/* A blob: what its digest names never changes, so that ranges need no condition. */
struct oci_object {
	struct fetch_object base;
	char *repository; /* owned */
	struct fetch_identity identity;
	uint32_t answered;	/* bit of the host that was the last to give bytes */
	struct oci_way *ways[]; /* owned: one for each host, NULL where it was not asked yet */
};

/* NULL: no memory. */
struct oci_object *oci_object_new(struct oci *oci, const char *repository,
				  const struct fetch_identity *identity);
void oci_object_free(struct oci_object *object);

/* False: no memory, nothing is started. */
bool oci_read_start(struct oci_object *object, struct fetch_read *read);
void oci_read_cancel(struct oci_object *object, struct fetch_read *read);

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
