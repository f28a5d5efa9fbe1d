/* SPDX-License-Identifier: MIT */
/*
 * The recorder from inside: recorder.c is its life and the way of a record into the file,
 * observe.c writes down what the engine does and what there is, port-record.c what crosses the
 * port.
 */
#pragma once

#include "daemon/record/recorder.h"
#include "proto/trace.h"

struct spool;

struct recorder {
	struct loop *loop;
	struct engine_observer observer;
	struct spool *spool; /* owned; NULL: idle */
	struct trace_encoder encoder;
	char *path;	 /* owned */
	uint64_t number; /* of this recording, from 1: the mark of objects that are in it */
	uint64_t records, lost;
	uint64_t untold; /* of the lost ones, those that no "lost" record has counted yet */
	uint64_t bytes;	 /* of the last recording */
	bool stopping, has_port;
	struct loop_deferred idle; /* done() of a stop where there was nothing to stop */
	void (*done)(void *);
	void *arg;
};

/* Somebody writes down what happens now: worth the making of a record. */
bool recorder_is_on(const struct recorder *recorder);

/* Stamps the record with the time, and puts it down; false: lost, and counted. Only while on. */
bool recorder_put(struct recorder *recorder, struct trace_record *record);

/* The same for what there is when a recording begins: all of it at one moment, before the disk can
 * do anything. It is lost only where memory ends. */
bool recorder_put_first(struct recorder *recorder, struct trace_record *record);

/* The recorder has a port, or has it no more: it must outlive it. */
void recorder_set_port(struct recorder *recorder, bool there);

/* Fills in recorder->observer. */
void recorder_observe(struct recorder *recorder);
