/* SPDX-License-Identifier: MIT */
/*
 * Each origin that the configuration names, the sources and their alternatives, asked once by its
 * own fetcher for an object that nobody has: that there is none is as good an answer as any.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/ctl/doctor.h"
#include "daemon/engine/resolve.h"
#include "daemon/util/cleanup.h"
#include "daemon/util/locator.h"

#define LOOKS_MAX	32
#define DEADLINE_MS	5000u
#define CERTIFICATES	16
#define CERTIFICATE_LOW 14 /* days */
#define DAY		86400

static const char sample[] = "cachefillctl-doctor"; /* the key of what nobody has */

struct origins_check {
	struct {
		const struct config_source *source;
		char locator[LOCATOR_MAX];
	} origins[LOOKS_MAX];
	struct context_look looks[LOOKS_MAX];
	size_t n, left_out;
};

/* ---- which -------------------------------------------------------------------------------------
 */

static void add(struct origins_check *check, const struct config_source *source,
		const char *template)
{
	const struct resolve_rule rule = { .locator = template };
	struct bytes key = bytes_str(sample);
	size_t which;

	if (check->n == LOOKS_MAX) {
		check->left_out++;
		return;
	}
	if (resolve_key(&rule, 1, key, key, &which, check->origins[check->n].locator) != RESOLVE_OK)
		return;
	check->origins[check->n].source = source;
	check->looks[check->n].locator = check->origins[check->n].locator;
	check->n++;
}

/*
 * As the daemon asks them, but each by itself: nobody stands in for it, and nothing is tried again.
 * The configuration is that of this process alone.
 */
static void prepare(struct origins_check *check, struct config *c)
{
	for (size_t i = 0; i < c->n_sources; i++) {
		const struct config_source *source = &c->sources[i];

		add(check, source, source->rule.locator);
		for (size_t j = 0; j < source->n_alternatives; j++)
			add(check, source, source->alternatives[j]);
	}
	for (size_t i = 0; i < c->n_sources; i++) {
		c->sources[i].n_alternatives = 0;
		c->sources[i].retries = 0;
		c->sources[i].open_deadline_ms = DEADLINE_MS;
	}
	c->defaults.retries = 0;
	c->defaults.open_deadline_ms = DEADLINE_MS;
}

/* ---- certificates ------------------------------------------------------------------------------
 */

static struct certificate {
	char host[256];
	int64_t expires;
} certificates[CERTIFICATES];

static void take_certificate(const struct fetch_host *host, const char *server, int64_t expires)
{
	for (size_t i = 0; i < CERTIFICATES; i++) {
		struct certificate *c = &certificates[i];

		if (strcmp(c->host, server) == 0)
			return;
		if (c->host[0])
			continue;
		snprintf(c->host, sizeof(c->host), "%s", server);
		c->expires = expires;
		return;
	}
}

static void check_certificates(void)
{
	for (size_t i = 0; i < CERTIFICATES && certificates[i].host[0]; i++) {
		const struct certificate *c = &certificates[i];
		int64_t days = (c->expires - (int64_t)time(NULL)) / DAY;

		if (days < CERTIFICATE_LOW)
			doctor_warn("Renew it.", "%s: its certificate is good for %lld days more",
				    c->host, (long long)days);
		else
			doctor_ok("%s: its certificate is good for %lld days more", c->host,
				  (long long)days);
	}
}

/* ---- what they say -----------------------------------------------------------------------------
 */

/* A missing file and a missing directory are the same error. */
static bool is_missing_directory(const char *locator)
{
	_cleanup_free_ char *dir = NULL;

	if (strncmp(locator, "file:", 5) != 0)
		return false;
	dir = strdup(locator + 5 + (strncmp(locator + 5, "///", 3) == 0 ? 2 : 0));
	if (!dir || !strrchr(dir, '/'))
		return false;
	strrchr(dir, '/')[1] = '\0';
	return !strstr(dir, sample) && access(dir, F_OK) < 0 && errno == ENOENT;
}

static void check_look(const struct config_source *source, const struct context_look *look)
{
	char place[256];

	locator_print(look->locator, place, sizeof(place));
	if (look->err == -ENOENT && is_missing_directory(look->locator))
		doctor_fail("Make it, or mend the source.", "%s: no such directory: %s",
			    source->name, place);
	else if (look->err == 0 || look->err == -ENOENT)
		doctor_ok("%s answers: %s", source->name, place);
	else if (look->err == -EACCES)
		doctor_warn("Look at its credentials, unless it says so of what it does not have.",
			    "%s refuses us: %s", source->name, look->error);
	else if (look->err == -EAGAIN)
		doctor_warn("Ask again later.", "%s is busy: %s", source->name, look->error);
	else if (look->err == -EMFILE)
		doctor_warn("Allow cachefillctl more open files (ulimit -n), and ask again.",
			    "%s could not be asked, since no descriptor is left here: %s",
			    source->name, look->error);
	else if (fetch_may_pass(look->err))
		doctor_fail("Look at the network, its name and address, a proxy, a firewall.",
			    "%s does not answer: %s", source->name, look->error);
	else
		doctor_fail("Look at its url, at certificates and authorities (ca-file).",
			    "%s cannot be used: %s", source->name, look->error);
}

void doctor_origins(struct doctor *d)
{
	static struct origins_check check;

	prepare(&check, d->context.config);
	if (check.n == 0) {
		doctor_ok("none is configured");
		return;
	}
	d->context.host.certificate = take_certificate;
	if (context_open(&d->context, CONTEXT_READ | CONTEXT_ORIGINS) != CTL_OK)
		return; /* it has said why */
	context_look(&d->context, check.looks, check.n);
	for (size_t i = 0; i < check.n; i++)
		check_look(check.origins[i].source, &check.looks[i]);
	if (check.left_out > 0)
		doctor_warn(NULL, "%zu more were not asked", check.left_out);
	check_certificates();
}
