/* SPDX-License-Identifier: MIT */
/*
 * A real registry, docker-registry(1), for tests: a directory of blobs, a door to it without any
 * lock by which they are put there, and further doors that are shut in the ways to be tested. All
 * end with the process. Since a server takes longer to start than most tests to run, the open door
 * is the same for all tests of a case, whose directories are their own.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REGISTRY_DIGEST_MAX 80
#define REGISTRY_MANIFEST   "application/vnd.oci.image.manifest.v1+json"
#define REGISTRY_INDEX	    "application/vnd.oci.image.index.v1+json"

bool registry_installed(void);

/* Opens the door, for all tests of a case: an unchecked fixture. */
void registry_begin(void);
void registry_begin_two(void); /* and another one beside it */
void registry_end(void);

/* Makes the directory of one test. Proxies are taken out of the environment. */
void registry_start(void);
void registry_stop(void);

const char *registry_dir(void);	  /* for more files of a test */
unsigned int registry_port(void); /* of the open door */
unsigned int registry_second_port(void);

/*
 * One more door, until registry_shut() or registry_stop(). http, auth, middleware: parts of its
 * configuration, NULL for none: what follows "addr" in http, the whole of auth, the whole of
 * middleware. Its port, and where it logs.
 */
unsigned int registry_open(const char *name, const char *http, const char *auth,
			   const char *middleware);
void registry_shut(void);

/* "sha256:..." */
void registry_digest(const void *bytes, size_t len, char digest[REGISTRY_DIGEST_MAX]);

/* By the open door. The digest is told; NULL for who does not care. */
void registry_put_blob(const char *repository, const void *bytes, size_t len,
		       char digest[REGISTRY_DIGEST_MAX]);
void registry_remove_blob(const char *repository, const char *digest);
void registry_put_manifest(const char *repository, const char *tag, const char *type,
			   const char *text, char digest[REGISTRY_DIGEST_MAX]);

/* The file that holds the bytes of a digest. Static. */
const char *registry_file(const char *digest);

/*
 * So many lines of the log of a door, or of anything of that name, have both of these words. Waits
 * for them: servers write a line after they have answered.
 */
void registry_expect_logged(const char *name, const char *word, const char *other, unsigned int n);
