/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the box keeps: jobs with their documents, users, recipients.
 *
 * Truth is the spool journal (append-only segments, group commit by
 * fdatasync); SQLite is its index and is rebuilt from it where they differ.
 * Users and recipients live in a SQLite file of their own, synchronous.
 *
 * Lifetime: what a function hands out is the caller's to free with the
 * function named beside it. Everything runs on the event loop's thread; the
 * journal's commit thread is hidden behind it. "Durable" means that fdatasync
 * returned.
 */
#ifndef IFAX_STORE_STORE_H
#define IFAX_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <systemd/sd-event.h>

#include "base/error.h"
#include "base/extent.h"
#include "mail/envelope.h"

struct store;

/* @spool: folder of the journal; @state: folder of index.db and users.db; @key: 32 bytes or NULL */
struct store_options {
	const char *spool;
	const char *state;
	const uint8_t *key;		/* seals users' passwords; NULL: none can be stored */
	uint64_t segment_bytes;		/* of a journal segment, 0 = 64 MiB */
	uint64_t min_free_bytes;	/* refuse new documents below this, 0 = 32 MiB */
};

int store_open(struct store **ret, sd_event *event, const struct store_options *o,
	       struct error *e);
/* Commits what waits, calls what waits for it, then closes. */
void store_close(struct store *s);
/*
 * What opening met that people should hear of, or why the store takes no more
 * since: one sentence, or NULL. Valid until the next call.
 */
const char *store_notice(struct store *s);

enum job_kind {
	JOB_SEND,	/* scanned here, goes out by mail */
	JOB_PRINT,	/* came by mail, is to be printed */
	JOB_COLLECT,	/* a mailbox was asked for mail by request, or could not be */
	JOB_MAIL,	/* came by SMTP, is to be relayed or is for several users */
	JOB_NOTICE,	/* the box's own words about another job, to its sender */
	_JOB_KINDS
};

enum job_state {
	JOB_SCANNING,	/* pages go into memory; nothing accepted yet */
	JOB_QUEUED,	/* document durable; waits for its turn or next try */
	JOB_SENDING,	/* a server has it in hand; found so at start: may have been taken */
	JOB_SENT,	/* final: accepted by a server for every recipient */
	JOB_CHECKING,	/* received; the worker looks at it */
	JOB_PRINTING,	/* page_in_hand is on its way to paper */
	JOB_WAITING,	/* for paper, a board, a person: detail says which */
	JOB_PRINTED,	/* final */
	JOB_HELD,	/* kept until someone releases it: detail says why */
	JOB_FAILED,	/* final: detail says why and what to do */
	JOB_CANCELED,	/* final */
	JOB_DUPLICATE,	/* final: same mail as an earlier job, not printed again */
	JOB_COLLECTING,
	JOB_COLLECTED,	/* final: the mailbox was asked; detail says how many mails came */
	JOB_DELIVERED,	/* final: sent, and a notice says that it arrived */
	JOB_KEPT,	/* received, looked at; waits for its user or the end of its days */
	JOB_REMOVED,	/* final: its user or the end of its days took the document away */
	_JOB_STATES
};

const char *job_state_name(enum job_state state);	/* "queued" ... */
const char *job_kind_name(enum job_kind kind);
bool job_state_final(enum job_state state);
/* Is this what the queue sends on its way: send, mail, notice? */
bool job_kind_queued(enum job_kind kind);

enum rcpt_state {
	RCPT_WAITING,
	RCPT_SENT,	/* the next host has it */
	RCPT_REFUSED,	/* for good; detail: the server's words */
	RCPT_DELIVERED,	/* it is with a user of this box, or a notice says that it arrived */
};

enum rcpt_flag {
	RCPT_IN_HAND = 1,	/* a host is getting it; found so at start: may have been taken */
	RCPT_TOLD_DELAY = 2,	/* the sender was told that it is late */
	RCPT_TOLD = 4,		/* what became of it is settled with the sender */
	RCPT_RELAYED = 8,	/* the host that has it sends no notices: ours is the last word */
};

/* Strings are owned; all but address may be NULL. */
struct job_recipient {
	char *address;
	char *user;		/* code of the user of this box whose it is; NULL: by SMTP */
	char *orcpt;		/* as the sender spells it (RFC 3461) */
	char *detail;
	char *status;		/* enhanced code, "5.1.1" */
	char *remote;		/* the host that said so */
	enum rcpt_state state;
	uint32_t notify;	/* enum notify */
	uint32_t flags;		/* enum rcpt_flag */
	uint32_t tries;		/* that failed for now */
	uint64_t next_try;	/* 0 = now */
};

/* Strings are owned and may be NULL; times are microseconds since the epoch. */
struct job {
	uint64_t id;		/* 0 before store_job_create() */
	enum job_kind kind;
	enum job_state state;
	char *user;		/* user code */
	char *from;
	char *subject;
	char *message_id;	/* with angle brackets */
	char *source;		/* unique key of a received mail, "pop3/<user>/<mailbox>/<uidl>" */
	char *digest;		/* hex SHA-256 of a received document's coded pages */
	char *board;		/* serial of the board that scanned or prints */
	char *encoding;		/* "mh", "mr" or "mmr" of what was scanned */
	char *detail;		/* the last thing to be known, a sentence for people */
	char *envid;		/* the sender's own name for the mail (RFC 3461) */
	char *mark;		/* how it came, for its first page; opening finds it anew */
	enum ret ret;
	bool eight_bit;		/* declared by who sent it: BODY=8BITMIME */
	bool utf8;		/* SMTPUTF8 */
	bool slip;		/* the box's own words about a kept document, to be printed */
	bool unsealed;		/* its document stands in the clear and goes to nobody before
				 * store_job_attach() gives it another, encrypted
				 */
	struct job_recipient *recipients;
	size_t n_recipients;
	uint32_t pages;
	uint32_t pages_done;
	uint32_t page_in_hand;	/* from 1; journalled before the paper moves; 0 = none */
	uint32_t attempts;
	uint64_t created;
	uint64_t changed;
	uint64_t next_try;	/* 0 = now */
	uint64_t since;		/* being late and too old counts from then; 0 = created */
	uint64_t deadline;	/* the queue looks at it then, whatever its hosts do; 0 = none;
				 * of a received document that is or was kept: the end of its days
				 */
	uint64_t body_len;	/* bytes of the document, a whole message; 0 = none yet */
};

void job_free(struct job *j);		/* the struct and what it owns; NULL is fine */
int job_add_recipient(struct job *j, const char *address);
int job_set(char **field, const char *value);	/* replaces an owned string; value may be NULL */

/*
 * Called on the event loop once the change is durable (0) or could not be made
 * so (-errno: nothing of it counts).
 */
typedef void (*store_done_fn)(void *userdata, int r);

/*
 * Assigns j->id at once and journals job and document (@body, len bytes, may be
 * none) as one record: after a crash both are there or neither. -ENOSPC: less
 * than min_free_bytes would remain; -EEXIST: j->source is known already.
 */
int store_job_create(struct store *s, struct job *j, const void *body, size_t len,
		     store_done_fn done, void *userdata, struct error *e);
/* The same with a document in @n pieces. */
int store_job_create_iov(struct store *s, struct job *j, const struct iovec *body, int n,
			 store_done_fn done, void *userdata, struct error *e);
/*
 * The same with the document of job @from, which must have one: both read the same
 * bytes, which stay as long as either needs them. -ENOENT: it has none.
 */
int store_job_create_from(struct store *s, struct job *j, uint64_t from, store_done_fn done,
			  void *userdata, struct error *e);
/*
 * Gives a job that has none, or whose document is unsealed, its document, and its new
 * state with it: a crash leaves either both or what was before.
 */
int store_job_attach(struct store *s, struct job *j, const void *body, size_t len,
		     store_done_fn done, void *userdata, struct error *e);
/*
 * Journals every field of @j but id, created, source, body_len, unsealed; sets changed.
 * What follows reads the new state at once; it counts when @done says so. Where
 * that is NULL nobody waits, and it goes to disk in company, some milliseconds on.
 */
int store_job_update(struct store *s, struct job *j, store_done_fn done, void *userdata,
		     struct error *e);
/* Removes a final job and its document. -EBUSY: not final. */
int store_job_remove(struct store *s, uint64_t id, struct error *e);
/*
 * Waits for everything appended so far to be durable, on this thread. For
 * points at which the box must not go on: before paper moves, before DELE.
 */
int store_sync(struct store *s, struct error *e);
/*
 * For who changes a job without hurry and waits for it later: how far the store has come
 * with the last change, and that this is hurried to the disk. 1: it is there; 0: @done
 * will be called when it is, or could not be. Otherwise @done is not called.
 */
uint64_t store_mark(const struct store *s);
int store_await(struct store *s, uint64_t mark, store_done_fn done, void *userdata);
/* As store_sync(), and who waits for it is called before this returns, whatever came of it. */
void store_flush(struct store *s);
/* Octets of the spool's disk that documents leave free: store_options.min_free_bytes. */
uint64_t store_reserve(const struct store *s);
/* Octets that are free there now; UINT64_MAX where nobody can tell. */
uint64_t store_free_bytes(const struct store *s);

int store_job_get(struct store *s, uint64_t id, struct job **ret);	/* -ENOENT; job_free() */
/*
 * A sealed memory file that holds exactly the document; the caller's to close.
 * -ENOENT: none, for a final job's goes in time; -EBADMSG: damaged on disk.
 */
int store_job_body(struct store *s, uint64_t id, int *ret_fd, struct error *e);
/*
 * The same where it stands, for who reads it in this process and soon: nothing is copied.
 * The descriptor is the caller's to close, and until then keeps the segment's blocks.
 */
int store_job_extent(struct store *s, uint64_t id, struct extent *ret, struct error *e);

struct job_filter {
	int kind;		/* -1 = any */
	int state;		/* -1 = any */
	bool unfinished;	/* only those not final */
	bool queued_kind;	/* only those of the queue: send, mail, notice */
	const char *domain;	/* only those that still have recipients there */
	const char *user;	/* NULL = any */
	uint64_t due_before;	/* next_try at or before, soonest first; 0 = any */
	uint32_t limit;		/* 0 = 1000 */
	bool newest_first;
};

/* ret[n] and each job are the caller's: job_list_free(). */
int store_job_list(struct store *s, const struct job_filter *f, struct job ***ret, size_t *n);
void job_list_free(struct job **jobs, size_t n);
/* How many such jobs there are, whatever the limit. */
int store_job_count(struct store *s, const struct job_filter *f, uint64_t *ret);
/*
 * Where mail waits to go: a job of the queue has one route to each domain (lower
 * case) that it has recipients in for whom it waits; "" is the box itself. Those
 * of jobs that are held are never due.
 */
#define ROUTE_NEVER  (UINT64_MAX / 4)
#define ROUTE_DOMAIN 255

struct store_route {
	char domain[ROUTE_DOMAIN + 1];
	uint64_t when;
	uint64_t id;		/* the job */
};

/* The domain by which @c's route goes, also of one who does not wait; "" for a user's. */
void store_domain_of(const struct job_recipient *c, char domain[ROUTE_DOMAIN + 1]);
void store_lower_domain(const char *from, char domain[ROUTE_DOMAIN + 1]);
/*
 * The soonest route behind @r->when and @r->id, into @r: to @domain or, where it
 * is NULL, to any but the box itself. -ENOENT: there is none. Those that @passed_by
 * (may be NULL) is true of do not count; it must ask nothing of the store.
 */
typedef bool (*store_route_fn)(void *userdata, const struct store_route *r);
int store_route_next(struct store *s, const char *domain, store_route_fn passed_by,
		     void *userdata, struct store_route *r);
/* The domain behind @r->domain by name, or the very @first, with its soonest route. -ENOENT */
int store_route_domain(struct store *s, bool first, struct store_route *r);
/* The queue's unfinished job whose deadline is the soonest: -ENOENT there is none. */
int store_deadline_next(struct store *s, uint64_t *id, uint64_t *deadline);
/* The mail, notice or slip that is finished the longest, and since when: -ENOENT none is. */
int store_finished_next(struct store *s, uint64_t *id, uint64_t *since);

/* Was a mail with this key received already (whatever became of it)? 1 or 0 or -errno. */
int store_source_known(struct store *s, const char *source);
/* Remembers a key with which no job comes; where it is lost with the power, it is asked again. */
int store_source_add(struct store *s, const char *source);
/* Keys with this prefix that are not in @keep need not be remembered any more. */
int store_source_forget(struct store *s, const char *prefix, const char *const *keep, size_t n);
/*
 * An earlier received job of the same Message-ID and digest that printed or will: id, 0 = none.
 * One of the two that is or was kept (deadline) counts only where both are the same user's.
 */
int store_find_twin(struct store *s, const struct job *j, uint64_t *ret);

/* What a report may call the mail by that it is about. */
enum sent_by {
	SENT_BY_ENVID,		/* of jobs of kind mail, whose senders choose it */
	SENT_BY_MESSAGE_ID,	/* of kinds send and mail */
};

/* The last job before @before, UINT64_MAX = of all, whose mail has this name: id, 0 = none. */
int store_find_sent(struct store *s, enum sent_by by, const char *name, uint64_t before,
		    uint64_t *ret);

/*
 * Called with the jobs that changed once that is durable, on the event loop and some
 * milliseconds on, up to STORE_WATCH_MAX at a time: changes close together count as one,
 * and each job is as it is by then.
 */
#define STORE_WATCH_MAX 64
typedef void (*store_watch_fn)(void *userdata, struct job *const *jobs, size_t n);
void store_watch(struct store *s, store_watch_fn fn, void *userdata);

/* Users, requirements E1. Strings are owned; password is in the clear in memory only. */
struct user {
	char *code;		/* 1 to 16 of [0-9A-Za-z_-] */
	char *name;
	char *address;		/* mail address, originator of what this user sends */
	char *pop3_host;	/* NULL: nothing is collected */
	uint32_t pop3_port;	/* 0 = 110 or 995 by pop3_tls */
	char *pop3_tls;		/* "none", "starttls" or "tls"; NULL = "starttls" */
	char *pop3_login;
	char *pop3_password;	/* store_user_get() gives it only with @secrets */
	bool has_password;	/* out: one is stored */
	char *verifier;		/* "SCRAM-SHA-256$...", for AUTH; only with @secrets */
	bool has_login;		/* out: one is stored */
	char *panel_hash;	/* crypt(5), of the password at the panel; only with @secrets */
	bool has_panel_password; /* out: one is stored */
	bool auto_receive;	/* the mailbox is collected by itself */
	bool auto_print;	/* what came is printed at once; else kept, and a notice printed */
	uint32_t interval;	/* seconds between collections, 0 = the configured one */
	uint32_t keep_days;	/* 1 to 31 */
	char *at_end;		/* "print" or "notice" ends them, then it goes; NULL = "print" */
	bool leave_on_server;
	bool receive_text;	/* mail without pages is fetched, too, and set as pages */
	bool collect_after_send;
	bool encrypt;		/* what is sent, as the recipient's entry says */
	char *ring;		/* out: his key ring's name, which is never another user's */
};

void user_free(struct user *u);
void user_freep(struct user **u);	/* for _cleanup_() */
/*
 * Whether the fields of @u are as they must be, of whatever box. *@field, which may
 * be NULL, is the one that is not, by its name on the bus.
 */
int user_check(const struct user *u, const char **field, struct error *e);
/* -EINVAL: no code; -EEXIST: it is taken, by a user, an alias or a list. */
int store_user_check_code(struct store *s, const char *code, struct error *e);
int store_user_count(struct store *s, uint64_t *ret);
/*
 * Where no password or verifier is given, the stored one stays; "" removes it. -EEXIST, -ENOENT by
 * @create.
 */
int store_user_put(struct store *s, const struct user *u, bool create, struct error *e);
/*
 * Many of them, in slices between which the loop may turn: all are stored, or none.
 *
 *	store_import_begin() { store_import_stage() }...
 *	store_import_commit() { store_import_apply() }... until that returns 0
 *
 * What is staged is nobody's business before it is committed; from then on it is
 * promised: what a crash leaves of it is put in when the store is opened again.
 * store_import_abort() drops what is not committed, or puts all that is in. From begin
 * to end of an import, other changes of users and aliases are refused: -EBUSY.
 */
int store_import_begin(struct store *s, struct error *e);
/*
 * As store_user_put(), for @n of them, of each of whom @create tells whether he is new. After
 * an error, whose user is users[*bad], nothing remains but to abort.
 */
int store_import_stage(struct store *s, struct user *const *users, const bool *create, size_t n,
		       size_t *bad, struct error *e);
int store_import_commit(struct store *s, struct error *e);
/* The next @n of them, in the order of staging; 1: there are more. */
int store_import_apply(struct store *s, size_t n, struct error *e);
void store_import_abort(struct store *s);
int store_user_get(struct store *s, const char *code, bool secrets, struct user **ret);
int store_user_list(struct store *s, struct user ***ret, size_t *n);
void user_list_free(struct user **users, size_t n);
/*
 * The user whose code or mail address this is; case matters left of the "@" alone.
 * -ENOENT, or -ENOTUNIQ: several users have this address. user_free().
 */
int store_user_find(struct store *s, const char *address_or_code, bool secrets, struct user **ret);
/* From then on his ring is left, whatever happens next. */
int store_user_remove(struct store *s, const char *code, struct error *e);
/* A ring whose user is no more, an owned string; -ENOENT: there is none. */
int store_ring_left(struct store *s, char **ret);
/* It is removed. */
int store_ring_gone(struct store *s, const char *ring, struct error *e);

/* Recipients of whom something is known; of others nothing is: profile S. */
#define ONE_TOUCH_KEYS 99

struct recipient {
	char *address;
	char *name;
	char *accepts;		/* "s" (MH), "f-mr" (MR), "f" (MMR) */
	char *method;		/* "openpgp" or "smime"; NULL: none, mail goes in the clear */
	char *key;		/* fingerprint of his key or certificate; NULL: by address */
	bool must_encrypt;	/* never in the clear, whoever sends */
	uint32_t one_touch;	/* the panel's key for him, 1 to ONE_TOUCH_KEYS; 0 = none */
};

void recipient_free(struct recipient *r);
int store_recipient_put(struct store *s, const struct recipient *r, struct error *e);
int store_recipient_get(struct store *s, const char *address, struct recipient **ret);
int store_recipient_list(struct store *s, struct recipient ***ret, size_t *n);
void recipient_list_free(struct recipient **r, size_t n);
int store_recipient_remove(struct store *s, const char *address, struct error *e);

/* Names of the box beside its users: one name that stands for another, or for many. */
enum alias_kind {
	ALIAS_PLAIN,		/* mail for the name goes to its members */
	ALIAS_MOVED,		/* so it does, and the sender is told the new address (251) */
	ALIAS_GONE,		/* mail is refused, and the sender told the new address (551) */
	_ALIAS_KINDS
};

#define ALIAS_MEMBERS_MAX 1000

/* Strings are owned. */
struct alias {
	char *name;		/* a local part in lower case */
	char *title;		/* a full name, for VRFY and EXPN; may be NULL */
	enum alias_kind kind;
	char **members;		/* NULL-terminated: addresses, names of aliases, codes of users */
};

const char *alias_kind_name(enum alias_kind kind);	/* "plain", "moved", "gone" */
int alias_kind_from_name(const char *name);		/* or -EINVAL */
void alias_free(struct alias *a);
int alias_add_member(struct alias *a, const char *member);
/*
 * -EEXIST, -ENOENT by @create; -ELOOP: it would hold itself, by way of others;
 * -EINVAL: a user has this code, or a field is not as it must be.
 */
int store_alias_put(struct store *s, const struct alias *a, bool create, struct error *e);
/* The name in any case. -ENOENT. */
int store_alias_get(struct store *s, const char *name, struct alias **ret);
int store_alias_list(struct store *s, struct alias ***ret, size_t *n);
void alias_list_free(struct alias **a, size_t n);
int store_alias_remove(struct store *s, const char *name, struct error *e);

#endif
