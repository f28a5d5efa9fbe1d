/* SPDX-License-Identifier: MIT */
/*
 * What umount(8) has to know: that what is mounted at a directory is to be unmounted by
 * umount.cachefill, which takes away the layers, too. libmount keeps such notes (/run/mount/utab).
 * Without one a plain umount(8) works, and leaves the layers for the next command of ours.
 */
#pragma once

/* Source and directory as in /proc/self/mountinfo. */
void mount_utab_add(const char *source, const char *dir);
void mount_utab_remove(const char *dir);
