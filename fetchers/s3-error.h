/* SPDX-License-Identifier: MIT */
/*
 * What S3 writes into the body of an error: "<Error><Code>AccessDenied</Code>...". Pure.
 */
#pragma once

#include <stddef.h>

#define S3_WHY_MAX 112

/*
 * Half a sentence with the code and what may help, and the error for a request that would end with
 * err. Without a code *why is empty and err stays.
 */
int s3_error_parse(char why[S3_WHY_MAX], int err, const char *body, size_t len);
