// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/panel_dialogue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "store/store.h"

enum answer_type {
	ANSWER_NONE,		/* a key leads on */
	ANSWER_TEXT,
	ANSWER_OPTIONAL,	/* text that may be empty */
	ANSWER_SECRET,
	ANSWER_NUMBER,
	ANSWER_ON_OFF,
	ANSWER_WAIT,		/* for the daemon */
};

/* One question, what it takes, and what becomes of the answer: @done for a person's. */
struct question {
	const char *step, *title, *prompt;
	enum answer_type type;
	size_t max;
	void (*done)(struct dialogue *d);
	enum panel_request request;
	void (*answered)(struct dialogue *d, const struct panel_answer *a);
};

static const struct question questions[_PANEL_STEPS];

#define LOOKS_MAX      15
#define MESSAGE_SHOWN  1000	/* octets */
#define TITLE_REGISTER "User registration"
#define TITLE_SEND     "Sending"
#define TITLE_COLLECT  "Collecting mail"
#define TITLE_KEPT     "Printing kept mail"

static void set(char *to, const char *from)
{
	snprintf(to, PANEL_INPUT_MAX + 1, "%s", from);
}

static void note(struct dialogue *d, const char *text)
{
	snprintf(d->note, sizeof(d->note), "%s", text);
}

static void go(struct dialogue *d, enum panel_step step)
{
	explicit_bzero(d->input, sizeof(d->input));
	d->on = true;
	d->step = step;
	d->request = questions[step].request;
	if (step != STEP_SHOWN)
		d->title = questions[step].title;
}

static void forget(struct dialogue *d)
{
	explicit_bzero(&d->user, sizeof(d->user));
	d->n_sent = d->collected = 0;
	d->looks = 0;
	d->recipient[0] = d->name[0] = '\0';
}

static void idle(struct dialogue *d)
{
	forget(d);
	d->note[0] = '\0';
	go(d, STEP_IDLE);
}

/* Says how it ended; any key leads back. */
static void show(struct dialogue *d, const char *text)
{
	note(d, text);
	go(d, STEP_SHOWN);
}

/*
 * Registration, FIG. 3 and 4
 */

static char *text_or_none(char *text)
{
	return *text ? text : NULL;
}

/*
 * By the daemon's own rules, as soon as an answer is there: what it would not store
 * is asked for again at once, with the sentence that it would say.
 */
static bool good(struct dialogue *d, enum panel_step again)
{
	const struct user u = {
		.code = *d->user.code ? d->user.code : "0",
		.name = text_or_none(d->user.name),
		.address = text_or_none(d->user.address),
		.pop3_host = text_or_none(d->user.host),
		.pop3_login = text_or_none(d->user.login),
		.pop3_password = text_or_none(d->user.password),
		.keep_days = d->user.keep_days,
	};
	struct error e;

	if (user_check(&u, NULL, &e) >= 0)
		return true;
	note(d, error_text(&e));
	go(d, again);
	return false;
}

static void register_user(struct dialogue *d)
{
	forget(d);
	d->user.keep_days = 7;
	d->user.auto_receive = d->user.auto_print = d->user.receive_text = true;
	d->user.tls = "starttls";
	go(d, STEP_ROOM);
}

static void got_room(struct dialogue *d, const struct panel_answer *a)
{
	if (a->error)
		show(d, a->error);
	else if (!a->yes)	/* S2 */
		show(d, "user registration filled: the table has room for no more users. Let one "
			"be removed, or UsersMax= of ifax.conf raised.");
	else
		go(d, STEP_LOGIN);
}

static void got_login(struct dialogue *d)
{
	set(d->user.login, d->input);
	if (good(d, STEP_LOGIN))
		go(d, *d->user.login ? STEP_PASSWORD : STEP_CODE);
}

static void got_password(struct dialogue *d)
{
	set(d->user.password, d->input);
	go(d, STEP_PASSWORD_AGAIN);
}

/* S6, S7 */
static void got_password_again(struct dialogue *d)
{
	if (!strcmp(d->input, d->user.password)) {
		go(d, STEP_CODE);
		return;
	}
	note(d, "invalid password: the two are not the same");
	go(d, STEP_PASSWORD);
}

static void got_code(struct dialogue *d)
{
	set(d->user.code, d->input);
	if (good(d, STEP_CODE))
		go(d, STEP_CODE_FREE);
}

/* S9, S10 */
static void got_code_free(struct dialogue *d, const struct panel_answer *a)
{
	if (a->error)
		note(d, a->error);
	go(d, a->error ? STEP_CODE : STEP_NAME);
}

static void got_name(struct dialogue *d)
{
	set(d->user.name, d->input);
	if (good(d, STEP_NAME))
		go(d, STEP_RECEIVE);
}

static void got_receive(struct dialogue *d)
{
	d->user.auto_receive = d->on;
	go(d, d->on ? STEP_PRINT : STEP_CHECK);
}

static void got_print(struct dialogue *d)
{
	d->user.auto_print = d->on;
	go(d, d->on ? STEP_CHECK : STEP_DAYS);
}

static void got_days(struct dialogue *d)
{
	d->user.keep_days = (uint32_t)strtoul(d->input, NULL, 10);
	if (good(d, STEP_DAYS))
		go(d, STEP_CHECK);
}

static void got_check(struct dialogue *d)
{
	d->user.check_on_sending = d->on;
	go(d, STEP_TEXT);
}

static void got_text(struct dialogue *d)
{
	d->user.receive_text = d->on;
	go(d, STEP_ENCRYPT);
}

static void got_encrypt(struct dialogue *d)
{
	d->user.encrypt = d->on;
	go(d, *d->user.login ? STEP_SERVER : STEP_ADDRESS);
}

/* HOST or HOST:PORT; of the port 995 TLS is spoken from the start. */
static void got_server(struct dialogue *d)
{
	char *colon = strrchr(d->input, ':'), *end;
	unsigned long port = 0;

	if (colon) {
		port = strtoul(colon + 1, &end, 10);
		if (*end || port < 1 || port > 65535) {
			note(d, "a port is 1 to 65535");
			go(d, STEP_SERVER);
			return;
		}
		*colon = '\0';
	}
	d->user.port = (uint32_t)port;
	d->user.tls = port == 995 ? "tls" : "starttls";
	set(d->user.host, d->input);
	if (good(d, STEP_SERVER))
		go(d, STEP_ADDRESS);
}

static void got_address(struct dialogue *d)
{
	set(d->user.address, d->input);
	if (good(d, STEP_ADDRESS))
		go(d, STEP_PANEL_PASSWORD);
}

static void got_panel_password(struct dialogue *d)
{
	set(d->user.panel_password, d->input);
	go(d, *d->input ? STEP_PANEL_AGAIN : STEP_STORE);
}

static void got_panel_again(struct dialogue *d)
{
	if (!strcmp(d->input, d->user.panel_password)) {
		go(d, STEP_STORE);
		return;
	}
	note(d, "invalid password: the two are not the same");
	go(d, STEP_PANEL_PASSWORD);
}

/* S18: what the daemon does not take is said, and nothing was stored. */
static void got_stored(struct dialogue *d, const struct panel_answer *a)
{
	char text[PANEL_NOTE_MAX];

	if (a->error)
		snprintf(text, sizeof(text), "not stored: %s", a->error);
	else
		snprintf(text, sizeof(text), "user %.40s is registered", d->user.code);
	forget(d);
	note(d, text);
	go(d, STEP_NEXT);
}

static void got_next(struct dialogue *d)
{
	if (d->on)
		register_user(d);
	else
		idle(d);
}

/*
 * Sending, FIG. 6
 */

static void send_page(struct dialogue *d)
{
	char recipient[PANEL_INPUT_MAX + 1];

	set(recipient, d->recipient);
	forget(d);
	set(d->recipient, recipient);
	go(d, STEP_SENDER);
}

static void got_sender(struct dialogue *d)
{
	set(d->user.code, d->input);
	go(d, STEP_SENDER_KNOWN);
}

static bool has_notice(const struct panel_answer *a)
{
	return a->notice && *a->notice;
}

static void got_sender_known(struct dialogue *d, const struct panel_answer *a)
{
	if (a->error) {
		note(d, a->error);
		go(d, STEP_SENDER);
		return;
	}
	d->user.check_on_sending = a->yes;
	set(d->name, a->text ? a->text : "");
	snprintf(d->note, sizeof(d->note), "sender: %.200s%s%.300s",
		 *d->name ? d->name : d->user.code, has_notice(a) ? "\n" : "",
		 has_notice(a) ? a->notice : "");
	go(d, STEP_RECIPIENT);
	set(d->input, d->recipient);
}

static const struct panel_touch *find_touch(const struct dialogue *d, unsigned long key)
{
	for (size_t i = 0; i < d->n_touch; i++)
		if (d->touch[i].key == key)
			return &d->touch[i];
	return NULL;
}

/* "#12" is one-touch key 12, for those that a terminal has no key for. */
static bool by_number(struct dialogue *d)
{
	const struct panel_touch *t;
	unsigned long key;
	char *end;

	if (d->input[0] != '#')
		return true;
	key = strtoul(d->input + 1, &end, 10);
	t = *end ? NULL : find_touch(d, key);
	if (t)
		set(d->input, t->address);
	else
		note(d, "there is no such one-touch key");
	return t;
}

static void got_recipient(struct dialogue *d)
{
	if (!by_number(d)) {
		go(d, STEP_RECIPIENT);
		return;
	}
	set(d->recipient, d->input);
	note(d, "");
	go(d, STEP_SEND);
}

/* Those whose mail is encrypted otherwise have a job of their own: a line each. */
static void say_sent(struct dialogue *d)
{
	size_t at = 0;

	d->note[0] = '\0';
	for (size_t i = 0; i < d->n_sent && at < sizeof(d->note); i++)
		at += snprintf(d->note + at, sizeof(d->note) - at, "%s%s", i ? "\n" : "",
			       d->sent[i].said);
}

/* What hinders may be put right, and the start key pressed again. */
static void got_sent(struct dialogue *d, const struct panel_answer *a)
{
	if (a->error) {
		note(d, a->error);
		go(d, STEP_RECIPIENT);
		set(d->input, d->recipient);
		return;
	}
	d->n_sent = a->n_jobs < PANEL_SENT_MAX ? a->n_jobs : PANEL_SENT_MAX;
	for (size_t i = 0; i < d->n_sent; i++) {
		d->sent[i] = (struct panel_sent){ .id = a->jobs[i] };
		snprintf(d->sent[i].said, sizeof(d->sent[i].said), "job %llu to %.200s",
			 (unsigned long long)a->jobs[i], d->recipient);
	}
	say_sent(d);
	go(d, STEP_SENDING);
}

/*
 * Collecting
 */

static void collect(struct dialogue *d)
{
	forget(d);
	go(d, STEP_COLLECT_USER);
}

static void got_collect_user(struct dialogue *d)
{
	set(d->user.code, d->input);
	go(d, STEP_COLLECT);
}

static void got_collect(struct dialogue *d, const struct panel_answer *a)
{
	if (a->error) {
		note(d, a->error);
		go(d, STEP_COLLECT_USER);
		return;
	}
	d->collected = a->number;
	snprintf(d->note, sizeof(d->note), "job %llu", (unsigned long long)a->number);
	go(d, STEP_COLLECTING);
}

/*
 * Printing what is kept
 */

static void print_kept(struct dialogue *d)
{
	forget(d);
	go(d, STEP_KEPT_USER);
}

static void got_kept_user(struct dialogue *d)
{
	set(d->user.code, d->input);
	go(d, STEP_KEPT_PASSWORD);
}

static void got_kept_password(struct dialogue *d)
{
	set(d->user.panel_password, d->input);
	go(d, STEP_KEPT);
}

static void got_kept(struct dialogue *d, const struct panel_answer *a)
{
	char text[400];

	snprintf(text, sizeof(text), "%llu %s printed%s%.300s", (unsigned long long)a->number,
		 a->number == 1 ? "mail is" : "mails are", has_notice(a) ? "\n" : "",
		 has_notice(a) ? a->notice : "");
	forget(d);
	show(d, a->error ? a->error : text);
}

/*
 * The steps in a table
 */

static const struct question questions[_PANEL_STEPS] = {
	[STEP_IDLE] = { "", "Ready", "", .type = ANSWER_NONE },
	[STEP_ROOM] = { "S1", TITLE_REGISTER, "Looking into the table of users ...",
			.type = ANSWER_WAIT, .request = ASK_ROOM, .answered = got_room },
	[STEP_LOGIN] = { "S3", TITLE_REGISTER, "Log-in ID at the mail server",
			 .type = ANSWER_OPTIONAL, .max = 512, .done = got_login },
	[STEP_PASSWORD] = { "S4", TITLE_REGISTER, "Password at the mail server",
			    .type = ANSWER_SECRET, .max = 256, .done = got_password },
	[STEP_PASSWORD_AGAIN] = { "S5", TITLE_REGISTER, "The same password again",
				  .type = ANSWER_SECRET, .max = 256, .done = got_password_again },
	[STEP_CODE] = { "S8", TITLE_REGISTER, "User code", .type = ANSWER_TEXT, .max = 16,
			.done = got_code },
	[STEP_CODE_FREE] = { "S9", TITLE_REGISTER, "Looking whether it is taken ...",
			     .type = ANSWER_WAIT, .request = ASK_CODE, .answered = got_code_free },
	[STEP_NAME] = { "S11", TITLE_REGISTER, "User name", .type = ANSWER_TEXT, .max = 512,
			.done = got_name },
	[STEP_RECEIVE] = { "S12", TITLE_REGISTER, "Automatic reception", .type = ANSWER_ON_OFF,
			   .done = got_receive },
	[STEP_PRINT] = { "S13", TITLE_REGISTER, "Automatic printing", .type = ANSWER_ON_OFF,
			 .done = got_print },
	[STEP_DAYS] = { "S14", TITLE_REGISTER, "Days for which mail is saved (1-31)",
			.type = ANSWER_NUMBER, .max = 2, .done = got_days },
	[STEP_CHECK] = { "S15", TITLE_REGISTER, "Check for new mail when mail is sent",
			 .type = ANSWER_ON_OFF, .done = got_check },
	[STEP_TEXT] = { "S16", TITLE_REGISTER, "Text mail reception", .type = ANSWER_ON_OFF,
			.done = got_text },
	[STEP_ENCRYPT] = { "S17", TITLE_REGISTER, "Encryption of mail that is sent",
			   .type = ANSWER_ON_OFF, .done = got_encrypt },
	[STEP_SERVER] = { "", TITLE_REGISTER, "Mail server to connect to (HOST or HOST:PORT)",
			  .type = ANSWER_TEXT, .max = 261, .done = got_server },
	[STEP_ADDRESS] = { "", TITLE_REGISTER, "Mail address of the user", .type = ANSWER_OPTIONAL,
			   .max = 320, .done = got_address },
	[STEP_PANEL_PASSWORD] = { "", TITLE_REGISTER,
				  "Password for kept mail at this panel, or none",
				  .type = ANSWER_SECRET, .max = 256, .done = got_panel_password },
	[STEP_PANEL_AGAIN] = { "", TITLE_REGISTER, "The same password again",
			       .type = ANSWER_SECRET, .max = 256, .done = got_panel_again },
	[STEP_STORE] = { "S18", TITLE_REGISTER, "Storing ...", .type = ANSWER_WAIT,
			 .request = ASK_STORE, .answered = got_stored },
	[STEP_NEXT] = { "S19", TITLE_REGISTER, "Register another user", .type = ANSWER_ON_OFF,
			.done = got_next },
	[STEP_SENDER] = { "S41", TITLE_SEND, "User code", .type = ANSWER_TEXT, .max = 16,
			  .done = got_sender },
	[STEP_SENDER_KNOWN] = { "S42", TITLE_SEND, "Looking for the user ...",
				.type = ANSWER_WAIT, .request = ASK_USER,
				.answered = got_sender_known },
	[STEP_RECIPIENT] = { "S43", TITLE_SEND, "Recipient's mail address, or a one-touch key",
			     .type = ANSWER_TEXT, .max = PANEL_INPUT_MAX, .done = got_recipient },
	[STEP_SEND] = { "S44", TITLE_SEND, "Starting the scanner ...", .type = ANSWER_WAIT,
			.request = ASK_SEND, .answered = got_sent },
	[STEP_SENDING] = { "S47", TITLE_SEND, "", .type = ANSWER_NONE },
	[STEP_COLLECT_USER] = { "", TITLE_COLLECT, "User code", .type = ANSWER_TEXT, .max = 16,
				.done = got_collect_user },
	[STEP_COLLECT] = { "", TITLE_COLLECT, "Asking for it ...", .type = ANSWER_WAIT,
			   .request = ASK_COLLECT, .answered = got_collect },
	[STEP_COLLECTING] = { "S49", TITLE_COLLECT, "", .type = ANSWER_NONE },
	[STEP_KEPT_USER] = { "", TITLE_KEPT, "User code", .type = ANSWER_TEXT, .max = 16,
			     .done = got_kept_user },
	[STEP_KEPT_PASSWORD] = { "", TITLE_KEPT, "Password for kept mail", .type = ANSWER_SECRET,
				 .max = 256, .done = got_kept_password },
	[STEP_KEPT] = { "", TITLE_KEPT, "Looking for it ...", .type = ANSWER_WAIT,
			.request = ASK_KEPT, .answered = got_kept },
	[STEP_SHOWN] = { "", NULL, "", .type = ANSWER_NONE },
};

/*
 * Keys
 */

static void message(struct dialogue *d)
{
	if (!d->n_messages)
		return;
	d->message = (d->message + 1) % d->n_messages;
}

static void function(struct dialogue *d, uint32_t which)
{
	static void (*const functions[_PANEL_FUNCTIONS])(struct dialogue *d) = {
		[PANEL_SEND] = send_page,
		[PANEL_COLLECT] = collect,
		[PANEL_KEPT] = print_kept,
		[PANEL_REGISTER] = register_user,
		[PANEL_MESSAGE] = message,
	};

	if (which == PANEL_LEAVE)
		d->leave = true;
	else if (which && which < _PANEL_FUNCTIONS)
		functions[which](d);
}

/* A character more, as UTF-8, where there is room. */
static void type(struct dialogue *d, uint32_t c, size_t max)
{
	size_t at = strlen(d->input), n;
	char text[5] = "";

	if (c < 0x80) {
		text[0] = (char)c;
	} else if (c < 0x800) {
		text[0] = (char)(0xc0 | c >> 6);
		text[1] = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		text[0] = (char)(0xe0 | c >> 12);
		text[1] = (char)(0x80 | (c >> 6 & 0x3f));
		text[2] = (char)(0x80 | (c & 0x3f));
	} else {
		text[0] = (char)(0xf0 | c >> 18);
		text[1] = (char)(0x80 | (c >> 12 & 0x3f));
		text[2] = (char)(0x80 | (c >> 6 & 0x3f));
		text[3] = (char)(0x80 | (c & 0x3f));
	}
	n = strlen(text);
	if (at + n <= max)
		memcpy(d->input + at, text, n + 1);
}

/* The last character, with all of its octets. */
static void clear(struct dialogue *d)
{
	size_t at = strlen(d->input);

	while (at && (d->input[at - 1] & 0xc0) == 0x80)
		d->input[--at] = '\0';
	if (at)
		d->input[at - 1] = '\0';
}

/* Where a recipient is asked for, one more of them; at rest, the beginning of it. */
static void one_touch(struct dialogue *d, uint32_t key)
{
	const struct panel_touch *t = find_touch(d, key);
	size_t at = strlen(d->input);

	if (!t || (d->step != STEP_RECIPIENT && d->step != STEP_IDLE))
		return;
	if (d->step == STEP_IDLE) {
		set(d->recipient, t->address);
		send_page(d);
	} else if (at + strlen(t->address) + 2 <= PANEL_INPUT_MAX) {
		snprintf(d->input + at, sizeof(d->input) - at, "%s%s", at ? ", " : "", t->address);
	}
}

/* The answer to the question, which may want one. */
static void start(struct dialogue *d)
{
	const struct question *q = &questions[d->step];
	bool needed = q->type == ANSWER_TEXT || q->type == ANSWER_NUMBER ||
		      (q->type == ANSWER_SECRET && d->step != STEP_PANEL_PASSWORD);

	if (needed && !*d->input)
		return;
	d->note[0] = '\0';
	if (q->done)
		q->done(d);
}

static void on_off(struct dialogue *d, uint32_t key)
{
	if (key == '1' || key == 'y' || key == 'Y')
		d->on = true;
	else if (key == '0' || key == '2' || key == 'n' || key == 'N')
		d->on = false;
	else if (key == ' ' || key == PANEL_KEY_CHANGE)
		d->on = !d->on;
}

static bool is_character(uint32_t key)
{
	return key >= ' ' && key < PANEL_KEY_START && (key < 0x7f || key >= 0xa0) &&
	       (key < 0xd800 || key > 0xdfff);
}

/* A key where text is asked for, or a number. */
static void edit(struct dialogue *d, const struct question *q, uint32_t key)
{
	if (key == PANEL_KEY_CLEAR)
		clear(d);
	else if (q->type == ANSWER_NUMBER ? key >= '0' && key <= '9' : is_character(key))
		type(d, key, q->max);
}

void dialogue_key(struct dialogue *d, uint32_t key)
{
	const struct question *q = &questions[d->step];

	/* What was asked of the daemon is answered first: it cannot be taken back. */
	if (d->request)
		return;
	if (d->step == STEP_SHOWN || key == PANEL_KEY_STOP)
		idle(d);
	else if (d->step == STEP_IDLE && key > '0' && key < '0' + _PANEL_FUNCTIONS)
		function(d, key - '0');
	else if (d->step == STEP_IDLE && key > PANEL_KEY_FUNCTION && key < PANEL_KEY_ONE_TOUCH)
		function(d, key - PANEL_KEY_FUNCTION);
	else if (key > PANEL_KEY_ONE_TOUCH)
		one_touch(d, key - PANEL_KEY_ONE_TOUCH);
	else if (key == PANEL_KEY_START)
		start(d);
	else if (q->type == ANSWER_ON_OFF)
		on_off(d, key);
	else if (q->type != ANSWER_NONE)
		edit(d, q, key);
}

/*
 * Answers and news
 */

void dialogue_answer(struct dialogue *d, const struct panel_answer *a)
{
	const struct question *q = &questions[d->step];

	if (!d->request)
		return;
	d->request = ASK_NOTHING;
	q->answered(d, a);
}

const char *dialogue_follows(const struct dialogue *d)
{
	return d->step == STEP_SENDING || d->step == STEP_COLLECTING ? d->user.code : NULL;
}

static void job_words(const struct panel_job *j, char said[PANEL_SAID_MAX + 1])
{
	snprintf(said, PANEL_SAID_MAX + 1, "job %llu: %.30s%s%.500s", (unsigned long long)j->id,
		 j->state, *j->detail ? "\n" : "", j->detail);
}

/* S48: the sender's mailbox is looked at where he wants that, on his next job. */
static void sent_job(struct dialogue *d, const struct panel_job *j)
{
	struct panel_sent *ours = NULL;
	bool all = true, good = false;

	for (size_t i = 0; i < d->n_sent; i++)
		if (d->sent[i].id == j->id)
			ours = &d->sent[i];
	if (!ours)
		return;
	ours->final = j->final;
	ours->good = j->final && j->good;
	job_words(j, ours->said);
	say_sent(d);
	for (size_t i = 0; i < d->n_sent; i++) {
		all &= d->sent[i].final;
		good |= d->sent[i].good;
	}
	if (all)
		go(d, good && d->user.check_on_sending ? STEP_COLLECTING : STEP_SHOWN);
}

/* The look that a sent mail led to is a later job than any that was sent. */
static bool begun_by_sending(const struct dialogue *d, const struct panel_job *j)
{
	for (size_t i = 0; i < d->n_sent; i++)
		if (j->id <= d->sent[i].id)
			return false;
	return j->collects;
}

static void collecting_job(struct dialogue *d, const struct panel_job *j)
{
	if (d->collected ? j->id != d->collected : !begun_by_sending(d, j))
		return;
	if (j->collects)
		d->collected = j->id;
	job_words(j, d->note);
	if (j->final)
		go(d, STEP_SHOWN);
}

void dialogue_job(struct dialogue *d, const struct panel_job *j)
{
	if (d->step == STEP_SENDING)
		sent_job(d, j);
	else if (d->step == STEP_COLLECTING)
		collecting_job(d, j);
}

/* The daemon may have had its reasons not to begin: who stands at the panel is not kept. */
void dialogue_looked(struct dialogue *d)
{
	if (d->step != STEP_COLLECTING || d->collected || ++d->looks < LOOKS_MAX)
		return;
	d->looks = 0;
	show(d, "The mail is sent. The mailbox is not looked into; the journal of ifaxd says why.");
}

void dialogue_message(struct dialogue *d, const char *when, const char *from, const char *text)
{
	size_t len = strlen(text), n = len;

	if (n > MESSAGE_SHOWN)
		for (n = MESSAGE_SHOWN; n && (text[n] & 0xc0) == 0x80; n--)
			;
	if (d->n_messages < PANEL_MESSAGES)
		d->n_messages++;
	memmove(d->messages[1], d->messages[0], (d->n_messages - 1) * sizeof(d->messages[0]));
	snprintf(d->messages[0], sizeof(d->messages[0]), "%s  from <%.320s>\n%.*s%s", when, from,
		 (int)n, text, n < len ? " [there is more, which is not shown]" : "");
	d->message = 0;
}

void dialogue_set_touch(struct dialogue *d, const struct panel_touch *keys, size_t n)
{
	d->touch = keys;
	d->n_touch = n;
}

/*
 * The display
 */

static void show_input(const struct dialogue *d, const struct question *q,
		       struct panel_display *ret)
{
	size_t n = 0;

	if (q->type == ANSWER_ON_OFF) {
		set(ret->input, d->on ? "[ON]  OFF" : " ON  [OFF]");
		return;
	}
	if (q->type != ANSWER_SECRET) {
		set(ret->input, d->input);
		return;
	}
	for (const char *p = d->input; *p; p++)
		if ((*p & 0xc0) != 0x80)
			ret->input[n++] = '*';
	ret->input[n] = '\0';
}

static const char *hint(const struct question *q)
{
	switch (q->type) {
	case ANSWER_TEXT:
	case ANSWER_NUMBER:
		return "Enter: go on   Esc: stop";
	case ANSWER_OPTIONAL:
		return "Enter: go on, also without   Esc: stop";
	case ANSWER_SECRET:
		return "Enter: go on   Esc: stop   (what you type is not shown)";
	case ANSWER_ON_OFF:
		return "1: ON   0: OFF   Enter: go on   Esc: stop";
	default:
		return "";
	}
}

static const char *quiet_hint(const struct dialogue *d)
{
	if (d->step == STEP_SENDING || d->step == STEP_COLLECTING)
		return "Esc: back; the job goes on by itself";
	return d->step == STEP_SHOWN ? "any key: back" : "";
}

void dialogue_display(const struct dialogue *d, struct panel_display *ret)
{
	const struct question *q = &questions[d->step];

	*ret = (struct panel_display){ .title = d->title, .prompt = q->prompt, .note = d->note };
	show_input(d, q, ret);
	ret->wants_input = q->type != ANSWER_NONE && q->type != ANSWER_WAIT;
	ret->hint = q->type == ANSWER_NONE ? quiet_hint(d) : hint(q);
	if (d->step == STEP_IDLE && d->n_messages) {
		ret->note = d->messages[d->message];
		ret->hint = d->n_messages > 1 ? "F5: the message before this one" : "";
	}
	if (d->step == STEP_COLLECTING && !d->collected)
		ret->prompt = "Waiting for the look into the mailbox ...";
}

const char *panel_step_name(enum panel_step step)
{
	return questions[step].step;
}

void dialogue_begin(struct dialogue *d)
{
	memset(d, 0, sizeof(*d));
	go(d, STEP_IDLE);
}

void dialogue_end(struct dialogue *d)
{
	explicit_bzero(d, sizeof(*d));
}
