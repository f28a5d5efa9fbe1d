/* SPDX-License-Identifier: MIT */
/*
 * tests/tools/s3-oracle.py: a server like S3 that judges each signature by AWS's own code, in front
 * of the scripted web server that has the bytes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define ORACLE_ID     "AKIDEXAMPLE"
#define ORACLE_SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define ORACLE_REGION "eu-west-1"

/* python3 with botocore is there. */
bool oracle_installed(void);

/* The server is the same for all tests of a case, since python takes its time to start: an
 * unchecked fixture. */
void oracle_begin(void);
void oracle_end(void);

/* For one test, with a new directory; knows ORACLE_ID and ORACLE_SECRET. */
void oracle_start(unsigned int upstream_port);
void oracle_stop(void);

unsigned int oracle_port(void);
const char *oracle_dir(void); /* for more files of a test */

/* From now on other keys are right: "ID SECRET" or "ID SECRET TOKEN". */
void oracle_keys(const char *line);

/* A file of credentials in its directory, replaced by rename. Returns its path; static. */
const char *oracle_write(const char *name, const char *text);

/* How many requests were answered with that status and code ("-" for none). */
unsigned int oracle_answered(unsigned int status, const char *code);

/* Whether a text is in its log of requests. */
bool oracle_saw(const char *text);
