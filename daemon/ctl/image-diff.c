/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/image-diff.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "daemon/ctl/image.h"

/*
 * The longest sequence of layers that both have in the same order. common[i * (n + 1) + k] is its
 * length for old layers from i and new ones from k on.
 */
static uint16_t *measure(const struct images_image *old, const struct images_image *new)
{
	size_t row = new->n_layers + 1;
	uint16_t *common = calloc((old->n_layers + 1) * row, sizeof(*common));

	for (size_t i = old->n_layers; common && i-- > 0;)
		for (size_t k = new->n_layers; k-- > 0;) {
			uint16_t a = common[(i + 1) * row + k], b = common[i * row + k + 1];

			if (image_same_layer(&old->layers[i], &new->layers[k]))
				common[i * row + k] = common[(i + 1) * row + k + 1] + 1;
			else
				common[i * row + k] = a > b ? a : b;
		}
	return common;
}

static void add(struct image_diff *diff, enum image_change change, const struct images_layer *layer)
{
	diff->steps[diff->n++] = (struct image_step){ change, layer };
}

int image_diff(struct image_diff *ret, const struct images_image *old,
	       const struct images_image *new)
{
	struct image_diff diff = { 0 };
	size_t row = new->n_layers + 1, i = 0, k = 0;
	uint16_t *common = measure(old, new);

	diff.steps = calloc(old->n_layers + new->n_layers, sizeof(*diff.steps));
	if (!common || !diff.steps) {
		free(common);
		free(diff.steps);
		return -ENOMEM;
	}
	while (i < old->n_layers || k < new->n_layers) {
		bool both = i < old->n_layers && k < new->n_layers;

		if (both && image_same_layer(&old->layers[i], &new->layers[k])) {
			add(&diff, IMAGE_KEPT, &new->layers[k]);
			i++;
			k++;
		} else if (k == new->n_layers ||
			   (i < old->n_layers &&
			    common[(i + 1) * row + k] >= common[i * row + k + 1])) {
			add(&diff, IMAGE_REMOVED, &old->layers[i++]);
		} else {
			add(&diff, IMAGE_ADDED, &new->layers[k++]);
		}
	}
	free(common);
	*ret = diff;
	return 0;
}

void image_diff_end(struct image_diff *diff)
{
	free(diff->steps);
	*diff = (struct image_diff){ 0 };
}
