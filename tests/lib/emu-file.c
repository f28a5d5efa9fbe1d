/* SPDX-License-Identifier: MIT */
/* Cache files: kept by key, replaced when the size changes; the file system says what is there. */
#include <check.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "proto/cachename.h"
#include "tests/lib/emu-internal.h"

#define CHUNK	      65536
#define FILE_SIZE_MAX (((uint64_t)1 << 44) - EMU_PAGE) /* of ext4 with blocks of 4 KiB */

/* The kernel's own name, or for keys that it could not make a directory of, a number. */
static char *file_path(struct emu *emu, const struct emu_key *key)
{
	char path[CACHENAME_PATH_MAX];

	if (cachename_path(emu_key_volume(key), emu_key_cookie(key), path) < 0)
		snprintf(path, sizeof(path), "%u", emu->next_file++);
	else
		emu_path_parents(emu, path, true);
	return strdup(path);
}

/* Makes the directories of a path, or removes those that are empty. */
void emu_path_parents(struct emu *emu, const char *path, bool make)
{
	char copy[CACHENAME_PATH_MAX];
	char *slash;

	snprintf(copy, sizeof(copy), "%s", path);
	for (slash = strchr(copy, '/'); make && slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdirat(emu->dir_fd, copy, 0700);
		*slash = '/';
	}
	while (!make && (slash = strrchr(copy, '/'))) {
		*slash = '\0';
		unlinkat(emu->dir_fd, copy, AT_REMOVEDIR);
	}
}

struct emu_file *emu_file_find(struct emu *emu, const struct emu_key *key)
{
	struct emu_file *file;

	HASH_FIND(hh, emu->files, key->data, key->len, file);
	return file;
}

int emu_file_open(struct emu *emu, const struct emu_file *file, int flags)
{
	int fd = openat(emu->dir_fd, file->path, flags | O_CLOEXEC, 0600);

	if (fd < 0)
		ck_abort_msg("emu: cannot open a cache file: %s", strerror(errno));
	return fd;
}

void emu_file_stat(struct emu *emu, const struct emu_file *file, struct stat *ret)
{
	if (fstatat(emu->dir_fd, file->path, ret, 0) < 0)
		ck_abort_msg("emu: a cache file is gone: %s", strerror(errno));
}

void emu_file_free(struct emu *emu, struct emu_file *file)
{
	unlinkat(emu->dir_fd, file->path, 0);
	emu_path_parents(emu, file->path, false);
	HASH_DEL(emu->files, file);
	free(file->key.data);
	free(file->path);
	free(file);
}

static bool file_resize(struct emu *emu, const struct emu_file *file, int flags)
{
	int fd = emu_file_open(emu, file, O_RDWR | flags);
	bool ok = ftruncate(fd, (off_t)file->limit) == 0;

	close(fd);
	return ok;
}

/* cachefiles_set_object_xattr, cachefiles_check_auxdata: by it a file is known to be of its size;
 * whoever spoils the attribute has the file dropped. */
static void file_mark(struct emu *emu, const struct emu_file *file)
{
	uint8_t value[CACHENAME_OBJECT_XATTR_LEN] = { [16] = 1 };
	uint64_t size = htobe64(file->size);
	int fd = emu_file_open(emu, file, O_RDONLY);

	memcpy(value, &size, sizeof(size));
	if (fsetxattr(fd, CACHENAME_XATTR, value, sizeof(value), 0) < 0 && errno != ENOTSUP)
		ck_abort_msg("emu: no extended attributes: %s", strerror(errno));
	close(fd);
}

static bool file_is_current(struct emu *emu, const struct emu_file *file, uint64_t size)
{
	uint8_t value[64];
	uint64_t marked;
	int fd = emu_file_open(emu, file, O_RDONLY);
	ssize_t n = fgetxattr(fd, CACHENAME_XATTR, value, sizeof(value));
	bool none = n < 0 && errno == ENOTSUP;

	close(fd);
	if (none)
		return file->size == size;
	return n == CACHENAME_OBJECT_XATTR_LEN &&
	       cachename_parse_xattr(value, (size_t)n, &marked) && marked == size;
}

/* cachefiles_look_up_object: the file of this key and size, or a new one instead. NULL: the file
 * system cannot hold that size. */
struct emu_file *emu_file_get(struct emu *emu, const struct emu_key *key, uint64_t size,
			      const struct emu_origin *origin)
{
	struct emu_file *file = emu_file_find(emu, key);

	if (file && !file_is_current(emu, file, size)) {
		emu_file_verify(emu, file);
		emu_file_free(emu, file);
		file = NULL;
	}
	if (file) { /* longer than it should be: cut, as an open does */
		file_resize(emu, file, 0);
		file->origin = origin;
		return file;
	}
	if (size > FILE_SIZE_MAX)
		return NULL;
	file = emu_alloc(sizeof(*file));
	file->key = emu_key_new(emu_key_volume(key), emu_key_cookie(key));
	file->path = file_path(emu, key);
	file->size = size;
	file->limit = (size + EMU_PAGE - 1) / EMU_PAGE * EMU_PAGE;
	file->origin = origin;
	HASH_ADD_KEYPTR(hh, emu->files, file->key.data, file->key.len, file);
	if (file_resize(emu, file, O_CREAT)) {
		file_mark(emu, file);
		return file;
	}
	emu_file_free(emu, file);
	return NULL;
}

/* Is there a hole at pos? *ret_end: where that ends, at most `end`. */
bool emu_file_hole(struct emu *emu, int fd, uint64_t pos, uint64_t end, uint64_t *ret_end)
{
	off_t data = lseek(fd, (off_t)pos, SEEK_DATA);
	off_t stop = (off_t)end;

	if (data < 0 && errno != ENXIO)
		ck_abort_msg("emu: SEEK_DATA: %s", strerror(errno));
	if (data == (off_t)pos)
		stop = lseek(fd, (off_t)pos, SEEK_HOLE);
	else if (data > 0)
		stop = data;
	*ret_end = (uint64_t)stop < end ? (uint64_t)stop : end;
	return data != (off_t)pos;
}

uint64_t emu_file_present(struct emu *emu, const struct emu_file *file, uint64_t off, uint64_t n)
{
	uint64_t end = off + n, next, sum = 0;
	int fd = emu_file_open(emu, file, O_RDONLY);

	for (; off < end; off = next)
		if (!emu_file_hole(emu, fd, off, end, &next))
			sum += next - off;
	close(fd);
	return sum;
}

uint64_t emu_present(struct emu *emu, struct bytes volume, struct bytes cookie)
{
	struct emu_key key = emu_key_new(volume, cookie);
	struct emu_file *file = emu_file_find(emu, &key);

	free(key.data);
	return file ? emu_file_present(emu, file, 0, file->limit) : 0;
}

/* ---- contents --------------------------------------------------------------------------- */

static uint8_t file_byte(const struct emu_file *file, uint64_t off)
{
	return off < file->size ? file->origin->byte(file->origin, off) : 0;
}

static void file_bytes(const struct emu_file *file, uint8_t *buf, uint64_t off, size_t n)
{
	uint64_t end = off + n < file->size ? off + n : file->size;
	size_t i = 0;

	if (file->origin->fill && off < end) {
		i = (size_t)(end - off);
		file->origin->fill(file->origin, buf, off, i);
	}
	for (; i < n; i++)
		buf[i] = file_byte(file, off + i);
}

/* Bytes from the front that are right. */
static size_t file_right(const struct emu_file *file, const uint8_t *buf, uint64_t off, size_t n)
{
	uint8_t want[EMU_PAGE];
	size_t i, part;

	for (i = 0; i < n; i += part) {
		part = n - i < sizeof(want) ? n - i : sizeof(want);
		file_bytes(file, want, off + i, part);
		if (memcmp(want, buf + i, part) != 0)
			break;
	}
	while (i < n && buf[i] == file_byte(file, off + i))
		i++;
	return i;
}

/* One violation per run of bytes, at its first wrong one. */
void emu_file_compare(struct emu *emu, const struct emu_file *file, const uint8_t *buf,
		      uint64_t off, size_t n, const char *what)
{
	char key[176];
	size_t i = file->origin ? file_right(file, buf, off, n) : n;

	if (i == n)
		return;
	emu_violation(emu, "%s: %s 0x%02x at %ju, the origin has 0x%02x",
		      emu_key_print(&file->key, key, sizeof(key)), what, buf[i],
		      (uintmax_t)(off + i), file_byte(file, off + i));
}

static void file_verify_run(struct emu *emu, const struct emu_file *file, int fd, uint64_t off,
			    uint64_t end)
{
	_Alignas(EMU_PAGE) uint8_t buf[CHUNK];
	size_t n;

	for (; off < end; off += n) {
		n = end - off < CHUNK ? end - off : CHUNK;
		/* Whole pages: what is past the end of the file is not counted. */
		if (pread(fd, buf, (n + EMU_PAGE - 1) / EMU_PAGE * EMU_PAGE, (off_t)off) !=
		    (ssize_t)n)
			ck_abort_msg("emu: cannot read a cache file");
		emu_file_compare(emu, file, buf, off, n, "the cache holds");
	}
}

/* Everything that is there must be whole blocks of the origin, and end with it. */
void emu_file_verify(struct emu *emu, const struct emu_file *file)
{
	int fd = emu_file_open(emu, file, O_RDONLY | emu->direct);
	uint64_t length = (uint64_t)lseek(fd, 0, SEEK_END);
	uint64_t off, next;
	char key[176];

	if (length > file->limit)
		emu_violation(emu, "%s: written up to %ju, the object ends at %ju",
			      emu_key_print(&file->key, key, sizeof(key)), (uintmax_t)length,
			      (uintmax_t)file->size);
	for (off = 0; off < length; off = next)
		if (!emu_file_hole(emu, fd, off, length, &next))
			file_verify_run(emu, file, fd, off, next);
	close(fd);
}

/* ---- before and after use --------------------------------------------------------------- */

static bool key_live(struct emu *emu, const struct emu_key *key)
{
	struct emu_object *object;

	HASH_FIND(hh, emu->live, key->data, key->len, object);
	return object;
}

bool emu_in_use(struct emu *emu, struct bytes volume, struct bytes cookie)
{
	struct emu_key key = emu_key_new(volume, cookie);
	bool live = key_live(emu, &key);

	free(key.data);
	return live;
}

/* ---- the disk, and commands on files of the working directory ----------------------------- */

void emu_fill_disk(struct emu *emu, uint64_t others)
{
	emu->others = others;
}

uint64_t emu_disk_free(struct emu *emu)
{
	uint64_t used = emu->others;
	struct emu_file *file, *next;
	struct stat st;

	HASH_ITER(hh, emu->files, file, next) {
		emu_file_stat(emu, file, &st);
		used += (uint64_t)st.st_blocks * 512;
	}
	return used < emu->config.disk ? emu->config.disk - used : 0;
}

/* The working directory, from the cache's on; NULL: it is none of its. */
static const char *working_directory(const struct emu *emu, char buf[PATH_MAX])
{
	char link[64], base[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", emu->dir_fd);
	n = readlink(link, base, sizeof(base) - 1);
	if (n < 0 || !getcwd(buf, PATH_MAX))
		return NULL;
	if (strncmp(buf, base, (size_t)n) != 0 || buf[n] != '/')
		return NULL;
	return buf + n + 1;
}

/* A volume is in use while an object of it is. */
static bool volume_live(struct emu *emu, struct bytes volume)
{
	struct emu_object *object, *next;

	HASH_ITER(hh, emu->live, object, next)
		if (bytes_equal(emu_key_volume(&object->key), volume))
			return true;
	return false;
}

static bool has_volume(struct emu *emu, struct bytes volume)
{
	struct emu_file *file, *next;

	HASH_ITER(hh, emu->files, file, next)
		if (bytes_equal(emu_key_volume(&file->key), volume))
			return true;
	return false;
}

/* cachefiles_lookup_for_cull(): 0, *ret NULL: something else than an object. */
static int command_find(struct emu *emu, const char *name, struct emu_file **ret)
{
	char cwd[PATH_MAX], path[PATH_MAX + CACHENAME_MAX];
	const char *in = working_directory(emu, cwd);
	struct emu_file *file, *next;

	if (strchr(name, '/'))
		return -EINVAL;
	if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return -EIO;
	if (!in) {
		emu_violation(emu, "a command on '%s' outside of the cache, in %s", name, cwd);
		return -ENOENT;
	}
	snprintf(path, sizeof(path), "%s/%s", in, name);
	*ret = NULL;
	HASH_ITER(hh, emu->files, file, next)
		if (strcmp(file->path, path) == 0) {
			*ret = file;
			return key_live(emu, &file->key) ? -EBUSY : 0;
		}
	if (strcmp(in, "cache") != 0 || !has_volume(emu, bytes_str(name + 1)))
		return -ENOENT; /* directories go with their last file */
	return volume_live(emu, bytes_str(name + 1)) ? -EBUSY : 0;
}

int emu_command_inuse(struct emu *emu, const char *name)
{
	struct emu_file *file;

	return command_find(emu, name, &file);
}

int emu_command_cull(struct emu *emu, const char *name)
{
	struct emu_file *file;
	int r = command_find(emu, name, &file);

	if (r < 0)
		return r;
	if (!file) {
		emu_violation(emu, "a volume that has objects is culled: %s", name);
		return -EIO;
	}
	emu_file_verify(emu, file);
	emu_file_free(emu, file);
	emu->counters.culls++;
	return 0;
}

bool emu_cull(struct emu *emu, struct bytes volume, struct bytes cookie)
{
	struct emu_key key = emu_key_new(volume, cookie);
	struct emu_file *file = emu_file_find(emu, &key);

	if (key_live(emu, &key))
		ck_abort_msg("emu: cull of an object in use (EBUSY)");
	free(key.data);
	if (!file)
		return false;
	emu_file_verify(emu, file);
	emu_file_free(emu, file);
	return true;
}

void emu_populate(struct emu *emu, struct bytes volume, struct bytes cookie,
		  const struct emu_origin *origin, uint64_t off, uint64_t len)
{
	struct emu_key key = emu_key_new(volume, cookie);
	struct emu_file *file;
	uint8_t buf[EMU_PAGE];
	int fd;

	if (key_live(emu, &key) || off % EMU_PAGE)
		ck_abort_msg("emu: populate: in use, or not a whole page");
	file = emu_file_get(emu, &key, origin->size, origin);
	fd = emu_file_open(emu, file, O_WRONLY);
	for (uint64_t end = off + len; off < end; off += EMU_PAGE) {
		for (size_t i = 0; i < EMU_PAGE; i++)
			buf[i] = file_byte(file, off + i);
		ck_assert_int_eq(pwrite(fd, buf, EMU_PAGE, (off_t)off), EMU_PAGE);
	}
	close(fd);
	free(key.data);
}
