/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>

#include "daemon/ctl/ctl.h"
#include "daemon/ctl/trace-replay.h"

/* One row: a name, the number here, that of the trace, and how they compare. */
static void row(const char *name, const char *here, const char *recorded, double a, double b)
{
	printf("  %-18s %12s %12s", name, here, recorded);
	if (b > 0)
		printf(" %9.2f", a / b);
	putchar('\n');
}

static void row_count(const char *name, uint64_t here, uint64_t recorded)
{
	char a[24], b[24];

	snprintf(a, sizeof(a), "%" PRIu64, here);
	snprintf(b, sizeof(b), "%" PRIu64, recorded);
	row(name, a, b, (double)here, (double)recorded);
}

static void row_bytes(const char *name, uint64_t here, uint64_t recorded)
{
	char a[32], b[32];

	row(name, ctl_bytes(here, a, sizeof(a)), ctl_bytes(recorded, b, sizeof(b)), (double)here,
	    (double)recorded);
}

static void row_time(const char *name, uint64_t here, uint64_t recorded)
{
	char a[32], b[32];

	row(name, ctl_time(here, a, sizeof(a)), ctl_time(recorded, b, sizeof(b)), (double)here,
	    (double)recorded);
}

static void row_real(const char *name, double here, double recorded)
{
	char a[32], b[32];

	snprintf(a, sizeof(a), "%.2f", here);
	snprintf(b, sizeof(b), "%.2f", recorded);
	row(name, a, b, here, recorded);
}

static void rows_latency(const char *what, const struct histogram *here,
			 const struct histogram *recorded)
{
	static const struct {
		const char *name;
		unsigned int part;
	} quantiles[] = { { "p50", 5000 }, { "p90", 9000 }, { "p99", 9900 }, { "max", 10000 } };
	char name[32];

	if (here->count == 0)
		return;
	for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
		snprintf(name, sizeof(name), "%s %s", what, quantiles[i].name);
		row_time(name, histogram_quantile(here, quantiles[i].part),
			 histogram_quantile(recorded, quantiles[i].part));
	}
}

static void print_sides(const struct report *r)
{
	const struct report_side *a = &r->here, *b = &r->recorded;

	row("", "replay", "trace", 0, 0);
	row_count("opens", a->opens, b->opens);
	row_count("  failed", a->opens_failed, b->opens_failed);
	row_count("reads", a->reads, b->reads);
	row_count("  failed", a->reads_failed, b->reads_failed);
	row_time("time", a->time, b->time);
	row_real("requests/s", report_rate(a), report_rate(b));
	row_bytes("asked", a->asked, b->asked);
	row_bytes("fetched", a->fetched, b->fetched);
	row_bytes("stored", a->stored, b->stored);
	row_real("amplification", report_amplification(a), report_amplification(b));
	rows_latency("open", &a->open, &b->open);
	rows_latency("read", &a->read, &b->read);
}

static void note(const char *what, uint64_t n)
{
	if (n > 0)
		printf("%s: %" PRIu64 "\n", what, n);
}

static void print_notes(const struct report *r)
{
	if (r->interrupted)
		puts("interrupted: what follows in the trace was not replayed");
	if (r->why[0])
		printf("stopped: %s\n", r->why);
	if (!r->complete)
		puts("the trace has no end: its recording was cut short");
	note("records that the trace has lost", r->lost);
	note("bytes behind the last whole record", r->cut);
	note("requests of the trace that make no sense, left out", r->strays);
	note("reads of bytes that were there already", r->present);
	note("reads that were closed before their answer", r->withdrawn);
	note("reads of objects that could not be opened", r->undelivered);
	if (!r->checked)
		puts("bytes were not compared");
}

static void print_verdict(const struct report *r)
{
	for (uint64_t i = 0; i < r->n_findings && i < REPORT_FINDINGS_MAX; i++)
		printf("! %s\n", r->findings[i]);
	if (r->n_findings > REPORT_FINDINGS_MAX)
		printf("! ... and %" PRIu64 " more\n", r->n_findings - REPORT_FINDINGS_MAX);
	printf("wrong answers: %" PRIu64 ", unanswered: %" PRIu64 ", wrong bytes: %" PRIu64
	       " in %" PRIu64 " reads, %" PRIu64 " in cache files, not comparable: %" PRIu64 "\n",
	       r->wrong_answers, r->unanswered, r->wrong_bytes, r->wrong_reads, r->wrong_stored,
	       r->unchecked);
}

void trace_replay_print(const struct report *r)
{
	printf("%s: %" PRIu64 " object%s, origin %s%s", r->trace, r->objects,
	       r->objects == 1 ? "" : "s", r->origin, r->faults ? " with faults" : "");
	if (r->speed > 0)
		printf(", speed %g%s\n", r->speed, r->virtual_time ? ", virtual time" : "");
	else
		printf(", as fast as possible%s\n", r->virtual_time ? ", virtual time" : "");
	print_sides(r);
	print_notes(r);
	print_verdict(r);
}
