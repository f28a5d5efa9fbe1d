/* SPDX-License-Identifier: MIT */
/*
 * cachefillctl bugreport: what others need to see of this host, in one archive. Each of its files
 * is what a command prints in a process of its own (apart.h), so that it also comes to its end
 * while mounts or the daemon hang.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "daemon/ctl/context.h"

/* What the processes of the parts know. */
struct report {
	struct context context; /* options alone; each part reads the configuration itself */
	const char *socket;	/* --socket, or NULL */
	bool anonymous;
};

/* ---- bugreport-parts.c: run in a process of their own; an exit status each --------------------
 */

int report_version(void *report);
int report_probe(void *report);
int report_doctor(void *report);
int report_status(void *report);
int report_objects(void *report);
int report_origins(void *report);
int report_flights(void *report);
int report_metrics(void *report);
int report_config(void *report);
int report_log(void *report);

/* ---- bugreport-names.c: names become name-1, name-2 ..., the same one wherever the same text was
 */

/*
 * All strings in lines of JSON but those of members that never hold a name. text is of n bytes, and
 * terminated; known: an object of the texts so far. The caller's; what is no JSON is left out.
 * NULL: no memory.
 */
char *report_names_json(json_t *known, char *text);
/* Values of the labels of metrics. */
char *report_names_metrics(json_t *known, const char *text);

/* ---- bugreport-tar.c: the archive, mode 0600, whole or not at all ------------------------------
 */

struct report_tar;

/* "-": standard output. A file that exists is not replaced. All: CTL_OK, or CTL_FAILED with the
 * error printed. */
int report_tar_begin(struct report_tar **ret, const char *path);
int report_tar_add(struct report_tar *tar, const char *name, const char *data, size_t n);
/* Also after an error: then there is no file. Frees it. */
int report_tar_end(struct report_tar *tar, bool good);
