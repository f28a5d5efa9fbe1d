/* SPDX-License-Identifier: MIT */
/*
 * Commands of `cachefillctl image` on a store of the test's own, and things that look like images.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tests/ctl/ctl.h"

#define IMAGE_BLOCK 4096

/* What its superblock says; zero: a plain image of 4 KiB blocks without devices. */
struct erofs_file {
	size_t blocks;	      /* that there are; 0: 2 */
	uint32_t says_blocks; /* 0: the same */
	uint8_t block_bits;   /* 0: 12 */
	uint8_t incompat;     /* features; 1: compressed */
	uint16_t devices;
	uint8_t seed;	   /* makes the rest of it different */
	const char *begin; /* in place of zeros */
};

/* The bytes, to be freed. */
uint8_t *erofs_bytes(const struct erofs_file *file, size_t *ret_len);
void erofs_write(const char *path, const struct erofs_file *file);

/* The configuration of the store; empty by default. */
void image_configure(const char *text);

/* "image", the first word, the options for the store, the other words. */
struct ctl_result *image_run(const char *const *words);
#define IMAGE(...) image_run((const char *const[]){ __VA_ARGS__, NULL })

/* The same, and it runs beside us; standard error goes to the file of that name. */
pid_t image_start(const char *const *words);

/* The same on a terminal, where this text was typed in; what it printed. It succeeds. Static. */
char *image_run_asked(const char *const *words, const char *text);

/* Exit status, and a word of standard error (or "" for nothing there) and of standard output. */
void image_expect(const struct ctl_result *result, int status, const char *err, const char *out);

/* How many images there are; nothing else is in the store's directory than the store. */
unsigned int image_count(void);
