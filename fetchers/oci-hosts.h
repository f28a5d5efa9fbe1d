/* SPDX-License-Identifier: MIT */
/*
 * Which hosts have what a registry has, in the order in which they are asked: the layouts of
 * containerd (hosts.toml) and of Docker (*.crt, *.cert, *.key) below a directory of registries.
 * The parser is pure and fuzzed; the rest knows where such files are.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "fetchers/fetcher.h"

enum {
	OCI_HOSTS_MAX = 16,
	OCI_SITE_PARAMS_MAX = 32,
	OCI_SITE_CA_MAX = 8,
};

/* One of these hosts. */
struct oci_site {
	char *base;	 /* owned: "https://host:port/v2/" */
	char *authority; /* owned: "host:port", whose credentials are sent */
	bool own;	 /* it is the registry itself */
	bool pull, resolve, push;
	bool skip_verify;	   /* its certificate is not looked at */
	char *ca[OCI_SITE_CA_MAX]; /* owned: PEM files of authorities, beside those of the system */
	size_t n_ca;
	/* As in cachefill-http(5); keys are static, values owned. */
	struct fetcher_param params[OCI_SITE_PARAMS_MAX];
	size_t n_params;
	unsigned int line; /* where it is described, 0: nowhere */
};

struct oci_hosts {
	struct oci_site sites[OCI_HOSTS_MAX]; /* at least one; the last is the one to believe */
	size_t n;
	char *where; /* owned: the file or directory that says so, or NULL */
};

/*
 * From the text of a hosts.toml that lies in dir, for the registry "host:port". plain: without
 * TLS, where no server is named. -EINVAL with "line N: sentence" in error (FETCH_ERROR_MAX), or
 * -ENOMEM; *ret is made only by 0.
 */
int oci_hosts_parse(struct oci_hosts *ret, const char *text, size_t len, const char *dir,
		    const char *registry, bool plain, char *error);

/*
 * Finds the directory of a registry below root (NULL: in the usual places; empty: nowhere) and
 * reads it. Without one there is the registry itself. Errors have "FILE:LINE: sentence" or "FILE:
 * sentence" in error.
 */
int oci_hosts_load(struct oci_hosts *ret, const char *root, const char *registry, bool plain,
		   char *error);

void oci_hosts_end(struct oci_hosts *hosts);
