/* SPDX-License-Identifier: MIT */
/*
 * The hash tree of a file, as cachefill-verify(5) wants it beside it: the descriptor, and the tree
 * behind it.
 */
#pragma once

#include <stdbool.h>

#include "proto/fsverity.h"

/*
 * Makes `out`, which does not exist. what: for progress. CTL_OK, or CTL_FAILED after it has said
 * why (a signal says it by itself); what is in out then is of no use.
 */
int build_verity(const char *file, const char *out, const char *what, bool json,
		 char ret_digest[static FSVERITY_DIGEST_TEXT]);
