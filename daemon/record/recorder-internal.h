/* SPDX-License-Identifier: MIT */
/*
 * What the recorder and its port share: the way of a record into the file.
 */
#pragma once

#include "daemon/record/recorder.h"
#include "proto/trace.h"

/* Somebody writes down what happens now: worth the making of a record. */
bool recorder_is_on(const struct recorder *recorder);

/* Stamps the record with the time, and puts it down; false: lost, and counted. Only while on. */
bool recorder_put(struct recorder *recorder, struct trace_record *record);

/* The recorder has a port, or has it no more: it must outlive it. */
void recorder_set_port(struct recorder *recorder, bool there);
