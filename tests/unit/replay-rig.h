/* SPDX-License-Identifier: MIT */
/*
 * A trace that is written by hand, record by record, its replay in virtual time, and the report.
 */
#pragma once

#include "daemon/replay/replay.h"
#include "daemon/trace/file.h"

#define KIB ((uint64_t)1024)
#define MIB (1024 * KIB)
#define MS  NSEC_PER_MSEC

/* What the test wants of the next replay. */
extern struct replay_config wish;
extern struct script script;
extern uint64_t read_deadline;			       /* ns; 0: as the source has it */
extern struct fetcher *(*decorator)(struct fetcher *); /* NULL: none */
extern int (*make_origin)(char *error);		       /* into wish.origin; a synthetic one */

/* And what came of it. */
extern struct report report; /* without its histograms */
extern char *json;	     /* the same in words; owned */

/* Fixtures. The trace has begun. */
void replay_setup(void);
void replay_teardown(void);

/* ---- writing the trace ------------------------------------------------------------------- */

/* At the present time. */
void put_record(struct trace_record record);
#define PUT(...) put_record((struct trace_record){ __VA_ARGS__ })

void wait_ms(uint64_t ms);

/* An OPEN, the object that it finds, with the same number as its id, and the answer a ms later. */
void ask_open(uint32_t msg, uint32_t id, const char *cookie);
void put_object(uint64_t number, const char *cookie, uint64_t size, const char *validator);
void put_open(uint32_t msg, uint32_t id, const char *cookie, uint64_t size);
void put_refused(uint32_t msg, uint32_t id, const char *cookie, int err);

/* A READ, its answer, and both with a ms between them. */
void ask_read(uint32_t msg, uint32_t id, uint64_t off, uint64_t len);
void answer_read(uint32_t msg, uint32_t id);
void put_read(uint32_t msg, uint32_t id, uint64_t off, uint64_t len);

void put_close(uint32_t msg, uint32_t id);

/* Object "a" of 64 MiB, and a READ of 4 KiB at 32 MiB, where nothing has been fetched. */
void put_one_read(void);

/* Ends it; without its last record. */
void end_trace(void);
void cut_trace(void);

/* ---- replaying --------------------------------------------------------------------------- */

/* Adds to the script. */
void rule(const char *text);

/* Ends the trace and replays it. */
void replay(void);
/* One that has ended, again. */
void replay_with(enum loop_backend backend);

void ck_good(void);
/* In the first finding. */
void ck_finding(const char *text);
