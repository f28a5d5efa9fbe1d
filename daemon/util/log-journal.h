/* SPDX-License-Identifier: MIT */
/*
 * The native protocol of journald: one datagram of "NAME=value" lines for each entry. For
 * daemon/util/log.c.
 */
#pragma once

#include <stdbool.h>

#include "daemon/util/log.h"

#define LOG_JOURNAL_SOCKET "/run/systemd/journal/socket"

/* Whether fd is the stream that $JOURNAL_STREAM is about ("DEVICE:INODE"; NULL: there is none), by
 * sd_journal_stream_fd(3): somebody may have redirected it since. */
bool log_journal_is_stream(const char *stream, int fd);

/*
 * Sends an entry to the socket of this path, or says why it cannot (negative errno); waits for
 * nobody. message is one line. No descriptor is kept, which a child or the next program would have
 * to know about.
 */
int log_journal_send(const char *path, int priority, const char *message,
		     const struct log_subject *subject);
