/* SPDX-License-Identifier: MIT */
/*
 * What the HTTP requests of one source share: its parameters, its connections, the loop. And what
 * each of its transfers has in common, before and after.
 */
#pragma once

#include "fetchers/http-config.h"
#include "fetchers/http-multi.h"

struct http_client {
	struct loop *loop;
	struct http_config *config; /* owned */
	struct http_multi *multi;   /* owned */
	int no_socket;		    /* errno of making the last one */
};

/* Takes the configuration, also when it fails (-ENOMEM). */
int http_client_init(struct http_client *client, struct loop *loop, struct http_config *config);

/* No request is left. */
void http_client_end(struct http_client *client);

/* A handle with the source's options, for its owner to free; NULL: no memory. */
CURL *http_client_easy(struct http_client *client);

/* Tells the host of the certificate that a transfer has seen, where it wants to know. */
void http_client_tell_certificate(const struct http_client *client, CURL *easy);

/* The error of fetcher.h that a transfer ended with. */
int http_client_verdict(const struct http_client *client, CURL *easy, CURLcode code);
