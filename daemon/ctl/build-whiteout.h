/* SPDX-License-Identifier: MIT */
/*
 * What a layer takes away from those below it. The names are collected while an archive is unpacked
 * and put into effect afterwards: a whiteout means the layers below, never what is in its own.
 */
#pragma once

#include <stddef.h>

struct build_whiteouts {
	char **paths; /* owned: relative; that of a directory ends with "/": it is opaque */
	size_t n, room;
};

enum build_whiteout {
	BUILD_NO_WHITEOUT,
	BUILD_WHITEOUT,	 /* taken */
	BUILD_FORGOTTEN, /* one of AUFS's own, which means nothing elsewhere */
	BUILD_BAD_WHITEOUT,
	BUILD_NO_MEMORY,
};

/* Looks at a clean relative path of an archive. */
enum build_whiteout build_whiteouts_take(struct build_whiteouts *whiteouts, const char *path);

/*
 * Makes character devices 0/0, and sets trusted.overlay.opaque. Negative errno, and *ret_path is
 * the one at which it has happened, valid until the end.
 */
int build_whiteouts_apply(const struct build_whiteouts *whiteouts, int dir, const char **ret_path);
void build_whiteouts_end(struct build_whiteouts *whiteouts);
