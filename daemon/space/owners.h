/* SPDX-License-Identifier: MIT */
/* What the store of images says about objects that were found in a cache. */
#pragma once

#include "daemon/images/images.h"
#include "daemon/space/survey.h"

/*
 * Marks what is pinned, and in the volume of image_domain what no image has. images NULL: there is
 * no store. -EIO (logged), then some may not be marked.
 */
int survey_mark(struct survey *survey, struct images *images, const char *image_domain);
