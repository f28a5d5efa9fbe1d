/* SPDX-License-Identifier: MIT */
/*
 * Stands in for libFuzzer: gives every file of the named directories to the target once. Options
 * (with a dash) are libFuzzer's and ignored, so that one command line serves both.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/fuzz/fuzz.h"

/* In memory of exactly its size, where a checker sees the first byte that is read past it. */
static int replay_file(const char *path, size_t size)
{
	FILE *file = fopen(path, "rbe");
	uint8_t *data = malloc(size ? size : 1);
	size_t n;

	if (!file || !data) {
		perror(path);
		exit(1);
	}
	n = fread(data, 1, size, file);
	fclose(file);
	fprintf(stderr, "%s: %zu bytes\n", path, n);
	LLVMFuzzerTestOneInput(data, n);
	free(data);
	return 1;
}

static int replay_directory(const char *dir)
{
	struct dirent **entries;
	int n = scandir(dir, &entries, NULL, alphasort), files = 0;

	if (n < 0) {
		perror(dir);
		exit(1);
	}
	for (int i = 0; i < n; i++) {
		char path[PATH_MAX];
		struct stat st;

		snprintf(path, sizeof(path), "%s/%s", dir, entries[i]->d_name);
		if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
			files += replay_file(path, (size_t)st.st_size);
		free(entries[i]);
	}
	free(entries);
	return files;
}

int main(int argc, char **argv)
{
	int files = 0;

	for (int i = 1; i < argc; i++)
		if (argv[i][0] != '-')
			files += replay_directory(argv[i]);
	if (files == 0) {
		fprintf(stderr, "nothing to replay\n");
		return 1;
	}
	return 0;
}
