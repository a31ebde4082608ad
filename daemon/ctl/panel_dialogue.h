/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the panel says and asks: a pure state machine. Keys, answers and news go
 * in; what the display shows and what is to be asked of the daemon come out. It
 * knows of no terminal, no bus and no clock.
 *
 * A plain value; dialogue_end() wipes the passwords in it. Strings of arguments
 * are borrowed for the call, the one-touch keys until they are set anew.
 */
#ifndef IFAX_CTL_PANEL_DIALOGUE_H
#define IFAX_CTL_PANEL_DIALOGUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PANEL_INPUT_MAX	   640	/* octets of an answer */
#define PANEL_SENT_MAX	   3	/* jobs of one request */
#define PANEL_SAID_MAX	   560	/* of one job */
#define PANEL_NOTE_MAX	   (PANEL_SENT_MAX * (PANEL_SAID_MAX + 1))
#define PANEL_MESSAGE_MAX  1500
#define PANEL_MESSAGES	   16	/* that are kept to be read; the oldest goes */

/* A key is a character of Unicode, or one of these. */
enum panel_key {
	PANEL_KEY_START = 0x110000,	/* enter */
	PANEL_KEY_STOP,
	PANEL_KEY_CLEAR,		/* backspace */
	PANEL_KEY_CHANGE,		/* between ON and OFF */
	PANEL_KEY_FUNCTION,		/* + enum panel_function */
	PANEL_KEY_ONE_TOUCH = 0x110100,	/* + number of the key */
};

enum panel_function {
	PANEL_SEND = 1,
	PANEL_COLLECT,
	PANEL_KEPT,
	PANEL_REGISTER,
	PANEL_MESSAGE,
	PANEL_LEAVE,
	_PANEL_FUNCTIONS
};

/* Where a dialogue stands. S... are the steps of the flow charts. */
enum panel_step {
	STEP_IDLE,
	STEP_ROOM,		/* S1 */
	STEP_LOGIN,		/* S3 */
	STEP_PASSWORD,		/* S4 */
	STEP_PASSWORD_AGAIN,	/* S5 */
	STEP_CODE,		/* S8 */
	STEP_CODE_FREE,		/* S9 */
	STEP_NAME,		/* S11 */
	STEP_RECEIVE,		/* S12 */
	STEP_PRINT,		/* S13 */
	STEP_DAYS,		/* S14 */
	STEP_CHECK,		/* S15 */
	STEP_TEXT,		/* S16 */
	STEP_ENCRYPT,		/* S17 */
	STEP_SERVER,
	STEP_ADDRESS,
	STEP_PANEL_PASSWORD,
	STEP_PANEL_AGAIN,
	STEP_STORE,		/* S18 */
	STEP_NEXT,		/* S19 */
	STEP_SENDER,		/* S41 */
	STEP_SENDER_KNOWN,	/* S42 */
	STEP_RECIPIENT,		/* S43 */
	STEP_SEND,		/* S44 to S47: the daemon takes the job */
	STEP_SENDING,		/* they go on there */
	STEP_COLLECT_USER,
	STEP_COLLECT,
	STEP_COLLECTING,	/* S49 */
	STEP_KEPT_USER,
	STEP_KEPT_PASSWORD,
	STEP_KEPT,
	STEP_SHOWN,		/* the end of it, to be read */
	_PANEL_STEPS
};

/* What the daemon is to be asked; dialogue_answer() brings the answer. */
enum panel_request {
	ASK_NOTHING,
	ASK_ROOM,		/* is there room for one more user? -> yes */
	ASK_CODE,		/* is user.code nobody's? */
	ASK_STORE,		/* store user */
	ASK_USER,		/* who is user.code? -> text: his name; yes: he checks on sending */
	ASK_SEND,		/* for user.code, to recipient -> jobs */
	ASK_COLLECT,		/* for user.code -> number of the job */
	ASK_KEPT,		/* print what is kept for user.code -> number of mails */
};

struct panel_answer {
	const char *error;	/* a sentence, NULL: done */
	bool yes;
	uint64_t number;
	const uint64_t *jobs;
	size_t n_jobs;
	const char *text;
	const char *notice;	/* what else the user is to hear, NULL or "": nothing */
};

/* A job of the user whose doings are followed. */
struct panel_job {
	uint64_t id;
	bool collects;
	bool final;
	bool good;		/* of a final one */
	const char *state, *detail;
};

/* One of those that came of one request, and the last that was heard of it. */
struct panel_sent {
	uint64_t id;
	bool final, good;
	char said[PANEL_SAID_MAX + 1];
};

struct panel_touch {
	unsigned int key;
	const char *name, *address;
};

/* The answers of a registration. */
struct panel_user {
	char login[PANEL_INPUT_MAX + 1], password[PANEL_INPUT_MAX + 1];
	char code[PANEL_INPUT_MAX + 1], name[PANEL_INPUT_MAX + 1];
	char host[PANEL_INPUT_MAX + 1], address[PANEL_INPUT_MAX + 1];
	char panel_password[PANEL_INPUT_MAX + 1];
	const char *tls;	/* "starttls" or "tls" */
	uint32_t port;
	uint32_t keep_days;
	bool auto_receive, auto_print, check_on_sending, receive_text, encrypt;
};

struct dialogue {
	enum panel_step step;
	enum panel_request request;	/* wants an answer */
	const char *title;		/* of what goes on, or went on */
	bool leave;			/* the panel is to be left */
	char input[PANEL_INPUT_MAX + 1];
	bool on;			/* the answer where it is ON or OFF */
	char note[PANEL_NOTE_MAX + 1];	/* above the question: what went wrong, or well */
	struct panel_user user;
	char name[PANEL_INPUT_MAX + 1];	/* of the sender */
	char recipient[PANEL_INPUT_MAX + 1];
	struct panel_sent sent[PANEL_SENT_MAX];	/* jobs that are followed */
	size_t n_sent;
	uint64_t collected;		/* one that is followed, 0 = none */
	unsigned int looks;		/* for a collection that has not begun */
	const struct panel_touch *touch;
	size_t n_touch;
	char messages[PANEL_MESSAGES][PANEL_MESSAGE_MAX + 1];	/* the newest first */
	size_t n_messages, message;
};

/* What the display shows; "" where there is nothing. */
struct panel_display {
	const char *title;
	const char *note;		/* may have line ends */
	const char *prompt;
	char input[PANEL_INPUT_MAX + 1]; /* stars for a password */
	bool wants_input;
	const char *hint;		/* which keys there are */
};

void dialogue_begin(struct dialogue *d);
void dialogue_end(struct dialogue *d);
void dialogue_key(struct dialogue *d, uint32_t key);
void dialogue_answer(struct dialogue *d, const struct panel_answer *a);
/* The user whose jobs are of interest now, NULL: nobody's. */
const char *dialogue_follows(const struct dialogue *d);
void dialogue_job(struct dialogue *d, const struct panel_job *j);
/* All jobs of the user were told of; about once a second. */
void dialogue_looked(struct dialogue *d);
/* A message that somebody sent to this panel. */
void dialogue_message(struct dialogue *d, const char *when, const char *from, const char *text);
void dialogue_set_touch(struct dialogue *d, const struct panel_touch *touch, size_t n);
void dialogue_display(const struct dialogue *d, struct panel_display *ret);
/* "S3" and the like; "" where the flow charts have no such step. */
const char *panel_step_name(enum panel_step step);

#endif
