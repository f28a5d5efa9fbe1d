/* SPDX-License-Identifier: MIT */
/*
 * What can go wrong with an answer of HTTP, in words, for whoever makes it go wrong: the scripted
 * server (origin.h) and the proxy in front of a real one (proxy.h). Faults are separated by '/':
 *
 *	KIND:ARG:ARG@N		only the first N requests are treated so: of the server, N for
 *				each path; of the proxy, N since that was set
 *
 * Numbers in brackets are what an argument is when it is not given; (p) is known to the proxy
 * alone, (s) to the server alone.
 *
 * The connection (p), which is told by no request; N counts connections:
 *	refuse		nobody listens
 *	deaf		it is never accepted, so that nobody answers
 *	expired, wrongname, unknownca	a certificate that nobody should take
 *	tlscut		ends within the handshake
 * Before there is an answer:
 *	status:CODE:S	an error answer; 429 and 503 with "Retry-After: S" (1), without where S < 0
 *	rst, close	the connection is reset or closed
 *	garbage		something that is no HTTP
 *	hang		nothing, for ever
 *	delay:MS:J	late by MS (100), and up to J more (0; p)
 *	loop		302 to the same path
 *	redir:CODE:PORT	(s) to the same path without this part, at PORT of this host (here)
 * The head of the answer:
 *	norange		200 and everything
 *	chunked		without Content-Length
 *	shift:N		Content-Range N bytes (1) too far
 *	total:N		Content-Range with a total N (1) too large
 *	short:N		a legal 206 of N (1) bytes less
 *	nocr		206 without Content-Range
 *	multipart	206 with several parts
 *	gzip		says that the content is encoded
 *	etag		another ETag each time
 *	mtime		another Last-Modified
 *	weak, noetag, nomtime	a weak ETag, none, no Last-Modified
 *	noif		conditions are ignored
 *	lie:N		Content-Length N (1) too large, then closed
 * Its body:
 *	stall:N		stops after N bytes, for ever
 *	trunc:N, midrst:N	closes or resets after N bytes
 *	more:N, less:N	N (1) bytes too many or too few, chunked
 *	slow:N:MS	N bytes each MS
 *	corrupt		one bit is wrong
 * Which requests:
 *	from:N		(p) those alone whose range begins at N or later; the first of them brings
 *			what is wrong with connections
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define HTTP_FAULT_MAX 8

/* Of `mtime`: the other one. */
#define HTTP_FAULT_MODIFIED "Thu, 01 Jan 2026 00:00:00 GMT"

struct http_fault {
	char kind[16];
	long arg[2];
	int n_args;
	unsigned int times; /* 0: always */
};

struct http_faults {
	struct http_fault list[HTTP_FAULT_MAX];
	int n;
};

/* One fault of len bytes. False: too long, or no such kind. */
bool http_fault_parse(struct http_fault *ret, const char *text, size_t len);

/* A list. False, with *ret_bad where it begins: one of them is none, or they are too many. */
bool http_faults_parse(struct http_faults *ret, const char *text, const char **ret_bad);

/* The fault of that kind, or NULL. */
const struct http_fault *http_fault_find(const struct http_faults *faults, const char *kind);

/* Its argument, or what it is without one. */
long http_fault_arg(const struct http_fault *fault, int i, long otherwise);

/* The first argument of the fault of that kind; 0 without that fault. */
long http_fault_amount(const struct http_faults *faults, const char *kind, long otherwise);
