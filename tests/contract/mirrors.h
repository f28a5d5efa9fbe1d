/* SPDX-License-Identifier: MIT */
/*
 * Mirrors of the registry that runs: nginx over copies of what it has, and files by which the oci
 * fetcher finds them.
 */
#pragma once

#include <check.h>

#include "tests/contract/oci.h"
#include "tests/lib/nginx.h"
#include "tests/lib/origin.h"
#include "tests/lib/server.h"
#include "tests/lib/shell.h"

#define SMALL 3000

extern struct layer layers[2]; /* one of SIZE bytes, one of SMALL */
extern char digest[REGISTRY_DIGEST_MAX];

/* A case in which each test begins with that registry, and one image in it. */
TCase *mirrors_case(Suite *s, const char *name);
/* Which programs are missing, or NULL. */
const char *mirrors_missing(void);

/*
 * nginx over files: what was copied there from the registry. Says who came to whom, and may answer
 * all with a status (0: none), or ask for a password.
 */
pid_t start_store_at(const char *name, unsigned int port, unsigned int status);
pid_t start_store(const char *name, unsigned int *ret_port, unsigned int status);

/* "NAME/v2/team/image/KIND/WHAT" becomes a copy of what the registry has under that digest. */
void copy(const char *name, const char *kind, const char *what, const char *of);
void copy_all(const char *name);
/* One byte of such a copy. */
void corrupt(const char *name, const char *kind, const char *what, long where);

/* The text of hosts.toml for the registry at this port, and where they all are. */
__attribute__((format(printf, 2, 3))) void hosts(unsigned int port, const char *fmt, ...);
const char *hosts_dir(void);

/* Starts `host` for a port with these hosts and parameters (key, value ... NULL). */
void host_with(unsigned int port, ...);
/* For the registry itself. */
void host_for_mirrors(void);

/* The locator of that in the image of the registry. */
const char *at(const char *rest);
