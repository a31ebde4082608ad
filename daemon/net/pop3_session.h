/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One collection from one mailbox: the POP3 engine on a stream.
 *
 *	pop3_session_start() ... list() -> pop3_session_fetch()... { message() ->
 *	pop3_session_stored() }... done()
 *
 * The caller chooses in list() what is fetched and what is deleted unseen; each
 * message comes whole and is deleted on the server only after the caller said
 * that it is stored. The server is asked ahead, where it lets itself be asked, so
 * that neither line nor disk waits for the other. A server forgets a deletion when the line is
 * lost before QUIT: the mail is listed again next time, so remember its uidl.
 *
 * A session is the caller's handle until done() is called or the caller cancels
 * it; exactly one of both happens. Nothing is called back from within
 * pop3_session_start(). Strings of the options are borrowed until then.
 */
#ifndef IFAX_NET_POP3_SESSION_H
#define IFAX_NET_POP3_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <systemd/sd-event.h>

#include "base/error.h"
#include "net/tls.h"

#define POP3_SESSION_UNSTORED 256	/* mails that wait for pop3_session_stored() */

struct pop3_session;

enum pop3_result {
	POP3_RESULT_OK,			/* all that was asked for is done, QUIT confirmed */
	POP3_RESULT_LOGIN,		/* the server refused name or password */
	POP3_RESULT_CANNOT_CONNECT,
	POP3_RESULT_FAILED,		/* line lost, time out, no POP3: text says which */
};

struct pop3_session_options {
	const char *host;
	uint16_t port;		/* 0: 110, or 995 with NET_TLS_IMPLICIT */
	enum net_tls tls;
	const char *ca_file;	/* trust these instead of the system's; NULL */
	const char *dns;	/* name servers instead of the system's; NULL */
	const char *user;
	const char *password;
	uint64_t max_message;	/* octets; larger ones are reported, not loaded; 0: 64 MiB */
	uint64_t timeout_usec;	/* of each wait; 0: 60 s */
	bool no_scram;		/* see scram_refused() */
};

struct pop3_mail {
	const char *uidl;	/* lasting name; made from the header where the server gives none */
	uint64_t size;		/* octets, as the server counts */
};

struct pop3_session_callbacks {
	/*
	 * The mailbox: mails[n], n may be 0. Choose now, by pop3_session_fetch(), _look() and
	 * _delete().
	 */
	void (*list)(void *userdata, struct pop3_session *s, const struct pop3_mail *mails,
		     size_t n);
	/*
	 * Mail no. @i is here whole, CRLF lines; @data is the session's and stays until this
	 * returns. Answer with pop3_session_stored(), from within or later. More may come
	 * before that, POP3_SESSION_UNSTORED at most. r below 0: the server did not give it,
	 * or it is too large (-EMSGSIZE); it stays there, and no answer is needed.
	 */
	void (*message)(void *userdata, struct pop3_session *s, size_t i, const void *data,
			size_t len, int r, const struct error *e);
	/*
	 * Header and first lines of mail no. @i, for which pop3_session_look() asked; @whole: it
	 * has no more. True: fetch it; false: it stays where it is. NULL: the server does not
	 * show them.
	 */
	bool (*head)(void *userdata, size_t i, const void *data, size_t len, bool whole);
	/* The server marks mail no. @i as deleted; it is gone for good where the result is OK. */
	void (*deleted)(void *userdata, size_t i);
	/*
	 * The server offers SCRAM, and refuses it to this user as such. It is a failed log-in
	 * to many, who lock who has some of them: no_scram spares him the next ones.
	 */
	void (*scram_refused)(void *userdata);
	void (*done)(void *userdata, enum pop3_result result, const struct error *e);
};

int pop3_session_start(struct pop3_session **ret, sd_event *event,
		       const struct pop3_session_options *o,
		       const struct pop3_session_callbacks *callbacks, void *userdata,
		       struct error *e);
/* Within list(), once for each mail that is wanted; they come in the order of the calls. */
int pop3_session_fetch(struct pop3_session *s, size_t i);
/* The same when head() has seen how it begins and wants it. */
int pop3_session_look(struct pop3_session *s, size_t i);
/* Within list(): mail no. @i is known and stored already, take it off the server. */
int pop3_session_delete(struct pop3_session *s, size_t i);
/* Mail no. @i is safely stored, or not to be had: @remove says whether it may be deleted there. */
void pop3_session_stored(struct pop3_session *s, size_t i, bool remove);
/* Asks for no more mails: only those come that the server has been asked for. */
void pop3_session_enough(struct pop3_session *s);
/* Drops the line; nothing is called back, and the server deletes nothing. */
void pop3_session_cancel(struct pop3_session *s);	/* NULL is fine */

#endif
