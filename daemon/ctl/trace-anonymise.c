/* SPDX-License-Identifier: MIT */
/*
 * cachefillctl trace anonymise: the same trace without names.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/ctl.h"
#include "daemon/ctl/trace-output.h"
#include "daemon/ctl/trace-walk.h"
#include "daemon/util/table.h"

static const char help[] =
	"Usage: cachefillctl trace anonymise [OPTION]... -o OUT FILE\n"
	"\n"
	"Writes a trace in which volumes, cookies, sources, locators, validators,\n"
	"programs, kernels and commands are called v1, o1, s1, l1 and so on: the same\n"
	"name wherever the same text was. The time of day is left out, and times begin\n"
	"at 0. Sizes, offsets and durations stay what they are.\n"
	"\n" TRACE_OUTPUT_HELP "  -h, --help             print this\n"
	"\n"
	"FILE may be '-' for standard input.\n"
	"\n"
	"Example:\n"
	"  cachefillctl trace anonymise -o report.trace boot.trace\n";

static const struct option options[] = {
	TRACE_OUTPUT_OPTIONS,
	{ "help", no_argument, NULL, 'h' },
	{ NULL },
};

static const struct ctl_syntax syntax = {
	.command = "cachefillctl trace anonymise",
	.shorts = "ho:",
	.options = options,
	.help = help,
};

#define NAMES_MAX (4u << 20)

struct name {
	char text[24]; /* "v1" */
	UT_hash_handle hh;
	uint8_t key[]; /* the text that it stands for */
};

/* The names of one sort of text. */
struct names {
	char letter;
	struct name *table;
};

struct anonymise {
	struct trace_output output;
	struct names volumes, cookies, sources, locators, validators, programs, kernels, commands;
	uint64_t first; /* time of the first record */
	uint64_t unknown;
	bool begun, has_end;
};

/* ---- names ------------------------------------------------------------------------------- */

static void names_deinit(struct names *names)
{
	struct name *name, *next;

	HASH_ITER(hh, names->table, name, next) {
		HASH_DEL(names->table, name);
		free(name);
	}
}

static int add_name(struct names *names, struct bytes text, struct name **ret)
{
	unsigned int number = HASH_COUNT(names->table) + 1;
	struct name *name;

	if (number > NAMES_MAX)
		return -E2BIG;
	name = calloc(1, sizeof(*name) + text.len);
	if (!name)
		return -ENOMEM;
	snprintf(name->text, sizeof(name->text), "%c%u", names->letter, number);
	memcpy(name->key, text.data, text.len);
	HASH_ADD_KEYPTR(hh, names->table, name->key, text.len, name);
	if (!table_has(name)) {
		free(name);
		return -ENOMEM;
	}
	*ret = name;
	return 0;
}

/* What is empty stays so. */
static int replace(struct names *names, struct bytes *text)
{
	struct name *name;
	int r = 0;

	if (text->len == 0)
		return 0;
	HASH_FIND(hh, names->table, text->data, text->len, name);
	if (!name)
		r = add_name(names, *text, &name);
	if (r == 0)
		*text = bytes_str(name->text);
	return r;
}

/* ---- records ----------------------------------------------------------------------------- */

/* The text of a source is its name; of a command, what was written. */
static int replace_all(struct anonymise *a, struct trace_record *record)
{
	struct {
		struct names *names;
		struct bytes *text;
	} all[] = {
		{ &a->volumes, &record->volume },
		{ &a->cookies, &record->cookie },
		{ &a->locators, &record->locator },
		{ &a->validators, &record->validator },
		{ &a->programs, &record->program },
		{ &a->kernels, &record->kernel },
		{ record->kind == TRACE_SOURCE ? &a->sources : &a->commands, &record->text },
	};
	int r = 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]) && r == 0; i++)
		r = replace(all[i].names, all[i].text);
	return r;
}

static int anonymise_record(struct trace_walk *walk, const struct trace_record *record)
{
	struct anonymise *a = walk->arg;
	struct trace_record nameless = *record;
	int r;

	if (!a->begun)
		a->first = record->time;
	a->begun = true;
	if (record->kind == TRACE_END)
		a->has_end = true;
	if (record->kind == TRACE_UNKNOWN)
		a->unknown++;
	if (record->kind == TRACE_END || record->kind == TRACE_UNKNOWN)
		return 0;
	nameless.time -= a->first;
	nameless.realtime = 0;
	r = replace_all(a, &nameless);
	return r < 0 ? r : trace_output_put(&a->output, &nameless);
}

/* ---- the command ------------------------------------------------------------------------- */

static int anonymise(struct anonymise *a, const char *path)
{
	struct trace_walk walk = {
		.path = path,
		.progress = true,
		.each = anonymise_record,
		.arg = a,
	};
	int status = trace_output_open(&a->output, syntax.command);

	if (status != CTL_OK)
		return status;
	status = trace_walk(&walk);
	if (status != CTL_OK) {
		trace_output_abort(&a->output);
		return status;
	}
	if (a->unknown)
		ctl_error("%s: left out %" PRIu64 " records that are newer than this program", path,
			  a->unknown);
	return trace_output_finish(&a->output, a->has_end);
}

int ctl_trace_anonymise(int argc, char *argv[])
{
	struct anonymise a = {
		.volumes = { 'v' },
		.cookies = { 'o' },
		.sources = { 's' },
		.locators = { 'l' },
		.validators = { 'e' },
		.programs = { 'p' },
		.kernels = { 'k' },
		.commands = { 'c' },
	};
	struct names *all[] = { &a.volumes,    &a.cookies,  &a.sources, &a.locators,
				&a.validators, &a.programs, &a.kernels, &a.commands };
	int opt, status = CTL_OK;

	while ((opt = ctl_getopt(&syntax, argc, argv, &status)) >= 0)
		trace_output_take(&a.output, opt);
	if (opt == CTL_OPTIONS_EXIT)
		return status;
	if (optind + 1 != argc)
		return ctl_usage(syntax.command, "one file is needed");
	status = anonymise(&a, argv[optind]);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		names_deinit(all[i]);
	return status;
}
