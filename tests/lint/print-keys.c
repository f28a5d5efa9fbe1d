/* SPDX-License-Identifier: MIT */
/*
 * Prints every key of cachefilld.conf(5), for the lint of the manuals: "cachefilld KEY" for those
 * of the daemon, "FETCHER KEY" for those of the fetchers that are built in.
 */
#include <stdio.h>

#include "daemon/config-key.h"

int main(void)
{
	for (size_t i = 0; config_key_name(i); i++)
		printf("cachefilld %s\n", config_key_name(i));
	for (size_t i = 0; fetcher_classes[i]; i++) {
		const struct fetcher_class *class = fetcher_classes[i];

		for (const struct fetcher_key *key = class->keys; key && key->key; key++)
			printf("%s %s\n", class->name, key->key);
	}
	return 0;
}
