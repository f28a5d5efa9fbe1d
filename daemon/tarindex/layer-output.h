/* SPDX-License-Identifier: MIT */
/*
 * The files that are made of a layer, in the directory of indexes: without a name of theirs until
 * all of them are complete, see layer.h. Errors are half a sentence in `error`.
 */
#pragma once

#include "daemon/tarindex/layer.h"

enum { LAYER_N_OUTPUTS = LAYER_GZINDEX + 1 };

struct layer_outputs {
	char *dir; /* owned */
	int dir_fd;
	struct {
		char name[16]; /* in dir; "": none */
		int fd;
	} all[LAYER_N_OUTPUTS];
	char error[LAYER_ERROR_MAX];
};

void layer_outputs_init(struct layer_outputs *outputs);
int layer_outputs_begin(struct layer_outputs *outputs, const char *dir);

/* What was not published goes. */
void layer_outputs_end(struct layer_outputs *outputs);

int layer_output_open(struct layer_outputs *outputs, enum layer_file which);

/* A further file, that is gone when it is closed. */
int layer_output_nameless(struct layer_outputs *outputs, int *ret_fd);

/* All that are open get their names, by the SHA-256s in files; sets the paths there. */
int layer_outputs_publish(struct layer_outputs *outputs, struct layer_files *files);
