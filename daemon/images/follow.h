/* SPDX-License-Identifier: MIT */
/*
 * The store as the daemon sees it, which starts before there is one and runs on while it is made,
 * damaged, or replaced. Without a store that can be read there are no images; that is said once. A
 * damaged one is tried again when the file is another one or has been changed, one that is locked
 * or cannot be read at the next call.
 */
#pragma once

#include "daemon/images/images.h"

struct images_follow;

/* Opens the store, if there is one already. -ENOMEM. */
int images_follow_new(struct images_follow **ret, const char *dir);
/* Takes NULL, returns NULL. */
struct images_follow *images_follow_free(struct images_follow *follow);

/* 0, and *ret is the caller's, for images_object_end(); -ENOENT: there is no such object, or no
 * store that can be read; -ENOMEM. */
int images_follow_find(struct images_follow *follow, struct bytes cookie,
		       struct images_object *ret);

/* As images_name_of(). */
char *images_follow_name_of(struct images_follow *follow, struct bytes cookie);

/* A hint: 0, or -ENOENT: there is none. */
int images_follow_recall(struct images_follow *follow, const char *name, char ret[IMAGES_HINT_MAX]);

/* As images_list(); -ENOENT: there is no store that can be read. */
int images_follow_list(struct images_follow *follow, int64_t after, size_t limit,
		       images_visit_summary *visit, void *to);
