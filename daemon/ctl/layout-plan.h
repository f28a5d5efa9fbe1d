/* SPDX-License-Identifier: MIT */
/*
 * Plans in manifests of layouts, see image-plan.h. Functions return CTL_OK, or CTL_FAILED after
 * they have said why.
 */
#pragma once

#include <jansson.h>

#include "daemon/ctl/layout.h"

/* What the file says to fetch first becomes an annotation of the manifest. */
int layout_plan(json_t *manifest, const char *file);

/*
 * The image of the layout gets it: another manifest, beside the one that it has, in *top. What
 * index.json names stays.
 */
int layout_add_plan(const char *dir, struct layout_descriptor *top, const char *file);
