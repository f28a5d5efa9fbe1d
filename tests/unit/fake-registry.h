/* SPDX-License-Identifier: MIT */
/*
 * The registry of the tests of the configuration: it stands in for the one that the build writes,
 * so that they do not depend on which fetchers are enabled. Included by one file of a binary.
 */
#pragma once

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fetchers/fetcher.h"

/* Takes all its keys, but refuses `color = bad`. */
static int fake_create(struct fetcher **ret, struct loop *loop, const char *template,
		       const struct fetcher_param *params, char *error)
{
	for (; params->key; params++) {
		if (strcmp(params->key, "color") != 0 || strcmp(params->value, "bad") != 0)
			continue;
		snprintf(error, FETCH_ERROR_MAX, "color cannot be bad");
		return -EINVAL;
	}
	return 0;
}

static const struct fetcher_class fake_class = {
	.name = "fake",
	.schemes = (const char *const[]){ "fake", "https", NULL },
	.keys = (const struct fetcher_key[]){ { "color", "any", true },
					      { "header", "many" },
					      { NULL } },
	.create = fake_create,
};

const struct fetcher_class *const fetcher_classes[] = { &fake_class, NULL };
