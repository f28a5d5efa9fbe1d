/* SPDX-License-Identifier: MIT */
/* The daemon that runs, or does not; and how many descriptors it may have. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "daemon/ctl/daemon.h"
#include "daemon/ctl/doctor.h"
#include "daemon/util/cleanup.h"

#define PATIENCE_S 5
#define GRACE_S	   5	/* a deadline is kept by a timer */
#define NOFILE_FEW 4096 /* one for each object that is open */

static int ask(const struct doctor *d, char *error, json_t **ret)
{
	const struct config *c = d->context.config;
	struct daemon daemon = {
		.socket = d->socket ?: c->control_socket,
		.seconds = PATIENCE_S,
		.error = error,
	};

	return daemon_ask(&daemon, "GET", "/v1/status", NULL, ret);
}

/* Seconds after which no request should be without an answer. */
static double longest_deadline(const struct config *c)
{
	uint32_t ms = 0;

	for (size_t i = 0; i <= c->n_sources; i++) {
		const struct config_source *s = i < c->n_sources ? &c->sources[i] : &c->defaults;

		ms = s->open_deadline_ms > ms ? s->open_deadline_ms : ms;
		ms = s->read_deadline_ms > ms ? s->read_deadline_ms : ms;
	}
	return ms / 1000.0;
}

static void check_requests(const struct doctor *d, const json_t *now)
{
	double oldest = daemon_real(now, "oldest_seconds"),
	       deadline = longest_deadline(d->context.config);

	if (oldest > deadline + GRACE_S)
		doctor_fail("Its log says what it waits for; `cachefillctl bugreport` keeps all of "
			    "it. Then restart it: readers outlive that.",
			    "a request waits for %.0f s, longer than any deadline (%.0f s)", oldest,
			    deadline);
	else if (oldest > deadline / 3)
		doctor_warn("`cachefillctl flights` and `origins` show what is slow.",
			    "a request waits for %.1f s", oldest);
	else if (oldest > 0)
		doctor_ok("the oldest request waits for %.1f s", oldest);
	else
		doctor_ok("no request waits");
}

static void check_version(const json_t *status)
{
	const char *version = daemon_text(status, "version");

	if (strcmp(version, CACHEFILL_VERSION) != 0)
		doctor_warn("Let it become the new program: systemctl reload cachefilld.",
			    "the daemon is cachefilld %s, and this is cachefillctl %s", version,
			    CACHEFILL_VERSION);
	else
		doctor_ok("cachefilld %s answers, process %llu", version,
			  (unsigned long long)daemon_number(json_object_get(status, "process"),
							    "pid"));
}

void doctor_daemon(struct doctor *d)
{
	char error[DAEMON_ERROR_MAX];
	json_t *status;
	int result = ask(d, error, &status);

	if (strcmp(d->socket ?: d->context.config->control_socket, "none") == 0)
		doctor_warn("Configure one.", "it has no control socket, and cannot be asked");
	else if (result == CTL_ABSENT)
		doctor_fail("Start it: systemctl start cachefilld.", "%s", error);
	else if (result == CTL_DENIED)
		doctor_warn(NULL, "%s", error);
	else if (result != CTL_OK)
		doctor_fail(
			"What is mounted hangs until it answers, or has ended: look at its log, "
			"and restart it.",
			"%s", error);
	if (result != CTL_OK)
		return;
	check_version(status);
	check_requests(d, json_object_get(status, "now"));
	json_decref(status);
}

/* ---- descriptors ------------------------------------------------------------------------------
 */

static const char raise[] =
	"Raise LimitNOFILE= of the service, or `ulimit -Hn` where it is started.";

static void check_used(const json_t *process)
{
	uint64_t used = daemon_number(process, "descriptors"),
		 limit = daemon_number(process, "descriptors_limit");

	if (limit < NOFILE_FEW || used > limit / 10 * 8)
		doctor_warn(raise,
			    "the daemon has %llu descriptors of %llu, and needs one for "
			    "each object that is open",
			    (unsigned long long)used, (unsigned long long)limit);
	else
		doctor_ok("the daemon may have %llu descriptors", (unsigned long long)limit);
}

void doctor_limits(struct doctor *d)
{
	char error[DAEMON_ERROR_MAX];
	struct rlimit limit;
	json_t *status;

	if (ask(d, error, &status) == CTL_OK) {
		check_used(json_object_get(status, "process"));
		json_decref(status);
		return;
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	if (limit.rlim_max < NOFILE_FEW)
		doctor_warn(raise, "a daemon that is started from here may have %llu descriptors",
			    (unsigned long long)limit.rlim_max);
	else
		doctor_ok("a daemon that is started from here may have %llu descriptors",
			  (unsigned long long)limit.rlim_max);
}
