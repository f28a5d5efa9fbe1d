/* SPDX-License-Identifier: MIT */
/*
 * Tells whoever started the daemon that it serves: by the protocol of sd_notify(3), without
 * libsystemd, and by a line on a descriptor for everybody else. And leaves a descriptor with him,
 * which he gives to the next daemon.
 */
#pragma once

/*
 * Sends "READY=1" to $NOTIFY_SOCKET, if it is set, and writes "READY=1\n" to fd, if it is not
 * negative. The descriptor is closed: a reader sees the line, then the end. 0, or the first
 * -errno; -EINVAL for a $NOTIFY_SOCKET that is neither a path nor "@abstract".
 */
int notify_ready(int fd);

/* Sends "WATCHDOG=1" to $NOTIFY_SOCKET, if it is set. */
int notify_alive(void);

/* Sends "STOPPING=1" to $NOTIFY_SOCKET, if it is set. */
int notify_stopping(void);

/* Sends any text of that protocol; -EPIPE: there is no $NOTIFY_SOCKET. */
int notify_text(const char *text);

/*
 * Has the service manager keep a copy of fd under this name, or give it up: returns when it has
 * done so, or after some seconds with -ETIMEDOUT. -EPIPE: there is no $NOTIFY_SOCKET. A manager
 * that keeps nothing (FileDescriptorStoreMax=0) does not say so.
 */
int notify_store(int fd, const char *name);
int notify_unstore(const char *name);
