/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What boards report, in words for people: the same wherever it is told. */
#ifndef IFAX_DEVICE_WORDS_H
#define IFAX_DEVICE_WORDS_H

#include <stdint.h>

#include "base/error.h"

/* The gravest of FAX_COND_* as a sentence that says what to do; NULL: none that stops it. */
const char *condition_sentence(uint32_t function, uint32_t conditions);
/* Of @conditions, those in which nothing moves. */
uint32_t conditions_that_stop(uint32_t conditions);

/* Fills in @e for FAX_CODE_* of @function; returns its errno. */
int code_error(struct error *e, uint32_t function, uint32_t code);

#endif
