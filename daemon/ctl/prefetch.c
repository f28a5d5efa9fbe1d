/* SPDX-License-Identifier: MIT */
/* cachefillctl prefetch: fetches what nobody has read yet. */
#include "daemon/ctl/prefetch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/image-plan.h"
#include "daemon/ctl/json.h"
#include "daemon/util/checked.h"
#include "daemon/util/cleanup.h"

enum { OPT_ALL = 256, OPT_PLAN, OPT_LIST, OPT_CANCEL };

static const struct option longs[] = {
	{ "all", no_argument, NULL, OPT_ALL },
	{ "plan", required_argument, NULL, OPT_PLAN },
	PREFETCH_OPTIONS,
	{ "list", no_argument, NULL, OPT_LIST },
	{ "cancel", required_argument, NULL, OPT_CANCEL },
	CONTEXT_OPTION_JSON,
	{ "socket", required_argument, NULL, DAEMON_OPT_SOCKET },
	CONTEXT_OPTIONS,
	{ NULL },
};

static const struct ctl_syntax syntax = {
	"cachefillctl prefetch",
	"h",
	longs,
	"Usage: cachefillctl prefetch [OPTION]... IMAGE|OBJECT [OFFSET+LENGTH...]\n"
	"       cachefillctl prefetch [OPTION]... --plan FILE [IMAGE|OBJECT]\n"
	"       cachefillctl prefetch --list | --cancel JOB\n"
	"\n"
	"Has the daemon fetch what nobody has read yet: what the plan of an image says, or\n"
	"all of one that has none, or ranges of an object, or what another plan says.\n"
	"Readers go first.\n"
	"\n"
	"      --all              all of it, whatever its plan says\n"
	"      --plan FILE        what `trace plan` has written, in its order\n" PREFETCH_HELP
	"      --list             the jobs that there are\n"
	"      --cancel JOB       end this one\n"
	"      --json             print JSON\n"
	"      --socket PATH      where the daemon listens (control-socket in\n"
	"                         cachefilld.conf)\n" CONTEXT_HELP "\n"
	"See cachefillctl-prefetch(1).\n",
};

struct command {
	struct prefetch_order order;
	struct prefetch_list list;
	const char *plan, *cancel;
	bool all, list_jobs;
};

/* ---- jobs --------------------------------------------------------------------------------- */

static void print_job(const json_t *job)
{
	uint64_t bytes = daemon_number(job, "bytes");
	char fetched[32], of[32] = "";

	if (bytes > 0)
		snprintf(of, sizeof(of), "%3d%%",
			 (int)((double)daemon_number(job, "done_bytes") * 100 / (double)bytes));
	printf("%5" PRIu64 " %-9s %4s %9s  %s%s%s\n", daemon_number(job, "job"),
	       daemon_text(job, "state"), of,
	       ctl_bytes(daemon_number(job, "fetched_bytes"), fetched, sizeof(fetched)),
	       daemon_text(job, "name"), *daemon_text(job, "error") ? ": " : "",
	       daemon_text(job, "error"));
}

static int list_jobs(const struct daemon *d)
{
	json_t *answer, *job;
	int status = daemon_ask(d, "GET", "/v1/prefetch", NULL, &answer);
	size_t i;

	if (status != CTL_OK)
		return status;
	if (d->json)
		return ctl_json_line(answer) < 0 ? ctl_error("out of memory") : CTL_OK;
	puts("  JOB STATE       IN   FETCHED  NAME");
	json_array_foreach(json_object_get(answer, "jobs"), i, job) print_job(job);
	json_decref(answer);
	return CTL_OK;
}

static int cancel_job(const struct daemon *d, const char *text)
{
	char *end;
	unsigned long long number = strtoull(text, &end, 10);
	json_t *answer;
	int status;

	if (*text < '1' || *text > '9' || *end)
		return ctl_usage(syntax.command, "--cancel needs the number of a job, not '%s'",
				 text);
	status = daemon_ask(d, "POST", "/v1/prefetch/cancel",
			    json_pack("{sI}", "job", (json_int_t)number), &answer);
	if (status != CTL_OK)
		return status;
	if (d->json)
		return ctl_json_line(answer) < 0 ? ctl_error("out of memory") : CTL_OK;
	json_decref(answer);
	return CTL_OK;
}

/* ---- what to fetch ------------------------------------------------------------------------ */

static int take_range(struct prefetch_list *list, const struct cache_key *key, char *text)
{
	char *plus = strchr(text, '+');
	uint64_t off, len, end;
	int r;

	if (plus)
		*plus = '\0';
	if (!plus || ctl_parse_bytes(text, &off) < 0 || ctl_parse_bytes(plus + 1, &len) < 0 ||
	    len == 0 || !add_u64(off, len, &end) || end > OBJECT_SIZE_MAX)
		return ctl_usage(syntax.command,
				 "a range is OFFSET+LENGTH, such as 0+64M or 4096+1M");
	r = prefetch_list_add(list, key->volume, key->cookie, off, len);
	return r < 0 ? ctl_error("%s", strerror(-r)) : CTL_OK;
}

static int take_all(struct prefetch_list *list, const struct cache_objects *objects)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < objects->n; i++)
		r = prefetch_list_add(list, objects->keys[i].volume, objects->keys[i].cookie, 0, 0);
	return r < 0 ? ctl_error("%s", strerror(-r)) : CTL_OK;
}

/* Ranges of its own plan, by their cookies: the volume is that of this host. */
static int take_ranges(struct prefetch_list *list, const char *text,
		       const struct cache_objects *objects)
{
	struct plan_range range;
	int r = 0;

	while (r == 0 && image_plan_next(&text, &range))
		for (size_t i = 0; r == 0 && i < objects->n; i++)
			if (bytes_equal(objects->keys[i].cookie, range.cookie))
				r = prefetch_list_add(list, objects->keys[i].volume,
						      objects->keys[i].cookie, range.off,
						      range.len == PLAN_TO_THE_END ? 0 : range.len);
	return r;
}

/* What its own plan says, or else all of it. */
static int take_image(struct command *c, const struct context *context, const char *name,
		      const struct cache_objects *objects)
{
	_cleanup_free_ char *text = NULL;
	bool given;
	int r = c->all ? -ENOENT : images_plan(context->images, name, &text, &given);

	if (r == -ENOENT)
		return take_all(&c->list, objects);
	if (r == 0)
		r = take_ranges(&c->list, text, objects);
	if (r < 0)
		return ctl_error("%s", strerror(-r));
	if (c->list.n == 0)
		return ctl_error("the plan of '%s' is of what it was before: `cachefillctl image "
				 "plan` sets and removes it, --all does without",
				 name);
	c->order.plan = true;
	return CTL_OK;
}

static int take_objects(struct command *c, const struct context *context,
			const struct cache_objects *objects, int argc, char *argv[])
{
	int status = CTL_OK;

	if (objects->image)
		c->order.image = argv[0];
	if (c->plan)
		return prefetch_list_read(&c->list, c->plan, objects);
	if (argc == 1 && objects->image)
		return take_image(c, context, argv[0], objects);
	if (argc == 1)
		return take_all(&c->list, objects);
	if (objects->n != 1)
		return ctl_usage(syntax.command,
				 "ranges are of one object, and '%s' has several: give "
				 "VOLUME/COOKIE, as `cachefillctl du --objects` lists them",
				 argv[0]);
	for (int i = 1; status == CTL_OK && i < argc; i++)
		status = take_range(&c->list, &objects->keys[0], argv[i]);
	return status;
}

static int take_arguments(struct command *c, int argc, char *argv[])
{
	struct context context = c->order.context; /* what is mounted opens one of its own */
	struct cache_objects objects = { 0 };
	int status;

	if (argc == 0) {
		c->order.name = c->plan;
		return prefetch_list_read(&c->list, c->plan, NULL);
	}
	c->order.name = c->order.name ?: argv[0];
	status = context_open(&context, CONTEXT_READ);
	if (status == CTL_OK)
		status = cache_objects(&context, argv[0], &objects);
	if (status == CTL_OK)
		status = take_objects(c, &context, &objects, argc, argv);
	cache_objects_end(&objects);
	context_close(&context);
	return status;
}

/* ---- the command -------------------------------------------------------------------------- */

static int take_option(struct command *c, int opt)
{
	int status = CTL_OK;

	if (prefetch_option(&c->order, syntax.command, opt, &status) ||
	    daemon_option(&c->order.daemon, opt))
		return status;
	switch (opt) {
	case OPT_ALL:
		c->all = true;
		break;
	case OPT_PLAN:
		c->plan = optarg;
		c->order.plan = true;
		break;
	case OPT_LIST:
		c->list_jobs = true;
		break;
	case OPT_CANCEL:
		c->cancel = optarg;
		break;
	default:
		context_option(&c->order.context, opt);
	}
	return CTL_OK;
}

static int run(struct command *c, int argc, char *argv[])
{
	int status;

	c->order.daemon.json = c->order.context.json;
	if (c->list_jobs || c->cancel) {
		if (argc > 0 || (c->list_jobs && c->cancel))
			return ctl_usage(syntax.command, "--list and --cancel stand alone");
		return c->cancel ? cancel_job(&c->order.daemon, c->cancel)
				 : list_jobs(&c->order.daemon);
	}
	if (argc == 0 && !c->plan)
		return ctl_usage(syntax.command, "IMAGE or OBJECT is missing");
	if ((c->plan || c->all) && argc > 1)
		return ctl_usage(syntax.command, "ranges, --plan and --all exclude each other");
	if (c->plan && c->all)
		return ctl_usage(syntax.command, "--plan and --all exclude each other");
	status = take_arguments(c, argc, argv);
	return status == CTL_OK ? prefetch_do(&c->order, &c->list) : status;
}

int prefetch_image(struct prefetch_order *order, const char *image)
{
	struct command c = { .order = *order };
	char *argv[] = { (char *)image, NULL };
	int status = take_arguments(&c, 1, argv);

	c.order.background = true;
	if (status == CTL_OK)
		status = prefetch_do(&c.order, &c.list);
	prefetch_list_end(&c.list);
	return status;
}

int ctl_prefetch(int argc, char *argv[])
{
	struct command c = { .order = PREFETCH_ORDER_INIT };
	int opt, status = CTL_OK;

	while (status == CTL_OK &&
	       (opt = ctl_getopt(&syntax, argc, argv, &status)) != CTL_OPTIONS_END) {
		if (opt == CTL_OPTIONS_EXIT)
			return status;
		status = take_option(&c, opt);
	}
	if (status == CTL_OK)
		status = run(&c, argc - optind, argv + optind);
	prefetch_list_end(&c.list);
	return status;
}
