/* SPDX-License-Identifier: MIT */
/*
 * The parts of the test server: origin.c has connections, origin-object.c objects and counters;
 * origin-request.c understands requests and faults; origin-answer.c answers.
 */
#pragma once

#include <pthread.h>
#include <sys/queue.h>
#include <time.h>

#include "tests/lib/http-fault.h"
#include "tests/lib/origin.h"

#define ORIGIN_HEAD_MAX	 16384
#define ORIGIN_NAME_MAX	 1024

struct origin_request {
	bool head_only, close, has_range, open_ended, suffix;
	struct origin_range range;
	char path[ORIGIN_NAME_MAX]; /* as sent */
	char name[ORIGIN_NAME_MAX]; /* of the object: decoded, without faults and leading slash */
	char host[256];
	char if_match[256], if_range[256], if_unmodified[64];
	struct http_faults faults;
};

/* An object as one request sees it. */
struct origin_file {
	int fd; /* -1: computed from key */
	uint64_t key, size;
	bool compressed;
	time_t mtime;
	char etag[80], modified[40]; /* empty: none */
};

struct origin_object;
struct origin_counter;

struct origin {
	int listener;
	uint16_t port;
	char url[64];
	char *root;
	FILE *log;
	pthread_t acceptor;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t idle;
	TAILQ_HEAD(, origin_connection) connections, ended;
	TAILQ_HEAD(, origin_object) objects;
	TAILQ_HEAD(, origin_counter) counters;
	unsigned int busy, serial;
	struct origin_stats stats;
	struct origin_range ranges[ORIGIN_RANGES_MAX];
	size_t n_ranges;
	char last_request[ORIGIN_HEAD_MAX];
};

struct origin_connection {
	TAILQ_ENTRY(origin_connection) link;
	struct origin *origin;
	pthread_t thread;
	int fd;
	int changed; /* eventfd: a treatment is another one */
	size_t have; /* bytes in head */
	char head[ORIGIN_HEAD_MAX];
};

/* Parses the head (terminated); false: not a request that we know. */
bool origin_request_parse(struct origin_request *ret, struct origin *origin, char *head);

/* How often that text was asked for, this time included. */
unsigned int origin_count(struct origin *origin, const char *text);

/* False: there is no such object. The caller closes ret->fd. */
bool origin_open(struct origin *origin, const char *name, struct origin_file *ret);

/* The treatment of this request now; false: there is none. */
bool origin_treated(struct origin *origin, const struct origin_request *req,
		    struct origin_treatment *ret);

/* Counts a request; with the lock. */
void origin_note_seen(struct origin *origin, const struct origin_request *req);

/* Objects and counters. */
void origin_free_tables(struct origin *origin);

/* Answers; false: the connection is at its end. */
bool origin_answer(struct origin_connection *c, const struct origin_request *req);
