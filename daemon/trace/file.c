/* SPDX-License-Identifier: MIT */
#include "daemon/trace/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/util/cleanup.h"

/* Holds the longest header and many records; what is left of it moves to the front now and then. */
#define BUFFER_LEN ((size_t)2 * TRACE_HEADER_LIMIT)

/* "NAME: sentence" into error; returns r. */
static int __attribute__((format(printf, 4, 5)))
fail(char *error, int r, const char *path, const char *fmt, ...)
{
	char text[TRACE_ERROR_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* Of a long path, the end says more; the sentence has to be there. */
	if (strlen(path) > TRACE_ERROR_MAX / 2)
		path += strlen(path) - TRACE_ERROR_MAX / 2;
	snprintf(error, TRACE_ERROR_MAX, "%s: %.*s", path, TRACE_ERROR_MAX / 2 - 4, text);
	return r;
}

static bool is_standard(const char *path)
{
	return strcmp(path, "-") == 0;
}

/* ---- reading ----------------------------------------------------------------------------- */

struct trace_reader {
	char *path; /* owned; as it is named in errors */
	int fd;
	bool close; /* fd is ours */
	bool end;   /* read(2) has said 0 */
	struct trace_decoder decoder;
	uint64_t last;	    /* offset of the last record */
	size_t start, stop; /* what of data is still to be decoded */
	uint8_t data[BUFFER_LEN];
};

struct trace_reader *trace_reader_free(struct trace_reader *reader)
{
	if (!reader)
		return NULL;
	if (reader->close)
		close(reader->fd);
	free(reader->path);
	free(reader);
	return NULL;
}

static void reader_freep(struct trace_reader **reader)
{
	trace_reader_free(*reader);
}

/* More bytes behind those that are there, whose place may change. Sets `end` when there are none.
 */
static int reader_fill(struct trace_reader *reader, char *error)
{
	ssize_t n;

	memmove(reader->data, reader->data + reader->start, reader->stop - reader->start);
	reader->stop -= reader->start;
	reader->start = 0;
	do {
		n = read(reader->fd, reader->data + reader->stop, BUFFER_LEN - reader->stop);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return fail(error, -errno, reader->path, "offset %" PRIu64 ": %s",
			    reader->decoder.off + reader->stop, strerror(errno));
	reader->end = n == 0;
	reader->stop += (size_t)n;
	return 0;
}

static int reader_refuse(const struct trace_reader *reader, enum trace_verdict verdict, char *error)
{
	switch (verdict) {
	case TRACE_NOT_A_TRACE:
	case TRACE_MANGLED:
	case TRACE_BAD_ORDER:
		return fail(error, -EBADMSG, reader->path, "%s", trace_verdict_text(verdict));
	case TRACE_BAD_VERSION:
		return fail(error, -EBADMSG, reader->path,
			    "version %" PRIu32 " of the format is not known, only %d",
			    reader->decoder.version, TRACE_VERSION);
	default:
		return fail(error, -EBADMSG, reader->path, "offset %" PRIu64 ": %s",
			    reader->decoder.off, trace_verdict_text(verdict));
	}
}

static int reader_header(struct trace_reader *reader, char *error)
{
	enum trace_verdict verdict;
	size_t used;
	int r;

	do {
		r = reader_fill(reader, error);
		if (r < 0)
			return r;
		verdict = trace_decode_header(&reader->decoder, reader->data, reader->stop, &used);
	} while (verdict == TRACE_MORE && !reader->end);
	if (verdict == TRACE_MORE)
		return fail(error, -EBADMSG, reader->path, "%s",
			    reader->stop == 0 ? "the file is empty"
					      : "the file ends inside its header");
	if (verdict != TRACE_OK)
		return reader_refuse(reader, verdict, error);
	reader->start = used;
	return 0;
}

int trace_reader_new(struct trace_reader **ret, const char *path, char *error)
{
	_cleanup_(reader_freep) struct trace_reader *reader = calloc(1, sizeof(*reader));
	int r;

	if (!reader)
		return fail(error, -ENOMEM, path, "%s", strerror(ENOMEM));
	reader->path = strdup(is_standard(path) ? "standard input" : path);
	if (!reader->path)
		return fail(error, -ENOMEM, path, "%s", strerror(ENOMEM));
	reader->fd = STDIN_FILENO;
	if (!is_standard(path)) {
		reader->fd = open(path, O_RDONLY | O_CLOEXEC);
		if (reader->fd < 0)
			return fail(error, -errno, path, "%s", strerror(errno));
		reader->close = true;
	}
	r = reader_header(reader, error);
	if (r < 0)
		return r;
	*ret = steal(&reader);
	return 0;
}

int trace_reader_next(struct trace_reader *reader, struct trace_record *ret, char *error)
{
	uint64_t off = reader->decoder.off;
	enum trace_verdict verdict;
	size_t used;

	while ((verdict = trace_decode(&reader->decoder, reader->data + reader->start,
				       reader->stop - reader->start, &used, ret)) == TRACE_MORE) {
		int r;

		if (reader->end)
			return 0;
		r = reader_fill(reader, error);
		if (r < 0)
			return r;
	}
	if (verdict != TRACE_OK)
		return reader_refuse(reader, verdict, error);
	reader->start += used;
	reader->last = off;
	return 1;
}

uint64_t trace_reader_rest(const struct trace_reader *reader, uint64_t *off)
{
	*off = reader->decoder.off;
	return reader->end ? reader->stop - reader->start : 0;
}

uint64_t trace_reader_offset(const struct trace_reader *reader)
{
	return reader->last;
}

/* ---- writing ----------------------------------------------------------------------------- */

struct trace_writer {
	char *path; /* owned; as it is named in errors */
	int fd;
	bool created; /* fd and the file are ours */
	struct trace_encoder encoder;
	size_t used; /* of data */
	uint8_t data[BUFFER_LEN];
};

struct trace_writer *trace_writer_abort(struct trace_writer *writer)
{
	if (!writer)
		return NULL;
	if (writer->created) {
		close(writer->fd);
		unlink(writer->path);
	}
	free(writer->path);
	free(writer);
	return NULL;
}

static void writer_abortp(struct trace_writer **writer)
{
	trace_writer_abort(*writer);
}

int trace_writer_new(struct trace_writer **ret, const char *path, char *error)
{
	_cleanup_(writer_abortp) struct trace_writer *writer = calloc(1, sizeof(*writer));

	if (!writer)
		return fail(error, -ENOMEM, path, "%s", strerror(ENOMEM));
	writer->path = strdup(is_standard(path) ? "standard output" : path);
	if (!writer->path)
		return fail(error, -ENOMEM, path, "%s", strerror(ENOMEM));
	writer->fd = STDOUT_FILENO;
	if (!is_standard(path)) {
		/* Keys are in it: nobody else may read it. */
		writer->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (writer->fd < 0)
			return fail(error, -errno, path, "%s", strerror(errno));
		writer->created = true;
	}
	writer->used = trace_encode_header(&writer->encoder, writer->data, BUFFER_LEN);
	*ret = steal(&writer);
	return 0;
}

/* Keeps what could not be written, so that the next attempt fails at the same byte. */
static int writer_flush(struct trace_writer *writer, char *error)
{
	size_t done = 0;
	int r = 0;

	while (r == 0 && done < writer->used) {
		ssize_t n = write(writer->fd, writer->data + done, writer->used - done);

		if (n >= 0)
			done += (size_t)n;
		else if (errno != EINTR)
			r = fail(error, -errno, writer->path, "%s", strerror(errno));
	}
	writer->used -= done;
	memmove(writer->data, writer->data + done, writer->used);
	return r;
}

int trace_writer_put(struct trace_writer *writer, const struct trace_record *record, char *error)
{
	size_t n;
	int r;

	if (BUFFER_LEN - writer->used < TRACE_RECORD_MAX) {
		r = writer_flush(writer, error);
		if (r < 0)
			return r;
	}
	n = trace_encode(&writer->encoder, writer->data + writer->used, BUFFER_LEN - writer->used,
			 record);
	if (n == 0)
		return fail(error, -EMSGSIZE, writer->path,
			    "a record of kind \"%s\" is longer than records may be, or cannot be "
			    "written",
			    trace_kind_name(record->kind));
	writer->used += n;
	return 0;
}

int trace_writer_finish(struct trace_writer *writer, char *error)
{
	_cleanup_(writer_abortp) struct trace_writer *w = writer;
	int r = writer_flush(w, error);

	if (r < 0 || !w->created)
		return r;
	/* Some file systems tell only here that there was no room. */
	if (close(w->fd) < 0 && errno != EINTR)
		r = fail(error, -errno, w->path, "%s", strerror(errno));
	if (r < 0)
		unlink(w->path);
	w->created = false;
	return r;
}
