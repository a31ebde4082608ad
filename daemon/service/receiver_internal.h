/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the receiver share: receiver.c has the doors, session.c a client. */
#ifndef IFAX_SERVICE_RECEIVER_INTERNAL_H
#define IFAX_SERVICE_RECEIVER_INTERNAL_H

#include "net/listen.h"
#include "net/penalty.h"
#include "net/tls.h"
#include "service/logins.h"
#include "service/receiver.h"
#include "smtp/server.h"

struct receiver_session;

struct receiver {
	struct box *box;
	receiver_accept_fn accept;
	void *userdata;
	struct net_listen *listen;
	struct net_tls_server *tls;	/* NULL: there is no certificate */
	struct smtp_server_options options[RECEIVER_SUBMISSIONS + 1];
	struct receiver_session *sessions;
	uint64_t memory;		/* octets of messages under way */
	uint64_t mails;
	char turned_away[384];		/* the greeting of who is too many */
	bool stopping;
	uint64_t last_id;		/* of trace lines */
	struct penalties penalties;	/* failed log-ins */
	struct logins *logins;		/* passwords to be checked */
	uint64_t free_bytes, free_asked;	/* of the spool's disk, and when */
};

/* @fd and @seat become the session's, after an error too: then it is logged and closed. */
void receiver_session_start(struct receiver *r, int fd, const struct net_peer *peer,
			    struct net_seat *seat);
/* 421, as far as it can be told at once, and the end. */
void receiver_session_stop(struct receiver_session *s);

/* The password that it waits for is checked now. */
void receiver_session_log_in(struct login *who);

/* Is there room for a message of @size octets (0: not said) on the disk? */
bool receiver_has_room(struct receiver *r, uint64_t size);
/* The same for mail that would stay: the rest is for those whose mail is printed at once. */
bool receiver_has_room_to_keep(struct receiver *r);
/* A log-in from @a has failed; may @a try again? */
void receiver_login_failed(struct receiver *r, const struct sockaddr_storage *a);
bool receiver_may_log_in(struct receiver *r, const struct sockaddr_storage *a);
/* Says what the certificate's files have to say. */
void receiver_note_tls(struct receiver *r);

#endif
