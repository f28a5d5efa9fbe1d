/* SPDX-License-Identifier: MIT */
/* What the daemon is, and how it does. */
#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "daemon/audit/audit.h"
#include "daemon/control/control-internal.h"
#include "daemon/control/process.h"
#include "daemon/util/json.h"
#include "daemon/util/log.h"

static json_t *counters(const struct control *c)
{
	struct engine_stats s = engine_stats(c->config.engine);
	const struct {
		const char *name;
		uint64_t value;
	} rows[] = {
		{ "opens", s.opens },
		{ "opens_failed", s.opens_failed },
		{ "opens_remembered", s.remembered },
		{ "opens_remembered_absent", s.remembered_absent },
		{ "opens_of_images", s.known },
		{ "reads", s.demands },
		{ "reads_failed", s.demands_failed },
		{ "read_bytes", s.demand_bytes },
		{ "looks", s.looks },
		{ "fetches", s.fetches },
		{ "fetched_bytes", s.fetch_bytes },
		{ "stored_bytes", s.stored_bytes },
	};
	json_t *object = json_object();

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		control_set_number(object, rows[i].name, rows[i].value);
	return object;
}

static json_t *now(const struct control *c)
{
	struct engine_waiting oldest;
	struct engine_gauges g;
	json_t *object = json_object();

	engine_gauges(c->config.engine, &g);
	control_set_number(object, "objects", engine_stats(c->config.engine).objects);
	control_set_number(object, "opens", g.opens);
	control_set_number(object, "reads", g.demands);
	control_set_number(object, "flights", g.flights);
	control_set_number(object, "buffers_bytes", g.buffers_used);
	control_set_number(object, "buffers_limit_bytes", g.buffers_max);
	control_set_number(object, "names", g.names.entries);
	control_set_number(object, "names_bytes", g.names.bytes);
	if (engine_oldest(c->config.engine, &oldest))
		control_set_time(object, "oldest_seconds", loop_now(c->config.loop) - oldest.since);
	return object;
}

/* NULL: nobody waits. */
static json_t *oldest(const struct control *c)
{
	uint64_t now = loop_now(c->config.loop);
	struct engine_waiting w;
	json_t *object;
	char why[256];

	if (!engine_oldest(c->config.engine, &w))
		return NULL;
	engine_waiting_print(&w, now, why, sizeof(why));
	object = json_object();
	control_set_text(object, "kind", w.kind == ENGINE_REQUEST_OPEN ? "open" : "read");
	json_set_key(object, "volume", w.volume);
	json_set_key(object, "cookie", w.cookie);
	control_set_text(object, "source", w.source ? w.source : "");
	if (w.kind == ENGINE_REQUEST_READ) {
		control_set_number(object, "offset", w.off);
		control_set_number(object, "bytes", w.len);
	}
	control_set_time(object, "age", now - w.since);
	control_set_text(object, "waits_for", why);
	return object;
}

static bool count_object(void *arg, const struct object *o)
{
	uint64_t *counts = arg;

	counts[object_verified(o)]++;
	return true;
}

/* What is open now, and what has been looked at since the start. */
static json_t *verified(const struct control *c)
{
	struct audit_stats s = audit_stats(c->config.audit);
	uint64_t counts[VERIFIED_FAILED + 1] = { 0 };
	json_t *object = json_object(), *open = json_object();

	engine_each_object(c->config.engine, 0, count_object, counts);
	for (enum verified v = 0; v <= VERIFIED_FAILED; v++)
		control_set_number(open, verified_name(v), counts[v]);
	json_object_set_new(object, "open", open);
	control_set_number(object, "right", s.right);
	control_set_number(object, "wrong", s.wrong);
	control_set_number(object, "unreadable", s.failed);
	control_set_number(object, "hashed_bytes", s.hashed_bytes);
	control_set_number(object, "waiting", s.waiting);
	return object;
}

static json_t *process(void)
{
	struct process p;
	json_t *object = json_object();

	process_look(&p);
	control_set_number(object, "pid", (uint64_t)getpid());
	control_set_number(object, "resident_bytes", p.resident);
	if (p.fds > 0)
		control_set_number(object, "descriptors", p.fds);
	control_set_number(object, "descriptors_limit", p.max_fds);
	json_object_set_new(object, "cpu_seconds", json_real(p.cpu_seconds));
	return object;
}

void control_get_status(struct control *c, const struct control_request *r,
			struct control_answer *a)
{
	json_t *object = json_object();
	struct utsname kernel;

	control_set_text(object, "version", CACHEFILLD_VERSION);
	control_set_time(object, "uptime", loop_now(c->config.loop) - c->started);
	if (uname(&kernel) == 0)
		control_set_text(object, "kernel", kernel.release);
	control_set_text(object, "cache_dir", c->config.cache_dir);
	control_set_text(object, "state_dir", c->config.state_dir);
	control_set_text(object, "log_level", log_level_name(log_level()));
	json_object_set_new(object, "counters", counters(c));
	json_object_set_new(object, "now", now(c));
	json_object_set_new(object, "oldest", oldest(c) ?: json_null());
	json_object_set_new(object, "verified", verified(c));
	json_object_set_new(object, "process", process());
	control_answer_json(a, object);
}
