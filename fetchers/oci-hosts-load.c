/* SPDX-License-Identifier: MIT */
/*
 * Where the files of a registry's hosts are.
 */
#include "fetchers/oci-hosts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/util/cleanup.h"
#include "fetchers/toml.h"

static const char *const usual_roots[] = { "/etc/containerd/certs.d", "/etc/docker/certs.d" };

static int told(char *error, int err, const char *path, const char *why)
{
	snprintf(error, FETCH_ERROR_MAX, "%.110s: %.80s", path, why);
	return err;
}

static bool is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* "host_port_", "host:port", as containerd has it. False: neither is there. */
static bool find_own(char path[PATH_MAX], const char *root, const char *registry)
{
	const char *port = strrchr(registry, ':');

	if (port) {
		snprintf(path, PATH_MAX, "%s/%.*s_%s_", root, (int)(port - registry), registry,
			 port + 1);
		if (is_directory(path))
			return true;
	}
	snprintf(path, PATH_MAX, "%s/%s", root, registry);
	return is_directory(path);
}

/* One of its own, wherever that is, before one for everybody. */
static bool find_directory(char path[PATH_MAX], const char *root, const char *registry)
{
	size_t n = root ? 1 : sizeof(usual_roots) / sizeof(usual_roots[0]);
	const char *const *roots = root ? &root : usual_roots;

	for (size_t i = 0; i < n; i++)
		if (find_own(path, roots[i], registry))
			return true;
	for (size_t i = 0; i < n; i++) {
		snprintf(path, PATH_MAX, "%s/_default", roots[i]);
		if (is_directory(path))
			return true;
	}
	return false;
}

/* -ENOENT: it is not there. Owned by the caller; one byte more than TOML_SIZE_MAX at most. */
static int read_file(const char *path, char **ret, size_t *ret_len)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	ssize_t n = 0;

	if (fd < 0)
		return -errno;
	text = malloc(TOML_SIZE_MAX + 1);
	if (!text)
		return -ENOMEM;
	while (len <= TOML_SIZE_MAX && (n = read(fd, text + len, TOML_SIZE_MAX + 1 - len)) > 0)
		len += (size_t)n;
	if (n < 0)
		return -errno;
	*ret = steal(&text);
	*ret_len = len;
	return 0;
}

/* "line 3: why" -> "FILE:3: why". */
static int tell_line(char *error, const char *path, int err)
{
	char why[FETCH_ERROR_MAX];

	snprintf(why, sizeof(why), "%s", error);
	if (strncmp(why, "line ", 5) != 0)
		return told(error, err, path, why);
	snprintf(error, FETCH_ERROR_MAX, "%.110s:%.80s", path, why + 5);
	return err;
}

/* ---- Docker's layout -------------------------------------------------------------------- */

static const char *suffix_of(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot && dot != entry->d_name ? dot : "";
}

static int is_certificate(const struct dirent *entry)
{
	const char *suffix = suffix_of(entry);

	return strcmp(suffix, ".crt") == 0 || strcmp(suffix, ".cert") == 0 ||
	       strcmp(suffix, ".key") == 0;
}

static bool has_file(const char *dir, const char *name, size_t len, const char *suffix)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%.*s%s", dir, (int)len, name, suffix);
	return access(path, F_OK) == 0;
}

/* One more line of a hosts.toml that says the same. */
static int write_line(FILE *f, const char *dir, const struct dirent *entry, unsigned int *n_client,
		      char *error)
{
	const char *name = entry->d_name, *suffix = suffix_of(entry);
	size_t len = (size_t)(suffix - name);

	if (strpbrk(name, "'\n\r"))
		return told(error, -EINVAL, dir, "a name of a certificate has odd characters");
	if (strcmp(suffix, ".crt") == 0) {
		fprintf(f, "'%s',", name);
		return 0;
	}
	if (strcmp(suffix, ".cert") == 0 && !has_file(dir, name, len, ".key"))
		return told(error, -EINVAL, dir, "there is a .cert file without its .key");
	if (strcmp(suffix, ".key") == 0 && !has_file(dir, name, len, ".cert"))
		return told(error, -EINVAL, dir, "there is a .key file without its .cert");
	*n_client += strcmp(suffix, ".cert") == 0;
	return 0;
}

static int write_entries(FILE *f, const char *dir, struct dirent **entries, int n, char *error)
{
	unsigned int n_client = 0;
	int err = 0;

	fputs("ca = [", f);
	for (int i = 0; err == 0 && i < n; i++)
		err = write_line(f, dir, entries[i], &n_client, error);
	fputs("]\n", f);
	if (err == 0 && n_client > 1)
		return told(error, -EINVAL, dir, "only one pair of .cert and .key can be used");
	for (int i = 0; err == 0 && i < n; i++) {
		const char *name = entries[i]->d_name, *suffix = suffix_of(entries[i]);

		if (strcmp(suffix, ".cert") == 0)
			fprintf(f, "client = [['%s', '%.*s.key']]\n", name, (int)(suffix - name),
				name);
	}
	return err;
}

/* Said in the words of the other layout. */
static int translate(const char *dir, char **ret, size_t *ret_len, char *error)
{
	struct dirent **entries = NULL;
	int err, n = scandir(dir, &entries, is_certificate, alphasort);
	FILE *f;

	if (n < 0)
		return told(error, -errno, dir, strerror(errno));
	f = open_memstream(ret, ret_len);
	err = f ? write_entries(f, dir, entries, n, error) : -ENOMEM;
	if (f && fclose(f) != 0 && err == 0)
		err = -ENOMEM;
	for (int i = 0; i < n; i++)
		free(entries[i]);
	free(entries);
	return err == -ENOMEM ? told(error, err, dir, "no memory") : err;
}

/* ---- both ------------------------------------------------------------------------------- */

static int load_directory(struct oci_hosts *ret, const char *dir, const char *registry, bool plain,
			  char *error)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_free_ char *path = NULL;
	size_t len = 0;
	int err;

	if (asprintf(&path, "%s/hosts.toml", dir) < 0) {
		path = NULL;
		return told(error, -ENOMEM, dir, "no memory");
	}
	err = read_file(path, &text, &len);
	if (err < 0 && err != -ENOENT)
		return told(error, err, path, strerror(-err));
	/* Also where it is empty. */
	if (len == 0) {
		free(text);
		text = NULL;
		path[strlen(dir)] = '\0';
		err = translate(dir, &text, &len, error);
		if (err < 0)
			return err;
	}
	err = oci_hosts_parse(ret, text, len, dir, registry, plain, error);
	if (err < 0)
		return tell_line(error, path, err);
	ret->where = steal(&path);
	return 0;
}

int oci_hosts_load(struct oci_hosts *ret, const char *root, const char *registry, bool plain,
		   char *error)
{
	char path[PATH_MAX];

	if (root && *root && !is_directory(root))
		return told(error, -ENOENT, root, "no such directory");
	/* ".." is no name of a host. */
	if ((!root || *root) && registry[0] != '.' && find_directory(path, root, registry))
		return load_directory(ret, path, registry, plain, error);
	return oci_hosts_parse(ret, "", 0, "", registry, plain, error);
}
