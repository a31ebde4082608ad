/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "keys/mime.h"
#include "keys/ring.h"
#include "keys/serve.h"

#define FOLDER_MAX 128
#define RING_NAME_MAX 40

static void ring_closep(struct ring **r)
{
	ring_close(*r);
}

#define _ring_ _cleanup_(ring_closep)

/* A request while it is answered. */
struct request {
	const char *state;
	enum keys_method method;
	struct buffer input, output;
	char **argv;
	size_t argc;
	struct keys_reply *reply;
};

static int open_others(const struct request *q, struct ring **ret, struct error *e)
{
	char folder[FOLDER_MAX];

	if (snprintf(folder, sizeof(folder), "%s/others", q->state) >= (int)sizeof(folder))
		return error_set(e, -ENAMETOOLONG, "The keys' folder has too long a name");
	return ring_open(ret, folder, e);
}

/* @name becomes a folder's: nothing else may stand in it. */
static int user_folder(const struct request *q, const char *name, char folder[FOLDER_MAX],
		       struct error *e)
{
	static const char plain[] = "0123456789abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ_-.";
	size_t n = strlen(name);

	if (!n || n > RING_NAME_MAX || *name == '.' || strspn(name, plain) != n)
		return error_set(e, -EINVAL, "\"%.44s\" is no user's ring of keys", name);
	if (snprintf(folder, FOLDER_MAX, "%s/users/%s", q->state, name) >= FOLDER_MAX)
		return error_set(e, -ENAMETOOLONG, "The keys' folder has too long a name");
	return 0;
}

static int open_user(const struct request *q, const char *name, struct ring **ret,
		     struct error *e)
{
	char parent[FOLDER_MAX], folder[FOLDER_MAX];
	int r = user_folder(q, name, folder, e);

	if (r < 0)
		return r;
	snprintf(parent, sizeof(parent), "%.*s", (int)(strrchr(folder, '/') - folder), folder);
	if (mkdir(parent, 0700) < 0 && errno != EEXIST)
		return error_set(e, -errno, "Cannot make the folder of the users' keys: %m");
	return ring_open(ret, folder, e);
}

/* The ring of the user who is the first argument, or that of others where it is empty. */
static int open_named(const struct request *q, struct ring **ret, struct error *e)
{
	return *q->argv[0] ? open_user(q, q->argv[0], ret, e) : open_others(q, ret, e);
}

/* The ring of who signs, NULL: he has none yet, and gets none by sending. */
static int open_signer(const struct request *q, struct ring **ret, struct error *e)
{
	char folder[FOLDER_MAX];
	int r = *q->argv[0] ? user_folder(q, q->argv[0], folder, e) : -ENOENT;

	if (r >= 0 && access(folder, F_OK) < 0)
		r = -ENOENT;
	return r == -ENOENT ? 0 : r < 0 ? r : open_user(q, q->argv[0], ret, e);
}

static int check(struct request *q, struct error *e)
{
	_ring_ struct ring *others = NULL, *own = NULL;
	int r = open_others(q, &others, e);

	if (r >= 0)
		r = ring_check(others, q->method, (const char *const *)q->argv + 2, q->argc - 2, e);
	if (r >= 0)
		r = open_signer(q, &own, e);
	return r < 0 ? r : ring_check_signer(own, q->method, q->argv[1], e);
}

static int seal(struct request *q, struct error *e)
{
	_ring_ struct ring *others = NULL, *own = NULL;
	struct mime_signer signer = { .address = q->argv[1] };
	int r = open_others(q, &others, e);

	if (r >= 0)
		r = open_signer(q, &own, e);
	signer.own = own;
	return r < 0 ? r :
	       mime_seal(others, own ? &signer : NULL, q->method, (const char *const *)q->argv + 2,
			 q->argc - 2, &q->input, &q->output, e);
}

static int open_mail(struct request *q, struct error *e)
{
	_ring_ struct ring *own = NULL, *others = NULL;
	struct mime_seen seen;
	int r = open_user(q, q->argv[0], &own, e);

	if (r >= 0)
		r = open_others(q, &others, e);
	if (r >= 0)
		r = mime_open(own, others, &q->input, &q->output, &seen, e);
	if (r >= 0)
		mime_mark(&seen, q->reply->mark, sizeof(q->reply->mark));
	return r;
}

static void say(struct request *q, const struct error *done)
{
	snprintf(q->reply->sentence, sizeof(q->reply->sentence), "%s", done->text);
}

static int import(struct request *q, struct error *e)
{
	_ring_ struct ring *r = NULL;
	struct error done = { 0 };
	int k = open_named(q, &r, e);

	if (k >= 0)
		k = ring_import(r, &q->input, q->argv[1], &done, e);
	if (k >= 0)
		say(q, &done);
	return k;
}

static int list(struct request *q, struct error *e)
{
	_ring_ struct ring *r = NULL;
	int k = open_named(q, &r, e);

	return k < 0 ? k : ring_list(r, &q->output, e);
}

static int export(struct request *q, struct error *e)
{
	_ring_ struct ring *r = NULL;
	int k = open_named(q, &r, e);

	return k < 0 ? k : ring_export(r, q->argv[1], &q->output, e);
}

static int remove_key(struct request *q, struct error *e)
{
	_ring_ struct ring *r = NULL;
	int k = open_named(q, &r, e);

	return k < 0 ? k : ring_remove(r, q->argv[1], e);
}

static int make(struct request *q, struct error *e)
{
	_ring_ struct ring *r = NULL;
	struct error done = { 0 };
	int k = open_user(q, q->argv[0], &r, e);

	if (k >= 0)
		k = ring_make(r, q->argv[1], q->argv[2], &done, e);
	if (k >= 0)
		say(q, &done);
	return k;
}

static int remove_ring(struct request *q, struct error *e)
{
	char folder[FOLDER_MAX];
	int r = user_folder(q, q->argv[0], folder, e);

	return r < 0 ? r : ring_destroy(folder, e);
}

static const struct duty {
	int (*fn)(struct request *q, struct error *e);
	size_t least, most;	/* arguments */
	bool needs_method;
} duties[_KEYS_OPS] = {
	[KEYS_CHECK] = { check, 3, KEYS_ARGUMENTS_MAX, true },
	[KEYS_SEAL] = { seal, 3, KEYS_ARGUMENTS_MAX, true },
	[KEYS_OPEN] = { open_mail, 1, 1, false },
	[KEYS_IMPORT] = { import, 2, 2, false },
	[KEYS_LIST] = { list, 1, 1, false },
	[KEYS_EXPORT] = { export, 2, 2, false },
	[KEYS_REMOVE] = { remove_key, 2, 2, false },
	[KEYS_MAKE] = { make, 3, 3, false },
	[KEYS_REMOVE_RING] = { remove_ring, 1, 1, false },
};

static enum keys_code code_of(int r)
{
	switch (r) {
	case -ENOKEY:
	case -EKEYEXPIRED:
		return KEYS_NO_KEY;
	case -EBADMSG:
	case -EINVAL:
	case -EKEYREJECTED:
	case -EMSGSIZE:
		return KEYS_BAD;
	default:
		return KEYS_TROUBLE;
	}
}

static int write_all(int fd, const struct buffer *b)
{
	for (size_t at = 0; at < b->len;) {
		ssize_t n = pwrite(fd, b->data + at, b->len - at, (off_t)at);

		if (n < 0 && errno != EINTR)
			return -errno;
		at += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static int serve(struct request *q, const struct keys_request *rq, const int fds[KEYS_NFDS],
		 struct buffer *arguments, struct error *e)
{
	const struct duty *duty = &duties[rq->op];
	int r;

	r = keys_read(fds[2], KEYS_ARGUMENT_BYTES, arguments);
	if (r >= 0)
		r = keys_arguments(arguments, &q->argv, &q->argc);
	if (r >= 0 && (q->argc < duty->least || q->argc > duty->most ||
		       (duty->needs_method && q->method == KEYS_ANY)))
		r = -EPROTO;
	if (r >= 0)
		r = keys_read(fds[0], KEYS_INPUT_BYTES, &q->input);
	if (r < 0)
		return error_set(e, r, "The request cannot be read: %s", strerror(-r));
	r = duty->fn(q, e);
	if (r < 0)
		return r;
	r = write_all(fds[1], &q->output);
	return r < 0 ? error_set(e, r, "The result cannot be written: %s", strerror(-r)) : 0;
}

void keys_serve(const char *state, const struct keys_request *rq, const int fds[KEYS_NFDS],
		struct keys_reply *rp)
{
	_buffer_ struct buffer arguments = { 0 };
	struct request q = { .state = state, .method = rq->method, .reply = rp,
			     .output = { .max = KEYS_OUTPUT_BYTES } };
	struct error e = { 0 };
	int r;

	keys_reply_init(rp);
	r = serve(&q, rq, fds, &arguments, &e);
	if (r < 0)
		keys_reply_fail(rp, code_of(r), &e);
	if (arguments.data)
		explicit_bzero(arguments.data, arguments.len);
	buffer_free(&q.input);
	buffer_free(&q.output);
	free(q.argv);
}
