// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * bench-load - SMTP sessions side by side, every reply checked
 *
 *	bench-load mails PORT SESSIONS COUNT FILE RECIPIENT [-1] [-b BLOCK]
 *	bench-load calls PORT RATE COUNT
 *
 * "mails" sends the message in FILE COUNT times: MAIL, RCPT and DATA in one write (the
 * server must offer PIPELINING), the text with its dot in the next. -1: a connection
 * for each mail, QUIT behind the dot. It prints the time until the last 250, with -b
 * also that of each BLOCK mails; a reply that is not the one expected ends it with 1.
 *
 * "calls" makes RATE connections a second, waits for the greeting of each, says QUIT,
 * and prints how many were served, how many not, and the longest wait for a greeting.
 *
 * Session n comes from 127.0.1.n, so that limits by address are met as in life. One
 * thread, epoll.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"

#define SOURCES	   250
#define QUIET_MSEC 120000	/* a server that says nothing for so long has failed */
#define EVENTS	   64
#define SENDER	   "sender@example.org"

enum step { GREETING, EHLO, MAIL, RCPT, DATA, DOT, QUIT, GONE };

static const int expected[] = { 220, 250, 250, 250, 354, 250, 221 };
static const char *const step_names[] = { "the greeting", "EHLO", "MAIL", "RCPT", "DATA",
					  "the mail", "QUIT" };

struct session {
	int fd;
	unsigned int number;
	unsigned int dialed;	/* so many times */
	enum step step;
	bool pipelining;
	const char *out;	/* what is still to be written */
	size_t out_len;
	double since;		/* connect() */
	size_t in_len;
	char in[2048];
};

struct load {
	int epoll;
	uint16_t port;
	bool calls;
	bool single;			/* a connection for each mail */
	uint64_t count, begun, done, failed, open;
	uint64_t block;
	double start, longest;
	double *blocks;			/* when each was full */
	struct buffer envelope;		/* MAIL, RCPT, DATA */
	struct buffer text, last_text;	/* with the dot; with QUIT behind it, too */
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void __attribute__((noreturn, format(printf, 1, 2))) fail(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "bench-load: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	exit(1);
}

static void must(int r)
{
	if (r < 0)
		fail("%s", strerror(-r));
}

/*
 * A session
 */

static void hang_up(struct load *l, struct session *s)
{
	close(s->fd);
	s->fd = -1;
	s->step = GONE;
	l->open--;
}

/* Of a call it is counted; a mail may not get lost. */
static void trouble(struct load *l, struct session *s, const char *what)
{
	if (!l->calls)
		fail("session %u at %s: %s", s->number, step_names[s->step], what);
	l->failed++;
	hang_up(l, s);
}

static void dial(struct load *l, struct session *s)
{
	struct sockaddr_in from = { .sin_family = AF_INET }, to = { .sin_family = AF_INET };
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = s };
	int one = 1;

	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		fail("socket: %s", strerror(errno));
	setsockopt(s->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	from.sin_addr.s_addr = htonl((INADDR_LOOPBACK & 0xffffff00) + 0x101 + s->number % SOURCES);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to.sin_port = htons(l->port);
	if (bind(s->fd, (struct sockaddr *)&from, sizeof(from)) < 0)
		fail("bind: %s", strerror(errno));
	s->dialed++;
	s->step = GREETING;
	s->in_len = s->out_len = 0;
	s->since = now();
	l->open++;
	if (connect(s->fd, (struct sockaddr *)&to, sizeof(to)) < 0 && errno != EINPROGRESS)
		return trouble(l, s, strerror(errno));
	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, s->fd, &ev) < 0)
		fail("epoll_ctl: %s", strerror(errno));
}

static void flush(struct load *l, struct session *s)
{
	while (s->out_len) {
		ssize_t n = send(s->fd, s->out, s->out_len, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			return trouble(l, s, strerror(errno));
		s->out += n;
		s->out_len -= (size_t)n;
	}
}

static void say(struct load *l, struct session *s, const char *data, size_t len)
{
	if (s->out_len)
		fail("session %u: a reply before it was asked for", s->number);
	s->out = data;
	s->out_len = len;
	flush(l, s);
}

static void say_text(struct load *l, struct session *s, const char *text)
{
	say(l, s, text, strlen(text));
}

/* The next mail, or the end. */
static void next_mail(struct load *l, struct session *s)
{
	s->step = QUIT;
	if (l->begun == l->count)
		return say_text(l, s, "QUIT\r\n");
	l->begun++;
	s->step = MAIL;
	say(l, s, l->envelope.data, l->envelope.len);
}

static void count_mail(struct load *l)
{
	l->done++;
	if (l->block && l->done % l->block == 0)
		l->blocks[l->done / l->block - 1] = now();
}

static void advance(struct load *l, struct session *s)
{
	const struct buffer *text = l->single ? &l->last_text : &l->text;

	switch (s->step) {
	case GREETING:
		if (now() - s->since > l->longest)
			l->longest = now() - s->since;
		s->step = l->calls ? QUIT : EHLO;
		return say_text(l, s, l->calls ? "QUIT\r\n" : "EHLO bench.example.org\r\n");
	case EHLO:
		if (!s->pipelining)
			fail("the server does not offer PIPELINING");
		return next_mail(l, s);
	case MAIL:
	case RCPT:
		s->step++;
		return;
	case DATA:
		s->step = DOT;
		return say(l, s, text->data, text->len);
	case DOT:
		count_mail(l);
		if (!l->single)
			return next_mail(l, s);
		s->step = QUIT;
		return;
	case QUIT:
		hang_up(l, s);
		if (l->calls)
			l->done++;
		else if (l->single && l->begun < l->count)
			dial(l, s);
		return;
	case GONE:
		return;
	}
}

static bool is_last(const char *line, size_t len)
{
	return len < 4 || line[3] != '-';
}

static void take_line(struct load *l, struct session *s, char *line, size_t len)
{
	line[len] = '\0';
	if (atoi(line) != expected[s->step])
		return trouble(l, s, line);
	if (s->step == EHLO && len >= 14 && !strncmp(line + 4, "PIPELINING", 10))
		s->pipelining = true;
	if (is_last(line, len))
		advance(l, s);
}

/* Whole lines are taken out; @s may be at its next connection afterwards. */
static void take_lines(struct load *l, struct session *s)
{
	char lines[sizeof(s->in)], *at = lines, *nl;
	unsigned int dialed = s->dialed;
	size_t left = s->in_len;

	memcpy(lines, s->in, left);
	while (s->dialed == dialed && s->step != GONE && (nl = memchr(at, '\n', left))) {
		size_t len = (size_t)(nl - at);

		if (!len || at[len - 1] != '\r')
			fail("session %u: a reply without CRLF", s->number);
		left -= len + 1;
		s->in_len = left;
		memcpy(s->in, nl + 1, left);
		take_line(l, s, at, len - 1);
		at = nl + 1;
	}
}

static void on_readable(struct load *l, struct session *s)
{
	unsigned int dialed = s->dialed;

	while (s->step != GONE && s->dialed == dialed) {
		ssize_t n;

		if (s->in_len == sizeof(s->in))
			fail("session %u: a reply without end", s->number);
		n = recv(s->fd, s->in + s->in_len, sizeof(s->in) - s->in_len, 0);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0)
			return trouble(l, s, n ? strerror(errno) : "the server hung up");
		s->in_len += (size_t)n;
		take_lines(l, s);
	}
}

static void wait_some(struct load *l, int msec)
{
	struct epoll_event ev[EVENTS];
	int n = epoll_wait(l->epoll, ev, EVENTS, msec);

	if (n < 0 && errno != EINTR)
		fail("epoll_wait: %s", strerror(errno));
	if (!n && msec == QUIET_MSEC)
		fail("the server has said nothing for %d s", QUIET_MSEC / 1000);
	for (int i = 0; i < n; i++) {
		struct session *s = ev[i].data.ptr;

		if (s->step != GONE && s->out_len)
			flush(l, s);
		if (s->step != GONE && (ev[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
			on_readable(l, s);
	}
}

/*
 * Mails
 */

static void make_envelope(struct load *l, const char *to)
{
	must(buffer_printf(&l->envelope, "MAIL FROM:<" SENDER ">\r\nRCPT TO:<%s>\r\nDATA\r\n",
			   to));
}

/* Lines end in CRLF already; a dot at the start of one is doubled. */
static void make_text(struct load *l, const char *path)
{
	_fclose_ FILE *f = fopen(path, "re");
	_free_ char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	if (!f)
		fail("%s: %s", path, strerror(errno));
	while ((n = getline(&line, &cap, f)) > 0) {
		if (n < 2 || line[n - 2] != '\r')
			fail("%s: a line does not end in CRLF", path);
		if (line[0] == '.')
			must(buffer_append(&l->text, ".", 1));
		must(buffer_append(&l->text, line, (size_t)n));
	}
	must(buffer_append(&l->text, ".\r\n", 3));
	must(buffer_append(&l->last_text, l->text.data, l->text.len));
	must(buffer_append(&l->last_text, "QUIT\r\n", 6));
}

static struct session *make_sessions(uint64_t n)
{
	struct session *s = calloc(n, sizeof(*s));

	if (!s)
		fail("out of memory");
	for (uint64_t i = 0; i < n; i++) {
		s[i].number = (unsigned int)i;
		s[i].step = GONE;
		s[i].fd = -1;
	}
	return s;
}

static int send_mails(struct load *l, uint64_t sessions)
{
	_free_ struct session *s = make_sessions(sessions);
	double end;

	if (l->block)
		l->blocks = calloc(l->count / l->block + 1, sizeof(*l->blocks));
	if (l->block && !l->blocks)
		fail("out of memory");
	l->start = now();
	/* Each has a mail to begin with in the end: what it dials for is not counted here. */
	for (uint64_t i = 0; i < sessions; i++)
		dial(l, &s[i]);
	while (l->done < l->count)
		wait_some(l, QUIET_MSEC);
	end = now();
	while (l->open)
		wait_some(l, QUIET_MSEC);
	printf("mails %llu seconds %.6f\n", (unsigned long long)l->done, end - l->start);
	for (uint64_t i = 0; l->block && i < l->count / l->block; i++)
		printf("block %.6f\n", l->blocks[i] - (i ? l->blocks[i - 1] : l->start));
	free(l->blocks);
	return 0;
}

/*
 * Calls
 */

static int make_calls(struct load *l, double rate)
{
	_free_ struct session *s = make_sessions(l->count);
	double late = 0;

	l->calls = true;
	l->start = now();
	while (l->begun < l->count || l->open) {
		double due = l->start + (double)l->begun / rate;

		if (l->begun == l->count) {
			wait_some(l, QUIET_MSEC);
			continue;
		}
		if (now() < due) {
			wait_some(l, 1);
			continue;
		}
		if (now() - due > late)
			late = now() - due;
		dial(l, &s[l->begun++]);
		wait_some(l, 0);
	}
	printf("served %llu failed %llu longest %.6f seconds %.6f late %.6f\n",
	       (unsigned long long)l->done, (unsigned long long)l->failed, l->longest,
	       now() - l->start, late);
	return 0;
}

static uint64_t number(const char *text)
{
	char *end;
	unsigned long long n = strtoull(text, &end, 10);

	if (!n || *end)
		fail("\"%s\" is no number", text);
	return n;
}

int main(int argc, char **argv)
{
	struct load l = { .epoll = epoll_create1(EPOLL_CLOEXEC) };
	bool mails = argc >= 7 && !strcmp(argv[1], "mails");
	int r;

	if (!mails && (argc != 5 || strcmp(argv[1], "calls"))) {
		fprintf(stderr, "usage: bench-load mails PORT SESSIONS COUNT FILE RECIPIENT [-1] "
			"[-b BLOCK]\n       bench-load calls PORT RATE COUNT\n");
		return 2;
	}
	l.port = (uint16_t)number(argv[2]);
	l.count = number(argv[4]);
	for (int i = 7; mails && i < argc; i++) {
		if (!strcmp(argv[i], "-1"))
			l.single = true;
		else if (!strcmp(argv[i], "-b") && i + 1 < argc)
			l.block = number(argv[++i]);
		else
			fail("\"%s\" is no option", argv[i]);
	}
	if (mails) {
		make_envelope(&l, argv[6]);
		make_text(&l, argv[5]);
	}
	r = mails ? send_mails(&l, number(argv[3])) : make_calls(&l, (double)number(argv[3]));
	buffer_free(&l.envelope);
	buffer_free(&l.text);
	buffer_free(&l.last_text);
	close(l.epoll);
	return r;
}
