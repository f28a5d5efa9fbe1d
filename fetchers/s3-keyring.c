/* SPDX-License-Identifier: MIT */
#include "fetchers/s3-keyring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/util/cleanup.h"
#include "daemon/util/log.h"

#define FILE_MAX   (64 << 10)
#define PATH_ROOM  4096
#define RECENT_SEC 60 /* requests with the former credentials may be on their way so long */

/* ---- files ------------------------------------------------------------------------------ */

/* A regular file of at most FILE_MAX bytes. */
static int open_file(const char *path, struct stat *ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int r = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, ret) < 0)
		r = -errno;
	else if (!S_ISREG(ret->st_mode))
		r = -EINVAL;
	else if (ret->st_size > FILE_MAX)
		r = -EFBIG;
	if (r < 0)
		close(fd);
	return r < 0 ? r : fd;
}

static int read_profile(const char *path, const char *profile, struct s3_profile *ret,
			struct stat *ret_stat)
{
	_cleanup_close_ int fd = open_file(path, ret_stat);
	_cleanup_free_ char *text = NULL;
	ssize_t n;
	int r;

	if (fd < 0)
		return fd;
	text = malloc(FILE_MAX);
	if (!text)
		return -ENOMEM;
	n = read(fd, text, FILE_MAX);
	r = n < 0 ? -errno : s3_profile_parse(ret, text, (size_t)n, profile);
	explicit_bzero(text, n < 0 ? 0 : (size_t)n);
	return r;
}

static bool is_complete(const struct s3_profile *p)
{
	return p->id[0] && p->secret[0];
}

/* $VARIABLE + suffix; false: there is no such variable, or no room. */
static bool path_below(char path[PATH_ROOM], const char *variable, const char *suffix)
{
	const char *value = getenv(variable);

	return value && *value && snprintf(path, PATH_ROOM, "%s%s", value, suffix) < PATH_ROOM;
}

/* ---- looking for them ------------------------------------------------------------------- */

/* What was tried so far, for the one who has to write them somewhere. */
struct search {
	char tried[FETCH_ERROR_MAX];
	size_t len;
};

static void tried(struct search *s, const char *place, const char *why)
{
	int n = snprintf(s->tried + s->len, sizeof(s->tried) - s->len, "%s%s (%s)",
			 s->len ? ", " : "", place, why);

	s->len += n < (int)(sizeof(s->tried) - s->len) ? (size_t)n : sizeof(s->tried) - s->len - 1;
}

static int try_file(struct s3_keyring *k, const char *path, struct search *s)
{
	int r = read_profile(path, k->profile, &k->now, &k->seen);
	char no_profile[96];

	if (r == 0 && is_complete(&k->now)) {
		k->path = strdup(path);
		return k->path ? 0 : -ENOMEM;
	}
	snprintf(no_profile, sizeof(no_profile), "no profile '%.60s'", k->profile);
	if (r == 0)
		tried(s, path, "no key and secret");
	else if (r == -ENOENT && access(path, F_OK) == 0)
		tried(s, path, no_profile);
	else
		tried(s, path, r == -EINVAL ? "malformed" : strerror(-r));
	return r < 0 ? r : -ENOENT;
}

static int set_from(char *slot, size_t n, const char *variable)
{
	const char *value = getenv(variable);

	return value ? s3_profile_set(slot, n, value, strlen(value)) : 0;
}

static int try_environment(struct s3_keyring *k, struct search *s)
{
	int r = set_from(k->now.id, sizeof(k->now.id), "AWS_ACCESS_KEY_ID");

	r = r < 0 ? r : set_from(k->now.secret, sizeof(k->now.secret), "AWS_SECRET_ACCESS_KEY");
	r = r < 0 ? r : set_from(k->now.token, sizeof(k->now.token), "AWS_SESSION_TOKEN");
	if (r == 0 && is_complete(&k->now))
		return 0;
	tried(s, "$AWS_ACCESS_KEY_ID", r < 0 ? "malformed" : "unset");
	return -ENOENT;
}

static int search(struct s3_keyring *k, const char *file, bool files_only, struct search *s)
{
	char path[PATH_ROOM];

	if (file)
		return try_file(k, file, s);
	if (!files_only && try_environment(k, s) == 0)
		return 0;
	if (path_below(path, "CREDENTIALS_DIRECTORY", "/aws-credentials") &&
	    try_file(k, path, s) == 0)
		return 0;
	if (path_below(path, "AWS_SHARED_CREDENTIALS_FILE", "") ||
	    path_below(path, "HOME", "/.aws/credentials"))
		return try_file(k, path, s);
	return -ENOENT;
}

static const char *profile_name(const char *profile)
{
	const char *value = getenv("AWS_PROFILE");

	return profile ? profile : value && *value ? value : "default";
}

int s3_keyring_init(struct s3_keyring *k, const char *file, const char *profile, char *error)
{
	struct search s = { 0 };
	int r = -ENOMEM;

	*k = (struct s3_keyring){ .profile = strdup(profile_name(profile)) };
	if (k->profile)
		r = search(k, file, profile != NULL, &s);
	if (r == 0)
		return 0;
	if (r == -ENOMEM)
		snprintf(error, FETCH_ERROR_MAX, "no memory");
	else
		snprintf(error, FETCH_ERROR_MAX, "%sno credentials: %.*s",
			 file ? "credentials-file: " : "", FETCH_ERROR_MAX - 40, s.tried);
	s3_keyring_end(k);
	return r;
}

void s3_keyring_end(struct s3_keyring *k)
{
	free(k->path);
	free(k->profile);
	explicit_bzero(k, sizeof(*k));
}

/* ---- reading them again ----------------------------------------------------------------- */

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static bool same_keys(const struct s3_profile *a, const struct s3_profile *b)
{
	return strcmp(a->id, b->id) == 0 && strcmp(a->secret, b->secret) == 0 &&
	       strcmp(a->token, b->token) == 0;
}

static void reload(struct s3_keyring *k, const char *source)
{
	struct s3_profile fresh;
	int r = read_profile(k->path, k->profile, &fresh, &k->seen);

	if (r == 0 && is_complete(&fresh) && !same_keys(&fresh, &k->now)) {
		k->now = fresh;
		clock_gettime(CLOCK_MONOTONIC, &k->changed);
	}
	if (r < 0)
		log_about(LOG_WARNING, &(struct log_subject){ .origin = source },
			  "%s: the credentials of '%s' cannot be read again: %s", k->path,
			  k->profile, strerror(-r));
	explicit_bzero(&fresh, sizeof(fresh));
}

void s3_keyring_refresh(struct s3_keyring *k, const char *source)
{
	struct stat st;

	/* One that is away is being replaced: the next request looks again. */
	if (k->path && stat(k->path, &st) == 0 && !same_file(&st, &k->seen)) {
		k->seen = st;
		reload(k, source);
	}
}

bool s3_keyring_refused(struct s3_keyring *k, const char *source)
{
	struct timespec now;

	if (!k->path)
		return false;
	reload(k, source);
	clock_gettime(CLOCK_MONOTONIC, &now);
	return k->changed.tv_sec && now.tv_sec - k->changed.tv_sec < RECENT_SEC;
}

void s3_keyring_region(char region[S3_REGION_MAX], const char *profile)
{
	struct s3_profile p = { 0 };
	char path[PATH_ROOM];
	struct stat st;

	if ((path_below(path, "AWS_CONFIG_FILE", "") || path_below(path, "HOME", "/.aws/config")) &&
	    read_profile(path, profile_name(profile), &p, &st) == 0 && p.region[0])
		memcpy(region, p.region, S3_REGION_MAX);
	explicit_bzero(&p, sizeof(p));
}
