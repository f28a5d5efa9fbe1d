/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/du-map.h"

#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/ctl/json.h"
#include "daemon/ctl/progress.h"
#include "daemon/util/checked.h"
#include "daemon/util/cleanup.h"

#define BLOCK	     4096
#define COLUMNS_MAX  400
#define COLUMNS_LEFT 30 /* of cells */
#define CELLS_MIN    10
#define JSON_RANGES  8192 /* of an object */

/* How much of a cell is cached. */
enum { NONE, SOME, MOST, ALL, LEVELS };

static const char *const signs[LEVELS] = { ".", "-", "+", "#" };
static const char *const blocks[LEVELS] = { "\u00b7", "\u2591", "\u2593", "\u2588" };

/* ---- what is cached ----------------------------------------------------------------------- */

struct object {
	uint64_t size;	 /* bytes; 0: nobody knows, and nothing is cached */
	uint64_t cached; /* of them */
	unsigned int n_cells;
	uint64_t *cells; /* owned: bytes of each that are cached; NULL: not wanted */
	json_t *ranges;	 /* owned; NULL: not wanted */
	bool more;	 /* ranges */
};

/* Cells are as large as each other, but for a block or so, and there are no empty ones. */
static uint64_t cell_begin(const struct object *o, unsigned int i)
{
	return (uint64_t)((__uint128_t)o->size * i / o->n_cells);
}

static void count_cells(struct object *o, uint64_t from, uint64_t to)
{
	unsigned int i = (unsigned int)((__uint128_t)from * o->n_cells / o->size);

	for (; i < o->n_cells && cell_begin(o, i) < to; i++) {
		uint64_t begin = max_u64(from, cell_begin(o, i));
		uint64_t end = min_u64(to, cell_begin(o, i + 1));

		o->cells[i] += end > begin ? end - begin : 0;
	}
}

static int take(struct object *o, uint64_t from, uint64_t to)
{
	o->cached += to - from;
	if (o->cells)
		count_cells(o, from, to);
	if (!o->ranges)
		return 0;
	o->more = json_array_size(o->ranges) == (size_t)2 * JSON_RANGES;
	if (o->more)
		return 0;
	return json_array_append_new(o->ranges, json_integer((json_int_t)from)) < 0 ||
			       json_array_append_new(o->ranges,
						     json_integer((json_int_t)(to - from))) < 0
		       ? -ENOMEM
		       : 0;
}

/* The last block of the file may be longer than the object. */
static int look(struct object *o, int fd)
{
	uint64_t at = 0;
	int err = 0;

	while (err == 0 && at < o->size) {
		off_t data = lseek(fd, (off_t)at, SEEK_DATA), hole;

		if (data < 0)
			return errno == ENXIO ? 0 : -errno;
		hole = lseek(fd, data, SEEK_HOLE);
		if (hole < 0)
			return errno == ENXIO ? 0 : -errno; /* it was dropped just now */
		at = (uint64_t)hole;
		if ((uint64_t)data < o->size)
			err = take(o, (uint64_t)data, min_u64(at, o->size));
	}
	return err;
}

static int look_at(const struct du_map *map, const struct cache_key *key, struct object *o)
{
	const struct survey_object *found = survey_find(map->survey, key->volume, key->cookie);
	_cleanup_close_ int fd = -1;

	o->size = key->size || !found ? key->size : found->size;
	o->n_cells = (unsigned int)min_u64(max_u64(map->width - COLUMNS_LEFT, CELLS_MIN),
					   (o->size + BLOCK - 1) / BLOCK);
	o->cells = map->json ? NULL : calloc(o->n_cells + 1, sizeof(*o->cells));
	o->ranges = map->json ? json_array() : NULL;
	if (!o->cells && !o->ranges)
		return -ENOMEM;
	if (!found)
		return 0;
	fd = openat(map->dir_fd, found->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	return look(o, fd);
}

/* ---- how it is shown ---------------------------------------------------------------------- */

static unsigned int level(const struct object *o, unsigned int i)
{
	uint64_t size = cell_begin(o, i + 1) - cell_begin(o, i);

	if (o->cells[i] == 0)
		return NONE;
	if (o->cells[i] >= size)
		return ALL;
	return o->cells[i] < size / 2 ? SOME : MOST;
}

static void print_object(const struct du_map *map, const struct cache_key *key,
			 const struct object *o)
{
	const char *const *cells = map->blocks ? blocks : signs;
	char cookie[1024], size[32];

	bytes_print(key->cookie, cookie, sizeof(cookie));
	printf("%-14.14s %8s %3d%% ", cookie, ctl_bytes(o->size, size, sizeof(size)),
	       o->size ? (int)((__uint128_t)o->cached * 100 / o->size) : 0);
	for (unsigned int i = 0; i < o->n_cells; i++)
		fputs(cells[level(o, i)], stdout);
	putchar('\n');
}

static int print_json(const struct cache_key *key, struct object *o)
{
	char name[CACHE_NAME_MAX];
	json_t *line = json_pack("{s:s}", "object",
				 cache_name(key->volume, key->cookie, name, sizeof(name)));

	ctl_json_u64(line, "size", o->size);
	ctl_json_u64(line, "cached", o->cached);
	json_object_set(line, "ranges", o->ranges);
	json_object_set_new(line, "more", json_boolean(o->more));
	return ctl_json_line(line);
}

static int show(const struct du_map *map, const struct cache_key *key)
{
	struct object o = { 0 };
	int err = look_at(map, key, &o);

	if (err == 0 && map->json)
		err = print_json(key, &o);
	else if (err == 0)
		print_object(map, key, &o);
	free(o.cells);
	json_decref(o.ranges);
	return err;
}

int du_map_print(const struct du_map *map, const char *name, const struct cache_objects *objects)
{
	int err = 0;

	if (!map->json)
		puts(name);
	for (size_t i = 0; err == 0 && i < objects->n; i++)
		err = show(map, &objects->keys[i]);
	return err;
}

void du_map_begin(struct du_map *map, int dir_fd, const struct survey *survey, bool json)
{
	setlocale(LC_CTYPE, "");
	*map = (struct du_map){
		.dir_fd = dir_fd,
		.survey = survey,
		.json = json,
		.blocks = isatty(STDOUT_FILENO) && strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
		.width = (unsigned int)min_u64(
			max_u64(progress_width(stdout), COLUMNS_LEFT + CELLS_MIN), COLUMNS_MAX),
	};
}

void du_map_end(const struct du_map *map)
{
	const char *const *cells = map->blocks ? blocks : signs;

	if (!map->json)
		printf("cached: %s none  %s less than half  %s more  %s all\n", cells[NONE],
		       cells[SOME], cells[MOST], cells[ALL]);
}
