/* SPDX-License-Identifier: MIT */
/*
 * What the tests of `image build` and `image push` work with: trees, images of archives in a
 * layout, commands of the shell.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "tests/ctl/ctl.h"
#include "tests/lib/shell.h"

/* The machine has what these tests need; else why it has not. */
const char *build_missing(void);

/* Fixtures: as those of ctl.h, with the directory "tmp" for what is unpacked. */
void build_enter(void);
void build_leave(void);

/* A command that succeeds; and the first line that it prints, static. */
const char *output_of(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* "DIR/blobs/sha256/HEX". Static. */
const char *blob(const char *dir, const char *digest);

/* Of JSON; both have to be there. */
json_t *load(const char *path);
const char *text_at(const json_t *object, const char *key);

/* A small tree with all that a file system has, but devices. */
void make_tree(const char *dir);

/*
 * A layout with the image v1, of bottom.tar.gz and top.tar, which are made here: the upper one
 * takes tmp/gone away without a word about tmp itself, which is 1777.
 */
void make_image(const char *dir);

/* Nothing half-made is left: neither here nor where archives are unpacked. */
void expect_clean(void);

/* It has succeeded silently, or said one sentence with that word; nothing half-made is left. */
const struct ctl_result *build_ok(const struct ctl_result *r);
void expect_refused(const struct ctl_result *r, const char *word);

#define BUILD(...) RUN("image", "build", "--tmp-dir", "tmp", __VA_ARGS__)
