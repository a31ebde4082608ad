/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the parts of the receiver share: server.c has the stream (lines, bodies, replies,
 * what the caller answers), command.c what each command means, server_auth.c log-in.
 *
 * An idle session has nothing beside this struct and its own name: the line is
 * buffered only while incomplete, the output until it is written, the question to
 * the caller until it is answered.
 */
#ifndef IFAX_SMTP_SERVER_INTERNAL_H
#define IFAX_SMTP_SERVER_INTERNAL_H

#include "smtp/auth.h"
#include "smtp/server.h"
#include "smtp/unstuff.h"

#define COMMAND_LINE_MAX 512	/* with its CRLF, RFC 821 4.5.3 */
#define AUTH_LINE_MAX	 12288	/* RFC 4954 4 */

enum smtp_server_state {
	COMMAND,	/* the next line is a command */
	ASKED,		/* the caller's answer is awaited */
	TEXT,		/* a message, up to its dot */
	CHUNK,		/* octets of a BDAT */
	SASL,		/* the next line is the client's part of AUTH */
	HANDSHAKE,	/* the caller makes TLS of the stream */
	OVER,		/* closing, or the roles have changed */
};

/* Bounded text, not terminated. */
struct text {
	const char *s;
	size_t len;
};

/* Events that ask nothing: told before anything else, in this order. */
enum due {
	DUE_RESET = 1,
	DUE_AUTHENTICATED = 2,
	DUE_AUTH_FAILED = 4,
	DUE_CLOSE = 8,
};

/* What is wrong with the message, or with the chunk of it in hand. */
enum smtp_refusal {
	SOUND,
	FAULTY,		/* breaks the rule of unstuff.h */
	TOO_BIG,
	OUT_OF_ORDER,	/* a BDAT that stands where none may: its octets are skipped */
};

struct smtp_server {
	const struct smtp_server_options *o;
	struct buffer line;		/* the start of a line whose end has not come */
	struct buffer out;
	enum smtp_server_state state;
	enum smtp_server_event_type asked;	/* in ASKED */
	unsigned int due;		/* enum due */
	bool begun;			/* the client has said something, or could have */
	bool tls, ehlo, asked_ehlo;
	bool last_cr, skipping;		/* of the line: its last octet; too long, dropped */
	bool utf8;			/* SMTPUTF8 was said with the question */
	bool in_mail, rcpt_tried, by_bdat;	/* of the transaction */
	bool chunk_last;
	enum smtp_refusal refusal;	/* told at the end of the message, or of the chunk */
	struct smtp_unstuffing unstuffing;
	char *helo;			/* NULL: not yet greeted */
	char *user;			/* logged in */
	char *argument;			/* of the question, or the name that failed to log in */
	struct smtp_path *path;		/* of the question */
	struct smtp_auth *auth;		/* while AUTH goes on */
	struct envelope envelope;
	enum smtp_how how;
	uint64_t body;			/* octets of the message so far */
	uint64_t chunk, chunk_size;	/* octets of the BDAT: still to come, in all */
	unsigned int n_tried;		/* RCPTs of the transaction beyond its limit */
	unsigned int refused;		/* RCPTs, since the last message that was taken */
	unsigned int messages, bad, idle, auth_failures;
};

/* server.c */

/* One reply; @text may have several lines, NULL: the code's own words. */
void smtp_server_say(struct smtp_server *s, int code, const char *enhanced, const char *text);
/* Refuses a command: too many of them end the session. */
void smtp_server_bad(struct smtp_server *s, int code, const char *enhanced, const char *text);
/* 421, and what it takes to end the session. */
void smtp_server_leave(struct smtp_server *s, const char *enhanced, const char *text);
/* Voids the transaction and has SMTPD_RESET told, if there is one. */
void smtp_server_void(struct smtp_server *s);
void smtp_server_close(struct smtp_server *s);
/* Frees what the last question was about. */
void smtp_server_drop_question(struct smtp_server *s);
/* Hands @type to the caller: true, for act functions to return. */
bool smtp_server_ask(struct smtp_server *s, enum smtp_server_event_type type,
		     struct smtp_server_event *ev);
/* What the caller set, or the default. */
uint64_t smtp_server_limit(uint64_t set, uint64_t by_default);
uint64_t smtp_server_max_message(const struct smtp_server *s);
/* What follows is the text of a message, or a chunk of it. */
void smtp_server_begin_text(struct smtp_server *s);
void smtp_server_begin_chunk(struct smtp_server *s, enum smtp_refusal refusal);

/* command.c */

/* Obeys one command line, without its CRLF: true if @ev is to be told. */
bool smtp_server_obey(struct smtp_server *s, struct text line, struct smtp_server_event *ev);
/* How long the command line that begins with @head may be, with its CRLF. */
size_t smtp_server_line_max(struct text head);
/* The answer to HELO or EHLO. */
void smtp_server_welcome(struct smtp_server *s);

/* server_auth.c */

/* Is AUTH told and taken? */
bool smtp_server_offers_auth(const struct smtp_server *s);
/* The command, and then each line of the client's in SASL; one too long comes as NULL. */
bool smtp_server_auth(struct smtp_server *s, struct text arg, struct smtp_server_event *ev);
bool smtp_server_sasl(struct smtp_server *s, struct text line, struct smtp_server_event *ev);

#endif
