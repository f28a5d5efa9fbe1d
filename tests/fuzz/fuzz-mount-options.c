/* SPDX-License-Identifier: MIT */
/*
 * Options of mount.cachefill(8), the list of what is mounted and that of fscache's cookies: one
 * line of text is given to all three.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/mount-opened.h"
#include "daemon/ctl/mount-options.h"
#include "daemon/ctl/mount-table.h"
#include "tests/fuzz/fuzz.h"

static void fuzz_options(const char *text)
{
	struct mount_options options;
	char error[MOUNT_ERROR_MAX] = "";
	int r;

	mount_options_begin(&options);
	r = mount_options_add(&options, text, error);
	FUZZ_CHECK(r == 0 || (r == -EINVAL && *error));
	FUZZ_CHECK(!options.upper || (*options.upper && options.writable == MOUNT_IN_DIR));
	mount_options_end(&options);
}

static void fuzz_table(const char *text)
{
	struct mount_table table;
	int r = mount_table_parse(&table, strdup(text));

	FUZZ_CHECK(r == 0 || r == -EINVAL);
	if (r < 0)
		return;
	for (size_t i = 0; i < table.n_entries; i++) {
		const struct mount_entry *top = mount_table_top(&table, table.entries[i].dir);

		FUZZ_CHECK(top && top >= &table.entries[i]);
		(void)mount_entry_is_layer(top, "sha256:aa");
	}
	mount_table_end(&table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *text = strndup((const char *)data, n);

	fuzz_options(text);
	fuzz_table(text);
	(void)mount_opened_parse(text, "split");
	free(text);
	return 0;
}
