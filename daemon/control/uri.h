/* SPDX-License-Identifier: MIT */
/*
 * What a client asks for, "/PATH?NAME=VALUE&...", in its parts. Percent-encoding is the only one:
 * a "+" is a plus. Pure.
 */
#pragma once

#include <stddef.h>

enum {
	URI_MAX = 8192, /* bytes, as it comes */
	URI_PARAMS_MAX = 16,
};

struct uri {
	char *path; /* decoded, begins with a slash */
	struct {
		char *name, *value; /* decoded; without a "=" the value is "" */
	} params[URI_PARAMS_MAX];
	size_t n_params;
	char text[]; /* what all of them point into */
};

/* 0, and *ret is the caller's, for free(). -EINVAL with what is wrong in *why; -ENOMEM. */
int uri_parse(struct uri **ret, const char *raw, const char **why);

/* The value, or NULL. */
const char *uri_param(const struct uri *uri, const char *name);
