/* SPDX-License-Identifier: MIT */
/* cachefillctl du: what is cached, of which image. Reads the cache directory; needs no daemon. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/ctl/cache.h"
#include "daemon/ctl/du-map.h"
#include "daemon/ctl/image-text.h"
#include "daemon/ctl/image.h"
#include "daemon/ctl/json.h"
#include "daemon/state.h"
#include "daemon/util/cleanup.h"

enum { OPT_OBJECTS = 256, OPT_MAP };

static const struct option options[] = {
	{ "objects", no_argument, NULL, OPT_OBJECTS },
	{ "map", no_argument, NULL, OPT_MAP },
	CONTEXT_OPTION_JSON,
	CONTEXT_OPTIONS,
	{ NULL },
};

static const struct ctl_syntax syntax = {
	"cachefillctl du",
	"h",
	options,
	"Usage: cachefillctl du [OPTION]... [IMAGE|OBJECT]...\n"
	"       cachefillctl du --map [OPTION]... IMAGE|OBJECT...\n"
	"\n"
	"Lists what is cached, by image, of all or of these. What several images have\n"
	"counts for each of them, and once in the total.\n"
	"\n"
	"      --objects          list objects in place of images\n"
	"      --map              show which parts of each of their objects are cached\n"
	"      --json             print JSON, one image or object a line\n" CONTEXT_HELP "\n"
	"See cachefillctl-cache(1).\n",
};

#define BAR 8 /* so that a line with a short name has no more than 80 columns */

/* One line: an image, an object, or all that no image has. */
struct row {
	const char *kind;
	char *name; /* owned */
	uint64_t size, cached;
	int64_t used; /* ns, Unix time; 0: never, as far as is known */
	bool pinned;
	enum verified verified;
};

struct du {
	struct context *context;
	struct state_records *records; /* owned, or NULL */
	struct survey *survey;	       /* owned */
	bool objects, map;
	struct row *rows; /* owned */
	size_t n;
	uint64_t cached; /* of all, each object once */
};

/* ---- what is there ------------------------------------------------------------------------ */

static int add_row(struct du *du, const char *kind, const char *name, struct row **ret)
{
	struct row *rows = reallocarray(du->rows, du->n + 1, sizeof(*rows));
	char *own = strdup(name);

	if (rows)
		du->rows = rows;
	if (!rows || !own) {
		free(own);
		return -ENOMEM;
	}
	rows[du->n] = (struct row){ .kind = kind, .name = own, .verified = VERIFIED_WHOLE };
	*ret = &rows[du->n++];
	return 0;
}

/* o NULL: nothing is cached of it. size 0: as far as the cache knows. */
static void count(struct du *du, struct row *row, struct survey_object *o,
		  const struct cache_key *key)
{
	uint64_t size = key->size;

	row->verified = verified_least(
		row->verified, cache_verified(du->context, du->records, key->volume, key->cookie));
	row->size += size || !o ? size : o->size;
	if (!o)
		return;
	row->cached += o->bytes;
	row->used = o->used > row->used ? o->used : row->used;
	if (!o->counted)
		du->cached += o->bytes;
	o->counted = true;
}

static int add_object(struct du *du, const struct cache_key *key)
{
	struct survey_object *o = survey_find(du->survey, key->volume, key->cookie);
	char name[CACHE_NAME_MAX];
	struct row *row;
	int err = add_row(du, "object", cache_name(key->volume, key->cookie, name, sizeof(name)),
			  &row);

	if (err < 0)
		return err;
	count(du, row, o, key);
	row->pinned = o && o->value == SURVEY_PINNED;
	return 0;
}

static int add_objects(struct du *du, const struct cache_objects *objects)
{
	int err = 0;

	for (size_t i = 0; err == 0 && i < objects->n; i++)
		err = add_object(du, &objects->keys[i]);
	return err;
}

static int add_image(struct du *du, const char *shown, const struct cache_objects *objects)
{
	struct row *row;
	int err = add_row(du, "image", shown, &row);

	if (err < 0)
		return err;
	for (size_t i = 0; i < objects->n; i++)
		count(du, row,
		      survey_find(du->survey, objects->keys[i].volume, objects->keys[i].cookie),
		      &objects->keys[i]);
	row->pinned = objects->pinned;
	return 0;
}

static int visit_image(void *arg, const struct images_image *image)
{
	struct cache_objects objects;
	struct du *du = arg;
	char shown[256];
	int err = cache_image(du->context, image, &objects);

	if (err == 0)
		err = add_image(du, image_name_print(image, shown, sizeof(shown)), &objects);
	cache_objects_end(&objects);
	return err;
}

static int add_all_images(struct du *du)
{
	struct row *rest;
	int err = 0;

	if (du->context->images)
		err = images_each(du->context->images, visit_image, du);
	if (err == 0 && du->cached < du->survey->bytes)
		err = add_row(du, "others", "(no image)", &rest);
	if (err < 0 || du->cached == du->survey->bytes)
		return err;
	for (size_t i = 0; i < du->survey->n; i++) {
		struct survey_object *o = du->survey->objects[i];

		if (!o->counted)
			count(du, rest, o, &(struct cache_key){ o->volume, o->cookie, 0 });
	}
	return 0;
}

static int add_all_objects(struct du *du)
{
	int err = 0;

	for (size_t i = 0; err == 0 && i < du->survey->n; i++) {
		const struct survey_object *o = du->survey->objects[i];

		err = add_object(du, &(struct cache_key){ o->volume, o->cookie, 0 });
	}
	return err;
}

/* An exit status. */
static int add_argument(struct du *du, const char *argument)
{
	struct cache_objects objects;
	int err, status = cache_objects(du->context, argument, &objects);

	if (status != CTL_OK)
		return status;
	if (objects.image && !du->objects)
		err = add_image(du, argument, &objects);
	else
		err = add_objects(du, &objects);
	cache_objects_end(&objects);
	return err < 0 ? ctl_error("%s", strerror(-err)) : CTL_OK;
}

/* ---- how it is shown ---------------------------------------------------------------------- */

static int percent(const struct row *row)
{
	double part = row->size ? (double)row->cached * 100 / (double)row->size : 100;

	return part < 100 ? (int)part : 100; /* the last block of a file may be longer than it */
}

/* For people alone: in a pipe it would be in the way. */
static const char *bar(const struct row *row, bool terminal, char buf[BAR + 4])
{
	size_t part = (size_t)percent(row) * BAR / 100;

	if (!terminal)
		return "";
	memset(buf, '.', BAR + 3);
	memset(buf + 1, '#', part);
	buf[0] = '[';
	buf[BAR + 1] = ']';
	buf[BAR + 2] = ' ';
	buf[BAR + 3] = '\0';
	return buf;
}

static void print_row(const struct row *row, int width, bool terminal)
{
	char size[32], cached[32], used[32], drawn[BAR + 4];

	printf("%-*s  %10s  %10s  %s%3d%%  %-8s  %-16s%s\n", width, row->name,
	       ctl_bytes(row->size, size, sizeof(size)),
	       ctl_bytes(row->cached, cached, sizeof(cached)), bar(row, terminal, drawn),
	       percent(row), verified_name(row->verified),
	       row->used ? image_time(row->used / 1000000000, used, sizeof(used)) : "-",
	       row->pinned ? "  pinned" : "");
}

static int print_json(const struct row *row)
{
	json_t *line = json_pack("{s:s, s:b, s:s}", row->kind, row->name, "pinned", row->pinned,
				 "verified", verified_name(row->verified));

	ctl_json_u64(line, "size", row->size);
	ctl_json_u64(line, "cached", row->cached);
	if (row->used)
		ctl_json_s64(line, "used", row->used / 1000000000);
	return ctl_json_line(line);
}

static int print_lines(const struct du *du)
{
	int err = 0;

	for (size_t i = 0; err == 0 && i < du->n; i++)
		err = print_json(&du->rows[i]);
	return err < 0 ? ctl_error("%s", strerror(-err)) : CTL_OK;
}

static int print_table(const struct du *du)
{
	bool terminal = isatty(STDOUT_FILENO);
	int width = (int)strlen("OBJECT");
	char cached[32];

	for (size_t i = 0; i < du->n; i++)
		if ((int)strlen(du->rows[i].name) > width)
			width = (int)strlen(du->rows[i].name);
	printf("%-*s  %10s  %10s  %*s  %-8s  %s\n", width, du->objects ? "OBJECT" : "IMAGE", "SIZE",
	       "CACHED", terminal ? BAR + 7 : 4, "", "VERIFIED", "LAST USE");
	for (size_t i = 0; i < du->n; i++)
		print_row(&du->rows[i], width, terminal);
	printf("%-*s  %10s  %10s\n", width, "total", "",
	       ctl_bytes(du->cached, cached, sizeof(cached)));
	return CTL_OK;
}

/* ---- maps --------------------------------------------------------------------------------- */

static int map_argument(struct du *du, const struct du_map *map, const char *argument)
{
	struct cache_objects objects;
	int err, status = cache_objects(du->context, argument, &objects);

	if (status != CTL_OK)
		return status;
	err = du_map_print(map, argument, &objects);
	cache_objects_end(&objects);
	return err < 0 ? ctl_error("%s: %s", argument, strerror(-err)) : CTL_OK;
}

static int print_maps(struct du *du, char *arguments[])
{
	const char *dir = du->context->config->cache_dir;
	_cleanup_close_ int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct du_map map;
	int status = CTL_OK;

	if (fd < 0)
		return ctl_error("%s: %s", dir, strerror(errno));
	du_map_begin(&map, fd, du->survey, du->context->json);
	for (; *arguments && status == CTL_OK; arguments++)
		status = map_argument(du, &map, *arguments);
	if (status == CTL_OK)
		du_map_end(&map);
	return status;
}

/* ---- the whole ---------------------------------------------------------------------------- */

static int gather(struct du *du, char *arguments[])
{
	int err, status = CTL_OK;

	if (!*arguments) {
		err = du->objects ? add_all_objects(du) : add_all_images(du);
		return err < 0 ? ctl_error("%s", strerror(-err)) : CTL_OK;
	}
	for (; *arguments && status == CTL_OK; arguments++)
		status = add_argument(du, *arguments);
	return status;
}

static int list(struct du *du, char *arguments[])
{
	int status;

	du->records = cache_records(du->context);
	status = gather(du, arguments);
	if (status == CTL_OK)
		status = du->context->json ? print_lines(du) : print_table(du);
	return status;
}

static int run(struct du *du, char *arguments[])
{
	int status = context_open(du->context, CONTEXT_READ);

	if (status == CTL_OK)
		status = cache_survey(du->context, &du->survey);
	if (status == CTL_OK)
		status = du->map ? print_maps(du, arguments) : list(du, arguments);
	for (size_t i = 0; i < du->n; i++)
		free(du->rows[i].name);
	free(du->rows);
	survey_free(du->survey);
	state_records_close(du->records);
	return status;
}

int ctl_du(int argc, char *argv[])
{
	struct context context = CONTEXT_INIT;
	struct du du = { .context = &context };
	int opt, status = CTL_OK;

	while ((opt = ctl_getopt(&syntax, argc, argv, &status)) != CTL_OPTIONS_END)
		if (opt == CTL_OPTIONS_EXIT)
			return status;
		else if (opt == OPT_OBJECTS)
			du.objects = true;
		else if (opt == OPT_MAP)
			du.map = true;
		else
			context_option(&context, opt);
	if (du.map && du.objects)
		return ctl_usage(syntax.command, "--map and --objects exclude each other");
	if (du.map && optind == argc)
		return ctl_usage(syntax.command, "--map needs an IMAGE or OBJECT");
	status = run(&du, argv + optind);
	context_close(&context);
	return status;
}
