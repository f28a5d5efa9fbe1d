/* SPDX-License-Identifier: MIT */
#include "daemon/tarindex/tar.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/tarindex/tar-pax.h"
#include "daemon/util/checked.h"
#include "daemon/util/cleanup.h"

/* A header as it is in the stream; see tar(5). */
struct header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100];
	char magic[6], version[2], uname[32], gname[32], major[8], minor[8], prefix[155], rest[12];
};
static_assert(sizeof(struct header) == TAR_BLOCK, "a header is a block");

enum state {
	STATE_HEADER, /* collects a block */
	STATE_EXTRA,  /* collects an extension, with its padding */
	STATE_SKIP,   /* data, with its padding */
	STATE_END,    /* two blocks of zeros; what follows is not ours */
};

struct tar {
	int (*entry)(void *arg, const struct tar_entry *entry, char *error);
	void *arg;
	uint64_t at; /* bytes of the stream before the one that comes next */
	enum state state;
	union {
		struct header header;
		char block[TAR_BLOCK];
	};
	size_t filled;			/* of block or extra */
	uint64_t skip;			/* bytes left of data */
	bool zero;			/* the block before was zeros */
	char *extra;			/* owned; texts of all extensions of the next entry */
	size_t n_extra;			/* in it */
	size_t extra_len, extra_padded; /* of the extension that is collected */
	char extra_type;
	const char *long_name, *long_link; /* in extra; NULL: none */
	struct tar_pax pax;
	char name[sizeof(((struct header *)0)->prefix) + 1 + sizeof(((struct header *)0)->name) +
		  1];
	char link[sizeof(((struct header *)0)->link) + 1];
	char error[TAR_ERROR_MAX];
};

/* Where extensions of one entry go. Never moved: names in it are pointed at. */
#define EXTRA_ROOM ((size_t)4 * TAR_EXTRA_MAX + 4 * TAR_BLOCK)

int tar_new(struct tar **ret, int (*entry)(void *arg, const struct tar_entry *entry, char *error),
	    void *arg)
{
	struct tar *tar = calloc(1, sizeof(*tar));

	if (!tar)
		return -ENOMEM;
	tar->entry = entry;
	tar->arg = arg;
	/* Touched as far as it is needed. */
	tar->extra = malloc(EXTRA_ROOM);
	if (!tar->extra) {
		free(tar);
		return -ENOMEM;
	}
	*ret = tar;
	return 0;
}

struct tar *tar_free(struct tar *tar)
{
	if (tar)
		free(tar->extra);
	free(tar);
	return NULL;
}

const char *tar_error(const struct tar *tar)
{
	return tar->error;
}

static int fail(struct tar *tar, const char *why)
{
	snprintf(tar->error, sizeof(tar->error), "%.150s (at byte %llu of the archive)", why,
		 (unsigned long long)tar->at);
	return -EINVAL;
}

/* As fail(), with the name of the entry in front. */
static int fail_entry(struct tar *tar, const char *path, int err, const char *why)
{
	char name[100];

	bytes_print(bytes_str(path), name, sizeof(name));
	snprintf(tar->error, sizeof(tar->error), "%s: %.150s", name, why);
	return err;
}

/* ---- fields ----------------------------------------------------------------------------- */

/* Octal with blanks around it, or base 256 with the top bit set. */
static bool number(const char *field, size_t len, int64_t *ret)
{
	const uint8_t *p = (const uint8_t *)field;
	uint64_t v = 0;
	size_t i = 0;

	if (p[0] & 0x80) {
		/* A signed number; the top bit is the mark. */
		uint64_t sign = p[0] & 0x40 ? UINT64_MAX : 0;

		v = sign << 7 | (p[0] & 0x7f);
		for (i = 1; i < len; i++) {
			if (i + 8 < len && p[i] != (sign & 0xff))
				return false;
			v = v << 8 | p[i];
		}
		*ret = (int64_t)v;
		return (len < 9 || p[0] == (sign ? 0xff : 0x80)) && (*ret < 0) == (sign != 0);
	}
	for (; i < len && p[i] == ' '; i++)
		;
	for (; i < len && p[i] >= '0' && p[i] <= '7'; i++)
		v = v << 3 | (uint64_t)(p[i] - '0'); /* at most 12 digits: 36 bits */
	for (; i < len && (p[i] == ' ' || p[i] == '\0'); i++)
		;
	*ret = (int64_t)v;
	return i == len;
}

#define NUMBER(tar, field, ret) number((tar)->header.field, sizeof((tar)->header.field), ret)

static bool checksum_right(const struct tar *tar)
{
	const uint8_t *p = (const uint8_t *)tar->block;
	int64_t unsigned_sum = 0, signed_sum = 0, wanted;

	for (size_t i = 0; i < TAR_BLOCK; i++) {
		bool blank =
			i >= offsetof(struct header, checksum) && i < offsetof(struct header, type);

		unsigned_sum += blank ? ' ' : p[i];
		signed_sum += blank ? ' ' : (int8_t)p[i];
	}
	return NUMBER(tar, checksum, &wanted) && (wanted == unsigned_sum || wanted == signed_sum);
}

/* The fields of the header that make up the name; static memory of the tar. */
static const char *header_name(struct tar *tar)
{
	const struct header *h = &tar->header;
	size_t room = 0;
	int at = 0;

	/* GNU's magic has a blank where POSIX has a NUL, and other things in place of a prefix. */
	if (memcmp(h->magic, "ustar", 6) == 0)
		room = memcmp(h->rest + 8, "tar", 4) == 0 ? 131 : sizeof(h->prefix);
	if (room > 0 && h->prefix[0])
		at = snprintf(tar->name, sizeof(tar->name), "%.*s/", (int)room, h->prefix);
	snprintf(tar->name + at, sizeof(tar->name) - (size_t)at, "%.*s", (int)sizeof(h->name),
		 h->name);
	return tar->name;
}

static const char *header_link(struct tar *tar)
{
	snprintf(tar->link, sizeof(tar->link), "%.*s", (int)sizeof(tar->header.link),
		 tar->header.link);
	return tar->link;
}

/* ---- entries ---------------------------------------------------------------------------- */

static void forget_extra(struct tar *tar)
{
	tar->n_extra = 0;
	tar->long_name = tar->long_link = NULL;
	tar->pax.path = tar->pax.link = NULL;
	tar->pax.has_size = tar->pax.has_uid = tar->pax.has_gid = tar->pax.has_mtime = false;
	tar->pax.n_xattrs = 0;
}

static bool type_of(char flag, const char *path, enum tar_type *ret)
{
	size_t len = strlen(path);

	switch (flag) {
	case '\0':
	case '0':
	case '7': /* contiguous */
		/* Before there was a flag for directories. */
		*ret = len > 0 && path[len - 1] == '/' ? TAR_DIR : TAR_FILE;
		return true;
	case '1':
		*ret = TAR_HARDLINK;
		return true;
	case '2':
		*ret = TAR_SYMLINK;
		return true;
	case '3':
		*ret = TAR_CHAR;
		return true;
	case '4':
		*ret = TAR_BLOCK_DEVICE;
		return true;
	case '5':
	case 'D': /* GNU's, with a list of names as its data */
		*ret = TAR_DIR;
		return true;
	case '6':
		*ret = TAR_FIFO;
		return true;
	default:
		return false;
	}
}

static int fill_owner(struct tar *tar, struct tar_entry *e)
{
	int64_t uid, gid, mtime, mode;

	if (!NUMBER(tar, mode, &mode) || !NUMBER(tar, uid, &uid) || !NUMBER(tar, gid, &gid) ||
	    !NUMBER(tar, mtime, &mtime))
		return fail_entry(tar, e->path, -EINVAL, "a number in its header is none");
	if (tar->pax.has_uid)
		uid = tar->pax.uid;
	if (tar->pax.has_gid)
		gid = tar->pax.gid;
	if (uid < 0 || uid > UINT32_MAX || gid < 0 || gid > UINT32_MAX)
		return fail_entry(tar, e->path, -EINVAL, "its owner is out of range");
	e->mode = (uint32_t)mode & 07777;
	e->uid = (uint32_t)uid;
	e->gid = (uint32_t)gid;
	e->mtime = tar->pax.has_mtime ? tar->pax.mtime : mtime;
	e->mtime_nsec = tar->pax.has_mtime ? tar->pax.mtime_nsec : 0;
	return 0;
}

static int fill_device(struct tar *tar, struct tar_entry *e)
{
	int64_t major, minor;

	if (!NUMBER(tar, major, &major) || !NUMBER(tar, minor, &minor) || major < 0 || minor < 0 ||
	    major >= 1 << 12 || minor >= 1 << 20)
		return fail_entry(tar, e->path, -EINVAL, "its device number is out of range");
	e->major = (uint32_t)major;
	e->minor = (uint32_t)minor;
	return 0;
}

static void skip(struct tar *tar, uint64_t size)
{
	tar->skip = round_up_u64(size, TAR_BLOCK);
	tar->state = tar->skip > 0 ? STATE_SKIP : STATE_HEADER;
}

/* size: as the header has it. */
static int whole_entry(struct tar *tar, int64_t size)
{
	char why[TAR_ERROR_MAX] = "";
	struct tar_entry e = {
		.path = tar->pax.path	 ? tar->pax.path
			: tar->long_name ? tar->long_name
					 : header_name(tar),
		.data_at = tar->at,
		.xattrs = tar->pax.xattrs,
		.n_xattrs = tar->pax.n_xattrs,
		.link = "",
	};
	bool has_data;
	int r;

	if (!type_of(tar->header.type, e.path, &e.type)) {
		snprintf(why, sizeof(why), "entries of type \"%c\" are not supported%s",
			 tar->header.type > ' ' && tar->header.type < 0x7f ? tar->header.type : '?',
			 tar->header.type == 'S' ? "; pack it without --sparse" : "");
		return fail_entry(tar, e.path, -EINVAL, why);
	}
	r = fill_owner(tar, &e);
	if (r == 0 && (e.type == TAR_CHAR || e.type == TAR_BLOCK_DEVICE))
		r = fill_device(tar, &e);
	if (r < 0)
		return r;
	if (e.type == TAR_HARDLINK || e.type == TAR_SYMLINK)
		e.link = tar->pax.link	  ? tar->pax.link
			 : tar->long_link ? tar->long_link
					  : header_link(tar);
	if (tar->pax.has_size)
		size = (int64_t)tar->pax.size;
	has_data = e.type == TAR_FILE || tar->header.type == 'D' ||
		   (e.type == TAR_DIR && tar->header.type != '5');
	if (!has_data)
		size = 0;
	if ((uint64_t)size > OBJECT_SIZE_MAX - tar->at)
		return fail_entry(tar, e.path, -EINVAL, "its size is out of range");
	e.size = e.type == TAR_FILE ? (uint64_t)size : 0;
	r = tar->entry(tar->arg, &e, why);
	if (r < 0)
		return fail_entry(tar, e.path, r, why);
	forget_extra(tar);
	skip(tar, (uint64_t)size);
	return 0;
}

static int begin_extra(struct tar *tar, int64_t size)
{
	if (size < 0 || size > TAR_EXTRA_MAX ||
	    tar->n_extra + (size_t)size + TAR_BLOCK > EXTRA_ROOM)
		return fail(tar, "an extended header that is too long");
	tar->extra_type = tar->header.type;
	tar->extra_len = (size_t)size;
	tar->extra_padded = (size_t)round_up_u64((uint64_t)size, TAR_BLOCK);
	tar->filled = 0;
	tar->state = STATE_EXTRA;
	return 0;
}

static int whole_extra(struct tar *tar)
{
	char *text = tar->extra + tar->n_extra, why[TAR_ERROR_MAX];
	int r = 0;

	tar->state = STATE_HEADER;
	tar->filled = 0;
	text[tar->extra_len] = '\0';
	if (tar->extra_type == 'L')
		tar->long_name = text;
	else if (tar->extra_type == 'K')
		tar->long_link = text;
	else if (tar->extra_type == 'x' || tar->extra_type == 'X')
		r = tar_pax_parse(&tar->pax, text, tar->extra_len, why);
	/* 'g': about all that follow, but nobody uses it so; git puts a commit there. */
	if (r < 0)
		return fail(tar, why);
	tar->n_extra += tar->extra_len + 1;
	return 0;
}

static int whole_header(struct tar *tar)
{
	int64_t size;

	tar->filled = 0;
	if (tar->block[0] == '\0' && memcmp(tar->block, tar->block + 1, TAR_BLOCK - 1) == 0) {
		tar->state = tar->zero ? STATE_END : STATE_HEADER;
		tar->zero = true;
		return 0;
	}
	if (tar->zero || !checksum_right(tar))
		return fail(tar, "this is no header of tar");
	if (!NUMBER(tar, size, &size) || size < 0)
		return fail(tar, "a size that is none");
	switch (tar->header.type) {
	case 'x':
	case 'X':
	case 'g':
	case 'L':
	case 'K':
		return begin_extra(tar, size);
	case 'V': /* the name of a volume */
		skip(tar, 0);
		return 0;
	default:
		return whole_entry(tar, size);
	}
}

/* ---- the stream ------------------------------------------------------------------------- */

/* Takes bytes until wanted are there. Returns how many were taken. */
static size_t collect(struct tar *tar, char *to, size_t wanted, const void *bytes, size_t len)
{
	size_t n = min_u64(len, wanted - tar->filled);

	memcpy(to + tar->filled, bytes, n);
	tar->filled += n;
	tar->at += n;
	return n;
}

int tar_write(struct tar *tar, const void *bytes, size_t len)
{
	const uint8_t *from = bytes;
	int r = 0;

	while (len > 0 && r == 0) {
		size_t n = len;

		switch (tar->state) {
		case STATE_HEADER:
			n = collect(tar, tar->block, TAR_BLOCK, from, len);
			if (tar->filled == TAR_BLOCK)
				r = whole_header(tar);
			break;
		case STATE_EXTRA:
			n = collect(tar, tar->extra + tar->n_extra, tar->extra_padded, from, len);
			break;
		case STATE_SKIP:
			n = min_u64(len, tar->skip);
			tar->at += n;
			tar->skip -= n;
			if (tar->skip == 0)
				tar->state = STATE_HEADER;
			break;
		case STATE_END:
			tar->at += n;
			break;
		}
		/* Also one of no bytes at all. */
		if (r == 0 && tar->state == STATE_EXTRA && tar->filled == tar->extra_padded)
			r = whole_extra(tar);
		from += n;
		len -= n;
	}
	return r;
}

int tar_end(struct tar *tar)
{
	if (tar->state == STATE_END ||
	    (tar->state == STATE_HEADER && tar->filled == 0 && tar->n_extra == 0 && tar->at > 0))
		return 0;
	return fail(tar, tar->at > 0 ? "the archive ends in the middle of an entry"
				     : "the archive is empty");
}
