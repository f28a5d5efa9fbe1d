/* SPDX-License-Identifier: MIT */
/*
 * Jobs on the disk: DIR/prefetch/NUMBER, a line of what is wished and then the text of a plan
 * (proto/plan.h). A power cut may cost a job, which nobody but whoever asked for it needs. Not in
 * state.db: one more table would make it a database that an older daemon leaves alone, with all
 * that is cached.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/prefetch/prefetch-internal.h"
#include "daemon/util/cleanup.h"
#include "daemon/util/log.h"
#include "proto/plan.h"

#define FIRST_LINE "cachefilld-prefetch 1"
#define NUMBER_MAX 999999999 /* of what is loaded */

static void file_closep(FILE **file)
{
	if (*file)
		fclose(*file);
}

static void dir_closep(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static int path_of(const struct prefetch *p, uint64_t number, const char *tail, char *ret)
{
	int n = snprintf(ret, PATH_MAX, "%s/%" PRIu64 "%s", p->dir, number, tail);

	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

/* ---- writing ------------------------------------------------------------------------------ */

static void write_job(const struct job *j, FILE *out)
{
	fprintf(out, FIRST_LINE " %" PRIu64 " %u %d ", j->wishes.rate, j->wishes.requests,
		j->wishes.plan);
	plan_write_key(out, bytes_str(j->name));
	fputc('\n', out);
	for (size_t i = 0; i < j->ranges.n; i++) {
		const struct range *range = &j->ranges.list[i];
		const struct ranges_object *object = &j->ranges.objects[range->object];

		if (range->len > 0)
			plan_write_range(out, range->off, range->len, object->volume,
					 object->cookie);
	}
}

static int put(const struct job *j)
{
	char path[PATH_MAX], fresh[PATH_MAX];
	int r = path_of(j->prefetch, j->number, "", path);
	FILE *out;

	if (r == 0)
		r = path_of(j->prefetch, j->number, ".new", fresh);
	if (r < 0)
		return r;
	out = fopen(fresh, "we");
	if (!out)
		return -errno;
	write_job(j, out);
	r = ferror(out) ? -EIO : 0;
	if (fclose(out) != 0 && r == 0)
		r = -errno;
	if (r == 0 && rename(fresh, path) != 0)
		r = -errno;
	if (r < 0)
		unlink(fresh);
	return r;
}

void store_put(const struct job *j)
{
	int r = j->prefetch->dir ? put(j) : 0;

	if (r < 0)
		log_warning("prefetch %" PRIu64 " (%s): cannot be noted in %s (%s): it ends with "
			    "this daemon",
			    j->number, j->name, j->prefetch->dir, strerror(-r));
}

void store_remove(const struct job *j)
{
	char path[PATH_MAX];

	if (j->prefetch->dir && path_of(j->prefetch, j->number, "", path) == 0)
		unlink(path);
}

/* ---- reading ------------------------------------------------------------------------------ */

/* A name that was written as a key; false: it was not. */
static bool read_name(const char *text, char *name)
{
	struct plan_range range;
	char line[PLAN_LINE_MAX];
	const char *why;

	/* An empty one is no cookie. */
	name[0] = '\0';
	if (!*text)
		return true;
	if (snprintf(line, sizeof(line), "0+1 /%s", text) >= (int)sizeof(line) ||
	    plan_parse_line(line, strlen(line), &range, &why) != PLAN_RANGE ||
	    range.cookie.len >= PREFETCH_NAME_MAX)
		return false;
	memcpy(name, range.cookie.data, range.cookie.len);
	name[range.cookie.len] = '\0';
	return true;
}

static bool read_wishes(const char *line, struct prefetch_wishes *ret, char *name)
{
	unsigned int plan;
	int at = 0;

	if (strncmp(line, FIRST_LINE " ", strlen(FIRST_LINE) + 1) != 0 ||
	    sscanf(line + strlen(FIRST_LINE), " %" SCNu64 " %u %u %n", &ret->rate, &ret->requests,
		   &plan, &at) != 3 ||
	    at == 0 || ret->requests < 1 || ret->requests > PREFETCH_REQUESTS_MAX)
		return false;
	ret->plan = plan != 0;
	ret->name = name;
	return read_name(line + strlen(FIRST_LINE) + at, name);
}

/* 1: a line, without its end; 0: there are no more; -EBADMSG: it is too long, or has no end. */
static int read_line(FILE *in, char *line, size_t n)
{
	size_t len;

	if (!fgets(line, (int)n, in))
		return ferror(in) ? -EIO : 0;
	len = strlen(line);
	if (len == 0 || line[len - 1] != '\n')
		return -EBADMSG;
	line[len - 1] = '\0';
	return 1;
}

static int add_line(struct job *j, const char *line)
{
	struct plan_range range;
	const char *why;

	switch (plan_parse_line(line, strlen(line), &range, &why)) {
	case PLAN_NOTHING:
		return 0;
	case PLAN_RANGE:
		return ranges_add(&j->ranges, range.volume, range.cookie, range.off, range.len);
	default:
		return -EBADMSG;
	}
}

static int read_ranges(FILE *in, struct job *j)
{
	char line[PLAN_LINE_MAX + 2];
	int r;

	while ((r = read_line(in, line, sizeof(line))) > 0) {
		r = add_line(j, line);
		if (r < 0)
			return r;
	}
	return r == 0 && j->ranges.n == 0 ? -EBADMSG : r;
}

static int read_job(struct prefetch *p, uint64_t number, const char *path)
{
	_cleanup_(file_closep) FILE *in = fopen(path, "re");
	struct prefetch_wishes wishes = { .name = "" };
	char line[PLAN_LINE_MAX + 2], name[PREFETCH_NAME_MAX];
	struct job *j;
	int r;

	if (!in)
		return -errno;
	if (read_line(in, line, sizeof(line)) <= 0 || !read_wishes(line, &wishes, name))
		return -EBADMSG;
	r = job_new(&j, p, number, &wishes);
	if (r < 0)
		return r;
	r = read_ranges(in, j);
	if (r < 0) {
		p->stats.begun--;
		job_free(j);
		return r;
	}
	job_kick(j);
	return 0;
}

static int by_number(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* In their order; what has another name is nobody's, and goes. */
static size_t list_numbers(const struct prefetch *p, uint64_t *numbers)
{
	_cleanup_(dir_closep) DIR *dir = opendir(p->dir);
	const struct dirent *entry;
	char path[PATH_MAX];
	size_t n = 0;

	while (dir && (entry = readdir(dir))) {
		char *end;
		uint64_t number = strtoull(entry->d_name, &end, 10);

		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && *end == '\0' &&
		    number <= NUMBER_MAX && n < PREFETCH_JOBS_MAX)
			numbers[n++] = number;
		else if (entry->d_name[0] != '.' && snprintf(path, sizeof(path), "%s/%s", p->dir,
							     entry->d_name) < (int)sizeof(path))
			unlink(path);
	}
	qsort(numbers, n, sizeof(*numbers), by_number);
	return n;
}

static void load_all(struct prefetch *p)
{
	uint64_t numbers[PREFETCH_JOBS_MAX];
	size_t n = list_numbers(p, numbers);
	char path[PATH_MAX];

	for (size_t i = 0; i < n; i++) {
		int r = path_of(p, numbers[i], "", path);

		if (r == 0)
			r = read_job(p, numbers[i], path);
		if (r == 0)
			continue;
		log_warning("%s is no prefetch that can go on (%s): it is removed", path,
			    strerror(-r));
		unlink(path);
	}
}

void store_load(struct prefetch *p, const char *dir)
{
	if (asprintf(&p->dir, "%s/prefetch", dir) < 0) {
		p->dir = NULL;
		return;
	}
	if (mkdir(p->dir, 0700) != 0 && errno != EEXIST) {
		log_warning("%s: %s: prefetches end with this daemon", p->dir, strerror(errno));
		free(p->dir);
		p->dir = NULL;
		return;
	}
	load_all(p);
}
