/* SPDX-License-Identifier: MIT */
/* Inside a program: program.c decodes, begins and ends it, program-event.c has the events. */
#pragma once

#include "tests/lib/program.h"
#include "tests/lib/rig.h"

#define PROGRAM_EVENTS	 200	   /* more bytes are not looked at: each run ends soon */
#define PROGRAM_BYTES	 (8 * MIB) /* that readers ask for */
#define PROGRAM_KEYS	 4
#define PROGRAM_VERSIONS 6 /* of one object */
#define PROGRAM_MOUNTS	 6 /* places: a mount stands in one until it is over */
#define PROGRAM_READERS	 16

struct program {
	const uint8_t *at, *end;
	const struct program_options *options;
	struct fake_origin *versions[PROGRAM_KEYS][PROGRAM_VERSIONS];
	unsigned int n_versions[PROGRAM_KEYS];
	struct emu_mount *mounts[PROGRAM_MOUNTS];
	struct emu_reader *readers[PROGRAM_READERS];
	unsigned int mounted[PROGRAM_MOUNTS]; /* the key */
	unsigned int mount_label[PROGRAM_MOUNTS], reader_label[PROGRAM_READERS];
	unsigned int last_label;
	uint32_t raw_id; /* of the next injected message */
	uint64_t bytes;	 /* asked for so far */
};

extern struct program program;

/* The next bytes; zeros after the last. */
uint8_t program_u8(void);
uint16_t program_u16(void);
/* Up to `max` (at most 65535 * 65535); small numbers and page boundaries are likely. */
uint64_t program_offset(uint64_t max);

/* One line of the script, in the words of tests/lib/scenario.h. */
void program_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* For options.weather. */
void program_weather(bool bad);

/* Time goes by. */
void program_pass(uint64_t ns);

/* The version of a key that is served now. */
struct fake_origin *program_newest(unsigned int key);
/* A version of the key of this size, which no other one of it has. */
void program_serve(unsigned int key, uint64_t size);

/* Nothing is wrong with any version of it any more. */
void program_heal(unsigned int key);

/* Closes what is mounted. */
void program_umount_all(void);

/* One event, and the time after it. */
void program_event(void);
