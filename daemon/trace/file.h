/* SPDX-License-Identifier: MIT */
/*
 * Files of cachefill-trace(5), read and written in one pass with one bounded buffer.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/trace.h"

#define TRACE_ERROR_MAX 512

struct trace_reader;

/*
 * Opens a file, or standard input for "-", and reads its header. error (TRACE_ERROR_MAX bytes):
 * "FILE: sentence", with the offset where there is one, filled when the return value is negative:
 * -EBADMSG for what is not a trace that we can read, else -ENOMEM or the errno of open(2), read(2).
 */
int trace_reader_new(struct trace_reader **ret, const char *path, char *error);
struct trace_reader *trace_reader_free(struct trace_reader *reader);

/*
 * The next record, which borrows from the reader until the next call. 1: *ret is it; 0: the end;
 * negative as above, and again at the next call: nothing is read behind damage. A trace that is cut
 * off ends (0) after its last whole record.
 */
int trace_reader_next(struct trace_reader *reader, struct trace_record *ret, char *error);

/*
 * After the end: bytes behind the last whole record, 0 when the file was not cut off in a record;
 * a file that is cut between two records lacks its end record. *off: where the last whole record
 * ends, also before the end and at damage.
 */
uint64_t trace_reader_rest(const struct trace_reader *reader, uint64_t *off);

/* Offset in the file of the record that was given last. */
uint64_t trace_reader_offset(const struct trace_reader *reader);

struct trace_writer;

/*
 * Creates `path` (never over a file that exists; mode 0600), or writes to standard output for "-".
 * The header is put in front by itself; start and end records are the caller's. Errors as above.
 */
int trace_writer_new(struct trace_writer **ret, const char *path, char *error);
/* -EMSGSIZE: the record is too long; it is left out. Any other error comes again at the finish. */
int trace_writer_put(struct trace_writer *writer, const struct trace_record *record, char *error);

/* Writes what is buffered, and closes. Frees the writer in any case; removes the file when it
 * fails. */
int trace_writer_finish(struct trace_writer *writer, char *error);

/* Gives up: closes, removes the file. Takes NULL, returns NULL. */
struct trace_writer *trace_writer_abort(struct trace_writer *writer);
