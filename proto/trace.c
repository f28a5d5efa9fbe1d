/* SPDX-License-Identifier: MIT */
#include "proto/trace.h"

#include <xxhash.h>

#include "proto/trace-internal.h"

/* The sum is a mere check that the member is of that type. */
#define FIELD(name, field_type, c_type, member)                                                \
	{                                                                                      \
		name, field_type,                                                              \
			offsetof(struct trace_record, member) +                                \
				0 * sizeof((c_type *)0 == &((struct trace_record *)0)->member) \
	}
#define U32(member)	      FIELD(#member, TRACE_U32, uint32_t, member)
#define U64(member)	      FIELD(#member, TRACE_U64, uint64_t, member)
#define S32(member)	      FIELD(#member, TRACE_S32, int32_t, member)
#define TEXT(member)	      FIELD(#member, TRACE_TEXT, struct bytes, member)
#define TEXT_AS(name, member) FIELD(name, TRACE_TEXT, struct bytes, member)
#define KEY(member)	      FIELD(#member, TRACE_KEY, struct bytes, member)

/* Fields may be added, at any place; a name keeps its meaning and its type for ever. */
const struct trace_kind_row trace_kind_rows[TRACE_KINDS] = {
	[TRACE_UNKNOWN] = { "unknown" },
	[TRACE_START] = { "start", { U64(realtime), TEXT(program), TEXT(kernel) } },
	[TRACE_SOURCE] = { "source", { U32(source), TEXT_AS("name", text), TEXT(locator) } },
	[TRACE_OBJECT] = { "object",
			   { U64(object), U32(source), U64(size), U32(flags), KEY(volume),
			     KEY(cookie), TEXT(locator), TEXT(validator) } },
	[TRACE_HANDLE] = { "handle", { U32(id), U64(object) } },
	[TRACE_OPEN] = { "open", { U32(msg), U32(id), U32(flags), KEY(volume), KEY(cookie) } },
	[TRACE_READ] = { "read", { U32(msg), U32(id), U64(off), U64(len) } },
	[TRACE_CLOSE] = { "close", { U32(msg), U32(id) } },
	[TRACE_BAD] = { "bad", { U32(msg), U32(id), U32(opcode), U64(len) } },
	[TRACE_RECEIVE] = { "receive", { S32(result) } },
	[TRACE_COPEN] = { "copen", { U32(msg), U64(size), S32(error), S32(result) } },
	[TRACE_COMPLETE] = { "complete", { U32(msg), U32(id), S32(result) } },
	[TRACE_COMMAND] = { "command", { TEXT(text), S32(result) } },
	[TRACE_RELEASE] = { "release", { U32(id) } },
	[TRACE_LOOK] = { "look",
			 { U32(source), KEY(volume), KEY(cookie), U64(size), U64(took),
			   S32(error) } },
	[TRACE_FETCH] = { "fetch",
			  { U64(object), U64(off), U64(len), U64(got), U32(class), U64(queued),
			    U64(took), S32(error) } },
	[TRACE_STORE] = { "store", { U64(object), U64(off), U64(len), U64(took), S32(error) } },
	[TRACE_LOST] = { "lost", { U64(count) } },
	[TRACE_END] = { "end", { U64(count) } },
};

const char *const trace_type_names[TRACE_TYPES] = {
	[TRACE_U32] = "u32",   [TRACE_U64] = "u64", [TRACE_S32] = "s32",
	[TRACE_TEXT] = "text", [TRACE_KEY] = "key",
};

const char *trace_kind_name(enum trace_kind kind)
{
	return trace_kind_rows[(unsigned int)kind < TRACE_KINDS ? kind : TRACE_UNKNOWN].name;
}

const char *trace_class_name(uint32_t class)
{
	static const char *const names[] = { "demand", "read-ahead", "prefetch" };

	return class < sizeof(names) / sizeof(names[0]) ? names[class] : "unknown";
}

void trace_each_field(const struct trace_record *record,
		      void (*visit)(void *arg, const char *name, enum trace_type type,
				    const void *value),
		      void *arg)
{
	if ((unsigned int)record->kind >= TRACE_KINDS)
		return;
	for (const struct trace_field *f = trace_kind_rows[record->kind].fields; f->name; f++)
		visit(arg, f->name, f->type, (const char *)record + f->offset);
}

const char *trace_verdict_text(enum trace_verdict verdict)
{
	switch (verdict) {
	case TRACE_OK:
		return "it is well-formed";
	case TRACE_MORE:
		return "it ends before it is whole";
	case TRACE_NOT_A_TRACE:
		return "this is not a trace of cachefilld";
	case TRACE_MANGLED:
		return "this trace was copied as text, which has changed its bytes";
	case TRACE_BAD_VERSION:
		return "this version of the format is not known";
	case TRACE_BAD_ORDER:
		return "it was written in the other byte order";
	case TRACE_BAD_SCHEMA:
		return "the schema is too long or malformed";
	case TRACE_BAD_LENGTH:
		return "the length of the record is out of bounds";
	case TRACE_BAD_CHECKSUM:
		return "the checksum is wrong";
	case TRACE_BAD_RECORD:
		return "the record does not fit the schema";
	}
	return "the verdict is unknown";
}

uint32_t trace_checksum(const void *data, size_t n, uint64_t off)
{
	return (uint32_t)XXH3_64bits_withSeed(data, n, off);
}
