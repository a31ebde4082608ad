/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "smtp/params.h"
#include "smtp/server_internal.h"

#define RCPTS_DEFAULT 1000
#define IDLE_DEFAULT  100

/* Where a command may stand; it is refused with 503 elsewhere. */
enum rule {
	AFTER_HELO = 1,
	AFTER_EHLO = 2,
	IN_MAIL = 4,		/* MAIL was accepted */
	NOT_IN_MAIL = 8,
	NO_ARGUMENT = 16,	/* 501 with one */
	ARGUMENT = 32,		/* 501 without one */
	MAY_BE_UTF8 = 64,	/* octets beyond ASCII, where SMTPUTF8 is said too */
	IDLE = 128,		/* no step on the way of a mail: max_idle */
	FRAMES = 256,		/* says how much follows: refused unread, it ends the session */
};

struct command {
	const char *verb;
	unsigned int rules;
	size_t line_max;	/* with its CRLF */
	bool (*act)(struct smtp_server *s, struct text arg, struct smtp_server_event *ev);
	const char *help;
};

/* RFC 1870 3, 6152 4, 6531 3.4, 3461 4, 4954 3: what each adds to a command's length */
#define MAIL_LINE_MAX (COMMAND_LINE_MAX + 26 + 17 + 10 + 107 + 500)
#define RCPT_LINE_MAX (COMMAND_LINE_MAX + 500)

/*
 * Text
 */

static bool text_is(struct text t, const char *word)
{
	return t.len == strlen(word) && !strncasecmp(t.s, word, t.len);
}

static struct text skip(struct text t, size_t n)
{
	return (struct text){ t.s + n, t.len - n };
}

static struct text skip_spaces(struct text t)
{
	while (t.len && t.s[0] == ' ')
		t = skip(t, 1);
	return t;
}

static struct text trim_end(struct text t)
{
	while (t.len && (t.s[t.len - 1] == ' ' || t.s[t.len - 1] == '\t'))
		t.len--;
	return t;
}

/* Takes @word from the front of @t. */
static bool take_word(struct text *t, const char *word)
{
	size_t n = strlen(word);

	if (t->len < n || strncasecmp(t->s, word, n))
		return false;
	*t = skip(*t, n);
	return true;
}

static bool is_ascii(struct text t)
{
	for (size_t i = 0; i < t.len; i++)
		if (t.s[i] & 0x80)
			return false;
	return true;
}

/* NUL, a bare CR or LF and their like are part of no command. */
static bool has_control(struct text t)
{
	for (size_t i = 0; i < t.len; i++)
		if (((unsigned char)t.s[i] < ' ' && t.s[i] != '\t') || t.s[i] == 0x7f)
			return true;
	return false;
}

/*
 * HELO, EHLO
 */

/* What is no domain, but is said all the same: names of machines with an underscore. */
static bool is_client_name(struct text t)
{
	if (t.len > 255)
		return false;
	if (smtp_domain_valid(t.s, t.len, false))
		return true;
	for (size_t i = 0; i < t.len; i++)
		if (!(t.s[i] >= '0' && t.s[i] <= '9') && !(t.s[i] >= 'a' && t.s[i] <= 'z') &&
		    !(t.s[i] >= 'A' && t.s[i] <= 'Z') && !strchr("-_.", t.s[i]))
			return false;
	return t.len;
}

static bool no_memory(struct smtp_server *s)
{
	smtp_server_say(s, 451, "4.3.0", "Out of memory, try again later");
	return false;
}

static bool ask_about(struct smtp_server *s, enum smtp_server_event_type type, struct text arg,
		      struct smtp_server_event *ev)
{
	s->argument = strndup(arg.s, arg.len);
	return s->argument ? smtp_server_ask(s, type, ev) : no_memory(s);
}

static bool greet(struct smtp_server *s, struct text arg, bool ehlo, struct smtp_server_event *ev)
{
	if (!is_client_name(arg)) {
		smtp_server_bad(s, 501, "5.5.4", "That is no name of a host");
		return false;
	}
	s->asked_ehlo = ehlo;
	return ask_about(s, SMTPD_HELO, arg, ev);
}

static bool act_helo(struct smtp_server *s, struct text arg, struct smtp_server_event *ev)
{
	return greet(s, arg, false, ev);
}

static bool act_ehlo(struct smtp_server *s, struct text arg, struct smtp_server_event *ev)
{
	return greet(s, arg, true, ev);
}

static bool offers_starttls(const struct smtp_server *s)
{
	return s->o->tls_offered && !s->tls;
}

void smtp_server_welcome(struct smtp_server *s)
{
	static const char always[] = "250-PIPELINING\r\n250-8BITMIME\r\n250-DSN\r\n"
				     "250-ENHANCEDSTATUSCODES\r\n250-CHUNKING\r\n250-SMTPUTF8\r\n"
				     "250-SEND\r\n250-SOML\r\n250-SAML\r\n250-EXPN\r\n";
	int r;

	if (s->ehlo)
		r = buffer_printf(&s->out, "250-%s\r\n%s%s%s%s250-SIZE %llu\r\n250 HELP\r\n",
				  s->o->hostname, always,
				  offers_starttls(s) ? "250-STARTTLS\r\n" : "",
				  smtp_server_offers_auth(s) ?
				  "250-AUTH " SMTP_AUTH_MECHANISMS "\r\n" : "",
				  s->o->turn_offered ? "250-TURN\r\n" : "",
				  (unsigned long long)smtp_server_max_message(s));
	else
		r = buffer_printf(&s->out, "250 %s\r\n", s->o->hostname);
	if (r < 0)
		smtp_server_close(s);
}

/*
 * MAIL and its kin, RCPT
 */

/* "FROM:<path>", and the space that many put before the path; then the parameters. */
static int parse_path(struct smtp_server *s, struct text *arg, const char *word,
		      struct smtp_path *path, struct error *e)
{
	int r;

	if (!take_word(arg, word))
		return error_set(e, -EINVAL, "%s and a path in angle brackets must follow", word);
	*arg = skip_spaces(*arg);
	r = smtp_path_parse(&arg->s, &arg->len, s->ehlo, path, e);
	if (!r && arg->len && !s->ehlo)
		r = error_set(e, -EINVAL, "Parameters may follow after EHLO only");
	return r;
}

/* What a command with a path and parameters is refused with. */
static bool refuse_path(struct smtp_server *s, const char *enhanced, const struct error *e)
{
	smtp_server_bad(s, 501, enhanced, e->text);
	return false;
}

static bool refuse_params(struct smtp_server *s, int r, const struct error *e)
{
	if (r == -ENOMEM)
		return no_memory(s);
	smtp_server_bad(s, r == -ENOTSUP ? 555 : 501, "5.5.4", e->text);
	return false;
}

static bool refuse_utf8(struct smtp_server *s)
{
	smtp_server_bad(s, 553, "5.6.7", "An address beyond ASCII needs SMTPUTF8");
	return false;
}

/* Is there something that stands against any mail now? Then it is said. */
static bool refuses_mail(struct smtp_server *s)
{
	if (s->o->submission && !s->user) {
		smtp_server_bad(s, 530, "5.7.0", "Authentication required");
		return true;
	}
	if (s->o->max_messages && s->messages >= s->o->max_messages) {
		smtp_server_leave(s, "4.7.0", "Too many messages in one session");
		return true;
	}
	return false;
}

static bool ask_mail(struct smtp_server *s, struct smtp_path *path, struct smtp_server_event *ev)
{
	s->envelope.from = strdup(path->text);
	if (!s->envelope.from) {
		free(path);
		smtp_server_void(s);
		return no_memory(s);
	}
	s->path = path;
	s->utf8 = s->envelope.utf8;
	return smtp_server_ask(s, SMTPD_MAIL, ev);
}

static bool is_ascii_path(const struct smtp_path *path)
{
	return is_ascii((struct text){ path->text, strlen(path->text) });
}

/* Puts the parameters of MAIL into the envelope; false: they are refused. */
static bool take_mail_params(struct smtp_server *s, const struct smtp_path *path,
			     struct text params)
{
	struct error e;
	int r = smtp_mail_params(params.s, params.len, &s->envelope, &e);

	if (r < 0)
		refuse_params(s, r, &e);
	else if (s->envelope.size > smtp_server_max_message(s))
		smtp_server_bad(s, 552, "5.3.4", "The message is larger than is taken here");
	else if (!s->envelope.utf8 && !is_ascii_path(path))
		refuse_utf8(s);
	else
		return true;
	smtp_server_void(s);
	return false;
}

static bool begin(struct smtp_server *s, struct text arg, enum smtp_how how,
		  struct smtp_server_event *ev)
{
	_free_ struct smtp_path *path = malloc(sizeof(*path));
	struct error e;
	int r;

	if (!path)
		return no_memory(s);
	if (refuses_mail(s))
		return false;
	r = parse_path(s, &arg, "FROM:", path, &e);
	if (!r && path->text[0] && !path->domain)
		r = error_set(&e, -EINVAL, "A domain must follow the sender");
	if (r < 0)
		return refuse_path(s, "5.1.7", &e);
	if (!take_mail_params(s, path, arg))
		return false;
	s->how = how;
	return ask_mail(s, take_ptr(path), ev);
}

static bool act_mail(struct smtp_server *s, struct text arg, struct smtp_server_event *ev)
{
	return begin(s, arg, SMTP_HOW_MAIL, ev);
}

static bool act_send(struct smtp_server *s, struct text arg, struct smtp_server_event *ev)
{
	return begin(s, arg, SMTP_HOW_SEND, ev);
}

static bool act_soml(struct smtp_server *s, struct text arg, struct smtp_server_event *ev)
{
	return begin(s, arg, SMTP_HOW_SOML, ev);
}

static bool act_saml(struct smtp_server *s, struct text arg, struct smtp_server_event *ev)
{
	return begin(s, arg, SMTP_HOW_SAML, ev);
}

/*
 * 552 is what RFC 821 calls it, and what who says HELO knows; RFC 5321 4.5.3.1.10
 * corrects it to 452. As many again are borne before it counts as misconduct.
 */
static bool refuse_rcpt_count(struct smtp_server *s, size_t max)
{
	const char *words = "Too many recipients, try again in another transaction";
	int code = s->ehlo ? 452 : 552;

	if (s->n_tried++ < max)
		smtp_server_say(s, code, "4.5.3", words);
	else
		smtp_server_bad(s, code, "4.5.3", words);
	return false;
}

static bool ask_rcpt(struct smtp_server *s, struct smtp_path *path, struct envelope_rcpt *r,
		     struct smtp_server_event *ev)
{
	r->address = (char *)path->mailbox;
	if (envelope_add(&s->envelope, r) < 0) {
		free(path);
		return no_memory(s);
	}
	s->path = path;
	return smtp_server_ask(s, SMTPD_RCPT, ev);
}

static bool act_rcpt(struct smtp_server *s, struct text arg, struct smtp_server_event *ev)
{
	size_t max = smtp_server_limit(s->o->max_rcpts, RCPTS_DEFAULT);
	_free_ struct smtp_path *path = malloc(sizeof(*path));
	struct envelope_rcpt rcpt = { 0 };
	_free_ char *orcpt = NULL;
	struct error e;
	int r;

	if (!path)
		return no_memory(s);
	if (s->by_bdat) {
		smtp_server_bad(s, 503, "5.5.1", "RCPT may not follow BDAT");
		return false;
	}
	r = parse_path(s, &arg, "TO:", path, &e);
	if (!r && !path->text[0])
		r = error_set(&e, -EINVAL, "A recipient must stand in the brackets");
	if (r < 0)
		return refuse_path(s, "5.1.3", &e);
	r = smtp_rcpt_params(arg.s, arg.len, &rcpt, &e);
	orcpt = rcpt.orcpt;
	if (r < 0)
		return refuse_params(s, r, &e);
	if (!s->envelope.utf8 && !(is_ascii_path(path) && is_ascii(arg)))
		return refuse_utf8(s);
	s->rcpt_tried = true;
	if (s->refused >= max) {
		smtp_server_leave(s, "4.7.0", "Too many recipients were refused");
		return false;
	}
	if (s->envelope.n_rcpts >= max)
		return refuse_rcpt_count(s, max);
	return ask_rcpt(s, take_ptr(path), &rcpt, ev);
}

/*
 * DATA, BDAT
 */

static bool act_data(struct smtp_server *s, struct text arg, struct smtp_server_event *ev)
{
	if (s->by_bdat) {
		smtp_server_bad(s, 503, "5.5.1", "DATA may not follow BDAT");
	} else if (!s->envelope.n_rcpts && s->rcpt_tried) {
		smtp_server_bad(s, 554, "5.5.1", "No recipient was accepted");
	} else if (!s->envelope.n_rcpts) {
		smtp_server_bad(s, 503, "5.5.1", "RCPT must come first");
	} else {
		smtp_server_begin_text(s);
		smtp_server_say(s, 354, NULL, "Start mail input; end with <CRLF>.<CRLF>");
	}
	return false;
}

static bool take_number(struct text *t, uint64_t *ret)
{
	size_t n = 0;

	*ret = 0;
	for (; n < t->len && t->s[n] >= '0' && t->s[n] <= '9'; n++)
		if (__builtin_mul_overflow(*ret, 10, ret) ||
		    __builtin_add_overflow(*ret, t->s[n] - '0', ret))
			return false;
	*t = skip(*t, n);
	return n;
}

/*
 * Its octets follow whether it is refused or not, so they are skipped then; where the
 * command does not say how many there are, nothing behind it can be told from commands.
 */
static bool act_bdat(struct smtp_server *s, struct text arg, struct smtp_server_event *ev)
{
	enum smtp_refusal refusal = SOUND;
	uint64_t max = smtp_server_max_message(s);

	s->chunk_last = false;
	if (!take_number(&arg, &s->chunk_size) || (arg.len && arg.s[0] != ' ')) {
		smtp_server_say(s, 501, "5.5.4", "The size of the chunk must follow");
		smtp_server_close(s);
		return false;
	}
	arg = skip_spaces(arg);
	s->chunk_last = text_is(arg, "LAST");
	if (arg.len && !s->chunk_last) {
		smtp_server_say(s, 501, "5.5.4", "Only LAST may follow the size");
		smtp_server_close(s);
		return false;
	}
	if (!s->in_mail || !s->envelope.n_rcpts)
		refusal = OUT_OF_ORDER;
	else if (s->chunk_size > max || s->body > max - s->chunk_size)
		refusal = TOO_BIG;
	if (refusal == TOO_BIG)
		smtp_server_void(s);
	s->chunk = s->chunk_size;
	smtp_server_begin_chunk(s, refusal);
	return false;
}

/*
 * The others
 */

static bool act_rset(struct smtp_server *s, struct text arg, struct smtp_server_event *ev)
{
	smtp_server_void(s);
	smtp_server_say(s, 250, "2.0.0", NULL);
	return false;
}

static bool act_noop(struct smtp_server *s, struct text arg, struct smtp_server_event *ev)
{
	smtp_server_say(s, 250, "2.0.0", NULL);
	return false;
}

static bool act_quit(struct smtp_server *s, struct text arg, struct smtp_server_event *ev)
{
	_free_ char *words = NULL;

	if (asprintf(&words, "%s Service closing transmission channel", s->o->hostname) >= 0)
		smtp_server_say(s, 221, "2.0.0", words);
	smtp_server_close(s);
	return false;
}

/* Takes SMTPUTF8 from behind a name (RFC 6531 3.7.4.2). */
static bool take_utf8(struct smtp_server *s, struct text *arg)
{
	static const char word[] = " SMTPUTF8";
	size_t n = sizeof(word) - 1;

	if (!s->ehlo || arg->len <= n || !text_is(skip(*arg, arg->len - n), word))
		return false;
	*arg = trim_end((struct text){ arg->s, arg->len - n });
	return true;
}

static bool look_up(struct smtp_server *s, enum smtp_server_event_type type, struct text arg,
		    struct smtp_server_event *ev)
{
	bool utf8 = take_utf8(s, &arg);

	if (!utf8 && !is_ascii(arg))
		return refuse_utf8(s);
	if (!smtp_utf8_valid(arg.s, arg.len)) {
		smtp_server_bad(s, 501, "5.5.2", "That is no UTF-8");
		return false;
	}
	s->utf8 = utf8;
	return ask_about(s, type, arg, ev);
}

static bool act_vrfy(struct smtp_server *s, struct text arg, struct smtp_server_event *ev)
{
	return look_up(s, SMTPD_VRFY, arg, ev);
}

static bool act_expn(struct smtp_server *s, struct text arg, struct smtp_server_event *ev)
{
	return look_up(s, SMTPD_EXPN, arg, ev);
}

static bool act_turn(struct smtp_server *s, struct text arg, struct smtp_server_event *ev)
{
	if (s->o->turn_offered)
		return smtp_server_ask(s, SMTPD_TURN, ev);
	smtp_server_bad(s, 502, "5.5.1", NULL);
	return false;
}

static bool act_starttls(struct smtp_server *s, struct text arg, struct smtp_server_event *ev)
{
	if (s->tls)
		smtp_server_bad(s, 503, "5.5.1", "TLS is active already");
	else if (!s->o->tls_offered)
		smtp_server_bad(s, 502, "5.5.1", NULL);
	else
		s->state = HANDSHAKE;
	return false;
}

/* A browser that was made to talk to us: what follows its headers could be commands. */
static bool act_http(struct smtp_server *s, struct text arg, struct smtp_server_event *ev)
{
	smtp_server_leave(s, "4.7.0", "This is SMTP");
	return false;
}

static bool act_help(struct smtp_server *s, struct text arg, struct smtp_server_event *ev);

#define AT_MAIL (AFTER_HELO | NOT_IN_MAIL | ARGUMENT | MAY_BE_UTF8)

static const struct command commands[] = {
	{ "MAIL", AT_MAIL, MAIL_LINE_MAX, act_mail, "MAIL FROM:<reverse-path> [parameters]" },
	{ "RCPT", IN_MAIL | ARGUMENT | MAY_BE_UTF8, RCPT_LINE_MAX, act_rcpt,
	  "RCPT TO:<forward-path> [parameters]" },
	{ "DATA", IN_MAIL | NO_ARGUMENT, COMMAND_LINE_MAX, act_data, "DATA" },
	{ "BDAT", FRAMES, COMMAND_LINE_MAX, act_bdat, "BDAT size [LAST]" },
	{ "RSET", NO_ARGUMENT | IDLE, COMMAND_LINE_MAX, act_rset, "RSET" },
	{ "QUIT", NO_ARGUMENT, COMMAND_LINE_MAX, act_quit, "QUIT" },
	{ "EHLO", ARGUMENT | IDLE, COMMAND_LINE_MAX, act_ehlo, "EHLO domain" },
	{ "HELO", ARGUMENT | IDLE, COMMAND_LINE_MAX, act_helo, "HELO domain" },
	{ "STARTTLS", AFTER_EHLO | NOT_IN_MAIL | NO_ARGUMENT, COMMAND_LINE_MAX, act_starttls,
	  "STARTTLS" },
	{ "AUTH", AFTER_EHLO | NOT_IN_MAIL | ARGUMENT, AUTH_LINE_MAX, smtp_server_auth,
	  "AUTH mechanism [initial-response]" },
	{ "NOOP", IDLE, COMMAND_LINE_MAX, act_noop, "NOOP [string]" },
	{ "VRFY", ARGUMENT | MAY_BE_UTF8 | IDLE, COMMAND_LINE_MAX, act_vrfy,
	  "VRFY name [SMTPUTF8]" },
	{ "EXPN", ARGUMENT | MAY_BE_UTF8 | IDLE, COMMAND_LINE_MAX, act_expn,
	  "EXPN list [SMTPUTF8]" },
	{ "HELP", IDLE, COMMAND_LINE_MAX, act_help, "HELP [command]" },
	{ "SEND", AT_MAIL, MAIL_LINE_MAX, act_send, "SEND FROM:<reverse-path> [parameters]" },
	{ "SOML", AT_MAIL, MAIL_LINE_MAX, act_soml, "SOML FROM:<reverse-path> [parameters]" },
	{ "SAML", AT_MAIL, MAIL_LINE_MAX, act_saml, "SAML FROM:<reverse-path> [parameters]" },
	{ "TURN", AFTER_HELO | NOT_IN_MAIL | NO_ARGUMENT, COMMAND_LINE_MAX, act_turn, "TURN" },
	{ "GET", 0, COMMAND_LINE_MAX, act_http, NULL },
	{ "POST", 0, COMMAND_LINE_MAX, act_http, NULL },
	{ "PUT", 0, COMMAND_LINE_MAX, act_http, NULL },
	{ "CONNECT", 0, COMMAND_LINE_MAX, act_http, NULL },
};

static const struct command *find(struct text verb)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (text_is(verb, commands[i].verb))
			return &commands[i];
	return NULL;
}

static bool act_help(struct smtp_server *s, struct text arg, struct smtp_server_event *ev)
{
	const struct command *c = find(arg);
	_buffer_ struct buffer all = { 0 };

	if (c && c->help) {
		smtp_server_say(s, 214, "2.0.0", c->help);
	} else if (arg.len) {
		smtp_server_bad(s, 504, "5.5.4", "There is no such command");
	} else {
		buffer_printf(&all, "Commands:");
		for (size_t i = 0; i < ARRAY_SIZE(commands) && commands[i].help; i++)
			buffer_printf(&all, "\n%s", commands[i].help);
		smtp_server_say(s, 214, "2.0.0", all.data);
	}
	return false;
}

/*
 * Order, then syntax, then the command itself
 */

static struct text verb_of(struct text line)
{
	const char *end = memchr(line.s, ' ', line.len);

	return (struct text){ line.s, end ? (size_t)(end - line.s) : line.len };
}

size_t smtp_server_line_max(struct text head)
{
	const struct command *c = find(verb_of(head));

	return c ? c->line_max : COMMAND_LINE_MAX;
}

static bool out_of_order(struct smtp_server *s, const struct command *c)
{
	const char *words = NULL;

	if (c->rules & AFTER_HELO && !s->helo)
		words = "HELO or EHLO must come first";
	else if (c->rules & AFTER_EHLO && !s->ehlo)
		words = "EHLO must come first";
	else if (c->rules & IN_MAIL && !s->in_mail)
		words = "MAIL must come first";
	else if (c->rules & NOT_IN_MAIL && s->in_mail)
		words = "A mail is under way: end it, or RSET";
	if (words)
		smtp_server_bad(s, 503, "5.5.1", words);
	return words;
}

static bool out_of_shape(struct smtp_server *s, const struct command *c, struct text arg)
{
	if (c->rules & NO_ARGUMENT && arg.len)
		smtp_server_bad(s, 501, "5.5.4", "Nothing may follow this command");
	else if (c->rules & ARGUMENT && !arg.len)
		smtp_server_bad(s, 501, "5.5.4", c->help);
	else
		return false;
	return true;
}

static bool idles(struct smtp_server *s, const struct command *c)
{
	if (!(c->rules & IDLE) || ++s->idle <= smtp_server_limit(s->o->max_idle, IDLE_DEFAULT))
		return false;
	smtp_server_leave(s, "4.7.0", "Too many commands without a mail");
	return true;
}

static bool unreadable(struct smtp_server *s, const struct command *c, struct text line)
{
	if (has_control(line))
		smtp_server_bad(s, 500, "5.5.2", "Control characters may not stand in a command");
	else if (!c)
		smtp_server_bad(s, 500, "5.5.1", NULL);
	else if (!is_ascii(line) && !(c->rules & MAY_BE_UTF8 && s->ehlo))
		smtp_server_bad(s, 500, "5.5.2", "Octets beyond ASCII may not stand here");
	else
		return false;
	if (c && c->rules & FRAMES)
		smtp_server_close(s);
	return true;
}

bool smtp_server_obey(struct smtp_server *s, struct text line, struct smtp_server_event *ev)
{
	struct text whole = trim_end(line), verb = verb_of(whole);
	struct text arg = skip_spaces(skip(whole, verb.len));
	const struct command *c = find(verb);

	if (unreadable(s, c, line) || out_of_order(s, c) || out_of_shape(s, c, arg) || idles(s, c))
		return false;
	return c->act(s, arg, ev);
}
