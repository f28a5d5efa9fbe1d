/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/mount-table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/util/cleanup.h"

/* A host with 100,000 mounts has some 20 MiB. */
#define MOUNTINFO_MAX (256u << 20)

static int read_all(const char *path, char **ret)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *text = NULL;
	size_t n = 0, room = 0;

	if (fd < 0)
		return -errno;
	for (;;) {
		ssize_t got;

		if (room - n < 2) {
			char *larger;

			if (room >= MOUNTINFO_MAX)
				return -E2BIG;
			room = room ? 2 * room : 32768;
			larger = realloc(text, room);
			if (!larger)
				return -ENOMEM;
			text = larger;
		}
		got = read(fd, text + n, room - n - 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	text[n] = '\0';
	*ret = steal(&text);
	return 0;
}

/* The kernel writes blank, tab, newline and backslash as \ooo. In place. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; to++)
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
		    s[3] >= '0' && s[3] <= '7') {
			*to = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 4;
		} else {
			*to = *s++;
		}
	*to = '\0';
}

/* "36 35 98:0 /root /dir options [optional ...] - type source super" */
static int parse_line(struct mount_entry *e, char *line)
{
	char *save = NULL, *word = strtok_r(line, " ", &save), *field[3];

	for (int i = 0; i < 5 && word; i++) {
		if (i == 3)
			e->root = word;
		if (i == 4)
			e->dir = word;
		word = strtok_r(NULL, " ", &save);
	}
	while (word && strcmp(word, "-") != 0)
		word = strtok_r(NULL, " ", &save);
	if (!word || !e->dir)
		return -EINVAL;
	/* An empty source is nothing between two blanks. */
	for (int i = 0; i < 3; i++) {
		field[i] = strsep(&save, " ");
		if (!field[i])
			return -EINVAL;
		unescape(field[i]);
	}
	unescape(e->root);
	unescape(e->dir);
	e->type = field[0];
	e->source = field[1];
	e->super = field[2];
	return 0;
}

int mount_table_parse(struct mount_table *ret, char *text)
{
	struct mount_table table = { .text = text };
	size_t lines = 0;
	char *line, *save = text;

	for (const char *p = text; *p; p++)
		lines += *p == '\n';
	table.entries = calloc(lines + 1, sizeof(*table.entries));
	if (!table.entries) {
		free(text);
		return -ENOMEM;
	}
	while ((line = strsep(&save, "\n")))
		if (*line && parse_line(&table.entries[table.n_entries++], line) < 0) {
			mount_table_end(&table);
			return -EINVAL;
		}
	*ret = table;
	return 0;
}

int mount_table_load(struct mount_table *ret)
{
	char *text = NULL;
	int r = read_all("/proc/self/mountinfo", &text);

	return r < 0 ? r : mount_table_parse(ret, text);
}

void mount_table_end(struct mount_table *table)
{
	free(table->entries);
	free(table->text);
	*table = (struct mount_table){ 0 };
}

const struct mount_entry *mount_table_top(const struct mount_table *table, const char *dir)
{
	for (size_t i = table->n_entries; i > 0; i--)
		if (strcmp(table->entries[i - 1].dir, dir) == 0)
			return &table->entries[i - 1];
	return NULL;
}

static bool has_option(const char *options, const char *name, const char *value)
{
	size_t n = strlen(name), len = strlen(value);

	for (const char *p = options; p; p = strchr(p, ',')) {
		p += *p == ',';
		if (strncmp(p, name, n) == 0 && p[n] == '=' &&
		    strncmp(p + n + 1, value, len) == 0 &&
		    (p[n + 1 + len] == '\0' || p[n + 1 + len] == ','))
			return true;
	}
	return false;
}

bool mount_entry_is_layer(const struct mount_entry *entry, const char *cookie)
{
	return entry && strcmp(entry->type, "erofs") == 0 && strcmp(entry->root, "/") == 0 &&
	       has_option(entry->super, "fsid", cookie);
}
