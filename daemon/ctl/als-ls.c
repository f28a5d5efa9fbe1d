/* SPDX-License-Identifier: MIT */
/*
 * cachefillctl als ls: the images of which podman finds layers.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/als.h"
#include "daemon/ctl/json.h"
#include "daemon/ctl/mount-table.h"

static const struct option longs[] = {
	ALS_OPTION_DIR,
	CONTEXT_OPTION_JSON,
	CONTEXT_OPTIONS,
	{ NULL },
};

static const struct ctl_syntax syntax = {
	"cachefillctl als ls",
	"h",
	longs,
	"Usage: cachefillctl als ls [OPTION]...\n"
	"\n"
	"Lists the images of which podman finds layers.\n"
	"\n"
	"      --json             one JSON object a line\n" ALS_HELP_DIR CONTEXT_HELP,
};

struct row {
	char *name;	/* owned */
	json_t *layers; /* owned */
	size_t n, good; /* layers; those that podman finds, and that are mounted */
	uint64_t size;	/* bytes of the layers in the registry */
};

struct ls {
	struct als als;
	struct mount_table table;
	struct row *rows; /* owned */
	size_t n_rows;
};

/* ---- what is there ------------------------------------------------------------------------ */

/* Names come one after the other. */
static struct row *row_of(struct ls *ls, const char *name)
{
	struct row *rows;

	if (ls->n_rows && strcmp(ls->rows[ls->n_rows - 1].name, name) == 0)
		return &ls->rows[ls->n_rows - 1];
	rows = reallocarray(ls->rows, ls->n_rows + 1, sizeof(*rows));
	if (!rows)
		return NULL;
	ls->rows = rows;
	rows[ls->n_rows] = (struct row){ .name = strdup(name), .layers = json_array() };
	return rows[ls->n_rows].name ? &rows[ls->n_rows++] : NULL;
}

static int see(void *arg, const struct als_entry *entry)
{
	struct ls *ls = arg;
	struct row *row = row_of(ls, entry->name);
	bool mounted = mount_table_top(&ls->table, entry->diff) != NULL;
	bool published = entry->info.digest != NULL;

	if (!row)
		return -ENOMEM;
	row->n++;
	row->good += mounted && published;
	row->size += entry->info.size;
	return json_array_append_new(row->layers,
				     json_pack("{s:s, s:s?, s:I, s:b, s:b}", "digest",
					       entry->digest, "diff-id", entry->info.diff_id,
					       "size", (json_int_t)entry->info.size, "mounted",
					       mounted, "published", published)) == 0
		       ? 0
		       : -ENOMEM;
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct row *)a)->name, ((const struct row *)b)->name);
}

/* ---- how it is shown ---------------------------------------------------------------------- */

static int print_json(const struct row *row)
{
	json_t *line = json_pack("{s:s, s:O}", "name", row->name, "layers", row->layers);

	return line ? ctl_json_line(line) : -ENOMEM;
}

static int print_text(const struct row *row, int width)
{
	char size[32];

	printf("%-*s  %3zu layer%s  %10s%s\n", width, row->name, row->n, row->n == 1 ? " " : "s",
	       ctl_bytes(row->size, size, sizeof(size)),
	       row->good == row->n ? "" : "  not mounted: remove it, and add it again");
	return 0;
}

static int print_all(struct ls *ls)
{
	int width = 0, r = 0;

	if (ls->n_rows)
		qsort(ls->rows, ls->n_rows, sizeof(*ls->rows), compare);
	for (size_t i = 0; i < ls->n_rows; i++)
		if ((int)strlen(ls->rows[i].name) > width)
			width = (int)strlen(ls->rows[i].name);
	for (size_t i = 0; r == 0 && i < ls->n_rows; i++)
		r = ls->als.context.json ? print_json(&ls->rows[i])
					 : print_text(&ls->rows[i], width);
	return r;
}

static int ls(struct ls *ls)
{
	int status = als_open(&ls->als, 0);
	int r;

	if (status != CTL_OK)
		return status;
	r = mount_table_load(&ls->table);
	if (r == 0)
		r = als_tree_each(ls->als.dir, NULL, see, ls);
	if (r == 0)
		r = print_all(ls);
	return r < 0 ? ctl_error("%s: %s", ls->als.dir, strerror(-r)) : CTL_OK;
}

int ctl_als_ls(int argc, char *argv[])
{
	struct ls l = { 0 };
	int opt, status;

	als_begin(&l.als);
	while ((opt = ctl_getopt(&syntax, argc, argv, &status)) != CTL_OPTIONS_END) {
		if (opt == CTL_OPTIONS_EXIT)
			return status;
		(void)als_option(&l.als, opt);
	}
	if (argc != optind)
		return ctl_usage(syntax.command, "no argument is expected");
	status = ls(&l);
	for (size_t i = 0; i < l.n_rows; i++) {
		free(l.rows[i].name);
		json_decref(l.rows[i].layers);
	}
	free(l.rows);
	mount_table_end(&l.table);
	als_end(&l.als);
	return status;
}
