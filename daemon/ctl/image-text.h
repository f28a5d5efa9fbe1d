/* SPDX-License-Identifier: MIT */
/* Images for people, and as JSON. */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/images/images.h"

/* "2026-11-26 03:00", local. Returns buf. */
char *image_time(int64_t unix_time, char *buf, size_t n);

/* All that is known of it but the texts of manifest and configuration; NULL: no memory. */
json_t *image_json(const struct images_image *image);

/* One layer, with its devices. */
json_t *image_layer_json(const struct images_layer *layer);
