/* SPDX-License-Identifier: MIT */
/*
 * How to make an origin for each fetcher of the registry: the rows that the contract suite runs
 * on. Objects have the bytes of daemon/replay/pattern.h.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "fetchers/fetcher.h"

struct kind {
	const char *class; /* name of the fetcher */
	/* Starts what all tests of a case share, before any of them, and ends it; may be NULL. */
	void (*begin)(void);
	void (*end)(void);
	/* Around each test. */
	void (*start)(void);
	void (*stop)(void);
	/* Makes an object, or replaces one by another of the same name. */
	void (*put)(const char *name, uint64_t size);
	void (*remove)(const char *name);
	/* For pattern_check(): what an object's bytes are. */
	uint64_t (*key)(const char *name);
	/* "scheme:.../{cookie}", and the text that a locator has in place of the placeholder. */
	const char *(*template)(void);
	const struct fetcher_param *params; /* NULL: none */
	/* What is replaced can still be read by who knows its identity. */
	bool keeps_versions;
	bool (*works)(void); /* on this host; NULL: always */
	/* For decorators: a class that is not in the registry, makes them and what they decorate.
	 */
	const struct fetcher_class *decorator;
	const char *decorates; /* scheme with its colon; NULL: files */
	/* The locator of an object, where that is more than the template with its name. */
	const char *(*locator)(const char *name);
};

/* The class of a row; NULL: it was not built in. */
const struct fetcher_class *kind_class(const struct kind *kind);

extern const struct kind kinds[];
extern const unsigned int n_kinds;
