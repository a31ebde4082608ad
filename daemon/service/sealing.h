/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Encrypting what is sent: by the recipients' entries, in ifax-keyring. A
 * recipient who must get encrypted mail never gets another, whoever sends.
 */
#ifndef IFAX_SERVICE_SEALING_H
#define IFAX_SERVICE_SEALING_H

#include "keys/protocol.h"
#include "service/box.h"
#include "store/store.h"

struct sealing;

int sealing_new(struct sealing **ret, struct box *box);
void sealing_free(struct sealing *s);	/* jobs in hand are dropped: the box stops */

/*
 * How what @user sends goes to each of @to, whoever else gets it: KEYS_ANY is in the clear.
 * What cannot be read is not taken for "in the clear": then this fails.
 */
int sealing_wishes(struct box *box, const char *user, char *const *to, size_t n,
		   enum keys_method *ret, struct error *e);
/* How @job's document is to go. One mail goes to all: -EINVAL where they do not take one. */
int sealing_method(struct box *box, const struct job *job, enum keys_method *ret,
		   struct error *e);
/* 1: @address never gets mail in the clear, whoever sends; *@ret is how he gets it. */
int sealing_insists(struct box *box, const char *address, enum keys_method *ret,
		    struct error *e);
/*
 * Does what failed with @r, here or in ifax-keyring, come right by itself? So does a table
 * that cannot be read or a keyring that is away; a key that is missing does not.
 */
bool sealing_passes(int r);

/*
 * @job is the callee's again. @r 0: there are keys for all, or @message is encrypted,
 * and the callee may take its contents. @r < 0: @e says why not.
 */
typedef void (*sealing_done_fn)(void *userdata, struct job *job, struct buffer *message, int r,
				const struct error *e);

/* Before a sheet moves: are there keys? Takes @job over, but where it fails. */
int sealing_check(struct sealing *s, struct job *job, enum keys_method method,
		  sealing_done_fn done, void *userdata, struct error *e);
/*
 * Encrypts what the memory file @message holds to the recipients of @job, which it takes
 * over, but where it fails. By Sign= it is signed within, if its user has a key for that.
 */
int sealing_seal(struct sealing *s, struct job *job, enum keys_method method, int message,
		 sealing_done_fn done, void *userdata, struct error *e);
/* The job is the caller's again, and nothing is heard of it: NULL, it is not here. */
struct job *sealing_cancel(struct sealing *s, uint64_t id);

#endif
