/* SPDX-License-Identifier: MIT */
#include "tests/lib/scenario-internal.h"

/* clang-format off */
static const struct scenario_option_form daemon_options[] = {
	{ "open-deadline",     SCENARIO_TIME },
	{ "read-deadline",     SCENARIO_TIME },
	{ "positive-ttl",      SCENARIO_TIME },
	{ "negative-ttl",      SCENARIO_TIME },
	{ "names-max",         SCENARIO_SIZE },
	{ "buffers",           SCENARIO_SIZE },
	{ "readahead-max",     SCENARIO_SIZE },
	{ "requests",          SCENARIO_COUNT },
	{ "retries",           SCENARIO_COUNT },
	{ "backoff",           SCENARIO_TIME },
	{ "revalidate",        SCENARIO_FLAG },
	{ "refuse-compressed", SCENARIO_FLAG },
	{ "domain",            SCENARIO_NAME },
	{ "size-limit",        SCENARIO_SIZE },
	{ 0 },
};
static const struct scenario_option_form start_options[] = {
	{ "buffers",           SCENARIO_SIZE },
	{ "readahead-max",     SCENARIO_SIZE },
	{ "revalidate",        SCENARIO_FLAG },
	{ "refuse-compressed", SCENARIO_FLAG },
	{ "size-limit",        SCENARIO_SIZE },
	{ 0 },
};
static const struct scenario_option_form source_options[] = {
	{ "domain",            SCENARIO_NAME, true },
	{ "open-deadline",     SCENARIO_TIME },
	{ "read-deadline",     SCENARIO_TIME },
	{ "requests",          SCENARIO_COUNT },
	{ 0 },
};
static const struct scenario_option_form kernel_options[] = {
	{ "first-id",          SCENARIO_COUNT },
	{ "ready-delay",       SCENARIO_TIME },
	{ "holder",            SCENARIO_FLAG },
	{ "disk",              SCENARIO_SIZE },
	{ 0 },
};
static const struct scenario_option_form serve_options[] = {
	{ "size",              SCENARIO_SIZE, true },
	{ "no-validator",      SCENARIO_FLAG },
	{ "compressed",        SCENARIO_FLAG },
	{ 0 },
};
static const struct scenario_option_form replace_options[] = {
	{ "size",              SCENARIO_SIZE, true },
	{ "same-validator",    SCENARIO_FLAG },
	{ 0 },
};
static const struct scenario_option_form fault_options[] = {
	{ "look",              SCENARIO_ERROR },
	{ "look-stall",        SCENARIO_FLAG },
	{ "look-delay",        SCENARIO_TIME },
	{ "fail",              SCENARIO_ERROR },
	{ "stall",             SCENARIO_FLAG },
	{ "at",                SCENARIO_SIZE },
	{ "delay",             SCENARIO_TIME },
	{ "step",              SCENARIO_SIZE },
	{ "step-time",         SCENARIO_TIME },
	{ "down",              SCENARIO_FLAG },
	{ 0 },
};
static const struct scenario_option_form mount_options[] = {
	{ "in",                SCENARIO_NAME },
	{ "version",           SCENARIO_COUNT },
	{ 0 },
};
static const struct scenario_option_form read_options[] = {
	{ "by",                SCENARIO_SIZE },
	{ "every",             SCENARIO_SIZE },
	{ "pages",             SCENARIO_FLAG },
	{ 0 },
};
static const struct scenario_option_form in_option[] = {
	{ "in",                SCENARIO_NAME },
	{ 0 },
};
static const struct scenario_option_form purge_options[] = {
	{ "in",                SCENARIO_NAME },
	{ "volume",            SCENARIO_FLAG },
	{ 0 },
};
static const struct scenario_option_form writes_options[] = {
	{ "count",             SCENARIO_COUNT },
	{ "short",             SCENARIO_SIZE },
	{ "fail",              SCENARIO_ERROR },
	{ 0 },
};
static const struct scenario_option_form fill_options[] = {
	{ "others",            SCENARIO_SIZE, true },
	{ 0 },
};
static const struct scenario_option_form message_options[] = {
	{ "op",                SCENARIO_COUNT, true },
	{ "id",                SCENARIO_COUNT, true },
	{ "of",                SCENARIO_NAME },
	{ "object",            SCENARIO_COUNT },
	{ "len",               SCENARIO_COUNT },
	{ "bytes",             SCENARIO_COUNT },
	{ "payload",           SCENARIO_WORDS },
	{ 0 },
};

#define SETTING  .setting = true
#define EMULATED .emulated = true

/* A verb of two words stands before the one that is its first word. */
const struct scenario_form scenario_forms[] = {
	{ "on",              SCENARIO_ON,              "p",   0, SETTING },
	{ "source",          SCENARIO_SOURCE,          "n",   source_options, SETTING },
	{ "daemon start",    SCENARIO_DAEMON_START,    "",    start_options },
	{ "daemon stop",     SCENARIO_DAEMON_STOP,     "" },
	{ "daemon kill",     SCENARIO_DAEMON_KILL,     "" },
	{ "daemon forget",   SCENARIO_DAEMON_FORGET,   "" },
	{ "daemon purge",    SCENARIO_DAEMON_PURGE,    "o",   purge_options, EMULATED },
	{ "daemon",          SCENARIO_DAEMON,          "",    daemon_options, SETTING },
	{ "kernel emfile",   SCENARIO_KERNEL_EMFILE,   "",    0, EMULATED },
	{ "kernel die",      SCENARIO_KERNEL_DIE,      "",    0, EMULATED },
	{ "kernel restore",  SCENARIO_KERNEL_RESTORE,  "",    0, EMULATED },
	{ "kernel cull",     SCENARIO_KERNEL_CULL,     "o",   in_option, EMULATED },
	{ "kernel populate", SCENARIO_KERNEL_POPULATE, "oR",  in_option, EMULATED },
	{ "kernel fill",     SCENARIO_KERNEL_FILL,     "",    fill_options, EMULATED },
	{ "kernel writes",   SCENARIO_KERNEL_WRITES,   "",    writes_options, EMULATED },
	{ "kernel message",  SCENARIO_KERNEL_MESSAGE,  "",    message_options, EMULATED },
	{ "kernel",          SCENARIO_KERNEL,          "",    kernel_options, SETTING, EMULATED },
	{ "serve",           SCENARIO_SERVE,           "N",   serve_options },
	{ "replace",         SCENARIO_REPLACE,         "o",   replace_options },
	{ "fault",           SCENARIO_FAULT,           "o",   fault_options },
	{ "heal",            SCENARIO_HEAL,            "o" },
	{ "open",            SCENARIO_OPEN,            "oM",  mount_options },
	{ "mount",           SCENARIO_MOUNT,           "oM>", mount_options },
	{ "umount",          SCENARIO_UMOUNT,          "m" },
	{ "start",           SCENARIO_START,           "mRS", read_options },
	{ "read",            SCENARIO_READ,            "mR>", read_options },
	{ "done",            SCENARIO_DONE,            "l>" },
	{ "kill",            SCENARIO_KILL,            "r" },
	{ "pass",            SCENARIO_PASS,            "t" },
	{ "recount",         SCENARIO_RECOUNT,         "" },
	{ "expect",          SCENARIO_EXPECT,          "T" },
	{ 0 },
};

#define OPTIONAL .optional = true
#define TIME     .time = true
#define REAL     .real = true

const struct scenario_term_form scenario_terms[] = {
	{ "contacts",    'o', OPTIONAL, REAL },
	{ "requests",    'o', OPTIONAL },
	{ "looks",       'o', OPTIONAL },
	{ "fetched",     'o', OPTIONAL, REAL },
	{ "twice",       'o', OPTIONAL },
	{ "attached",    'o', OPTIONAL },
	{ "running",     0 },
	{ "concurrent",  0 },
	{ "held",        0 },
	{ "present",     'o', REAL },
	{ "size",        'm' },
	{ "waited",      'r', TIME },
	{ "cost",        'r' },
	{ "opens",       0 },
	{ "reads",       0 },
	{ "closes",      0 },
	{ "completions", 0 },
	{ "empty",       0 },
	{ "late",        0 },
	{ "written",     0 },
	{ "rewritten",   0 },
	{ "refused",     0 },
	{ "culled",      0 },
	{ "cached",      0 },
	{ "fds",         0 },
	{ "unread",      0 },
	{ "unanswered",  0 },
	{ "answered",    0, TIME },
	{ "answers",     'i' },
	{ "lost",        0 },
	{ 0 },
};
/* clang-format on */
