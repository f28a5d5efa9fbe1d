/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/trace-line.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "daemon/ctl/json.h"
#include "daemon/ctl/trace-filter.h"

/* A line has 100 columns: time, kind, what happened, and to which object. */
#define COLUMNS		100
#define COLUMN_OBJECT	58
#define OBJECT_AT_LEAST 20

/* ---- for people -------------------------------------------------------------------------- */

struct detail {
	char text[512];
	size_t len;
};

__attribute__((format(printf, 2, 3))) static void say(struct detail *d, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(d->text + d->len, sizeof(d->text) - d->len, fmt, ap);
	va_end(ap);
	d->len += (size_t)n < sizeof(d->text) - d->len ? (size_t)n : sizeof(d->text) - 1 - d->len;
}

static void say_took(struct detail *d, const char *word, uint64_t ns)
{
	char text[32];

	say(d, "%s%s %s", d->len ? " " : "", word, ctl_time(ns, text, sizeof(text)));
}

static const char *error_name(int32_t error)
{
	const char *name = error < 0 && error > -4096 ? strerrorname_np(-error) : NULL;

	return name ? name : "error";
}

static void say_error(struct detail *d, int32_t error)
{
	if (error)
		say(d, "%s%s", d->len ? " " : "", error_name(error));
	if (error && strcmp(error_name(error), "error") == 0)
		say(d, " %" PRId32, error);
}

/* Text that may hold anything, with its blanks. */
static void say_bytes(struct detail *d, struct bytes b)
{
	char text[384];
	size_t at = 0;

	for (size_t i = 0; i < b.len && at < sizeof(text) - 1; i++)
		text[at++] = b.data[i] >= ' ' && b.data[i] < 0x7f ? (char)b.data[i] : '?';
	text[at] = '\0';
	say(d, "%s%s", d->len ? " " : "", text);
}

static void say_realtime(struct detail *d, uint64_t realtime)
{
	time_t seconds = (time_t)(realtime / 1000000000);
	char text[32];
	struct tm tm;

	if (realtime == 0 || !gmtime_r(&seconds, &tm))
		return;
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	say(d, "%s.%03uZ", text, (unsigned int)(realtime % 1000000000 / 1000000));
}

static void say_size(struct detail *d, uint64_t size)
{
	char text[32];

	say(d, "%s%s", d->len ? " " : "", ctl_bytes(size, text, sizeof(text)));
}

static void say_start(struct detail *d, const struct trace_record *r)
{
	say_realtime(d, r->realtime);
	say_bytes(d, r->program);
	say(d, " on");
	say_bytes(d, r->kernel);
}

static void say_source(struct detail *d, const struct trace_record *r)
{
	say(d, "source %" PRIu32, r->source);
	say_bytes(d, r->text);
	say_bytes(d, r->locator);
}

static void say_object(struct detail *d, const struct trace_record *r)
{
	say(d, "object %" PRIu64 " of source %" PRIu32, r->object, r->source);
	say_size(d, r->size);
	if (r->flags & TRACE_OBJECT_COMPRESSED)
		say(d, " compressed");
}

static void say_copen(struct detail *d, const struct trace_record *r)
{
	say(d, "#%" PRIu32, r->msg);
	if (r->error)
		say_error(d, r->error);
	else
		say_size(d, r->size);
	say_error(d, r->result);
}

static void say_look(struct detail *d, const struct trace_record *r)
{
	if (r->error)
		say_error(d, r->error);
	else
		say_size(d, r->size);
	say_took(d, "took", r->took);
}

static void say_work(struct detail *d, const struct trace_record *r)
{
	say(d, "%" PRIu64 "+%" PRIu64, r->off, r->len);
	if (r->kind == TRACE_FETCH)
		say(d, " %s", trace_class_name(r->class));
	say_error(d, r->error);
	if (r->kind == TRACE_FETCH && r->got != r->len)
		say(d, " got %" PRIu64, r->got);
	say_took(d, "took", r->took);
}

static void say_detail(struct detail *d, const struct trace_record *r)
{
	switch (r->kind) {
	case TRACE_START:
		return say_start(d, r);
	case TRACE_SOURCE:
		return say_source(d, r);
	case TRACE_OBJECT:
		return say_object(d, r);
	case TRACE_HANDLE:
		return say(d, "id %" PRIu32 " object %" PRIu64, r->id, r->object);
	case TRACE_OPEN:
	case TRACE_CLOSE:
		return say(d, "#%" PRIu32 " id %" PRIu32, r->msg, r->id);
	case TRACE_READ:
		return say(d, "#%" PRIu32 " %" PRIu64 "+%" PRIu64, r->msg, r->off, r->len);
	case TRACE_BAD:
		return say(d, "#%" PRIu32 " id %" PRIu32 " opcode %" PRIu32 ", %" PRIu64 " bytes",
			   r->msg, r->id, r->opcode, r->len);
	case TRACE_COPEN:
		return say_copen(d, r);
	case TRACE_COMPLETE:
		say(d, "#%" PRIu32, r->msg);
		return say_error(d, r->result);
	case TRACE_RECEIVE:
		return say_error(d, r->result);
	case TRACE_COMMAND:
		say_bytes(d, r->text);
		return say_error(d, r->result);
	case TRACE_RELEASE:
		return say(d, "id %" PRIu32, r->id);
	case TRACE_LOOK:
		return say_look(d, r);
	case TRACE_FETCH:
	case TRACE_STORE:
		return say_work(d, r);
	case TRACE_LOST:
	case TRACE_END:
		return say(d, "%" PRIu64 " records", r->count);
	case TRACE_UNKNOWN:
	case TRACE_KINDS:
		return;
	}
}

/* The end of a name tells more than its beginning. */
static void print_object(const struct trace_line *line, int column)
{
	int room = COLUMNS - column;
	char name[TRACE_OBJECT_NAME_MAX];
	int len;

	trace_object_name(line->volume, line->cookie, name, sizeof(name));
	len = (int)strlen(name);
	if (room < OBJECT_AT_LEAST)
		room = OBJECT_AT_LEAST;
	if (len > room)
		printf("...%s", name + len - (room - 3));
	else
		printf("%s", name);
}

void trace_line_text(const struct trace_line *line)
{
	const struct trace_record *r = line->record;
	struct detail d = { .text = "" };
	int column;

	say_detail(&d, r);
	if (line->has_after)
		say_took(&d, "after", line->after);
	column = printf("%12.3f  %-8.32s", (double)line->since / 1e6, r->name);
	if (d.len)
		column += printf("  %s", d.text);
	if (line->has_object) {
		int pad = column < COLUMN_OBJECT - 2 ? COLUMN_OBJECT - column : 2;

		print_object(line, column + printf("%*s", pad, ""));
	}
	putchar('\n');
}

/* ---- JSON -------------------------------------------------------------------------------- */

struct members {
	json_t *object;
	int r;
};

static void note(struct members *m, int r)
{
	if (r < 0)
		m->r = r;
}

/* "error": -2 and "error_name": "ENOENT" */
static void add_error(struct members *m, const char *name, int32_t error)
{
	char name_name[TRACE_NAME_MAX + 8];

	note(m, ctl_json_s64(m->object, name, error));
	if (error == 0)
		return;
	snprintf(name_name, sizeof(name_name), "%s_name", name);
	note(m, json_set_text(m->object, name_name, bytes_str(error_name(error))));
}

static void add_u32(struct members *m, const char *name, uint32_t value)
{
	if (strcmp(name, "class") == 0)
		note(m, json_set_text(m->object, name, bytes_str(trace_class_name(value))));
	else
		note(m, ctl_json_u64(m->object, name, value));
}

static void add_field(void *arg, const char *name, enum trace_type type, const void *value)
{
	struct members *m = arg;

	switch (type) {
	case TRACE_U32:
		return add_u32(m, name, *(const uint32_t *)value);
	case TRACE_U64:
		return note(m, ctl_json_u64(m->object, name, *(const uint64_t *)value));
	case TRACE_S32:
		return add_error(m, name, *(const int32_t *)value);
	case TRACE_TEXT:
		return note(m, json_set_text(m->object, name, *(const struct bytes *)value));
	case TRACE_KEY:
		return note(m, json_set_key(m->object, name, *(const struct bytes *)value));
	case TRACE_TYPES:
		return;
	}
}

int trace_line_json(const struct trace_line *line)
{
	const struct trace_record *r = line->record;
	struct members m = { .object = json_object() };

	if (!m.object)
		return -ENOMEM;
	note(&m, ctl_json_u64(m.object, "offset", line->offset));
	note(&m, json_set_text(m.object, "kind", bytes_str(r->name)));
	note(&m, ctl_json_u64(m.object, "time", r->time));
	note(&m, ctl_json_s64(m.object, "since", line->since));
	trace_each_field(r, add_field, &m);
	if (line->has_object && !json_object_get(m.object, "cookie")) {
		note(&m, json_set_key(m.object, "volume", line->volume));
		note(&m, json_set_key(m.object, "cookie", line->cookie));
	}
	if (line->has_after)
		note(&m, ctl_json_u64(m.object, "after", line->after));
	if (m.r == 0)
		return ctl_json_line(m.object);
	json_decref(m.object);
	return m.r;
}
