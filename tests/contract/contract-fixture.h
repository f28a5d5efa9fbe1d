/* SPDX-License-Identifier: MIT */
/*
 * A fetcher of a row of kinds.h with its origin, and objects there; what each subject of the
 * contract suite adds to the test case of such a row.
 */
#pragma once

#include <check.h>

#include "tests/contract/kinds.h"
#include "tests/lib/host.h"

#define SIZE  ((size_t)300000)
#define LARGE ((size_t)1500000) /* takes a few turns, and is more than a flight */
#define MANY  32

extern const struct kind *kind; /* the row */
extern struct host host;

/* Around each test. */
void contract_start(const struct kind *row, enum loop_backend backend);
void contract_stop(void);

/* The locator of an object, from the template of its row. Static. */
const char *locator_of(const char *name);

/* Makes an object, looks at it and attaches it. */
struct fetch_object *attach_new(const char *name, uint64_t size);
void detach(struct fetch_object *object);

/* The first len bytes of a read are those of that object. */
void check_bytes(const struct host_read *read, const char *name, size_t len);

/* The subjects, each in a file of its name. */
void contract_look(TCase *tc);
void contract_read(TCase *tc);
void contract_cancel(TCase *tc);
void contract_identity(TCase *tc);
void contract_memory(TCase *tc);
void contract_registry(TCase *tc); /* of no row */
