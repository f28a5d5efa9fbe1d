/* SPDX-License-Identifier: MIT */
#include "fetchers/oci.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/log.h"

#define AVOIDED (30 * NSEC_PER_SEC) /* whoever does not answer is not asked for so long */

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

static struct oci_host *first_untried(struct oci *oci, enum oci_need need, uint32_t tried,
				      bool avoided)
{
	for (size_t i = 0; i < oci->n_hosts; i++) {
		struct oci_host *host = &oci->hosts[i];

		if (!(tried & 1u << i) && may(host, need) &&
		    (avoided || host->avoided <= loop_now(oci->loop)))
			return host;
	}
	return NULL;
}

struct oci_host *oci_host_next(struct oci *oci, enum oci_need need, struct oci_tries *tries)
{
	struct oci_host *host = first_untried(oci, need, tries->tried, false);

	if (!host)
		host = first_untried(oci, need, tries->tried, true);
	if (host) {
		tries->tried |= 1u << (host - oci->hosts);
	} else if (tries->tried == 0) {
		tries->err = -EACCES;
		snprintf(tries->error, sizeof(tries->error), "none of the hosts in %.120s may %s",
			 oci->config.hosts.where,
			 need == OCI_NEED_RESOLVE ? "resolve tags" : "be asked for it");
	}
	return host;
}

/* Said once for all that is asked of others meanwhile. */
static void complain(struct oci_host *host, int err, const char *error)
{
	struct oci *oci = host->oci;
	uint64_t now = loop_now(oci->loop);

	/* Of the last one whoever asked is told. */
	if (host == &oci->hosts[oci->n_hosts - 1] || host->complained > now)
		return;
	host->complained = now + AVOIDED;
	log_warning("%s: %s: others are asked for what %s has", error, strerror(-err),
		    oci->config.registry);
}

bool oci_host_failed(struct oci_host *host, struct oci_tries *tries, int err, const char *error)
{
	struct oci *oci = host->oci;
	size_t n = (size_t)(host - oci->hosts);

	if (tries->err == 0 || n >= tries->err_host) {
		tries->err = err;
		tries->err_host = n;
		snprintf(tries->error, sizeof(tries->error), "%s", error);
	}
	if (err == -ECANCELED || err == -ENOMEM)
		return false;
	/* That a mirror does not have everything is what they are like. */
	if (err != -ENOENT)
		complain(host, err, error);
	/* It may have something else, or let us have it. */
	if (err != -ENOENT && err != -EACCES)
		host->avoided = loop_now(oci->loop) + AVOIDED;
	return true;
}

void oci_host_worked(struct oci_host *host)
{
	host->avoided = 0;
}

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
