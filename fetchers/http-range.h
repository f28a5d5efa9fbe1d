/* SPDX-License-Identifier: MIT */
/*
 * The text of byte ranges in HTTP: RFC 9110, section 14. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_RANGE_MAX 64 /* "bytes=" and two numbers of 20 digits, with the terminator */

enum http_range_verdict {
	HTTP_RANGE_OK,
	HTTP_RANGE_UNSATISFIED, /* "bytes *" and "/N": only total is set */
	HTTP_RANGE_BAD,		/* anything that the grammar does not have */
};

struct http_range {
	uint64_t first, last; /* bytes, both inclusive */
	uint64_t total;	      /* size of the whole; last < total */
	bool total_known;     /* false for "*" */
};

/* "bytes=FIRST-LAST" for len >= 1 bytes from off; off + len does not wrap. Returns buf. */
char *http_range_print(char buf[HTTP_RANGE_MAX], uint64_t off, uint64_t len);

/* The value of a Content-Range field, without white space around it. Sets *ret unless BAD. */
enum http_range_verdict http_range_parse(struct http_range *ret, const char *text, size_t len);

/* A decimal number that is all of text; false when it is none, or does not fit. */
bool http_number_parse(uint64_t *ret, const char *text, size_t len);
