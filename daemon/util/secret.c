/* SPDX-License-Identifier: MIT */
#include "daemon/util/secret.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

void secret_free(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

void secret_freep(char **text)
{
	secret_free(*text);
}

void secret_clear(char **text)
{
	secret_free(*text);
	*text = NULL;
}

char *secret_join(const char *a, const char *b, const char *c, const char *d)
{
	const char *const parts[] = { a, b, c, d };
	size_t len = 1;
	char *ret, *to;

	for (size_t i = 0; i < 4; i++)
		len += parts[i] ? strlen(parts[i]) : 0;
	ret = to = malloc(len);
	for (size_t i = 0; ret && i < 4; i++)
		to = stpcpy(to, parts[i] ? parts[i] : "");
	return ret;
}

void secret_heap_free(void *block)
{
	if (block)
		explicit_bzero(block, malloc_usable_size(block));
	free(block);
}
