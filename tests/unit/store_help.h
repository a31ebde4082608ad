/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A store in a folder of its own, for the tests of the store. */
#ifndef IFAX_TESTS_STORE_HELP_H
#define IFAX_TESTS_STORE_HELP_H

#include "store/store.h"

#define SMALL_SEGMENT (256u * 1024)

struct box {
	char dir[64];
	char spool[96];
	char state[96];
	sd_event *event;
	struct store *store;
	uint64_t segment_bytes;
};

/* Fail the running test where they cannot do their work. */
void box_make(struct box *b);
void box_open(struct box *b);
void box_close(struct box *b);
void box_remove(struct box *b);
/* Runs the loop until *n reaches @want. */
void box_wait(struct box *b, const int *n, int want);
/* A store_done_fn that counts in an int and fails the test where r is not 0. */
void count_done(void *userdata, int r);
struct job *new_job(enum job_kind kind, const char *subject);
uint64_t create(struct box *b, const char *subject, const void *body, size_t len);
/* Compares a job's document; 0 when it is @body. */
int compare_body(struct box *b, uint64_t id, const void *body, size_t len);
void remove_index(struct box *b);
/* Path of the newest journal segment. */
void last_segment(struct box *b, char *path, size_t size);

#endif
