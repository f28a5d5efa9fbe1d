/* SPDX-License-Identifier: MIT */
/*
 * libcurl's multi interface on the loop: its sockets are watches, its timeouts one timer. What is
 * transferred is the business of the caller, who sets up the easy handles.
 */
#pragma once

#include <curl/curl.h>

#include "daemon/loop/loop.h"

struct http_multi;

/*
 * finished() is called from the loop, never from inside a function of libcurl, with a handle that
 * was added and has been removed again.
 */
int http_multi_new(struct http_multi **ret, struct loop *loop, long max_connections,
		   void (*finished)(CURL *easy, CURLcode code));

/* All handles have finished or been removed. Takes NULL, returns NULL. */
struct http_multi *http_multi_free(struct http_multi *multi);

/*
 * Neither may be called from a callback of libcurl. After remove finished() does not come; the
 * connection is closed where it cannot be used again.
 */
CURLcode http_multi_add(struct http_multi *multi, CURL *easy);
void http_multi_remove(struct http_multi *multi, CURL *easy);
