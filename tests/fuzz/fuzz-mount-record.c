/* SPDX-License-Identifier: MIT */
/*
 * Records of mounts: what is taken can be written again, and is then the same; its names cannot
 * lead out of the directory of layers.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/mount-record.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct mount_record *record = NULL, *again = NULL;
	char error[128] = "", *text = NULL;
	int r = mount_record_parse(&record, (const char *)data, n, error, sizeof(error));

	FUZZ_CHECK(r == 0 || (r == -EINVAL && *error && !record));
	if (r < 0)
		return 0;
	FUZZ_CHECK(record->n_layers >= 1 && record->n_layers <= MOUNT_LAYERS_MAX);
	for (size_t i = 0; i < record->n_layers; i++)
		FUZZ_CHECK(!strchr(record->layers[i], '/') && record->layers[i][0] &&
			   strcmp(record->layers[i], "..") != 0);
	FUZZ_CHECK(mount_record_format(record, &text) == 0);
	FUZZ_CHECK(mount_record_parse(&again, text, strlen(text), error, sizeof(error)) == 0);
	FUZZ_CHECK(strcmp(record->dir, again->dir) == 0 && record->n_layers == again->n_layers &&
		   record->writable == again->writable);
	free(text);
	mount_record_free(record);
	mount_record_free(again);
	return 0;
}
