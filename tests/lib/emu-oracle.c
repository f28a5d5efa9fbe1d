/* SPDX-License-Identifier: MIT */
/* The verdict over a test. */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/emu-internal.h"

void emu_violation(struct emu *emu, const char *fmt, ...)
{
	char *text;
	va_list ap;
	int n;

	if (emu->n_violations == EMU_VIOLATIONS_MAX)
		return;
	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		ck_abort_msg("emu: out of memory");
	emu->violations[emu->n_violations++] = text;
}

void emu_complain(struct emu *emu, const char *what, const char *of)
{
	emu_violation(emu, "%s%s", what, of);
}

bool emu_expect_violation(struct emu *emu, const char *text)
{
	for (size_t i = 0; i < emu->n_violations; i++) {
		if (!strstr(emu->violations[i], text))
			continue;
		free(emu->violations[i]);
		emu->n_violations--;
		memmove(emu->violations + i, emu->violations + i + 1,
			(emu->n_violations - i) * sizeof(*emu->violations));
		return true;
	}
	return false;
}

/* ---- descriptors of the process --------------------------------------------------------- */

static void fds_walk(struct emu *emu, void (*visit)(struct emu *emu, int fd))
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int fd;

	if (!dir)
		ck_abort_msg("emu: /proc/self/fd: %s", strerror(errno));
	while ((entry = readdir(dir))) {
		fd = atoi(entry->d_name);
		if (entry->d_name[0] != '.' && fd != dirfd(dir) && fd < EMU_FD_MAX)
			visit(emu, fd);
	}
	closedir(dir);
}

static void fd_note(struct emu *emu, int fd)
{
	emu->fds_before[fd / 8] |= (uint8_t)(1u << fd % 8);
}

static void fd_compare(struct emu *emu, int fd)
{
	char path[32], target[128];
	ssize_t n;

	if (emu->fds_before[fd / 8] & 1u << fd % 8)
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, target, sizeof(target) - 1);
	target[n < 0 ? 0 : n] = '\0';
	emu_violation(emu, "descriptor %d (%s) has leaked", fd, target);
}

void emu_fds_snapshot(struct emu *emu)
{
	emu->fds_before = emu_alloc(EMU_FD_MAX / 8);
	fds_walk(emu, fd_note);
}

void emu_fds_compare(struct emu *emu)
{
	fds_walk(emu, fd_compare);
}

/* ---- the end ---------------------------------------------------------------------------- */

static void check_requests(struct emu *emu)
{
	static const char *const names[] = { "OPEN", "CLOSE", "READ" };
	struct emu_request *request, *next;
	char key[176];

	HASH_ITER(hh, emu->requests, request, next)
		emu_violation(emu, "%s %u (%s, %ju + %ju) was never %s", names[request->opcode],
			      request->msg_id,
			      emu_key_print(&request->object->key, key, sizeof(key)),
			      (uintmax_t)request->off, (uintmax_t)request->len,
			      request->fresh ? "received" : "answered");
	if (!TAILQ_EMPTY(&emu->raw))
		emu_violation(emu, "an injected message was never received");
}

static void check_objects(struct emu *emu)
{
	struct emu_object *object, *next;
	struct emu_mount *mount;
	char key[176];

	HASH_ITER(hh_fd, emu->by_fd, object, next)
		if (object->users == 0 || !emu->port)
			emu_violation(emu, "descriptor %d (object %u, %s) was never released",
				      object->fd, object->id,
				      emu_key_print(&object->key, key, sizeof(key)));
	TAILQ_FOREACH(mount, &emu->blocked, opening)
		emu_violation(emu, "a mount of %s is blocked by its earlier object",
			      emu_key_print(&mount->key, key, sizeof(key)));
}

/* One text with all of them, owned by the caller; NULL: none. They are forgotten. */
char *emu_verdict(struct emu *emu)
{
	size_t len = 0, i, n = emu->n_violations;
	char text[6000];
	char *verdict;

	if (n == 0)
		return NULL;
	for (i = 0; i < n; i++) {
		if (len < sizeof(text))
			len += (size_t)snprintf(text + len, sizeof(text) - len, "\n#   %s",
						emu->violations[i]);
		free(emu->violations[i]);
	}
	emu->n_violations = 0;
	if (asprintf(&verdict, "the kernel's oracle found %zu violation(s):%s", n, text) < 0)
		ck_abort_msg("emu: out of memory");
	return verdict;
}

/* Frees the text first, for ck_abort does not come back. */
void emu_judge(char *verdict)
{
	char text[6200];

	if (!verdict)
		return;
	snprintf(text, sizeof(text), "%s", verdict);
	free(verdict);
	ck_abort_msg("%s", text);
}

void emu_look_over(struct emu *emu)
{
	struct emu_file *file, *next;

	check_requests(emu);
	check_objects(emu);
	HASH_ITER(hh, emu->files, file, next)
		emu_file_verify(emu, file);
}

void emu_check(struct emu *emu)
{
	emu_look_over(emu);
	emu_judge(emu_verdict(emu));
}
