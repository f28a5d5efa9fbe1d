/* SPDX-License-Identifier: MIT */
/* What is made once: either it is there, or it says why not and nothing is left of it. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/config.h"
#include "daemon/record/recorder.h"
#include "daemon/trace/file.h"
#include "daemon/trace/requests.h"
#include "daemon/util/log.h"
#include "tests/lib/rig.h"
#include "tests/lib/temporary.h"
#include "tests/torture/torture.h"

/* ---- a daemon --------------------------------------------------------------------------- */

static struct start {
	struct recorder *recorder;
	struct port *port; /* NULL: the front end has it */
	char trace[TEMPORARY_MAX + 16];
	bool ended;
} start;

static void start_ended(void *arg)
{
	start.ended = true;
}

static int start_recorder(void)
{
	char error[RECORDER_ERROR_MAX] = "";
	int err = recorder_new(&start.recorder, rig.loop);

	if (err == 0)
		err = recorder_port(start.recorder, &start.port, start.port);
	if (err == 0)
		err = recorder_start(start.recorder, start.trace, error);
	ck_assert(err == 0 || !start.recorder || recorder_stats(start.recorder).path || !*error ||
		  strstr(error, start.trace));
	return err;
}

/* In the order of main.c. */
static int start_all(void)
{
	struct frontend_config config = { .cache_dir_fd = -1 };
	int err = loop_new(&rig.loop, LOOP_VIRTUAL);

	if (err < 0)
		return err;
	err = state_open(&rig.state, NULL);
	if (err == 0)
		err = start_recorder();
	rig.config.loop = rig.loop;
	rig.config.state = rig.state;
	rig.config.sources = &rig.source;
	rig.config.n_sources = 1;
	if (err == 0)
		err = engine_new(&rig.engine, &rig.config);
	config.loop = rig.loop;
	config.engine = rig.engine;
	config.port = start.port;
	if (err == 0)
		err = frontend_new(&rig.frontend, &config);
	return err;
}

static void start_wait(void)
{
	while (!start.ended)
		ck_assert_int_eq(loop_turn(rig.loop), 0);
	start.ended = false;
}

/* Takes apart as much as there is. */
static void start_undo(void)
{
	if (rig.frontend) {
		frontend_stop(rig.frontend, start_ended, NULL);
		start_wait();
		rig.frontend = frontend_free(rig.frontend);
	} else {
		start.port->ops->free(start.port);
	}
	rig.engine = engine_free(rig.engine);
	if (start.recorder) {
		recorder_stop(start.recorder, start_ended, NULL);
		start_wait();
		recorder_free(start.recorder);
	}
	rig.state = state_close(rig.state);
	rig.loop = loop_free(rig.loop);
	unlink(start.trace);
}

bool torture_make(unsigned int variant)
{
	struct emu *emu;

	if (variant > 0)
		return false;
	rig_setup();
	log_set_level(-1);
	emu = emu_new(&(struct emu_config){ .in_memory = true });
	start = (struct start){ .port = emu_port(emu) };
	snprintf(start.trace, sizeof(start.trace), "%s/trace", torture_dir());
	fault_hold(false);
	ck_assert(start_all() == 0 || fault_struck());
	fault_disarm();
	start_undo();
	emu_free(emu);
	return true;
}

/* ---- configuration ---------------------------------------------------------------------- */

static const char text[] = "dir /var/cache/fscache\n"
			   "tag \"a tag\"\n"
			   "buffers = 32M\n"
			   "source first {\n"
			   "	volume \"erofs,a*\"\n"
			   "	url \"file:///srv/{cookie}\"\n"
			   "}\n"
			   "source {\n"
			   "	url \"https://example.org/{cookie}\"\n"
			   "	max-requests 4\n"
			   "}\n";

bool torture_config(unsigned int variant)
{
	char error[CONFIG_ERROR_MAX] = "";
	struct config *config = NULL;
	int err;

	if (variant > 0)
		return false;
	log_set_level(-1);
	fault_hold(false);
	err = config_new(&config);
	if (err == 0)
		err = config_parse(config, "F", text, strlen(text), error);
	if (err == 0)
		err = config_set(config, "tag", "other", error);
	if (err == 0)
		err = config_add_source(config, "c*=file:///tmp/{cookie}", error);
	if (err == 0)
		err = config_finish(config, error);
	fault_disarm();
	ck_assert_int_eq(err < 0, fault_struck());
	ck_assert_msg(err == 0 || err == -ENOMEM || *error, "%d without a sentence", err);
	config_free(config);
	return true;
}

/* ---- traces ----------------------------------------------------------------------------- */

#define COMMANDS 40
#define READS	 30
#define RECORDS	 (COMMANDS + 2 * READS)

/* The i-th record: longer commands than a buffer of the reader, then few requests. */
static struct trace_record trace_record(uint32_t i)
{
	static const char line[4000] = "a long command";
	struct trace_record record = { .time = i * NSEC_PER_MSEC };

	if (i == 0) {
		record.kind = TRACE_START;
		record.program = bytes_str("torture");
	} else if (i < COMMANDS) {
		record.kind = TRACE_COMMAND;
		record.text = bytes_of(line, sizeof(line));
	} else if (i == COMMANDS) {
		record.kind = TRACE_OPEN;
		record.volume = bytes_str("erofs,v");
		record.cookie = bytes_str("blob");
	} else if (i == COMMANDS + 1) {
		record.kind = TRACE_COPEN;
		record.size = 4096;
	} else {
		record.kind = (i - COMMANDS) % 2 ? TRACE_COMPLETE : TRACE_READ;
		record.len = 4096;
	}
	if (i >= COMMANDS) {
		record.msg = (i - COMMANDS) / 2;
		record.id = 1;
	}
	return record;
}

int torture_write_trace(const char *path, char *error)
{
	struct trace_record record;
	struct trace_writer *writer;
	int err = trace_writer_new(&writer, path, error);

	if (err < 0)
		return err;
	for (uint32_t i = 0; err == 0 && i < RECORDS; i++) {
		record = trace_record(i);
		err = trace_writer_put(writer, &record, error);
	}
	record = (struct trace_record){ .kind = TRACE_END, .time = SEC, .count = RECORDS };
	if (err == 0)
		err = trace_writer_put(writer, &record, error);
	if (err == 0)
		return trace_writer_finish(writer, error);
	trace_writer_abort(writer);
	return err;
}

static int trace_join(const char *path, char *error)
{
	static const struct trace_requests_callbacks callbacks;
	struct trace_requests *requests = NULL;
	struct trace_reader *reader = NULL;
	struct trace_record record;
	int err = trace_reader_new(&reader, path, error);

	if (err == 0)
		err = trace_requests_new(&requests, &callbacks, NULL);
	while (err == 0) {
		err = trace_reader_next(reader, &record, error);
		if (err <= 0)
			break;
		err = trace_requests_feed(requests, &record);
	}
	if (err == 0) {
		trace_requests_finish(requests);
		ck_assert_uint_eq(trace_requests_stats(requests).records, RECORDS + 1);
		ck_assert_uint_eq(trace_requests_stats(requests).requests, READS);
	}
	trace_requests_free(requests);
	trace_reader_free(reader);
	return err;
}

/* What is short or interrupted goes on; what fails is told, and leaves no file behind. */
bool torture_trace(unsigned int variant)
{
	char error[TRACE_ERROR_MAX] = "", path[TEMPORARY_MAX + 16];
	int err;

	if (variant > 0)
		return false;
	snprintf(path, sizeof(path), "%s/trace", torture_dir());
	fault_hold(false);
	err = torture_write_trace(path, error);
	ck_assert(err == 0 || access(path, F_OK) < 0);
	if (err == 0)
		err = trace_join(path, error);
	fault_hold(true);
	ck_assert(err == 0 || fault_struck());
	ck_assert_msg(err == 0 || err == -ENOMEM || *error, "%d without a sentence", err);
	unlink(path);
	fault_disarm();
	return true;
}
