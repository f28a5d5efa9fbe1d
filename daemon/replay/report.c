/* SPDX-License-Identifier: MIT */
#include "daemon/replay/report.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
	const char *name;
	unsigned int part;
} quantiles[] = {
	{ "p50", 5000 }, { "p90", 9000 }, { "p99", 9900 }, { "p999", 9990 }, { "max", 10000 },
};

void report_deinit(struct report *report)
{
	histogram_deinit(&report->here.open);
	histogram_deinit(&report->here.read);
	histogram_deinit(&report->recorded.open);
	histogram_deinit(&report->recorded.read);
}

void report_find(struct report *report, const char *fmt, ...)
{
	va_list ap;

	if (report->n_findings++ >= REPORT_FINDINGS_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(report->findings[report->n_findings - 1], REPORT_TEXT_MAX, fmt, ap);
	va_end(ap);
}

bool report_is_good(const struct report *r)
{
	return r->whole && !r->interrupted && !r->why[0] && r->wrong_answers == 0 &&
	       r->unanswered == 0 && r->wrong_bytes == 0 && r->wrong_stored == 0 &&
	       r->unchecked == 0;
}

double report_amplification(const struct report_side *side)
{
	return side->asked ? (double)side->fetched / (double)side->asked : 0;
}

double report_rate(const struct report_side *side)
{
	return side->time ? (double)(side->opens + side->reads) * 1e9 / (double)side->time : 0;
}

/* ---- JSON --------------------------------------------------------------------------------- */

static json_t *number(uint64_t value)
{
	return json_integer((json_int_t)(value > INT64_MAX ? INT64_MAX : value));
}

static json_t *latencies(const struct histogram *histogram)
{
	json_t *object = json_pack("{s:o}", "count", number(histogram->count));

	for (size_t i = 0; object && i < sizeof(quantiles) / sizeof(quantiles[0]); i++)
		json_object_set_new(object, quantiles[i].name,
				    number(histogram_quantile(histogram, quantiles[i].part)));
	return object;
}

static json_t *side_json(const struct report_side *side)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:f, s:f, "
			 "s:o, s:o}",
			 "requests", number(side->opens + side->reads), "errors",
			 number(side->opens_failed + side->reads_failed), "opens",
			 number(side->opens), "opens_failed", number(side->opens_failed), "reads",
			 number(side->reads), "reads_failed", number(side->reads_failed),
			 "bytes_asked", number(side->asked), "fetches", number(side->fetches),
			 "bytes_fetched", number(side->fetched), "bytes_stored",
			 number(side->stored), "time_ns", number(side->time), "requests_per_second",
			 report_rate(side), "amplification", report_amplification(side), "open_ns",
			 latencies(&side->open), "read_ns", latencies(&side->read));
}

/* Here against the trace; null where the trace has nothing to compare with. */
static json_t *ratio(double here, double recorded)
{
	return recorded > 0 ? json_real(here / recorded) : json_null();
}

static json_t *ratio_of(const struct histogram *here, const struct histogram *recorded)
{
	json_t *object = json_object();

	for (size_t i = 0; object && i < sizeof(quantiles) / sizeof(quantiles[0]); i++)
		json_object_set_new(object, quantiles[i].name,
				    ratio((double)histogram_quantile(here, quantiles[i].part),
					  (double)histogram_quantile(recorded, quantiles[i].part)));
	return object;
}

static json_t *ratios(const struct report *r)
{
	const struct report_side *a = &r->here, *b = &r->recorded;

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "bytes_fetched",
			 ratio((double)a->fetched, (double)b->fetched), "bytes_stored",
			 ratio((double)a->stored, (double)b->stored), "time",
			 ratio((double)a->time, (double)b->time), "requests_per_second",
			 ratio(report_rate(a), report_rate(b)), "amplification",
			 ratio(report_amplification(a), report_amplification(b)), "open",
			 ratio_of(&a->open, &b->open), "read", ratio_of(&a->read, &b->read));
}

static json_t *trace_json(const struct report *r)
{
	return json_pack("{s:s, s:o, s:b, s:o, s:o, s:o}", "file", r->trace, "objects",
			 number(r->objects), "complete", r->complete, "records_lost",
			 number(r->lost), "bytes_cut", number(r->cut), "strays", number(r->strays));
}

static json_t *wrong_json(const struct report *r)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "answers", number(r->wrong_answers),
			 "unanswered", number(r->unanswered), "reads", number(r->wrong_reads),
			 "bytes", number(r->wrong_bytes), "bytes_stored", number(r->wrong_stored),
			 "unchecked", number(r->unchecked));
}

static json_t *findings_json(const struct report *r)
{
	json_t *array = json_array();

	for (uint64_t i = 0; array && i < r->n_findings && i < REPORT_FINDINGS_MAX; i++)
		json_array_append_new(array, json_string(r->findings[i]));
	return array;
}

json_t *report_json(const struct report *r)
{
	json_t *object = json_pack(
		"{s:b, s:b, s:b, s:o, s:s*, s:o, s:b, s:b, s:b}", "good", report_is_good(r),
		"whole", r->whole, "interrupted", r->interrupted, "trace", trace_json(r), "origin",
		r->origin, "speed", r->speed > 0 ? json_real(r->speed) : json_string("max"),
		"virtual", r->virtual_time, "faults", r->faults, "checked", r->checked);
	json_t *rest =
		json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "stopped",
			  r->why, "here", side_json(&r->here), "recorded", side_json(&r->recorded),
			  "ratio", ratios(r), "present", number(r->present), "withdrawn",
			  number(r->withdrawn), "undelivered", number(r->undelivered),
			  "bytes_checked", number(r->checked_bytes), "wrong", wrong_json(r),
			  "findings", findings_json(r), "findings_all", number(r->n_findings));

	if (!object || !rest || json_object_update(object, rest) < 0) {
		json_decref(object);
		object = NULL;
	}
	json_decref(rest);
	return object;
}
