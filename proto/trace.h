/* SPDX-License-Identifier: MIT */
/*
 * The records of cachefill-trace(5): what crossed the device port, and what the engine did about
 * it at the origins, with times. Pure: no I/O, no allocation. A trace comes from anywhere, so what
 * is decoded is trusted by nobody; what is encoded never holds a payload byte or a secret.
 *
 *   file    = magic, version, byte order, length of the schema (u32 each), schema, XXH3 of all that
 *             (u64), record...
 *   schema  = text: one line per kind, "NUMBER NAME FIELD:TYPE FIELD:TYPE ...\n"
 *   record  = length of the body (varint), body, low 32 bits of the XXH3 of both (seed: the offset
 *             of the record in the file)
 *   body    = kind (varint), time, then the fields of its line, in order
 *
 * Numbers are LEB128 varints, signed ones zigzag; the time is in ns since the record before
 * (signed, since a flight that ends may be written after a later message). All of it is
 * little-endian.
 *
 * The schema makes a trace describe itself: a reader takes the fields that it knows by their
 * names, passes over those that it does not, and can still name a kind that is newer than itself.
 * The version changes only when the frame or the set of types does.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "daemon/util/bytes.h"

#define TRACE_VERSION	   1
#define TRACE_HEADER_MAX   4096	 /* bytes of a header that we write */
#define TRACE_HEADER_LIMIT 65536 /* and of one that we read */
#define TRACE_RECORD_MAX   16384 /* bytes of one record with its frame; longer ones are refused */

enum trace_kind {
	TRACE_UNKNOWN,	/* decoded from a schema line that is newer than we are */
	TRACE_START,	/* first record of a recording: realtime, program, kernel */
	TRACE_SOURCE,	/* a source: source (its number, until that is another's), name (in `text`),
			   locator */
	TRACE_OBJECT,	/* an object and its pinned identity, before its number is used: object,
			   source, size, flags, volume, cookie, locator, validator */
	TRACE_HANDLE,	/* an OPEN that was answered before the recording began: id, object */
	TRACE_OPEN,	/* from the kernel: msg, id, flags, volume, cookie */
	TRACE_READ,	/* from the kernel: msg, id, off, len */
	TRACE_CLOSE,	/* from the kernel: msg, id */
	TRACE_BAD,	/* from the kernel, not to be parsed: msg, id, opcode, len */
	TRACE_RECEIVE,	/* a read of the device that failed: result */
	TRACE_COPEN,	/* to the kernel: msg, size, error (of the answer), result (of the call) */
	TRACE_COMPLETE, /* to the kernel: msg, id, result */
	TRACE_COMMAND,	/* to the kernel, any other: text, result */
	TRACE_RELEASE,	/* an anonymous descriptor was closed: id */
	TRACE_LOOK,	/* an origin was asked for an identity: source, volume, cookie, size, took,
			   error */
	TRACE_FETCH,	/* a range was fetched: object, off, len (asked), got, class, queued, took,
			   error */
	TRACE_STORE,	/* bytes were written to the cache file: object, off, len (stored), took,
			   error */
	TRACE_LOST,	/* records that found no room while the disk was slow: count */
	TRACE_END,	/* last record of an orderly recording: count (records before it) */
	TRACE_KINDS,
};

#define TRACE_OBJECT_COMPRESSED 1 /* flags of TRACE_OBJECT: fetched whole before its first READ */

/* The fields of all kinds; those that a kind does not have are zero. Offsets, lengths and sizes in
 * bytes, times in ns, errors and results 0 or a negative errno. */
struct trace_record {
	enum trace_kind kind;
	const char *name; /* of the kind; borrowed from the decoder; set by trace_decode() */
	uint64_t time;	  /* CLOCK_MONOTONIC */
	uint32_t msg;	  /* message id of the kernel: reused after its answer */
	uint32_t id;	  /* object id of the kernel: changes at a reopen */
	uint32_t flags;
	uint32_t opcode;
	uint32_t source;
	uint32_t class;	 /* of a fetch: 0 demand, 1 read-ahead, 2 prefetch */
	uint64_t object; /* the engine's number of an object, never reused while a daemon runs */
	uint64_t off, len, got, size;
	uint64_t queued; /* from the wish to fetch to the request at the origin */
	uint64_t took;	 /* from the request to its end; `time` is the end */
	uint64_t count;
	uint64_t realtime; /* CLOCK_REALTIME at `time`, ns since 1970 */
	int32_t error, result;
	/* Borrowed. volume is without its NUL; locator without secrets. */
	struct bytes volume, cookie, locator, validator;
	struct bytes program, kernel, text;
};

/* ---- writing ----------------------------------------------------------------------------- */

/* The state of one file that is written from its start: zero, then trace_encode_header(). */
struct trace_encoder {
	uint64_t time; /* of the last record */
	uint64_t off;  /* bytes so far */
};

/* Writes the header, whose length it returns; n is at least TRACE_HEADER_MAX. */
size_t trace_encode_header(struct trace_encoder *encoder, void *buf, size_t n);

/*
 * Writes one record and returns its length; 0, and nothing has happened, when it does not fit into
 * n or would be longer than TRACE_RECORD_MAX. TRACE_UNKNOWN cannot be written.
 */
size_t trace_encode(struct trace_encoder *encoder, void *buf, size_t n,
		    const struct trace_record *record);

/* ---- reading ----------------------------------------------------------------------------- */

enum trace_verdict {
	TRACE_OK,
	TRACE_MORE,	   /* whole so far, but the bytes end here: at the end of a file, a cut */
	TRACE_NOT_A_TRACE, /* magic */
	TRACE_MANGLED,	   /* a magic that was copied as text */
	TRACE_BAD_VERSION,
	TRACE_BAD_ORDER,    /* written with the other byte order */
	TRACE_BAD_SCHEMA,   /* too long, or not to be understood */
	TRACE_BAD_LENGTH,   /* of a record: 0 or above TRACE_RECORD_MAX */
	TRACE_BAD_CHECKSUM, /* of the header or of a record */
	TRACE_BAD_RECORD,   /* right checksum, but fields that do not fit the schema, or the body */
};

/* One sentence for people, static. */
const char *trace_verdict_text(enum trace_verdict verdict);

#define TRACE_SCHEMA_KINDS  64 /* numbers, from 0, that we take */
#define TRACE_SCHEMA_FIELDS 24 /* of one line */
#define TRACE_NAME_MAX	    32 /* with the terminator */

/* The schema of one file, and where in it we are. Zero before trace_decode_header(). */
struct trace_decoder {
	uint64_t time; /* of the last record */
	uint64_t off;  /* of the next record: what an error should name */
	uint32_t version;
	struct trace_schema_kind {
		char name[TRACE_NAME_MAX]; /* "": no such kind */
		enum trace_kind kind;	   /* TRACE_UNKNOWN: newer than we are */
		uint8_t n_fields;
		struct trace_schema_field {
			uint8_t type;
			uint8_t known; /* index of ours + 1, 0: not known */
		} field[TRACE_SCHEMA_FIELDS];
	} schema[TRACE_SCHEMA_KINDS];
};

/* The header at the start of buf; *used is its length when TRACE_OK. The decoder is of no use
 * otherwise. */
enum trace_verdict trace_decode_header(struct trace_decoder *decoder, const void *buf, size_t n,
				       size_t *used);

/*
 * The record at the start of buf, which borrows from buf; *used is its length when TRACE_OK.
 * Otherwise the decoder has not moved.
 */
enum trace_verdict trace_decode(struct trace_decoder *decoder, const void *buf, size_t n,
				size_t *used, struct trace_record *ret);

/* Name of a kind that we know ("read"), and of a fetch class ("demand"); never NULL. */
const char *trace_kind_name(enum trace_kind kind);
const char *trace_class_name(uint32_t class);

/*
 * The fields of a record of this kind, in order, for printing: calls visit for each. value points
 * to a uint32_t, uint64_t, int32_t or struct bytes (TRACE_TEXT: for people, TRACE_KEY: bytes) of
 * the record, as `type` says. Both of these may hold anything when the record was decoded.
 */
enum trace_type { TRACE_U32, TRACE_U64, TRACE_S32, TRACE_TEXT, TRACE_KEY, TRACE_TYPES };
void trace_each_field(const struct trace_record *record,
		      void (*visit)(void *arg, const char *name, enum trace_type type,
				    const void *value),
		      void *arg);
