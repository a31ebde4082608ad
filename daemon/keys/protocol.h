/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What ifaxd and ifax-keyring say to each other on a SOCK_SEQPACKET socket: one
 * request and one reply a connection, both of fixed size and in the machine's
 * own byte order. The request carries three descriptors (SCM_RIGHTS), memory
 * files all: what goes in, what comes out, and the arguments, a row of strings
 * each with its NUL.
 *
 * Either side checks what the other says.
 */
#ifndef IFAX_KEYS_PROTOCOL_H
#define IFAX_KEYS_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

#define KEYS_MAGIC	  0x796b6669u	/* "ifky" */
#define KEYS_VERSION	  3
#define KEYS_NFDS	  3
#define KEYS_ARGUMENTS_MAX 1002
#define KEYS_ARGUMENT_BYTES (512u << 10)
#define KEYS_INPUT_BYTES  (96u << 20)
#define KEYS_OUTPUT_BYTES (192u << 20)

/* A user's ring goes by a name that is never given again; "" is that of others' keys. */
enum keys_op {
	KEYS_CHECK = 1,	/* as KEYS_SEAL: is there a usable key for each, and if he has one, his? */
	KEYS_SEAL,	/* ring and address of who signs, or ""; keys...; a message in, the
			 * message encrypted out, and signed if he has a key for that
			 */
	KEYS_OPEN,	/* ring; a message in, the message without its wrappings out */
	KEYS_IMPORT,	/* ring, password; a file of keys in */
	KEYS_LIST,	/* ring; a line a key out, see ring_list() */
	KEYS_EXPORT,	/* ring, fingerprint; the public key out */
	KEYS_REMOVE,	/* ring, fingerprint */
	KEYS_MAKE,	/* ring, name, address */
	KEYS_REMOVE_RING, /* ring; it need not be there */
	_KEYS_OPS
};

enum keys_method { KEYS_ANY, KEYS_OPENPGP, KEYS_SMIME, _KEYS_METHODS };

enum keys_code {
	KEYS_OK,
	KEYS_NO_KEY,	/* the key that it needs is not here, or not usable */
	KEYS_BAD,	/* what came in is damaged or not what it says */
	KEYS_CRASHED,	/* the program that reads it died of it, or ran out of time */
	KEYS_TROUBLE,	/* not the fault of what came in: try again */
	_KEYS_CODES
};

struct keys_request {
	uint32_t magic;
	uint32_t version;
	uint32_t op;
	uint32_t method;	/* KEYS_ANY where it is none of the caller's choice */
};

struct keys_reply {
	uint32_t magic;
	uint32_t version;
	uint32_t code;		/* enum keys_code */
	int32_t error;		/* 0 or a negative errno */
	char sentence[400];	/* what is wrong; with KEYS_IMPORT and KEYS_MAKE what was done */
	char mark[240];		/* with KEYS_OPEN: how the message came, to stand on its page */
};

void keys_request_init(struct keys_request *rq, enum keys_op op, enum keys_method method);
bool keys_request_ok(const struct keys_request *rq);
void keys_reply_init(struct keys_reply *rp);
void keys_reply_fail(struct keys_reply *rp, enum keys_code code, const struct error *e);
/* Is it one, and does it hold text only where it should? */
bool keys_reply_ok(struct keys_reply *rp);

const char *keys_method_name(enum keys_method method);	/* "openpgp", "smime" */
/* KEYS_ANY for NULL; -EINVAL. */
int keys_method_from_name(const char *name);

/* A new memory file with these bytes; the caller's to close. */
int keys_memory(const void *data, size_t len, struct error *e);
/* Appends all that @fd, a memory file, holds. -EMSGSIZE: more than @max. */
int keys_read(int fd, size_t max, struct buffer *out);
/*
 * Takes a row of strings apart, in place: *@ret, NULL-terminated, is the caller's to
 * free and points into @b. -EINVAL: not such a row, or too many.
 */
int keys_arguments(struct buffer *b, char ***ret, size_t *n);

#endif
