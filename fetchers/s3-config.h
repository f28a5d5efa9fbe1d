/* SPDX-License-Identifier: MIT */
/*
 * The parameters of an s3 source (cachefill-s3(5)): text -> struct s3_config, checked. What is said
 * about web servers in general goes to the configuration of the HTTP requests.
 */
#pragma once

#include "fetchers/http-config.h"
#include "fetchers/s3-address.h"
#include "fetchers/s3-keyring.h"

struct s3_config {
	struct s3_endpoint endpoint;
	bool anonymous;
	struct s3_keyring keyring; /* unless anonymous */
	char *fixed;		   /* owned: what every locator starts with: scheme and bucket */
	struct http_config *http;  /* owned, until somebody takes it away */
};

extern const struct fetcher_key s3_keys[];

/* error: as in fetcher_class.create(). */
int s3_config_new(struct s3_config **ret, const char *template, const struct fetcher_param *params,
		  char *error);
struct s3_config *s3_config_free(struct s3_config *config);

/* Whether a locator is one of this source. */
bool s3_config_owns(const struct s3_config *config, const char *locator);
