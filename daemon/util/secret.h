/* SPDX-License-Identifier: MIT */
/*
 * Memory that held passwords, tokens or keys: overwritten before it is used for something else.
 */
#pragma once

#include <stddef.h>

/* Takes NULL. */
void secret_free(char *text);
void secret_freep(char **text);
void secret_clear(char **text); /* and *text is NULL */

/*
 * Up to four texts, one after the other, NULL for none: owned by the caller. asprintf(3) would leave
 * its first, too short buffers behind. NULL: no memory.
 */
char *secret_join(const char *a, const char *b, const char *c, const char *d);

/* free(3) for a library that frees secrets as they are: overwrites the block, whatever it was. */
void secret_heap_free(void *block);
