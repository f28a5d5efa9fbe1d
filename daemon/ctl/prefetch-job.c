/* SPDX-License-Identifier: MIT */
/* A job of the daemon: it is begun, and waited for. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/ctl/json.h"
#include "daemon/ctl/mount-wait.h"
#include "daemon/ctl/prefetch.h"
#include "daemon/ctl/progress.h"
#include "daemon/util/cleanup.h"

/* The daemon takes 16 KiB. */
#define PAGE_MAX ((size_t)12 << 10)

#define LOOK_MS	 250

/* ---- begin -------------------------------------------------------------------------------- */

/* One request of as many items as it may have, from *at on. */
struct page {
	json_t *objects; /* owned */
	size_t bytes;	 /* about, of text */
};

static json_t *begin_object(struct page *page, const struct prefetch_key *key)
{
	char volume[4 * 256 + 1], cookie[4 * 256 + 1];
	json_t *object;

	bytes_print(key->volume, volume, sizeof(volume));
	bytes_print(key->cookie, cookie, sizeof(cookie));
	object = json_pack("{ss ss}", "volume", volume, "cookie", cookie);
	/* A backslash becomes two. */
	page->bytes += 2 * (strlen(volume) + strlen(cookie)) + 64;
	json_array_append_new(page->objects, object);
	return object;
}

/* What belongs together: all of an object, or ranges of one. */
static void fill_page(struct page *page, const struct prefetch_list *list, size_t *at)
{
	size_t key = SIZE_MAX;
	json_t *ranges = NULL;

	for (; *at < list->n && page->bytes < PAGE_MAX; (*at)++) {
		const struct prefetch_item *item = &list->items[*at];
		json_t *object;

		if (item->key != key || item->len == 0 || !ranges) {
			object = begin_object(page, &list->keys[item->key]);
			ranges = item->len ? json_array() : NULL;
			if (ranges)
				json_object_set_new(object, "ranges", ranges);
			key = item->key;
		}
		if (!ranges)
			continue;
		json_array_append_new(ranges, json_integer((json_int_t)item->off));
		json_array_append_new(ranges, json_integer((json_int_t)item->len));
		page->bytes += 44;
	}
}

static json_t *request(const struct prefetch_order *o, json_t *objects, uint64_t job, bool more)
{
	json_t *body = json_pack("{so sb sb ss}", "objects", objects, "more", more, "plan", o->plan,
				 "name", o->name);

	if (body && job > 0)
		ctl_json_u64(body, "job", job);
	if (body && o->rate > 0)
		ctl_json_u64(body, "rate", o->rate);
	if (body && o->requests > 0)
		ctl_json_u64(body, "requests", o->requests);
	return body;
}

int prefetch_send(const struct prefetch_order *o, const struct prefetch_list *list,
		  uint64_t *ret_job, uint64_t *ret_unopened)
{
	uint64_t job = 0, unopened = 0;
	int status = CTL_OK;
	size_t at = 0;

	while (status == CTL_OK && at < list->n) {
		struct page page = { .objects = json_array() };
		json_t *body, *answer;

		fill_page(&page, list, &at);
		body = request(o, page.objects, job, at < list->n);
		if (!body)
			return ctl_error("out of memory");
		status = daemon_ask(&o->daemon, "POST", "/v1/prefetch", body, &answer);
		if (status != CTL_OK)
			return status;
		job = daemon_number(answer, "job");
		unopened = daemon_number(answer, "unopened");
		json_decref(answer);
	}
	*ret_job = job;
	*ret_unopened = unopened;
	return status;
}

/* ---- wait --------------------------------------------------------------------------------- */

int prefetch_look(const struct prefetch_order *o, uint64_t job, json_t **ret)
{
	char uri[64];

	snprintf(uri, sizeof(uri), "/v1/prefetch/%" PRIu64, job);
	return daemon_ask(&o->daemon, "GET", uri, NULL, ret);
}

/* What keeps it, once each time. */
static void tell_trouble(const json_t *job, char *told, size_t n)
{
	const char *state = daemon_text(job, "state");

	if (strcmp(state, told) == 0)
		return;
	snprintf(told, n, "%s", state);
	if (strcmp(state, "waiting") == 0)
		ctl_error("the job waits until what is left of it is mounted");
	else if (strcmp(state, "low-disk") == 0)
		ctl_error("the job waits, since little of the disk is left");
	else if (strcmp(state, "retrying") == 0)
		ctl_error("%s%s%s: it is tried again", daemon_text(job, "what"),
			  *daemon_text(job, "what") ? ": " : "", daemon_text(job, "error"));
}

static void show(struct progress *p, const struct prefetch_order *o, const json_t *job)
{
	uint64_t bytes = daemon_number(job, "bytes");
	char what[64];

	/* Sizes are known when all has been opened. */
	if (p->total != bytes || !p->file) {
		progress_end(p);
		snprintf(what, sizeof(what), "prefetch %.40s", o->name);
		progress_begin(p, what, bytes, o->daemon.json);
	}
	progress_update(p, bytes ? daemon_number(job, "done_bytes")
				 : daemon_number(job, "fetched_bytes"));
}

static int stop_waiting(uint64_t job)
{
	ctl_error("the job goes on: 'cachefillctl prefetch --list' shows it, and 'cachefillctl "
		  "prefetch --cancel %" PRIu64 "' ends it",
		  job);
	return CTL_FAILED;
}

/* A daemon that is started anew goes on with the job. *ret is NULL while there is none. */
static int look_patiently(const struct prefetch_order *o, uint64_t number, unsigned int *absent,
			  json_t **ret)
{
	struct prefetch_order quiet = *o;
	char error[DAEMON_ERROR_MAX];
	int status;

	*ret = NULL;
	quiet.daemon.error = error;
	status = prefetch_look(&quiet, number, ret);
	if (status == CTL_ABSENT && ++*absent < PREFETCH_ABSENT_SECONDS * 1000 / LOOK_MS)
		return CTL_OK;
	if (status != CTL_OK)
		ctl_error("%s", error);
	else
		*absent = 0;
	return status;
}

int prefetch_wait(const struct prefetch_order *o, uint64_t number, json_t **ret)
{
	static const struct timespec pause = { .tv_nsec = LOOK_MS * 1000000L };
	struct progress progress = { 0 };
	char told[16] = "";
	unsigned int absent = 0;
	json_t *job = NULL;
	int status;

	while ((status = look_patiently(o, number, &absent, &job)) == CTL_OK &&
	       !json_is_true(json_object_get(job, "ended")) && !mount_wait_interrupted()) {
		if (job) {
			tell_trouble(job, told, sizeof(told));
			show(&progress, o, job);
		}
		json_decref(job);
		nanosleep(&pause, NULL);
	}
	progress_end(&progress);
	if (status != CTL_OK)
		return status;
	if (json_is_true(json_object_get(job, "ended"))) {
		*ret = job;
		return CTL_OK;
	}
	json_decref(job);
	return stop_waiting(number);
}

/* ---- the whole of it ---------------------------------------------------------------------- */

static void print_done(const json_t *job)
{
	uint64_t bytes = daemon_number(job, "bytes"), fetched = daemon_number(job, "fetched_bytes");
	char f[32], b[32], t[32];

	printf("fetched %s", ctl_bytes(fetched, f, sizeof(f)));
	if (bytes > 0)
		printf(" of %s", ctl_bytes(bytes, b, sizeof(b)));
	printf("%s, in %s\n", bytes > fetched ? "; the rest was cached" : "",
	       ctl_time((uint64_t)(daemon_real(job, "took") * 1e9), t, sizeof(t)));
}

static int say_end(const struct prefetch_order *o, json_t *job)
{
	const char *state = daemon_text(job, "state"), *what = daemon_text(job, "what");
	int status = strcmp(state, "done") == 0 ? CTL_OK : CTL_FAILED;

	if (strcmp(state, "failed") == 0)
		ctl_error("the job has failed: %s%s%s", what, *what ? ": " : "",
			  daemon_text(job, "error"));
	else if (strcmp(state, "useless") == 0)
		ctl_error("the job was stopped, since readers want something else than the plan "
			  "has: %" PRIu64 " of %" PRIu64 " reads that found something missing were "
			  "of it",
			  daemon_number(job, "reads_foreseen"), daemon_number(job, "reads"));
	else if (status != CTL_OK)
		ctl_error("the job was %s", state);
	if (o->daemon.json)
		return ctl_json_line(job) < 0 ? ctl_error("out of memory") : status;
	if (status == CTL_OK)
		print_done(job);
	json_decref(job);
	return status;
}

static int say_begun(const struct prefetch_order *o, uint64_t job)
{
	json_t *line;

	if (!o->daemon.json) {
		printf("job %" PRIu64 "\n", job);
		return CTL_OK;
	}
	line = json_object();
	ctl_json_u64(line, "job", job);
	return ctl_json_line(line) < 0 ? ctl_error("out of memory") : CTL_OK;
}

static int follow(const struct prefetch_order *o, uint64_t number, struct prefetch_holder *holder)
{
	json_t *job = NULL;
	int status = prefetch_wait(o, number, &job);

	if (status != CTL_OK)
		return status;
	prefetch_release(holder);
	return say_end(o, job);
}

int prefetch_do(struct prefetch_order *o, const struct prefetch_list *list)
{
	struct prefetch_holder holder = { .wake = -1 };
	uint64_t job, unopened;
	int status = prefetch_send(o, list, &job, &unopened);

	if (status != CTL_OK)
		return status;
	mount_wait_signals();
	if (unopened > 0 && o->image)
		status = prefetch_hold(o, job, &holder);
	if (status != CTL_OK)
		return status;
	return o->background ? say_begun(o, job) : follow(o, job, &holder);
}

bool prefetch_option(struct prefetch_order *o, const char *command, int opt, int *ret_status)
{
	char *end;

	*ret_status = CTL_OK;
	switch (opt) {
	case PREFETCH_OPT_RATE:
		if (ctl_parse_bytes(optarg, &o->rate) < 0 || o->rate == 0)
			*ret_status = ctl_usage(
				command, "--rate needs a size such as 10M, not '%s'", optarg);
		return true;
	case PREFETCH_OPT_REQUESTS:
		o->requests = strtoull(optarg, &end, 10);
		if (*optarg < '1' || *optarg > '9' || *end || o->requests > 16)
			*ret_status = ctl_usage(command,
						"--requests needs a number from 1 to 16, not '%s'",
						optarg);
		return true;
	case PREFETCH_OPT_BACKGROUND:
		o->background = true;
		return true;
	default:
		return false;
	}
}
