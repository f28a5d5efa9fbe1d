/* SPDX-License-Identifier: MIT */
/*
 * Locators and templates as daemon/origins.c compares them. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "daemon/engine/resolve.h"

/* Scheme and host in small letters, without user and default port; files are "file:/PATH". */
struct origins_name {
	char text[LOCATOR_MAX + 8];
	size_t len;
	size_t root; /* bytes that name scheme and host: "https://host/" */
};

/* false: it is no locator. */
bool origins_name(struct origins_name *ret, const char *locator);

/* The same of what every locator of a template begins with: the caller's; NULL: no memory. */
char *origins_fixed(const char *template);

/* The same as it is written: what the locators that the template makes begin with. Owned by the
 * caller; NULL: no memory. */
char *origins_prefix(const char *template);
