/* SPDX-License-Identifier: MIT */
#include "fetchers/oci.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/log.h"

#define QUIET (30 * NSEC_PER_SEC) /* of one host no more is said for so long */

static bool may(const struct oci_host *host, enum oci_need need)
{
	switch (need) {
	case OCI_NEED_RESOLVE:
		return host->site->resolve;
	case OCI_NEED_CHECKED:
		return host->site->pull;
	case OCI_NEED_RANGE:
		return host->site->pull && (host->site->resolve || host->oci->config.trust_mirrors);
	}
	return false;
}

/* ---- whom to ask ------------------------------------------------------------------------ */

/* The first that works; where none does, the one that is to be asked again first of all. */
static struct oci_host *choose(struct oci *oci, enum oci_need need, uint32_t except)
{
	uint64_t now = loop_now(oci->loop);
	struct oci_host *least = NULL;

	for (size_t i = 0; i < oci->n_hosts; i++) {
		struct oci_host *host = &oci->hosts[i];

		if ((except & 1u << i) || !may(host, need))
			continue;
		if (health_usable(&host->health, now))
			return host;
		if (!least || host->health.avoided_until < least->health.avoided_until)
			least = host;
	}
	return least;
}

struct oci_host *oci_host_next(struct oci *oci, enum oci_need need, struct oci_tries *tries)
{
	struct oci_host *host = choose(oci, need, tries->tried | tries->last_of_all);

	if (!host)
		host = choose(oci, need, tries->tried);
	if (host) {
		tries->tried |= oci_host_bit(host);
		health_begin(&host->health, loop_now(oci->loop));
	} else if (tries->tried == 0) {
		tries->err = -EACCES;
		snprintf(tries->error, sizeof(tries->error), "none of the hosts in %.120s may %s",
			 oci->config.hosts.where,
			 need == OCI_NEED_RESOLVE ? "resolve tags" : "be asked for it");
	}
	return host;
}

/* ---- what came of it --------------------------------------------------------------------- */

static bool is_last(const struct oci_host *host)
{
	return host == &host->oci->hosts[host->oci->n_hosts - 1];
}

/* Said once for all that is asked of others meanwhile. */
static void complain(struct oci_host *host, int err, const char *error)
{
	struct oci *oci = host->oci;
	uint64_t now = loop_now(oci->loop);

	/* Of the last one whoever asked is told. */
	if (is_last(host) || host->complained > now)
		return;
	host->complained = now + QUIET;
	log_about(LOG_WARNING, &(struct log_subject){ .origin = oci->base.source },
		  "%s: %s: others are asked for what %s has", error, strerror(-err),
		  oci->config.registry);
}

/*
 * A mirror is there to be quick: one failure is enough for others to be asked, where the registry
 * itself has as many as any origin. That there is nothing, or nothing for us, is none.
 */
static void note_failure(struct oci_host *host, int err, const char *error, uint64_t retry_after)
{
	if (!is_last(host) && retry_after == 0)
		retry_after = 1;
	health_end(&host->health, loop_now(host->oci->loop), err, retry_after, error);
}

bool oci_host_failed(struct oci_host *host, struct oci_tries *tries, int err, const char *error,
		     uint64_t retry_after)
{
	struct oci *oci = host->oci;
	size_t n = (size_t)(host - oci->hosts);

	if (tries->err == 0 || n >= tries->err_host) {
		tries->err = err;
		tries->err_host = n;
		snprintf(tries->error, sizeof(tries->error), "%s", error);
	}
	note_failure(host, err, error, retry_after);
	if (health_is_ours(err))
		return false;
	/* That a mirror does not have everything is what they are like. */
	if (err != -ENOENT)
		complain(host, err, error);
	return true;
}

void oci_host_worked(struct oci_host *host)
{
	if (host->health.state != HEALTH_WORKS)
		log_about(LOG_NOTICE, &(struct log_subject){ .origin = host->oci->base.source },
			  "%s works again", host->health.name);
	health_end(&host->health, loop_now(host->oci->loop), 0, 0, NULL);
}

/* ---- who has answered -------------------------------------------------------------------- */

void oci_host_answered(struct oci_host *host, const char *locator)
{
	fetch_answers_note(&host->oci->answers, locator, oci_host_bit(host));
}

uint32_t oci_who_answered(const struct oci *oci, const char *locator)
{
	return fetch_answers_who(&oci->answers, locator);
}

/* ---- where things are ------------------------------------------------------------------- */

/* What is pushed belongs to where others look for it: the server, rather than a mirror. */
struct oci_host *oci_host_for_push(struct oci *oci)
{
	for (size_t i = oci->n_hosts; i-- > 0;)
		if (oci->hosts[i].site->push)
			return &oci->hosts[i];
	return NULL;
}

char *oci_url(const struct oci_host *host, const char *repository, const char *kind,
	      const char *name)
{
	const struct oci_site *site = host->site;
	char *url = NULL;

	/* A mirror of several registries is told which one is meant. */
	if (asprintf(&url, "%s%s/%s/%s%s%s", site->base, repository, kind, name,
		     site->own		 ? ""
		     : strchr(name, '?') ? "&ns="
					 : "?ns=",
		     site->own ? "" : host->oci->config.registry) < 0)
		return NULL;
	return url;
}
