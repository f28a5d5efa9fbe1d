/* SPDX-License-Identifier: MIT */
/* Tables of what a daemon does: the rows that do most come first. */
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/daemon-top.h"
#include "daemon/ctl/daemon.h"

struct text {
	char text[32];
};

void top_answers_end(struct top_answers *answers)
{
	for (size_t i = 0; i < TOP_ANSWERS; i++)
		json_decref(answers->of[i]);
	*answers = (struct top_answers){ 0 };
}

/* ---- rates -------------------------------------------------------------------------------- */

/* Since the time before; 0: there was none. */
static double seconds_between(const struct top_now *t)
{
	const json_t *before = t->before->of[TOP_STATUS];

	return before ? daemon_real(t->now->of[TOP_STATUS], "uptime") -
				daemon_real(before, "uptime")
		      : 0;
}

/* Of a counter, per second. What began anew has no rate. */
static double rate(const struct top_now *t, const json_t *now, const json_t *before,
		   const char *name)
{
	double seconds = seconds_between(t);
	uint64_t n = daemon_number(now, name), then = daemon_number(before, name);

	return before && seconds > 0 && n >= then ? (double)(n - then) / seconds : 0;
}

static const char *rate_bytes(const struct top_now *t, const json_t *now, const json_t *before,
			      const char *name, struct text *buf)
{
	return ctl_bytes((uint64_t)rate(t, now, before, name), buf->text, sizeof(buf->text));
}

static const char *print_seconds(double seconds, struct text *buf)
{
	return ctl_time((uint64_t)(seconds * 1e9), buf->text, sizeof(buf->text));
}

static unsigned long long count(const json_t *object, const char *name)
{
	return (unsigned long long)daemon_number(object, name);
}

/* The mean of what has ended since the time before; where nothing has, of all; else "-". */
static const char *print_mean(const json_t *now, const json_t *before, const char *number,
			      struct text *buf)
{
	double n = (double)daemon_number(now, number), then = (double)daemon_number(before, number);
	double sum = daemon_real(now, "mean_seconds") * n;

	if (n == 0)
		return "-";
	if (n > then && then > 0) {
		sum -= daemon_real(before, "mean_seconds") * then;
		n -= then;
	}
	return print_seconds(sum > 0 ? sum / n : 0, buf);
}

/* ---- the daemon --------------------------------------------------------------------------- */

void top_print_title(FILE *out, const struct top_now *t)
{
	const json_t *status = t->now->of[TOP_STATUS], *now = json_object_get(status, "now");
	struct text uptime, memory;

	fprintf(out, "cachefilld %s  for %s  %llu objects  %llu names  %s\n",
		daemon_text(status, "version"),
		print_seconds(daemon_real(status, "uptime"), &uptime), count(now, "objects"),
		count(now, "names"),
		ctl_bytes(daemon_number(json_object_get(status, "process"), "resident_bytes"),
			  memory.text, sizeof(memory.text)));
}

void top_print_head(FILE *out)
{
	fputs("OPENS/s READS/s    READ/s FETCHES/s FETCHED/s  STORED/s WAITS FETCHES   BUFFERS\n",
	      out);
}

void top_print_rates(FILE *out, const struct top_now *t)
{
	const json_t *gauges = json_object_get(t->now->of[TOP_STATUS], "now");
	const json_t *now = json_object_get(t->now->of[TOP_STATUS], "counters");
	const json_t *before = json_object_get(t->before->of[TOP_STATUS], "counters");
	struct text read, fetched, stored, buffers;

	fprintf(out, "%7.0f %7.0f %9s %9.0f %9s %9s %5llu %7llu %9s\n",
		rate(t, now, before, "opens"), rate(t, now, before, "reads"),
		rate_bytes(t, now, before, "read_bytes", &read), rate(t, now, before, "fetches"),
		rate_bytes(t, now, before, "fetched_bytes", &fetched),
		rate_bytes(t, now, before, "stored_bytes", &stored),
		count(gauges, "opens") + count(gauges, "reads"), count(gauges, "flights"),
		ctl_bytes(daemon_number(gauges, "buffers_bytes"), buffers.text,
			  sizeof(buffers.text)));
}

/* ---- rows --------------------------------------------------------------------------------- */

struct row {
	const json_t *now, *before;
	double weight;
};

static int compare(const void *a, const void *b)
{
	const struct row *left = a, *right = b;

	return (left->weight < right->weight) - (left->weight > right->weight);
}

/* Owned, sorted, as many as *ret_n says: those of an array of the answer. */
static struct row *sort_rows(const struct top_now *t, enum top_answer answer, const char *array,
			     const json_t *(*find)(const json_t *array, const json_t *row),
			     double (*weigh)(const struct top_now *t, const struct row *row),
			     size_t *ret_n)
{
	const json_t *now = json_object_get(t->now->of[answer], array);
	const json_t *before = json_object_get(t->before->of[answer], array);
	size_t n = json_array_size(now);
	struct row *rows = calloc(n + 1, sizeof(*rows));

	*ret_n = rows ? n : 0;
	for (size_t i = 0; rows && i < n; i++) {
		rows[i].now = json_array_get(now, i);
		rows[i].before = find(before, rows[i].now);
		rows[i].weight = weigh(t, &rows[i]);
	}
	if (rows)
		qsort(rows, n, sizeof(*rows), compare);
	return rows;
}

/* ---- images ------------------------------------------------------------------------------- */

static const char *image_name(const json_t *image)
{
	const char *name = json_string_value(json_object_get(image, "image"));

	if (!name)
		name = json_string_value(json_object_get(image, "volume"));
	return name ? name : "(others)";
}

static const json_t *find_image(const json_t *array, const json_t *wanted)
{
	bool in_store = json_object_get(wanted, "image");
	const json_t *image;
	size_t i;

	json_array_foreach(array, i, image)
	{
		if (!json_object_get(image, "image") == !in_store &&
		    strcmp(image_name(image), image_name(wanted)) == 0)
			return image;
	}
	return NULL;
}

static double weigh_image(const struct top_now *t, const struct row *row)
{
	return rate(t, row->now, row->before, "reads") * 1e6 +
	       rate(t, row->now, row->before, "fetches") * 1e6 +
	       (double)daemon_number(row->now, "flights") * 1e6 +
	       (double)daemon_number(row->now, "objects");
}

static void print_image(FILE *out, const struct top_now *t, const struct row *row)
{
	struct text read, fetched, mean;

	fprintf(out, "%-25.25s %7.0f %9s %9s %8s %4llu %5llu %6llu\n", image_name(row->now),
		rate(t, row->now, row->before, "reads"),
		rate_bytes(t, row->now, row->before, "read_bytes", &read),
		rate_bytes(t, row->now, row->before, "fetched_bytes", &fetched),
		print_mean(row->now, row->before, "fetches", &mean), count(row->now, "flights"),
		count(row->now, "waiting_reads"), count(row->now, "reads_failed"));
}

static void print_images(FILE *out, const struct top_now *t, unsigned int limit)
{
	size_t n;
	struct row *rows = sort_rows(t, TOP_IMAGES, "images", find_image, weigh_image, &n);

	fputs("IMAGE                     READS/s    READ/s FETCHED/s    FETCH  NOW WAITS ERRORS\n",
	      out);
	for (size_t i = 0; i < n && i < limit; i++)
		print_image(out, t, &rows[i]);
	free(rows);
}

/* ---- origins ------------------------------------------------------------------------------ */

static const json_t *find_origin(const json_t *array, const json_t *wanted)
{
	const json_t *origin;
	size_t i;

	json_array_foreach(array, i, origin)
	{
		if (daemon_number(origin, "number") == daemon_number(wanted, "number") &&
		    strcmp(daemon_text(origin, "name"), daemon_text(wanted, "name")) == 0)
			return origin;
	}
	return NULL;
}

static double origin_rate(const struct top_now *t, const struct row *row)
{
	double sum = 0;

	for (size_t i = 0; i < 2; i++) {
		const char *name = i == 0 ? "looks" : "fetches";

		sum += rate(t, json_object_get(row->now, name), json_object_get(row->before, name),
			    "requests");
	}
	return sum;
}

static double weigh_origin(const struct top_now *t, const struct row *row)
{
	return origin_rate(t, row) * 1e6 + (double)daemon_number(row->now, "requests") * 1e6 +
	       (double)daemon_number(json_object_get(row->now, "fetches"), "requests");
}

static bool is_avoided(const json_t *origin)
{
	const json_t *place;
	size_t i;

	json_array_foreach(json_object_get(origin, "places"), i, place)
	{
		if (strcmp(daemon_text(place, "state"), "works") != 0)
			return true;
	}
	return false;
}

/* Of the origin itself; "-": nobody knows. */
static const char *print_first(const json_t *origin, struct text *buf)
{
	const json_t *place = json_array_get(json_object_get(origin, "places"), 0);

	return json_object_get(place, "first_bytes_seconds")
		       ? print_seconds(daemon_real(place, "first_bytes_seconds"), buf)
		       : "-";
}

static void print_origin(FILE *out, const struct top_now *t, const struct row *row)
{
	const json_t *o = row->now, *fetches = json_object_get(o, "fetches");
	struct text fetched, mean, first, now;

	snprintf(now.text, sizeof(now.text), "%llu/%llu", count(o, "requests"),
		 count(o, "requests_limit"));
	fprintf(out, "%c %-20.20s %7.0f %9s %8s %8s %7s %5llu %6llu\n", is_avoided(o) ? '!' : ' ',
		daemon_text(o, "name"), origin_rate(t, row),
		rate_bytes(t, o, row->before, "fetched_bytes", &fetched),
		print_mean(fetches, json_object_get(row->before, "fetches"), "requests", &mean),
		print_first(o, &first), now.text,
		count(o, "waiting_opens") + count(o, "waiting_reads") + count(o, "waiting_ahead") +
			count(o, "waiting_prefetch"),
		count(fetches, "failed") + count(json_object_get(o, "looks"), "failed"));
}

static void print_origins(FILE *out, const struct top_now *t, unsigned int limit)
{
	size_t n;
	struct row *rows = sort_rows(t, TOP_ORIGINS, "origins", find_origin, weigh_origin, &n);

	fputs("  ORIGIN                ASKED/s FETCHED/s    FETCH    FIRST     NOW QUEUE "
	      "ERRORS\n",
	      out);
	for (size_t i = 0; i < n && i < limit; i++)
		print_origin(out, t, &rows[i]);
	free(rows);
}

/* ---- the slowest requests ----------------------------------------------------------------- */

static void print_slow(FILE *out, const json_t *s)
{
	struct text took, queued, origin, disk, other, age;

	fprintf(out, "%c %-4s %8s %8s %8s %8s %8s %8s  %.20s\n",
		json_object_get(s, "error") ? '!' : ' ', daemon_text(s, "kind"),
		print_seconds(daemon_real(s, "seconds"), &took),
		print_seconds(daemon_real(s, "queued_seconds"), &queued),
		print_seconds(daemon_real(s, "origin_seconds"), &origin),
		print_seconds(daemon_real(s, "disk_seconds"), &disk),
		print_seconds(daemon_real(s, "other_seconds"), &other),
		print_seconds(daemon_real(s, "age"), &age), daemon_text(s, "cookie"));
}

static void print_slowest(FILE *out, const struct top_now *t, unsigned int limit)
{
	const json_t *s;
	size_t i;

	fputs("  SLOW     TOOK    QUEUE   ORIGIN     DISK    OTHER      AGO  COOKIE\n", out);
	json_array_foreach(json_object_get(t->now->of[TOP_SLOWEST], "slowest"), i, s)
	{
		if (i == limit)
			break;
		print_slow(out, s);
	}
}

/* ---- fetches ------------------------------------------------------------------------------ */

static void print_fetch(FILE *out, const json_t *f)
{
	struct text offset, size, age;

	fprintf(out, "%-8s %-8s %9s %9s %8s %5llu  %.26s\n", daemon_text(f, "state"),
		daemon_text(f, "class"),
		ctl_bytes(daemon_number(f, "offset"), offset.text, sizeof(offset.text)),
		ctl_bytes(daemon_number(f, "bytes"), size.text, sizeof(size.text)),
		print_seconds(daemon_real(f, "age"), &age), count(f, "reads"),
		daemon_text(f, "cookie"));
}

static void print_fetches(FILE *out, const struct top_now *t, unsigned int limit)
{
	const json_t *f;
	size_t i;

	fputs("STATE    CLASS       OFFSET      SIZE      AGE WAITS  COOKIE\n", out);
	json_array_foreach(json_object_get(t->now->of[TOP_FETCHES], "flights"), i, f)
	{
		if (i == limit)
			break;
		print_fetch(out, f);
	}
}

/* ---- views -------------------------------------------------------------------------------- */

#define PARTS	   3
#define HEADS	   (PARTS * 2 - 1) /* with a blank line between two */
#define PART_LINES 3		   /* of each that has more, at least */

/* A third for each; what is not needed is for those behind it. */
static void print_all(FILE *out, const struct top_now *t, unsigned int rows)
{
	size_t images = json_array_size(json_object_get(t->now->of[TOP_IMAGES], "images"));
	size_t origins = json_array_size(json_object_get(t->now->of[TOP_ORIGINS], "origins"));
	unsigned int left = rows > HEADS + PARTS * PART_LINES ? rows - HEADS : PARTS * PART_LINES;
	unsigned int n = left / 3;

	n = images < n ? (unsigned int)images : n;
	print_images(out, t, n);
	left -= n;
	n = origins < left / 2 ? (unsigned int)origins : left / 2;
	putc('\n', out);
	print_origins(out, t, n);
	putc('\n', out);
	print_slowest(out, t, left - n);
}

const struct top_view top_views[TOP_VIEWS] = {
	{ "all", TOP_STATUS, true, print_all },
	{ "images", TOP_IMAGES, false, print_images },
	{ "origins", TOP_ORIGINS, false, print_origins },
	{ "slowest", TOP_SLOWEST, false, print_slowest },
	{ "fetches", TOP_FETCHES, false, print_fetches },
};

const struct top_view *top_view_find(const char *name)
{
	for (size_t i = 0; i < TOP_VIEWS; i++)
		if (strcmp(top_views[i].name, name) == 0)
			return &top_views[i];
	return NULL;
}
