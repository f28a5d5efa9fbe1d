/* SPDX-License-Identifier: MIT */
/*
 * cachefillctl mounts.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/ctl/ctl.h"
#include "daemon/ctl/json.h"
#include "daemon/ctl/mount-command.h"
#include "daemon/ctl/mount-undo.h"

static const struct option longs[] = {
	CONTEXT_OPTION_JSON,
	{ "run-dir", required_argument, NULL, CONTEXT_OPT_RUN_DIR },
	{ "help", no_argument, NULL, 'h' },
	{ NULL },
};

static const struct ctl_syntax syntax = {
	"cachefillctl mounts",
	"h",
	longs,
	"Usage: cachefillctl mounts [OPTION]...\n"
	"\n"
	"Lists the images that are mounted.\n"
	"\n"
	"      --json             one JSON object a line\n"
	"      --run-dir DIR      where it is noted what is mounted (" CONTEXT_RUN_DIR ")\n"
	"  -h, --help             print this\n",
};

static const char *state_of(const struct mount_run *run, const struct mount_record *record,
			    const struct mount_table *table)
{
	if (mount_run_lock(run, MOUNT_LOCK_DIR, record->dir, true) < 0)
		return "busy";
	mount_run_unlock(run, MOUNT_LOCK_DIR, record->dir);
	if (mount_elsewhere(record))
		return "elsewhere";
	if (!record->complete)
		return "unfinished";
	return mount_is_there(record, table) ? "mounted" : "gone";
}

/* ---- JSON --------------------------------------------------------------------------------- */

static int print_json(const struct mount_record *record, const char *state)
{
	static const char *const writable[] = { "no", "memory", "directory" };
	json_t *cookies = json_array(), *object;

	for (size_t i = 0; i < record->n_layers; i++)
		json_array_append_new(cookies, json_string(record->layers[i]));
	object = json_pack("{s:s, s:s, s:s, s:s, s:s*, s:b, s:s, s:o}", "dir", record->dir, "image",
			   record->image, "state", state, "writable", writable[record->writable],
			   "upper", *record->upper ? record->upper : NULL, "transient",
			   record->transient, "domain", record->domain, "layers", cookies);
	return object ? ctl_json_line(object) : -ENOMEM;
}

/* ---- text --------------------------------------------------------------------------------- */

struct widths {
	int dir, image;
};

static struct widths measure(const struct mount_records *records)
{
	struct widths w = { 0 };

	for (size_t i = 0; i < records->n; i++) {
		int dir = (int)strlen(records->list[i]->dir);
		int image = (int)strlen(records->list[i]->image);

		w.dir = dir > w.dir ? dir : w.dir;
		w.image = image > w.image ? image : w.image;
	}
	return w;
}

static void print_text(const struct mount_record *record, const char *state, struct widths w)
{
	static const char *const writable[] = { "read-only", "writable in memory", "writable in " };

	printf("%-*s  %-*s  %3zu layer%s  %s%s%s%s\n", w.dir, record->dir, w.image, record->image,
	       record->n_layers, record->n_layers == 1 ? " " : "s", writable[record->writable],
	       record->upper, strcmp(state, "mounted") == 0 ? "" : "  ",
	       strcmp(state, "mounted") == 0 ? "" : state);
}

/* ---- both --------------------------------------------------------------------------------- */

static int list_all(const struct mount_run *run, bool json)
{
	struct mount_records records = { 0 };
	struct mount_table table;
	struct widths widths;
	int r = mount_table_load(&table);

	if (r < 0)
		return r;
	r = mount_run_list(run, &records);
	widths = measure(&records);
	for (size_t i = 0; r == 0 && i < records.n; i++) {
		const char *state = state_of(run, records.list[i], &table);

		if (json)
			r = print_json(records.list[i], state);
		else
			print_text(records.list[i], state, widths);
	}
	mount_records_end(&records);
	mount_table_end(&table);
	return r;
}

static int list(const char *run_dir, bool json)
{
	struct mount_run run;
	int r = mount_command_open(run_dir, &run);

	if (r < 0)
		return CTL_FAILED;
	r = list_all(&run, json);
	if (r < 0)
		ctl_error("%s: %s", run.dir, strerror(-r));
	mount_run_close(&run);
	return r < 0 ? CTL_FAILED : CTL_OK;
}

int ctl_mounts(int argc, char *argv[])
{
	struct context context = CONTEXT_INIT;
	int opt, status;

	while ((opt = ctl_getopt(&syntax, argc, argv, &status)) != CTL_OPTIONS_END) {
		if (opt == CTL_OPTIONS_EXIT)
			return status;
		context_option(&context, opt);
	}
	if (argc != optind)
		return ctl_usage(syntax.command, "no argument is expected");
	return list(context.run_dir, context.json);
}
