/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/als-info.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* pkg/archive of containers/storage; 1 and 3 are bzip2 and xz, which no image has. */
static const struct {
	const char *suffix;
	int value;
} compressions[] = {
	{ ".tar", 0 },
	{ ".tar+gzip", 2 },
	{ ".tar.gzip", 2 },
	{ ".tar+zstd", 4 },
};

int als_compression(const char *media_type, int *ret)
{
	size_t n = strlen(media_type);

	for (size_t i = 0; i < sizeof(compressions) / sizeof(compressions[0]); i++) {
		size_t len = strlen(compressions[i].suffix);

		if (n > len && strcmp(media_type + n - len, compressions[i].suffix) == 0) {
			*ret = compressions[i].value;
			return 0;
		}
	}
	return -EINVAL;
}

char *als_info_format(const struct als_info *info)
{
	json_t *root = json_pack("{s:s, s:I, s:s, s:I, s:i}", "compressed-diff-digest",
				 info->digest, "compressed-size", (json_int_t)info->size,
				 "diff-digest", info->diff_id, "diff-size",
				 (json_int_t)info->diff_size, "compression", info->compression);
	char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;

	json_decref(root);
	return text;
}

int als_info_parse(struct als_info *ret, const char *text, size_t len)
{
	json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	struct als_info info = { 0 };
	const char *digest, *diff_id;
	json_int_t size, diff_size;
	int r = json_unpack(root, "{s:s, s:I, s:s, s:I, s:i}", "compressed-diff-digest", &digest,
			    "compressed-size", &size, "diff-digest", &diff_id, "diff-size",
			    &diff_size, "compression", &info.compression);

	if (r != 0 || size < 0 || diff_size < 0) {
		json_decref(root);
		return -EINVAL;
	}
	info.size = (uint64_t)size;
	info.diff_size = (uint64_t)diff_size;
	info.digest = strdup(digest);
	info.diff_id = strdup(diff_id);
	json_decref(root);
	if (!info.digest || !info.diff_id) {
		als_info_end(&info);
		return -ENOMEM;
	}
	*ret = info;
	return 0;
}

void als_info_end(struct als_info *info)
{
	free(info->digest);
	free(info->diff_id);
	*info = (struct als_info){ 0 };
}
