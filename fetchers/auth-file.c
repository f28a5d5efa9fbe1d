/* SPDX-License-Identifier: MIT */
#include "fetchers/auth-file.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "daemon/util/cleanup.h"
#include "daemon/util/secret.h"

#define AUTH_FILE_MAX (1u << 20)

__attribute__((format(printf, 3, 4))) static int verdict(int err, char *why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, AUTH_WHY_MAX, fmt, ap);
	va_end(ap);
	return err;
}

/* What the parser copies is secret as well. */
json_t *auth_json_load(const char *text, size_t len)
{
	json_set_alloc_funcs(malloc, secret_heap_free);
	return json_loadb(text, len, 0, NULL);
}

void auth_credentials_end(struct auth_credentials *credentials)
{
	secret_free(credentials->user);
	secret_free(credentials->password);
	secret_free(credentials->identity_token);
	free(credentials->helper);
	*credentials = (struct auth_credentials){ 0 };
}

bool auth_credentials_given(const struct auth_credentials *credentials)
{
	return credentials->user || credentials->identity_token || credentials->helper;
}

/* ---- entries ---------------------------------------------------------------------------- */

/* "https://host/v1/" is what Docker wrote for "host" once. *ret_len is how much of the key counts.
 */
static const char *bare_key(const char *key, size_t *ret_len)
{
	static const char *const schemes[] = { "https://", "http://" };
	bool url = false;
	size_t len;

	for (size_t i = 0; i < 2; i++)
		if (!url && strncasecmp(key, schemes[i], strlen(schemes[i])) == 0) {
			key += strlen(schemes[i]);
			url = true;
		}
	len = url ? strcspn(key, "/") : strlen(key);
	while (len > 0 && key[len - 1] == '/')
		len--;
	*ret_len = len;
	return key;
}

/* The hub has three names, and Docker writes yet another than that of its registry. */
static bool is_hub(const char *host, size_t len)
{
	static const char *const names[] = { "docker.io", "registry-1.docker.io",
					     "index.docker.io" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i]) == len && strncasecmp(host, names[i], len) == 0)
			return true;
	return false;
}

/* How long a part of "registry/repository" the key is; 0: none. Names of hosts have no case. */
static size_t matching(const char *key, const char *registry, const char *repository)
{
	size_t len, host = strlen(registry), rest;

	key = bare_key(key, &len);
	if (is_hub(registry, host) && is_hub(key, strcspn(key, "/")))
		host = strcspn(key, "/");
	else if (len < host || strncasecmp(key, registry, host) != 0)
		return 0;
	if (len == host)
		return len;
	rest = len - host - 1;
	if (key[host] != '/' || strncmp(key + host + 1, repository, rest) != 0 ||
	    !strchr("/", repository[rest]))
		return 0;
	return len;
}

static const json_t *best_entry(const json_t *entries, const char *registry, const char *repository)
{
	const json_t *best = NULL, *entry;
	size_t best_len = 0;
	const char *key;

	json_object_foreach((json_t *)entries, key, entry)
	{
		size_t len = matching(key, registry, repository);

		if (len <= best_len)
			continue;
		best = entry;
		best_len = len;
	}
	return best;
}

static int base64_digit(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				     "0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* In place of a copy; NULL for what is none, or has a zero in it. */
static char *base64_decode(const char *text)
{
	size_t len = strcspn(text, "="), n = 0;
	char *ret = malloc(len + 1);
	uint32_t bits = 0;

	for (size_t i = 0; ret && i < len; i++) {
		int digit = base64_digit(text[i]);

		bits = bits << 6 | (uint32_t)(digit & 63);
		if (i % 4 != 0)
			ret[n++] = (char)(bits >> (6 - 2 * (i % 4)));
		if (digit < 0 || (i % 4 != 0 && ret[n - 1] == '\0')) {
			ret[n] = '\0';
			secret_free(ret);
			return NULL;
		}
	}
	if (ret)
		ret[n] = '\0';
	return ret;
}

/* Control characters would end the field that these are sent in. */
static char *copy_text(const char *text)
{
	for (const char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return NULL;
	return strdup(text);
}

/* "auth": base64 of "user:password". */
static int take_pair(struct auth_credentials *ret, const char *encoded, char *why)
{
	char *pair = base64_decode(encoded);
	char *colon = pair ? strchr(pair, ':') : NULL;

	if (colon) {
		*colon = '\0';
		ret->user = copy_text(pair);
		ret->password = copy_text(colon + 1);
		*colon = ':';
	}
	secret_free(pair);
	if (ret->user && ret->password)
		return 0;
	auth_credentials_end(ret);
	return verdict(-EINVAL, why, "'auth' is not base64 of USER:PASSWORD");
}

static int take_entry(struct auth_credentials *ret, const json_t *entry, char *why)
{
	const char *pair = json_string_value(json_object_get(entry, "auth"));
	const char *token = json_string_value(json_object_get(entry, "identitytoken"));

	if (token && *token) {
		ret->identity_token = copy_text(token);
		return ret->identity_token ? 0 : verdict(-EINVAL, why, "malformed identitytoken");
	}
	return pair && *pair ? take_pair(ret, pair, why) : 0;
}

bool auth_helper_valid(const char *name)
{
	return *name && strspn(name, "0123456789abcdefghijklmnopqrstuvwxyz"
				     "ABCDEFGHIJKLMNOPQRSTUVWXYZ._-") == strlen(name);
}

static int helper_has_it(struct auth_credentials *ret, const char *helper, char *why)
{
	if (!auth_helper_valid(helper))
		return verdict(-EINVAL, why, "a credential helper has a name with odd characters");
	ret->helper = strdup(helper);
	return ret->helper ? 0 : verdict(-ENOMEM, why, "no memory");
}

static int find_in(struct auth_credentials *ret, const json_t *file, const char *registry,
		   const char *repository, char *why)
{
	const json_t *entry = best_entry(json_object_get(file, "auths"), registry, repository);
	const char *helper = json_string_value(
		best_entry(json_object_get(file, "credHelpers"), registry, repository));
	const char *store = json_string_value(json_object_get(file, "credsStore"));
	int r = take_entry(ret, entry, why);

	if (r < 0 || auth_credentials_given(ret))
		return r;
	if (helper && *helper)
		return helper_has_it(ret, helper, why);
	/* docker login leaves an empty entry where the store has the password. */
	return entry && store && *store ? helper_has_it(ret, store, why) : 0;
}

int auth_file_find(struct auth_credentials *ret, const char *text, size_t len, const char *registry,
		   const char *repository, char why[AUTH_WHY_MAX])
{
	json_auto_t *file = auth_json_load(text, len);
	struct auth_credentials found = { 0 };
	int r;

	if (!json_is_object(file))
		return verdict(-EINVAL, why, "not JSON");
	r = find_in(&found, file, registry, repository, why);
	if (r == 0)
		*ret = found;
	return r;
}

/* ---- helpers ---------------------------------------------------------------------------- */

const char *auth_helper_server(const char *registry)
{
	return is_hub(registry, strlen(registry)) ? "https://index.docker.io/v1/" : registry;
}

int auth_helper_parse(struct auth_credentials *ret, const char *text, size_t len,
		      const char **ret_why)
{
	json_auto_t *answer = auth_json_load(text, len);
	const char *user = json_string_value(json_object_get(answer, "Username"));
	const char *secret = json_string_value(json_object_get(answer, "Secret"));
	struct auth_credentials found = { 0 };
	bool token = user && strcmp(user, "<token>") == 0;

	*ret_why = "its answer is no JSON object with Username and Secret";
	if (!user || !secret)
		return -EACCES;
	*ret = found;
	if (!*secret)
		return 0;
	*ret_why = "its answer has a control character";
	if (token) {
		found.identity_token = copy_text(secret);
	} else {
		found.user = strchr(user, ':') ? NULL : copy_text(user);
		found.password = copy_text(secret);
	}
	if (found.identity_token || (found.user && found.password)) {
		*ret = found;
		return 0;
	}
	auth_credentials_end(&found);
	return -EACCES;
}

bool auth_helper_knows_nobody(const char *text, size_t len)
{
	static const char words[] = "credentials not found in native keychain";

	while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r' || text[len - 1] == ' '))
		len--;
	return len == strlen(words) && memcmp(text, words, len) == 0;
}

/* ---- files ------------------------------------------------------------------------------ */

static int load_one(struct auth_credentials *ret, const char *path, const char *registry,
		    const char *repository, char *why)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *text;
	size_t len = 0;
	ssize_t n = -1;
	int r;

	if (fd < 0)
		return verdict(-errno, why, "%.60s: %s", path, strerror(errno));
	text = malloc(AUTH_FILE_MAX);
	if (!text)
		return verdict(-ENOMEM, why, "no memory");
	while (len < AUTH_FILE_MAX && (n = read(fd, text + len, AUTH_FILE_MAX - len)) > 0)
		len += (size_t)n;
	if (n < 0)
		r = verdict(-errno, why, "%.60s: %s", path, strerror(errno));
	else if (len == AUTH_FILE_MAX)
		r = verdict(-EINVAL, why, "%.60s: too long", path);
	else
		r = auth_file_find(ret, text, len, registry, repository, why);
	explicit_bzero(text, len);
	free(text);
	return r;
}

static bool is_elsewhere(int err)
{
	return err == -ENOENT || err == -ENOTDIR || err == -EISDIR || err == -EACCES ||
	       err == -EPERM;
}

int auth_file_load(struct auth_credentials *ret, const char *path, const char *registry,
		   const char *repository, char why[AUTH_WHY_MAX])
{
	static const struct {
		const char *variable, *file;
		bool named;
	} places[] = {
		{ "REGISTRY_AUTH_FILE", "", true },
		{ "DOCKER_CONFIG", "/config.json", false },
		{ "XDG_RUNTIME_DIR", "/containers/auth.json", false },
		{ "CREDENTIALS_DIRECTORY", "/auth.json", false },
		{ "HOME", "/.docker/config.json", false },
	};
	struct auth_credentials found = { 0 };

	if (path)
		return load_one(ret, path, registry, repository, why);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		const char *where = getenv(places[i].variable);
		char file[PATH_MAX];
		int r;

		if (!where || !*where)
			continue;
		snprintf(file, sizeof(file), "%s%s", where, places[i].file);
		r = access(file, R_OK) < 0 && !places[i].named && is_elsewhere(-errno)
			    ? 0
			    : load_one(&found, file, registry, repository, why);
		if (r < 0)
			return r;
		if (!auth_credentials_given(&found))
			continue;
		*ret = found;
		return 0;
	}
	*ret = found;
	return 0;
}
