/* SPDX-License-Identifier: MIT */
/* Up to 100 columns: numbers first, names last, where they may be cut. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/ctl/trace-stats.h"
#include "daemon/util/checked.h"

#define CELL 24
#define BAR  40
#define LINE 100

/* Room for what one call of printf() shows. */
struct cells {
	char at[12][CELL];
	size_t n;
};

static char *cell(struct cells *c)
{
	return c->at[c->n++ % (sizeof(c->at) / sizeof(*c->at))];
}

static char *bytes(struct cells *c, uint64_t v)
{
	return ctl_bytes(v, cell(c), CELL);
}

static char *duration(struct cells *c, uint64_t ns)
{
	return ctl_time(ns, cell(c), CELL);
}

static char *share(struct cells *c, double part, double whole)
{
	char *to = cell(c);

	if (whole > 0 && part >= 0)
		snprintf(to, CELL, "%.*f %%", part / whole < 0.0995 ? 1 : 0, 100 * part / whole);
	else
		snprintf(to, CELL, "-");
	return to;
}

static char *percent(struct cells *c, double part, double whole)
{
	char *to = cell(c);

	snprintf(to, CELL, "%.0f %%", whole > 0 ? 100 * part / whole : 0);
	return to;
}

static char *factor(struct cells *c, double x)
{
	char *to = cell(c);

	if (x < 0)
		snprintf(to, CELL, "-");
	else if (x < 1000)
		snprintf(to, CELL, "%.2f", x);
	else
		snprintf(to, CELL, "%.3g", x);
	return to;
}

/* In so many columns: its end says more than its beginning. */
static const char *name_of(const struct trace_object *object, char *buf, size_t n, size_t columns)
{
	size_t len;

	if (!object)
		return "?";
	trace_object_name(object->volume, object->cookie, buf, n);
	len = strlen(buf);
	if (len <= columns)
		return buf;
	memcpy(buf + len - columns, "...", 3);
	return buf + len - columns;
}

char *stats_error_name(int32_t error, char *buf, size_t n)
{
	const char *name = error < 0 && error > -4096 ? strerrorname_np(-error) : NULL;

	if (name)
		snprintf(buf, n, "%s", name);
	else
		snprintf(buf, n, "error %" PRId32, error);
	return buf;
}

/* ---- in all ------------------------------------------------------------------------------ */

static void print_head(const struct stats *s, const char *path)
{
	struct trace_requests_stats of = trace_requests_stats(trace_outcomes_requests(s->outcomes));
	struct cells c = { .n = 0 };

	printf("%s: %s, %" PRIu64 " records, %zu object%s, at most %" PRIu64
	       " requests outstanding\n",
	       path, duration(&c, s->last), of.records, s->n_objects, s->n_objects == 1 ? "" : "s",
	       s->outstanding_max);
	if (!of.complete)
		puts("  It has no end record: the recording was cut off, or still goes on.");
	if (of.lost)
		printf("  Records that were lost while it was recorded: %" PRIu64 "\n", of.lost);
	if (of.strays)
		printf("  Records that do not fit what came before them: %" PRIu64 "\n", of.strays);
	if (s->joined)
		printf("  Too many ranges to keep apart: bytes without repeats may be %s more.\n",
		       bytes(&c, s->joined));
}

static const char *quantile(struct cells *c, const struct histogram *h, unsigned int part)
{
	return h->count ? duration(c, histogram_quantile(h, part)) : "-";
}

static void print_requests(const char *name, const uint64_t *outcomes, const struct histogram *h)
{
	struct cells c = { .n = 0 };

	printf("%-5s %8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %7" PRIu64 " %7" PRIu64
	       " %8s %8s %8s %8s %8s\n",
	       name, stats_requests(outcomes), outcomes[TRACE_HIT], outcomes[TRACE_WAITED],
	       outcomes[TRACE_FAILED], outcomes[TRACE_UNANSWERED], quantile(&c, h, 5000),
	       quantile(&c, h, 9000), quantile(&c, h, 9900), quantile(&c, h, 9990),
	       quantile(&c, h, 10000));
}

static void print_bytes(const struct stats *s)
{
	const struct stats_scope *a = &s->all;
	struct cells c = { .n = 0 };

	printf("\nasked      %9s, %s without repeats; ", bytes(&c, a->asked), bytes(&c, a->unique));
	if (s->has_work)
		printf("%s of READs were hits\n", share(&c, stats_hit_share(s, a), 1));
	else
		puts("nothing tells which READs were hits");
	printf("fetched    %9s in %" PRIu64 " fetches and %" PRIu64 " looks; amplification %s\n",
	       bytes(&c, a->fetched), a->fetches, a->looks, factor(&c, stats_amplification(a)));
	printf("  ahead    %9s in %" PRIu64 " fetches, of which at least %s was used later\n",
	       bytes(&c, a->ahead_fetched), a->ahead,
	       share(&c, (double)a->ahead_used, (double)a->ahead_fetched));
	printf("stored     %9s in %" PRIu64 " writes\n", bytes(&c, a->stored), a->stores);
}

static void print_wait(const struct stats_scope *a)
{
	struct cells c = { .n = 0 };
	double whole = (double)a->waits;
	uint64_t rest = a->waits;

	rest -= min_u64(rest, a->origin);
	rest -= min_u64(rest, a->queued);
	rest -= min_u64(rest, a->storing);
	printf("\nRequests took %s together: %s while their bytes were fetched, %s queued for\n"
	       "that, %s while they were stored, %s for all else.\n",
	       duration(&c, a->waits), share(&c, (double)a->origin, whole),
	       share(&c, (double)a->queued, whole), share(&c, (double)a->storing, whole),
	       share(&c, (double)rest, whole));
}

/* ---- tables ------------------------------------------------------------------------------ */

static void print_objects(const struct stats *s)
{
	size_t n = s->n_objects < s->top ? s->n_objects : s->top;

	if (n == 0)
		return;
	printf("\nObjects (%zu of %zu, most READs first)\n", n, s->n_objects);
	printf("%7s %5s %9s %9s %9s %5s %8s %8s  %s\n", "READs", "hits", "asked", "unique",
	       "fetched", "amp.", "p50", "p99", "object");
	for (size_t i = 0; i < n; i++) {
		const struct stats_scope *o = &s->objects[i]->scope;
		struct cells c = { .n = 0 };
		char name[TRACE_OBJECT_NAME_MAX];

		printf("%7" PRIu64 " %5s %9s %9s %9s %5s %8s %8s  %s\n", stats_requests(o->reads),
		       share(&c, stats_hit_share(s, o), 1), bytes(&c, o->asked),
		       bytes(&c, o->unique), bytes(&c, o->fetched),
		       factor(&c, stats_amplification(o)), quantile(&c, &o->read_times, 5000),
		       quantile(&c, &o->read_times, 9900),
		       name_of(s->objects[i]->object, name, sizeof(name), LINE - 69));
	}
}

/* To be found again by it: exact. */
static char *place(struct cells *c, uint64_t v)
{
	char *to = cell(c);

	if (v % 1024)
		snprintf(to, CELL, "%" PRIu64, v);
	else
		snprintf(to, CELL, "%" PRIu64 "K", v / 1024);
	return to;
}

static void print_slow(const struct stats_slow *slow)
{
	struct cells c = { .n = 0 };
	char name[TRACE_OBJECT_NAME_MAX], what[64] = "OPEN", outcome[32];
	double whole = (double)slow->took;
	uint64_t work = slow->origin + slow->queued + slow->storing;
	double rest = (double)(slow->took - min_u64(work, slow->took));
	int used;

	if (slow->error)
		stats_error_name(slow->error, outcome, sizeof(outcome));
	else
		snprintf(outcome, sizeof(outcome), "%s", trace_outcome_name(slow->outcome));
	if (slow->kind == TRACE_READ)
		snprintf(what, sizeof(what), "READ %s+%s", place(&c, slow->off),
			 place(&c, slow->len));
	used = printf(
		"%9s %8s %5s %5s %5s %5s  %-9s %s ",
		duration(&c, slow->since < 0 ? 0 : (uint64_t)slow->since), duration(&c, slow->took),
		percent(&c, (double)slow->origin, whole), percent(&c, (double)slow->queued, whole),
		percent(&c, (double)slow->storing, whole), percent(&c, rest, whole), outcome, what);
	puts(name_of(slow->object, name, sizeof(name),
		     used < LINE - 10 ? LINE - (size_t)used : 10));
}

static void print_slowest(const struct stats *s)
{
	if (s->n_slow == 0)
		return;
	puts("\nSlowest requests");
	printf("%9s %8s %5s %5s %5s %5s  %-9s %s\n", "at", "took", "fetch", "queue", "store",
	       "rest", "outcome", "request");
	for (size_t i = 0; i < s->n_slow; i++)
		print_slow(&s->slow[i]);
}

static void print_errors(const struct stats *s)
{
	if (s->n_errors == 0)
		return;
	printf("\n%-16s %8s %8s %8s %8s %8s\n", "Errors of", "OPENs", "READs", "looks", "fetches",
	       "stores");
	for (size_t i = 0; i < s->n_errors; i++) {
		const struct stats_error *e = &s->errors[i];
		char name[32];

		printf("%-16s %8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %8" PRIu64 "\n",
		       stats_error_name(e->error, name, sizeof(name)), e->opens, e->reads, e->looks,
		       e->fetches, e->stores);
	}
	if (s->other_errors)
		printf("%-16s %8" PRIu64 " in all\n", "others", s->other_errors);
}

/* Two steps in a line where there are many. */
static void print_timeline(const struct stats *s)
{
	size_t n = (size_t)min_u64(s->last / s->step + 1, STATS_STEPS);
	size_t join = n > STATS_STEPS / 2 ? 2 : 1;
	struct stats_step sum = { .requests = 0 };

	if (s->all.unique == 0)
		return;
	printf("\n%9s %8s %9s %11s\n", "until", "requests", "fetched", "working set");
	for (size_t i = 0; i < n; i++) {
		struct cells c = { .n = 0 };

		sum.requests += s->steps[i].requests;
		sum.unique = interval_end(sum.unique, s->steps[i].unique);
		sum.fetched = interval_end(sum.fetched, s->steps[i].fetched);
		if ((i + 1) % join && i + 1 < n)
			continue;
		printf("%9s %8" PRIu64 " %9s %11s  %.*s\n", duration(&c, (i + 1) * s->step),
		       sum.requests, bytes(&c, sum.fetched), bytes(&c, sum.unique),
		       (int)((double)sum.unique / (double)s->all.unique * BAR),
		       "########################################");
		sum.requests = sum.fetched = 0;
	}
}

void stats_print(const struct stats *s, const char *path)
{
	print_head(s, path);
	printf("\n%-5s %8s %8s %8s %7s %7s %8s %8s %8s %8s %8s\n", "", "requests", "hits", "waited",
	       "failed", "no end", "p50", "p90", "p99", "p99.9", "max");
	print_requests("OPEN", s->all.opens, &s->all.open_times);
	print_requests("READ", s->all.reads, &s->all.read_times);
	print_bytes(s);
	print_wait(&s->all);
	print_objects(s);
	print_slowest(s);
	print_errors(s);
	print_timeline(s);
}
