/* SPDX-License-Identifier: MIT */
/*
 * The s3 fetcher, and a server that judges signatures by AWS's own code in front of an origin.
 */
#pragma once

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/contract/s3-oracle.h"
#include "tests/lib/host.h"
#include "tests/lib/origin.h"
#include "tests/lib/temporary.h"

#define SIZE  ((uint64_t)100000)
#define TOKEN "IQoJb3JpZ2luX2VjEXAMPLETOKEN//////////wEaCXVzLWVhc3QtMSJHMEUCIQ=="

extern struct origin *origin, *other; /* behind the oracle; elsewhere */
extern struct host host;
extern char endpoint[64];
extern char file[TEMPORARY_MAX + 64]; /* of credentials */

/* Fixtures, beside those of the oracle. */
void start(void);
void stop(void);

const struct fetcher_class *class_of_s3(void);

/* Writes the file of credentials; its name. */
const char *write_keys(const char *profile, const char *id, const char *secret, const char *token);

/* The host, with one parameter (or NULL) beside endpoint, region and file of credentials. */
void host_with(const char *key, const char *value);
/* The same with credentials from elsewhere. */
void host_from_environment(const char *key, const char *value);

/* The error of a look; its text in look_error. */
int look_at(const char *locator);
extern char look_error[FETCH_ERROR_MAX];

/* Looks, reads, and compares with the object `name` of the origin. */
void check_object(const char *locator, const char *name);

/* A case of the suite, with these fixtures. */
TCase *s3_tests(Suite *suite);
