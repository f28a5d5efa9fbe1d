/* SPDX-License-Identifier: MIT */
/*
 * Rows of kinds.c that are files of a directory, and those that decorate such files.
 */
#pragma once

#include "tests/contract/kinds.h"

const char *file_dir(void);
void file_start(void);
void file_stop(void);
/* Counts one more version of an object; file_key() is different afterwards. */
void file_next_version(const char *name);
uint64_t file_key(const char *name);
/* Makes or replaces a file of the directory. */
void file_write(const char *name, const void *bytes, size_t size);

#ifdef HAVE_TARMAP
extern const struct fetcher_class tarmap_test_class;
void tarmap_put(const char *name, uint64_t size);
void indexed_remove(const char *name); /* of both kinds */
const char *tarmap_template(void);
const char *tarmap_locator(const char *name);

extern const struct fetcher_class gunzip_test_class;
void gunzip_put(const char *name, uint64_t size);
const char *gunzip_template(void);
const char *gunzip_locator(const char *name);

/* A decorator, and what it decorates: a fetcher of that template, without parameters. */
int pair_create(struct fetcher **ret, struct loop *loop, const char *inner,
		int (*outer_new)(struct fetcher **, struct loop *, struct fetcher *));
#endif

#ifdef HAVE_LIBFSVERITY
extern const struct fetcher_class verify_file_class, verify_http_class;
void verify_start(void);
void verify_http_start(void);
void verify_http_stop(void);
void verify_put(const char *name, uint64_t size);
void verify_remove(const char *name); /* bytes and tree */
const char *verify_template(void);
const char *verify_file_locator(const char *name);
const char *verify_http_locator(const char *name);
#endif
