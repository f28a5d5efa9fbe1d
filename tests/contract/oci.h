/* SPDX-License-Identifier: MIT */
/*
 * Images in the registry of tests/lib/registry.h, and looks and reads of them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/lib/host.h"
#include "tests/lib/registry.h"
#include "tests/lib/temporary.h"

#define REPOSITORY "team/image"
#define SIZE	   1000000

extern struct host host;

struct layer {
	const char *name; /* the bytes are those of pattern_key(name); also the title */
	size_t size;
	const char *type;		  /* NULL: one of no importance */
	char digest[REGISTRY_DIGEST_MAX]; /* set */
};

/* Pushes layers and a manifest of them; NULL layers end. digest: of the manifest, or NULL. */
void push_image(const char *tag, struct layer *layers, size_t n, char digest[REGISTRY_DIGEST_MAX]);

/* "oci://127.0.0.1:PORT/team/imageREST". Static. */
const char *locator(unsigned int port, const char *rest);

/* Starts `host` for that port, without TLS, with up to two more parameters (NULL: none). */
void host_for(unsigned int port, const char *key, const char *value);

/* Looks with some room; fails the test unless that is the error, and word is in its text. */
struct host_look expect_look(const char *locator, int err, const char *word);

/* Looks, then reads ranges at the same time: all bytes are those of pattern_key(name). */
void expect_bytes(const char *locator, const char *name, size_t size, int n_reads);

/* The same for an object that is attached. */
void expect_reads(struct fetch_object *object, const char *name, size_t size, int n_reads);

/* Writes a file into registry_dir(); its path. Static. */
const char *put_file(const char *name, const char *text);

/* Makes ca.pem, srv.pem and srv.key, for localhost, in registry_dir(): what a registry's
 * configuration says of them. Static. */
const char *make_certificates(void);
