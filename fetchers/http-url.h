/* SPDX-License-Identifier: MIT */
/*
 * Where a redirect may lead. Pure (libcurl's URL parser).
 */
#pragma once

#include <stdbool.h>

/* -EACCES with a static half sentence: `to` is no http or https URL, or leaves https for http. */
int http_url_check(const char *from, const char *to, const char **ret_why);

/* Whether both have the same scheme, host and port: what may see one's secrets may see the other's.
 */
bool http_url_same_origin(const char *a, const char *b);

/* Where `to`, which may be relative, leads from an absolute URL; NULL: no memory, or nowhere. */
char *http_url_resolve(const char *from, const char *to);

/* A copy of `to` that carries the user name and password of `from`; NULL: no memory. */
char *http_url_with_user(const char *from, const char *to);
