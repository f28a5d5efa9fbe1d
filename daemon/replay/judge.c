/* SPDX-License-Identifier: MIT */
/*
 * Compares what the engine did with what the trace tells, and with the origin.
 */
#include <stdio.h>
#include <string.h>

#include "daemon/replay/replay-internal.h"
#include "proto/cachefiles-abi.h"

#define PROGRESS_EVERY 256 /* requests */

void judge_breach(void *arg, const struct catalog_object *object, const char *what)
{
	struct replay *r = arg;
	char name[CATALOG_NAME_MAX] = "the device";

	if (object)
		catalog_name(object, name);
	r->report.wrong_answers++;
	report_find(&r->report, "%s: %s", name, what);
}

static void note_request(struct replay *r, const struct feed_request *m, const char *what)
{
	char name[CATALOG_NAME_MAX];

	catalog_name(m->object, name);
	if (m->port.opcode == CACHEFILES_OP_OPEN)
		report_find(&r->report, "%s: OPEN: %s", name, what);
	else
		report_find(&r->report, "%s: READ of %llu bytes at %llu: %s", name,
			    (unsigned long long)m->port.len, (unsigned long long)m->port.off, what);
}

static void wrong_request(struct replay *r, const struct feed_request *m, const char *what)
{
	r->report.wrong_answers++;
	note_request(r, m, what);
}

/* It failed here: is that what happened, or was to happen? */
static bool may_fail(const struct replay *r, const struct feed_request *m)
{
	return r->report.faults || !m->recorded_ok || !m->recorded_answered;
}

static void judge_time(struct replay *r, const struct feed_request *m)
{
	const struct engine_source_config *source = &r->config.origin->sources[m->object->rule];
	uint64_t deadline = m->port.opcode == CACHEFILES_OP_OPEN ? source->open_deadline
								 : source->read_deadline;

	/* The reads of a compressed image are held until all of it is there. */
	if (m->object->locator && !m->object->compressed && m->took > deadline + REPLAY_GRACE)
		wrong_request(r, m, "answered long after its deadline");
}

static void note_times(struct histogram *here, struct histogram *recorded,
		       const struct feed_request *m)
{
	if (!m->recorded_answered || m->extra)
		return;
	/* Without memory it is missing in the statistics. */
	(void)histogram_add(here, m->took);
	(void)histogram_add(recorded, m->recorded_took);
}

static void judge_open(struct replay *r, const struct feed_request *m)
{
	struct report *report = &r->report;
	char text[160];

	report->here.opens++;
	report->recorded.opens += !m->extra;
	report->recorded.opens_failed += m->version.error < 0 && m->recorded_answered;
	note_times(&report->here.open, &report->recorded.open, m);
	if (m->port.error < 0) {
		report->here.opens_failed++;
		snprintf(text, sizeof(text), "failed, as it did not in the trace: %s",
			 strerror(-m->port.error));
		if (!may_fail(r, m))
			wrong_request(r, m, text);
	} else if (m->version.error == 0 && m->recorded_answered &&
		   m->port.size != m->version.size) {
		snprintf(text, sizeof(text), "%llu bytes, in the trace it has %llu",
			 (unsigned long long)m->port.size, (unsigned long long)m->version.size);
		wrong_request(r, m, text);
	}
}

static void judge_read(struct replay *r, const struct feed_request *m)
{
	struct report *report = &r->report;

	report->here.reads++;
	report->recorded.reads++;
	report->here.asked += m->port.len;
	report->recorded.asked += m->port.len;
	report->recorded.reads_failed += !m->recorded_ok;
	if (m->undelivered) {
		report->undelivered++;
		report->here.reads_failed++;
		return;
	}
	report->present += m->present;
	if (m->port.error < 0) {
		report->withdrawn++;
		return;
	}
	note_times(&report->here.read, &report->recorded.read, m);
	if (!m->hole)
		return;
	report->here.reads_failed++;
	if (!m->outside && !may_fail(r, m))
		wrong_request(r, m, "failed, as it did not in the trace");
}

void judge_request(void *arg, struct feed_request *m)
{
	struct replay *r = arg;

	if (r->gave_up || m->port.unanswered) {
		r->report.unanswered++;
		note_request(r, m, "never answered");
		return;
	}
	if (r->over && r->stopping)
		return; /* it was cut off */
	if (!m->undelivered)
		judge_time(r, m);
	if (m->port.opcode == CACHEFILES_OP_OPEN)
		judge_open(r, m);
	else
		judge_read(r, m);
	if (r->config.progress &&
	    (r->report.here.opens + r->report.here.reads) % PROGRESS_EVERY == 0)
		r->config.progress(r->config.arg, &r->report);
}

/* What the kernel does with the answer to a READ: it looks for itself. */
void judge_answer(void *arg, struct feed_request *m)
{
	struct replay *r = arg;
	struct cachefile *file = m->port.handle->file;

	r->answers++;
	if (m->port.opcode != CACHEFILES_OP_READ || m->port.error < 0 || m->port.unanswered)
		return;
	m->outside = m->port.len == 0 || m->port.off >= file->size;
	m->hole = !cachefile_present(file, m->port.off, m->port.len);
	if (m->hole || !r->config.check)
		return;
	if (check_range(r->check, file, m->port.off, m->port.len) < 0)
		r->report.unchecked++;
}

void judge_work(void *arg, const struct trace_record *record)
{
	struct report_side *side = &((struct replay *)arg)->report.recorded;

	if (record->kind == TRACE_FETCH) {
		side->fetches++;
		side->fetched += record->error == 0 ? record->got : 0;
	} else if (record->kind == TRACE_STORE) {
		side->stored += record->len;
	}
}

static void note_unread(struct replay *r, const struct check_result *result, const char *name)
{
	r->report.unchecked++;
	report_find(&r->report, "%s: %llu bytes at %llu could not be compared: %s", name,
		    (unsigned long long)result->len, (unsigned long long)result->off,
		    strerror(-result->err));
}

static void note_wrong_bytes(struct replay *r, const struct check_result *result, const char *name)
{
	struct report *report = &r->report;

	if (r->ending_file) {
		report->wrong_stored += result->wrong;
	} else {
		report->wrong_reads++;
		report->wrong_bytes += result->wrong;
	}
	report_find(report,
		    "%s: %s %llu bytes at %llu: %llu are not the origin's, the first at %llu", name,
		    r->ending_file ? "the cache holds" : "READ of", (unsigned long long)result->len,
		    (unsigned long long)result->off, (unsigned long long)result->wrong,
		    (unsigned long long)result->first);
}

void judge_checked(void *arg, const struct check_result *result)
{
	struct replay *r = arg;
	char name[CATALOG_NAME_MAX];

	catalog_name(result->object, name);
	if (!r->ending_file)
		r->report.checked_bytes += result->len;
	if (result->err < 0 && !r->report.interrupted)
		note_unread(r, result, name);
	if (result->wrong > 0)
		note_wrong_bytes(r, result, name);
	if (r->over && check_pending(r->check) == 0)
		loop_defer(r->config.loop, &r->stop);
	else if (r->config.origin->again)
		feed_kick(r->feed);
}

/* Whole blocks inside the object, and where they are computed, the right ones. */
void judge_file(void *arg, struct cachefile *file)
{
	struct replay *r = arg;
	uint64_t from = 0, to, beyond = cachefile_beyond(file);
	char name[CATALOG_NAME_MAX];

	if (beyond > 0) {
		r->report.wrong_stored += beyond;
		report_find(&r->report, "%s: written %llu bytes beyond the end of its last block",
			    catalog_name(file->object, name), (unsigned long long)beyond);
	}
	if (!r->config.check || r->config.origin->again || r->report.interrupted)
		return;
	r->ending_file = true;
	for (; cachefile_data(file, from, &from, &to); from = to)
		check_range(r->check, file, from, to - from);
	r->ending_file = false;
}
