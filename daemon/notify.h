/* SPDX-License-Identifier: MIT */
/*
 * Tells whoever started the daemon that it serves: by the protocol of sd_notify(3), without
 * libsystemd, and by a line on a descriptor for everybody else.
 */
#pragma once

/*
 * Sends "READY=1" to $NOTIFY_SOCKET, if it is set, and writes "READY=1\n" to fd, if it is not
 * negative. The descriptor is closed: a reader sees the line, then the end. 0, or the first
 * -errno; -EINVAL for a $NOTIFY_SOCKET that is neither a path nor "@abstract".
 */
int notify_ready(int fd);

/* Sends "STOPPING=1" to $NOTIFY_SOCKET, if it is set. */
int notify_stopping(void);
