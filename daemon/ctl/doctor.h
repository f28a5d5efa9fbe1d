/* SPDX-License-Identifier: MIT */
/*
 * cachefillctl doctor: a table of checks. Each runs in a process of its own (apart.h), all at the
 * same time, and says lines that the command prints; one that does not come to its end in time is a
 * failure itself.
 *
 * No check touches what is mounted, since a mount may hang for as long as its daemon does: no path
 * but those of the configuration and of /proc, /dev, /run and /boot is looked at, no table of
 * mounts is walked, and of other processes only what the kernel answers without their memory and
 * their files is read (/proc/PID/comm and the names of /proc/PID/fd/N). Where a path of the
 * configuration itself lies on something that hangs, the process of that check hangs, and not we.
 */
#pragma once

#include <stdbool.h>

#include "daemon/ctl/context.h"

enum doctor_verdict { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL };

/* What a check may use. */
struct doctor {
	struct context context; /* its configuration, where that is good and wanted; no more */
	bool good;		/* it is */
	char error[CONFIG_ERROR_MAX]; /* why it is not */
	const char *socket;	      /* --socket, or NULL */
};

/*
 * Says a line: what is, and what to do about it, NULL where the text says that or nothing is to be
 * done. In a check's own process alone.
 */
void doctor_say(enum doctor_verdict verdict, const char *remedy, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#define doctor_ok(...)		 doctor_say(DOCTOR_OK, NULL, __VA_ARGS__)
#define doctor_warn(remedy, ...) doctor_say(DOCTOR_WARN, remedy, __VA_ARGS__)
#define doctor_fail(remedy, ...) doctor_say(DOCTOR_FAIL, remedy, __VA_ARGS__)

/* ---- the checks ------------------------------------------------------------------------------ */

void doctor_configuration(struct doctor *doctor);

/* doctor-kernel.c */
void doctor_kernel(struct doctor *doctor);
void doctor_user(struct doctor *doctor);
void doctor_device(struct doctor *doctor);
void doctor_limits(struct doctor *doctor);
void doctor_clock(struct doctor *doctor);

/* doctor-log.c */
void doctor_denials(struct doctor *doctor);
/* Whether a line of the kernel's log says that something of ours was denied; what: words for it. */
bool doctor_is_denial(const char *line, const char **ret_what);

/* doctor-disk.c */
void doctor_cache(struct doctor *doctor);
void doctor_space(struct doctor *doctor);
void doctor_databases(struct doctor *doctor);

/* doctor-daemon.c */
void doctor_daemon(struct doctor *doctor);

/* doctor-origins.c */
void doctor_origins(struct doctor *doctor);
