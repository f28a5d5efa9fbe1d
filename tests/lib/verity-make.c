/* SPDX-License-Identifier: MIT */
#include "tests/lib/verity-make.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/lib/shell.h"
#include "tests/lib/temporary.h"

bool verity_installed(void)
{
	return system("command -v fsverity > /dev/null") == 0;
}

static void write_file(const char *path, const void *bytes, size_t len)
{
	FILE *f = fopen(path, "we");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(bytes, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
}

/* Appends a file. */
static void read_file(struct verity_made *made, const char *dir, const char *name)
{
	char path[TEMPORARY_MAX + 16];
	struct stat st;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "re");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fstat(fileno(f), &st), 0);
	made->bytes = realloc(made->bytes, made->len + (size_t)st.st_size + 1);
	ck_assert_ptr_nonnull(made->bytes);
	ck_assert_uint_eq(fread(made->bytes + made->len, 1, (size_t)st.st_size, f),
			  (size_t)st.st_size);
	made->len += (size_t)st.st_size;
	fclose(f);
}

void verity_make(struct verity_made *ret, const void *bytes, size_t len, const char *salt)
{
	char dir[TEMPORARY_MAX], path[TEMPORARY_MAX + 16];

	*ret = (struct verity_made){ 0 };
	temporary_dir(dir, TEMPORARY_ANY);
	snprintf(path, sizeof(path), "%s/data", dir);
	write_file(path, bytes, len);
	sh("cd %s && fsverity digest --compact %s%s --out-merkle-tree=tree "
	   "--out-descriptor=descriptor data > digest",
	   dir, *salt ? "--salt=" : "", salt);
	read_file(ret, dir, "digest");
	ck_assert_uint_eq(ret->len, 65); /* and the end of the line */
	snprintf(ret->digest, sizeof(ret->digest), "sha256:%.64s", (const char *)ret->bytes);
	ret->len = 0;
	read_file(ret, dir, "descriptor");
	read_file(ret, dir, "tree");
	temporary_remove(dir);
}

void verity_made_end(struct verity_made *made)
{
	free(made->bytes);
	*made = (struct verity_made){ 0 };
}
