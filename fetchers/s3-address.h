/* SPDX-License-Identifier: MIT */
/*
 * Where objects are: locators "s3://bucket/key" -> URLs, and which URLs belong to an endpoint. Pure
 * (libcurl's URL parser).
 */
#pragma once

#include <stdbool.h>

#include "fetchers/s3-profile.h"

struct s3_endpoint {
	char scheme[8], host[256], port[8]; /* the port as a number, also where it is the usual */
	bool usual_port;
	bool is_aws;  /* a host of AWS itself, with regions as names beside it */
	bool as_path; /* the bucket is the first part of the path, not of the host */
	char region[S3_REGION_MAX];
};

/* http or https, host and port of a URL. False: something else is in it. as_path and region stay.
 */
bool s3_endpoint_parse(struct s3_endpoint *endpoint, const char *url);

/*
 * *ret is given away. -EINVAL, -ENOMEM with *ret_why, half a sentence. The text of the locator is
 * percent-encoded in any way; that of the URL as signatures want it: each byte once, "/" never.
 */
int s3_address_url(char **ret, const struct s3_endpoint *endpoint, const char *locator,
		   const char **ret_why);

/* Whether a request to that URL may carry our signature, and of which region. */
bool s3_address_owns(const struct s3_endpoint *endpoint, const char *url,
		     char ret_region[S3_REGION_MAX]);
