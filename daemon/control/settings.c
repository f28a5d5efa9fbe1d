/* SPDX-License-Identifier: MIT */
/* What can be changed while the daemon runs: the log level, the recording and the configuration. */
#include <errno.h>

#include "daemon/control/control-internal.h"
#include "daemon/util/log.h"

/* ---- log level ---------------------------------------------------------------------------- */

static void answer_level(struct control_answer *a)
{
	control_answer_json(a, json_pack("{ss}", "level", log_level_name(log_level())));
}

void control_get_log_level(struct control *c, const struct control_request *r,
			   struct control_answer *a)
{
	answer_level(a);
}

void control_put_log_level(struct control *c, const struct control_request *r,
			   struct control_answer *a)
{
	const char *text;
	int level;

	if (!control_field_text(r, a, "level", &text))
		return;
	level = text ? log_level_of(text) : -1;
	if (level < 0) {
		control_fail(a, 400, "It is one of error, warning, notice, info and debug.",
			     text ? "there is no such log level"
				  : "the field \"level\" is missing");
		return;
	}
	log_info("the log level is %s from now on", text);
	log_set_level(level);
	answer_level(a);
}

/* ---- trace -------------------------------------------------------------------------------- */

static bool can_record(const struct control *c, struct control_answer *a)
{
	if (c->config.ops && c->config.ops->trace)
		return true;
	control_fail(a, 501, "", "this daemon cannot record");
	return false;
}

static void answer_trace(struct control *c, struct control_answer *a)
{
	struct control_trace t;
	json_t *object = json_object();

	c->config.ops->trace(c->config.arg, &t);
	json_object_set_new(object, "recording", json_boolean(t.recording));
	if (t.path) {
		control_set_text(object, "path", t.path);
		control_set_number(object, "records", t.records);
		control_set_number(object, "lost", t.lost);
		control_set_number(object, "bytes", t.bytes);
	}
	control_answer_json(a, object);
}

void control_get_trace(struct control *c, const struct control_request *r, struct control_answer *a)
{
	if (can_record(c, a))
		answer_trace(c, a);
}

void control_post_trace_start(struct control *c, const struct control_request *r,
			      struct control_answer *a)
{
	char error[CONTROL_ERROR_MAX];
	const char *path;
	int err;

	if (!can_record(c, a) || !control_field_text(r, a, "path", &path))
		return;
	if (path && path[0] != '/') {
		control_fail(a, 400, "Give it from the root.", "\"path\" is not absolute");
		return;
	}
	err = c->config.ops->trace_start(c->config.arg, path, error);
	if (err == 0)
		answer_trace(c, a);
	else if (err == -EALREADY)
		control_fail(a, 409, "Stop it first.", "a recording is under way");
	else if (err == -ENOENT && !path)
		control_fail(a, 400, "Give a \"path\", or set `trace` in cachefilld.conf.",
			     "it is not known where to record");
	else
		control_fail(a, 400,
			     "It has to be in a directory that the daemon may write to: it has no "
			     "capabilities, and its unit lets it write only its own directories.",
			     "cannot record into %s", error);
}

void control_post_trace_stop(struct control *c, const struct control_request *r,
			     struct control_answer *a)
{
	struct control_trace t;

	if (!can_record(c, a))
		return;
	c->config.ops->trace(c->config.arg, &t);
	if (!t.recording) {
		control_fail(a, 409, "", "nothing is recorded");
		return;
	}
	c->config.ops->trace_stop(c->config.arg);
	answer_trace(c, a);
}

/* ---- reload ------------------------------------------------------------------------------- */

static void add_key(void *to, const char *key)
{
	json_array_append_new(to, json_string(key));
}

static void refuse_reload(struct control_answer *a, int err, const char *error)
{
	switch (err) {
	case -EINVAL:
		control_fail(a, 422, "Nothing has changed.", "%s", error);
		break;
	case -EBUSY:
	case -EALREADY:
		control_fail(a, 409, "Nothing has changed.", "%s", error);
		break;
	case -EOPNOTSUPP:
		control_fail(a, 501, "", "%s", error);
		break;
	default:
		control_fail(a, 500, "Nothing has changed.", "%s", error);
	}
}

/* The next process has a socket of its own: whoever asks has to have the answer before. */
void control_post_reload(struct control *c, const struct control_request *r,
			 struct control_answer *a)
{
	char error[CONTROL_ERROR_MAX];
	struct control_reload reload;
	json_t *later;
	int err;

	if (!c->config.ops || !c->config.ops->reload_check) {
		control_fail(a, 501, "", "this daemon cannot reload");
		return;
	}
	later = json_array();
	err = c->config.ops->reload_check(c->config.arg, &reload, add_key, later, error);
	if (err < 0) {
		json_decref(later);
		refuse_reload(a, err, error);
		return;
	}
	control_answer_json(a, json_pack("{sI ss so}", "sources", (json_int_t)reload.sources,
					 "control_socket", reload.socket, "restart", later));
	a->sent = c->config.ops->reload;
	a->arg = c->config.arg;
}
