/* SPDX-License-Identifier: MIT */
/*
 * hosts.toml, and TOML below it: each error has its line, each host is one that can be asked.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "fetchers/oci-hosts.h"
#include "fetchers/toml.h"
#include "tests/fuzz/fuzz.h"

/* Tables have keys, arrays have none; nothing is deeper than it may be. */
static void check_tree(const struct toml *t, unsigned int depth)
{
	FUZZ_CHECK(depth <= 16 && t->line >= 1);
	FUZZ_CHECK((t->type == TOML_STRING) == (t->text != NULL));
	FUZZ_CHECK(t->type == TOML_TABLE || t->type == TOML_ARRAY || !t->first);
	for (const struct toml *c = t->first; c; c = c->next) {
		FUZZ_CHECK((c->key != NULL) == (t->type == TOML_TABLE));
		FUZZ_CHECK(t->type != TOML_TABLE || toml_get(t, c->key) == c);
		check_tree(c, depth + 1);
	}
}

static void check_site(const struct oci_site *site)
{
	size_t len = strlen(site->base);

	FUZZ_CHECK(strncasecmp(site->base, "http", 4) == 0 && site->base[len - 1] == '/');
	FUZZ_CHECK(*site->authority && strstr(site->base, site->authority));
	FUZZ_CHECK(!strpbrk(site->base, " \t\r\n@?#{}"));
	for (size_t i = 0; i < site->n_params; i++)
		FUZZ_CHECK(site->params[i].key && site->params[i].value);
	for (size_t i = 0; i < site->n_ca; i++)
		FUZZ_CHECK(site->ca[i][0] == '/');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char error[FETCH_ERROR_MAX] = "";
	struct oci_hosts hosts = { 0 };
	struct toml *root = NULL;
	int r = toml_parse(&root, (const char *)data, n, error);

	FUZZ_CHECK(r == 0 || (r == -EINVAL && strncmp(error, "line ", 5) == 0 && !root));
	if (root)
		check_tree(root, 0);
	toml_free(root);
	r = oci_hosts_parse(&hosts, (const char *)data, n, "/dir", "r:5000", false, error);
	FUZZ_CHECK(r == 0 || (r == -EINVAL && strncmp(error, "line ", 5) == 0 && hosts.n == 0));
	FUZZ_CHECK(r < 0 || (hosts.n >= 1 && hosts.n <= OCI_HOSTS_MAX));
	for (size_t i = 0; i < hosts.n; i++)
		check_site(&hosts.sites[i]);
	oci_hosts_end(&hosts);
	return 0;
}
