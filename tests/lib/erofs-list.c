/* SPDX-License-Identifier: MIT */
#include "tests/lib/erofs-list.h"

#include <endian.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 4096, NAMES_MAX = 1 << 22 };

/* A name that is still to be visited. */
struct todo {
	char *path; /* owned */
	uint64_t nid, parent;
};

struct lister {
	struct bytes image;
	void (*visit)(void *arg, const struct erofs_file *);
	void *arg;
	struct todo *todo; /* owned */
	size_t n, done;
	const char *error;
};

static uint64_t get(const uint8_t *p, unsigned int n)
{
	uint64_t v = 0;

	while (n-- > 0)
		v = v << 8 | p[n];
	return v;
}

static bool inside(struct lister *l, uint64_t at, uint64_t len)
{
	return at <= l->image.len && len <= l->image.len - at;
}

static void wrong(struct lister *l, const char *why)
{
	if (!l->error)
		l->error = why;
}

static uint32_t crc32c_of(const uint8_t *p, size_t n)
{
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < n * 8; i++) {
		uint32_t bit = (uint32_t)(p[i / 8] >> (i % 8)) & 1;

		crc = ((crc ^ bit) & 1) ? (crc >> 1) ^ 0x82f63b78 : crc >> 1;
	}
	return crc;
}

const char *erofs_device(struct bytes image, uint64_t *ret_size, char tag[65])
{
	const uint8_t *super = image.data + 1024, *slot;
	uint8_t copy[3072];

	if (image.len < BLOCK || image.len % BLOCK != 0 || get(super, 4) != 0xe0f5e1e2)
		return "no image";
	memcpy(copy, super, sizeof(copy));
	memset(copy + 4, 0, 4);
	if (crc32c_of(copy, sizeof(copy)) != get(super + 4, 4))
		return "the checksum of the superblock";
	if (super[12] != 12 || get(super + 36, 4) * BLOCK != image.len)
		return "the size of the image";
	if (get(super + 80, 4) != 12 || get(super + 86, 2) != 1)
		return "the features of the image";
	slot = image.data + get(super + 88, 2) * 128;
	if (slot != image.data + 1152)
		return "the place of the device table";
	memcpy(tag, slot, 64);
	tag[64] = '\0';
	*ret_size = get(slot + 64, 4) * BLOCK;
	return tag[0] ? NULL : "a device without a tag";
}

/* ---- one inode -------------------------------------------------------------------------- */

struct inode {
	struct erofs_file file;
	uint64_t at, tail_at; /* bytes in the image: itself, and what follows it */
	unsigned int layout;
	uint32_t u;
	uint64_t inos;
};

static bool read_inode(struct lister *l, uint64_t nid, struct inode *ret)
{
	uint64_t at = nid * 32;
	const uint8_t *p = l->image.data + at;
	uint64_t icount, xattrs;

	if (!inside(l, at, 64) || (p[0] & 1) != 1)
		return false;
	icount = get(p + 2, 2);
	xattrs = icount ? 12 + (icount - 1) * 4 : 0;
	if (!inside(l, at + 64, xattrs) || icount == 1)
		return false;
	*ret = (struct inode){
		.file = { .nid = nid,
			  .mode = (uint16_t)get(p + 4, 2),
			  .size = get(p + 8, 8),
			  .uid = (uint32_t)get(p + 24, 4),
			  .gid = (uint32_t)get(p + 28, 4),
			  .mtime = (int64_t)get(p + 32, 8),
			  .mtime_nsec = (uint32_t)get(p + 40, 4),
			  .nlink = (uint32_t)get(p + 44, 4),
			  .xattrs = bytes_of(p + 76, xattrs ? xattrs - 12 : 0) },
		.at = at,
		.tail_at = at + 64 + xattrs,
		.layout = p[0] >> 1,
		.u = (uint32_t)get(p + 16, 4),
	};
	return true;
}

/* Data of directories and symbolic links, in memory of the caller's; NULL: it cannot be there. */
static uint8_t *read_data(struct lister *l, const struct inode *inode)
{
	uint64_t size = inode->file.size, tail = inode->layout == 2 ? size % BLOCK : 0;
	uint64_t whole = size - tail, at = (uint64_t)inode->u * BLOCK;
	uint8_t *data;

	if (inode->layout != 0 && inode->layout != 2)
		return NULL;
	if (inode->layout == 2 && (tail == 0 || inode->tail_at % BLOCK + tail > BLOCK))
		return NULL;
	if (!inside(l, inode->tail_at, tail) || (whole > 0 && !inside(l, at, whole)))
		return NULL;
	data = malloc(size + 1);
	memcpy(data, l->image.data + at, whole);
	memcpy(data + whole, l->image.data + inode->tail_at, tail);
	data[size] = '\0';
	return data;
}

/* All chunks of a file, which must follow each other in device 1. */
static bool read_chunks(struct lister *l, struct inode *inode)
{
	uint64_t at = (inode->tail_at + 7) / 8 * 8, blocks = (inode->file.size + BLOCK - 1) / BLOCK;
	uint64_t chunk = (uint64_t)1 << (inode->u & 31);

	if (inode->layout != 4 || (inode->u & ~31u) != 32)
		return false;
	for (uint64_t n = 0; n < blocks; n += chunk, at += 8) {
		if (!inside(l, at, 8) || get(l->image.data + at + 2, 2) != 1)
			return false;
		if (n == 0)
			inode->file.block = get(l->image.data + at + 4, 4);
		if (get(l->image.data + at + 4, 4) != inode->file.block + n)
			return false;
	}
	return true;
}

static unsigned int type_of(uint16_t mode)
{
	static const uint16_t types[] = {
		0, S_IFREG, S_IFDIR, S_IFCHR, S_IFBLK, S_IFIFO, 0, S_IFLNK
	};

	for (unsigned int i = 1; i < 8; i++)
		if ((mode & S_IFMT) == types[i])
			return i;
	return 0;
}

/* ---- directories ------------------------------------------------------------------------ */

static void add(struct lister *l, const char *dir, const char *name, size_t len, uint64_t nid,
		uint64_t parent)
{
	size_t room = strlen(dir) + len + 2;
	char *path = malloc(room);

	if (l->n == NAMES_MAX) {
		wrong(l, "too many names");
		free(path);
		return;
	}
	memcpy(path, dir, strlen(dir));
	room = strlen(dir);
	if (room > 0)
		path[room++] = '/';
	memcpy(path + room, name, len);
	path[room + len] = '\0';
	if ((l->n & (l->n - 1)) == 0)
		l->todo = realloc(l->todo, (l->n ? l->n * 2 : 1) * sizeof(*l->todo));
	l->todo[l->n++] = (struct todo){ path, nid, parent };
}

struct names {
	char last[256];
	unsigned int dots, dirs;
};

static void read_name(struct lister *l, const struct todo *dir, const uint8_t *entry,
		      const char *name, size_t len, struct names *names)
{
	uint64_t nid = get(entry, 8);
	struct inode inode;
	char text[256];

	if (len < 1 || len > 255) {
		wrong(l, "the length of a name");
		return;
	}
	memcpy(text, name, len);
	text[len] = '\0';
	if (strlen(text) != len || strchr(text, '/'))
		wrong(l, "a name");
	if (strcmp(names->last, text) >= 0)
		wrong(l, "the order of names");
	strcpy(names->last, text);
	if (!read_inode(l, nid, &inode) || type_of(inode.file.mode) != entry[10]) {
		wrong(l, "the type of a name");
		return;
	}
	if (strcmp(text, ".") == 0 || strcmp(text, "..") == 0) {
		names->dots++;
		if (nid != (len == 1 ? dir->nid : dir->parent))
			wrong(l, "where a dot leads");
		return;
	}
	names->dirs += S_ISDIR(inode.file.mode);
	add(l, dir->path, text, len, nid, dir->nid);
}

static void read_dir(struct lister *l, const struct todo *dir, const struct inode *inode)
{
	uint8_t *data = read_data(l, inode);
	struct names names = { .last = "" };
	uint64_t size = inode->file.size;

	if (!data) {
		wrong(l, "the data of a directory");
		return;
	}
	for (uint64_t at = 0; at < size && !l->error; at += BLOCK) {
		const uint8_t *block = data + at;
		size_t room = size - at < BLOCK ? size - at : BLOCK, first = get(block + 8, 2);

		if (first == 0 || first % 12 != 0 || first >= room) {
			wrong(l, "a block of a directory");
			break;
		}
		for (size_t e = 0; e < first && !l->error; e += 12) {
			size_t begin = get(block + e + 8, 2);
			size_t end = e + 12 < first ? get(block + e + 20, 2) : room;

			if (begin > end || end > room) {
				wrong(l, "where a name lies");
				break;
			}
			if (e + 12 == first)
				end = begin + strnlen((const char *)block + begin, end - begin);
			read_name(l, dir, block + e, (const char *)block + begin, end - begin,
				  &names);
		}
	}
	if (names.dots != 2 || inode->file.nlink != 2 + names.dirs)
		wrong(l, "the links of a directory");
	free(data);
}

static void visit_one(struct lister *l, const struct todo *todo)
{
	struct inode inode;
	uint8_t *data = NULL;

	if (!read_inode(l, todo->nid, &inode) || type_of(inode.file.mode) == 0 ||
	    inode.file.nlink == 0) {
		wrong(l, "an inode");
		return;
	}
	inode.file.path = todo->path;
	if (S_ISLNK(inode.file.mode)) {
		data = read_data(l, &inode);
		if (!data)
			wrong(l, "the data of a symbolic link");
		inode.file.target = (const char *)data;
	} else if (S_ISREG(inode.file.mode) && inode.file.size > 0) {
		if (!read_chunks(l, &inode))
			wrong(l, "the chunks of a file");
	} else if (S_ISCHR(inode.file.mode) || S_ISBLK(inode.file.mode)) {
		inode.file.rdev = inode.u;
	}
	if (!l->error)
		l->visit(l->arg, &inode.file);
	free(data);
	if (S_ISDIR(inode.file.mode) && !l->error)
		read_dir(l, todo, &inode);
}

const char *erofs_list(struct bytes image, void (*visit)(void *arg, const struct erofs_file *),
		       void *arg)
{
	struct lister l = { .image = image, .visit = visit, .arg = arg };
	uint64_t root, size;
	char tag[65];

	l.error = erofs_device(image, &size, tag);
	if (l.error)
		return l.error;
	root = get(image.data + 1024 + 14, 2);
	add(&l, "", "", 0, root, root);
	while (l.done < l.n && !l.error) {
		struct todo todo = l.todo[l.done++];

		visit_one(&l, &todo);
		free(todo.path);
	}
	while (l.done < l.n)
		free(l.todo[l.done++].path);
	free(l.todo);
	return l.error;
}

struct bytes erofs_xattr(const struct erofs_file *file, const char *name)
{
	static const char *const prefixes[] = {
		"", "user.",	"system.posix_acl_access", "system.posix_acl_default", "trusted.",
		"", "security."
	};
	const uint8_t *p = file->xattrs.data, *end = p + file->xattrs.len;

	while (p < end) {
		size_t name_len = p[0], value_len = get(p + 2, 2);
		const char *prefix = p[1] < 7 ? prefixes[p[1]] : "?";
		size_t len = strlen(prefix);

		if (strlen(name) == len + name_len && strncmp(name, prefix, len) == 0 &&
		    memcmp(name + len, p + 4, name_len) == 0)
			return bytes_of(p + 4 + name_len, value_len);
		p += (4 + name_len + value_len + 3) / 4 * 4;
	}
	return bytes_of(NULL, 0);
}
