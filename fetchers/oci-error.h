/* SPDX-License-Identifier: MIT */
/*
 * What a registry writes into the body of an error: {"errors":[{"code":"DENIED","message":"..."}]}.
 * Pure, fuzzed.
 */
#pragma once

#define OCI_ERROR_MAX 80

/* "DENIED: requested access ...", printable and cut; empty where the body says nothing. */
void oci_error_parse(char ret[OCI_ERROR_MAX], const char *body);
