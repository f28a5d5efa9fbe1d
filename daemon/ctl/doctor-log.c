/* SPDX-License-Identifier: MIT */
/*
 * What security modules have denied us, by the kernel's log. Where auditd(8) runs, its log has that
 * instead.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/ctl/doctor.h"
#include "daemon/util/cleanup.h"

#define RECORDS_MAX \
	200000	     /* more than any log has: it ends even if somebody writes without an end */
#define DENIED_MAX 5 /* lines that are shown */

static bool is_ours(const char *line)
{
	return strstr(line, "cachefill") != NULL;
}

bool doctor_is_denial(const char *line, const char **ret_what)
{
	static const struct {
		const char *mark, *what;
	} marks[] = {
		{ "apparmor=\"DENIED\"", "AppArmor" },
		{ "avc:  denied", "SELinux" },
		{ "audit: type=1326", "the filter of system calls (seccomp)" },
		{ "SMACK", "Smack" },
		{ "LSM: ", "a security module" },
	};

	for (size_t i = 0; is_ours(line) && i < sizeof(marks) / sizeof(marks[0]); i++)
		if (strstr(line, marks[i].mark)) {
			*ret_what = marks[i].what;
			return true;
		}
	return false;
}

/* "6,1234,5678,-;text", and lines of it that begin with a blank. */
static void look_at(char *record, unsigned int *denied)
{
	char *text = strchr(record, ';');
	const char *what;

	if (!text)
		return;
	text[strcspn(text, "\n")] = '\0';
	if (!doctor_is_denial(text + 1, &what))
		return;
	if ((*denied)++ < DENIED_MAX)
		doctor_warn("Allow it, where it is meant to be: in the profile or policy of "
			    "cachefilld, or with `seccomp = log` for the filter.",
			    "%s has denied something: %s", what, text + 1);
}

void doctor_denials(struct doctor *d)
{
	_cleanup_close_ int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	unsigned int denied = 0;
	char record[8192 + 1];

	if (fd < 0) {
		doctor_warn(errno == EACCES || errno == EPERM ? "Run it as root." : NULL,
			    "the kernel's log cannot be read: %s", strerror(errno));
		return;
	}
	for (unsigned int i = 0; i < RECORDS_MAX; i++) {
		ssize_t n = read(fd, record, sizeof(record) - 1);

		/* EPIPE: the oldest was overwritten meanwhile. */
		if (n < 0 && (errno == EPIPE || errno == EINTR))
			continue;
		if (n <= 0)
			break;
		record[n] = '\0';
		look_at(record, &denied);
	}
	if (denied == 0)
		doctor_ok("nothing of ours was denied, by the kernel's log");
	else if (denied > DENIED_MAX)
		doctor_warn(NULL, "%u more like these are in the kernel's log",
			    denied - DENIED_MAX);
}
