/* SPDX-License-Identifier: MIT */
/*
 * Who we are for a registry: containers-auth.json(5) and the config.json of Docker, and what
 * credential helpers say. The parsers are pure and fuzzed; the rest knows where such files are.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#define AUTH_WHY_MAX 120

/* All empty: nobody in particular. Secret. */
struct auth_credentials {
	char *user, *password; /* owned: both or none */
	char *identity_token;  /* owned, or NULL: instead of them */
	char *helper;	       /* owned, or NULL: docker-credential-HELPER has them */
};

void auth_credentials_end(struct auth_credentials *credentials);
bool auth_credentials_given(const struct auth_credentials *credentials);

/*
 * What a file says about a repository: the entry of "host/repo/sitory", else of "host/repo", ...,
 * else of "host". 0: *ret may be empty. With half a sentence in why:
 *   -EINVAL  not such a file
 *   -ENOMEM
 */
int auth_file_find(struct auth_credentials *ret, const char *text, size_t len, const char *registry,
		   const char *repository, char why[AUTH_WHY_MAX]);

/*
 * The same from a file, or with path NULL from the first of those in their order that has
 * something to say: $REGISTRY_AUTH_FILE, $DOCKER_CONFIG/config.json,
 * $XDG_RUNTIME_DIR/containers/auth.json, $CREDENTIALS_DIRECTORY/auth.json,
 * $HOME/.docker/config.json. Only a file that was named must exist. Also the errno of reading.
 */
int auth_file_load(struct auth_credentials *ret, const char *path, const char *registry,
		   const char *repository, char why[AUTH_WHY_MAX]);

/*
 * Parses JSON with secrets in it; NULL: it is none. From then on all memory of the parser is
 * overwritten when it is freed, in the whole process.
 */
json_t *auth_json_load(const char *text, size_t len);

/* What a helper calls a registry. */
const char *auth_helper_server(const char *registry);

/* Whether a name is one of a helper: [A-Za-z0-9._-]+ */
bool auth_helper_valid(const char *name);

/*
 * The output of a helper's `get`. 0: *ret may be empty; -EACCES with half a sentence, static and
 * without what was said; -ENOMEM.
 */
int auth_helper_parse(struct auth_credentials *ret, const char *text, size_t len,
		      const char **ret_why);

/* What a helper says, and fails, where it has nothing for a server. */
bool auth_helper_knows_nobody(const char *text, size_t len);
