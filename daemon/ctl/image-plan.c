/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/image-plan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/context.h"
#include "daemon/util/cleanup.h"

__attribute__((format(printf, 3, 4))) static int fail(char *error, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(error, CONTEXT_ERROR_MAX, fmt, ap);
	va_end(ap);
	return err;
}

void image_plan_end(struct image_plan *plan)
{
	free(plan->text);
	*plan = (struct image_plan){ 0 };
}

struct image_plan_object *image_plan_objects(const struct images_image *image, size_t *ret_n)
{
	size_t n = 0, at = 0;
	struct image_plan_object *objects;

	for (size_t i = 0; i < image->n_layers; i++)
		n += 1 + image->layers[i].n_devices;
	objects = calloc(n, sizeof(*objects));
	for (size_t i = 0; objects && i < image->n_layers; i++) {
		const struct images_layer *l = &image->layers[i];

		objects[at++] = (struct image_plan_object){ l->primary.cookie, l->primary.size };
		for (size_t k = 0; k < l->n_devices; k++)
			objects[at++] = (struct image_plan_object){ l->devices[k].cookie,
								    l->devices[k].size };
	}
	*ret_n = n;
	return objects;
}

/* Its number; SIZE_MAX: it is none of them. */
static size_t find(const struct image_plan_object *objects, size_t n, struct bytes cookie)
{
	for (size_t i = 0; i < n; i++)
		if (bytes_equal(bytes_str(objects[i].cookie), cookie))
			return i;
	return SIZE_MAX;
}

/* Bytes of a range that is within the object; false: it is not. */
static bool range_bytes(const struct plan_range *range, uint64_t size, uint64_t *ret)
{
	if (range->off >= size)
		return false;
	*ret = range->len == PLAN_TO_THE_END ? size - range->off : range->len;
	return *ret <= size - range->off;
}

/* ---- checking ----------------------------------------------------------------------------- */

struct check {
	struct image_plan *plan;
	FILE *out;
	const struct image_plan_object *objects;
	size_t n;
	char *error;
};

static int take_range(const struct check *c, const struct plan_range *range, size_t number)
{
	size_t i = find(c->objects, c->n, range->cookie);
	uint64_t bytes;

	if (i == SIZE_MAX) {
		c->plan->foreign++;
		return 0;
	}
	if (!range_bytes(range, c->objects[i].size, &bytes))
		return fail(c->error, -EINVAL,
			    "line %zu: the range goes beyond the %" PRIu64 " bytes of %.80s",
			    number, c->objects[i].size, c->objects[i].cookie);
	if (c->plan->n == PLAN_RANGES_MAX)
		return fail(c->error, -EINVAL, "it has more than %d ranges", PLAN_RANGES_MAX);
	c->plan->n++;
	c->plan->bytes += bytes;
	plan_write_range(c->out, range->off, range->len, bytes_of(NULL, 0), range->cookie);
	return 0;
}

static int take_line(const struct check *c, const char *line, size_t len, size_t number)
{
	struct plan_range range;
	const char *why;

	if (number == 1)
		return len == strlen(PLAN_FIRST_LINE) && memcmp(line, PLAN_FIRST_LINE, len) == 0
			       ? 0
			       : fail(c->error, -EINVAL,
				      "it is no plan: its first line is not \"" PLAN_FIRST_LINE
				      "\"");
	switch (plan_parse_line(line, len, &range, &why)) {
	case PLAN_NOTHING:
		return 0;
	case PLAN_BAD:
		return fail(c->error, -EINVAL, "line %zu: %s", number, why);
	default:
		return take_range(c, &range, number);
	}
}

static int take_lines(const struct check *c, const char *text, size_t len)
{
	const char *end = text + len;
	int err = 0;

	fputs(PLAN_FIRST_LINE "\n", c->out);
	for (size_t number = 1; err == 0 && (text < end || number == 1); number++) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		size_t n = (size_t)((newline ? newline : end) - text);

		err = take_line(c, text, n, number);
		text += n + (newline != NULL);
	}
	if (err == 0 && c->plan->n == 0)
		err = fail(c->error, -EINVAL, "there is no range of this image in it");
	return err;
}

int image_plan_check(struct image_plan *ret, const char *text, size_t len,
		     const struct image_plan_object *objects, size_t n, char *error)
{
	struct image_plan plan = { 0 };
	struct check c = { .plan = &plan, .objects = objects, .n = n, .error = error };
	size_t size;
	int err;

	c.out = open_memstream(&plan.text, &size);
	if (!c.out)
		return fail(error, -ENOMEM, "out of memory");
	err = take_lines(&c, text, len);
	if (fclose(c.out) != 0 && err == 0)
		err = fail(error, -ENOMEM, "out of memory");
	if (err == 0 && size > IMAGES_PLAN_MAX)
		err = fail(error, -EINVAL, "it is longer than %d bytes", IMAGES_PLAN_MAX);
	if (err < 0)
		image_plan_end(&plan);
	else
		*ret = plan;
	return err;
}

bool image_plan_next(const char **text, struct plan_range *ret)
{
	bool found = false;

	while (!found && **text) {
		size_t n = strcspn(*text, "\n");
		const char *why;

		/* Not the first line, which is none. */
		found = plan_parse_line(*text, n, ret, &why) == PLAN_RANGE;
		*text += n + ((*text)[n] == '\n');
	}
	return found;
}

/* ---- annotations -------------------------------------------------------------------------- */

/* One word, "LAYER:OFFSET+LENGTH", as a line. */
static int write_word(FILE *out, const char *word, size_t len,
		      const struct image_plan_object *objects, size_t n, char *error)
{
	const char *colon = memchr(word, ':', len);
	size_t digits = colon ? (size_t)(colon - word) : 0, layer = 0;

	if (digits == 0 || digits > 4 || strspn(word, "0123456789") != digits)
		return fail(error, -EINVAL, "'%.40s' does not begin with the number of a layer",
			    word);
	for (size_t i = 0; i < digits; i++)
		layer = 10 * layer + (size_t)(word[i] - '0');
	if (layer >= n)
		return fail(error, -EINVAL, "there is no layer %zu: they are counted from 0",
			    layer);
	fprintf(out, "%.*s /", (int)(len - digits - 1), colon + 1);
	plan_write_key(out, bytes_str(objects[layer].cookie));
	fputc('\n', out);
	return 0;
}

static int write_words(FILE *out, const char *note, const struct image_plan_object *objects,
		       size_t n, char *error)
{
	int err = 0;

	fputs(PLAN_FIRST_LINE "\n", out);
	while (err == 0 && *note) {
		size_t len = strcspn(note, " ");

		err = write_word(out, note, len, objects, n, error);
		note += len + (note[len] == ' ');
	}
	return err;
}

int image_plan_of_note(struct image_plan *ret, const char *note,
		       const struct image_plan_object *objects, size_t n, char *error)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	FILE *out;
	int err;

	if (strlen(note) > IMAGE_PLAN_NOTE_MAX)
		return fail(error, -EINVAL, "it is longer than %u bytes", IMAGE_PLAN_NOTE_MAX);
	/* It becomes lines, so that it has none of its own. */
	if (strchr(note, '\n'))
		return fail(error, -EINVAL, "there is a line break in it");
	out = open_memstream(&text, &len);
	if (!out)
		return fail(error, -ENOMEM, "out of memory");
	err = write_words(out, note, objects, n, error);
	if (fclose(out) != 0 && err == 0)
		err = fail(error, -ENOMEM, "out of memory");
	return err < 0 ? err : image_plan_check(ret, text, len, objects, n, error);
}

static void write_note(FILE *out, const char *text, const struct image_plan_object *objects,
		       size_t n)
{
	struct plan_range range;

	for (const char *blank = ""; image_plan_next(&text, &range); blank = " ")
		fprintf(out, "%s%zu:%" PRIu64 "+%" PRIu64, blank, find(objects, n, range.cookie),
			range.off, range.len);
}

int image_plan_make_note(char **ret, const struct image_plan *plan,
			 const struct image_plan_object *objects, size_t n, char *error)
{
	_cleanup_free_ char *note = NULL;
	size_t len;
	FILE *out = open_memstream(&note, &len);

	if (!out)
		return fail(error, -ENOMEM, "out of memory");
	write_note(out, plan->text, objects, n);
	if (fclose(out) != 0)
		return fail(error, -ENOMEM, "out of memory");
	if (len > IMAGE_PLAN_NOTE_MAX)
		return fail(error, -EINVAL, "as an annotation it would have more than %u bytes",
			    IMAGE_PLAN_NOTE_MAX);
	*ret = steal(&note);
	return 0;
}

/* ---- files -------------------------------------------------------------------------------- */

int image_plan_read(const char *path, char **ret, size_t *ret_len, char *error)
{
	FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	_cleanup_free_ char *text = malloc(IMAGES_PLAN_MAX + 1);
	size_t n = 0;
	int err = 0;

	if (!in)
		return fail(error, -errno, "%s: %s", path, strerror(errno));
	if (!text)
		err = fail(error, -ENOMEM, "out of memory");
	else
		n = fread(text, 1, IMAGES_PLAN_MAX + 1, in);
	if (err == 0 && ferror(in))
		err = fail(error, -EIO, "%s: %s", path, strerror(errno));
	if (in != stdin)
		fclose(in);
	if (err == 0 && n > IMAGES_PLAN_MAX)
		err = fail(error, -EFBIG, "%s: it is longer than %d bytes", path, IMAGES_PLAN_MAX);
	if (err < 0)
		return err;
	*ret = steal(&text);
	*ret_len = n;
	return 0;
}
