// SPDX-License-Identifier: LGPL-2.1-or-later
/* Listening sockets, seats, accepted streams, and a server's certificate. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/x509.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "net/listen.h"
#include "net/network.h"
#include "net/penalty.h"
#include "net/stream.h"
#include "smtp_peer.h"

#define LINES 16

struct room {
	sd_event *event;
	struct net_listen *listen;
	struct net_tls_server *tls;
	bool tls_at_once, pause;
	uint16_t port;
	struct line {
		struct room *room;
		struct net_stream *stream;
		struct net_seat *seat;
		struct net_peer peer;
		struct buffer got;
		bool secured, closed;
		int why;
		unsigned int timed_out, drained;
	} lines[LINES];
	size_t n;
	unsigned int refused, busy, troubles;
	char dir[32], certificate[64], key[64];
};

static void on_input(void *userdata, const char *data, size_t len)
{
	struct line *l = userdata;

	assert_int_equal(buffer_append(&l->got, data, len), 0);
	if (l->room->pause)
		net_stream_pause(l->stream, true);
}

static void on_secured(void *userdata)
{
	((struct line *)userdata)->secured = true;
}

static void on_closed(void *userdata, int r, const struct error *e)
{
	struct line *l = userdata;

	l->closed = true;
	l->why = r;
}

static void on_timed_out(void *userdata)
{
	((struct line *)userdata)->timed_out++;
}

static void on_drained(void *userdata)
{
	((struct line *)userdata)->drained++;
}

static void on_accepted(void *userdata, int fd, const struct net_peer *peer, struct net_seat *seat)
{
	static const struct net_stream_handler handler = {
		.opened = on_secured, .secured = on_secured, .input = on_input,
		.closed = on_closed, .timed_out = on_timed_out, .drained = on_drained,
	};
	struct room *r = userdata;
	struct line *l = &r->lines[r->n++];
	struct net_accept_options o = { .fd = fd, .peer = peer->text, .tls = r->tls,
					.tls_at_once = r->tls_at_once };
	struct error e = { 0 };

	assert_true(r->n <= LINES);
	l->room = r;
	l->seat = seat;
	l->peer = *peer;
	if (net_stream_accept(&l->stream, r->event, &o, &handler, l, &e) < 0)
		fail_msg("%s", error_text(&e));
}

static const char *on_refused(void *userdata, const struct net_peer *peer, bool busy)
{
	struct room *r = userdata;

	r->refused++;
	r->busy += busy;
	return peer->tag ? NULL : "421 no\r\n";
}

static void on_trouble(void *userdata, const struct error *e)
{
	((struct room *)userdata)->troubles++;
}

static void listen_with(struct room *r, uint32_t max, uint32_t each)
{
	const struct net_listen_options o = { max, each, on_accepted, on_refused, on_trouble };
	struct error e = { 0 };

	assert_int_equal(net_listen_new(&r->listen, r->event, &o, r), 0);
	if (net_listen_add(r->listen, peer_listen(&r->port), 0, &e) < 0)
		fail_msg("%s", error_text(&e));
}

static int setup(void **state)
{
	struct room *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	assert_true(sd_event_new(&r->event) >= 0);
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct room *r = *state;

	for (size_t i = 0; i < r->n; i++) {
		net_stream_free(r->lines[i].stream);
		net_seat_free(r->lines[i].seat);
		buffer_free(&r->lines[i].got);
	}
	net_listen_free(r->listen);
	net_tls_server_free(r->tls);
	if (r->dir[0]) {
		unlink(r->certificate);
		unlink(r->key);
		rmdir(r->dir);
	}
	sd_event_unref(r->event);
	free(r);
	return 0;
}

static void run(struct room *r, unsigned int msec)
{
	for (unsigned int i = 0; i < msec; i += 5)
		assert_true(sd_event_run(r->event, 5000) >= 0);
}

static void seats(void **state)
{
	struct peer p[5];
	struct room *r = *state;

	listen_with(r, 4, 3);
	for (int i = 0; i < 4; i++)
		peer_connect(&p[i], r->event, r->port);
	run(r, 30);
	assert_int_equal(r->n, 3);
	assert_int_equal(r->refused, 1);
	assert_int_equal(r->busy, 0);
	peer_expect(&p[3], "421 no");
	peer_expect_end(&p[3]);
	assert_int_equal(net_listen_count(r->listen), 3);
	assert_string_equal(r->lines[0].peer.text, "127.0.0.1");
	/* A seat that is given back is there for the next. */
	net_seat_free(take_ptr(r->lines[1].seat));
	peer_connect(&p[4], r->event, r->port);
	run(r, 30);
	assert_int_equal(r->n, 4);
	for (int i = 0; i < 5; i++)
		peer_close(&p[i]);
	run(r, 30);
	assert_int_equal(r->lines[0].why, -ECONNRESET);
}

static void no_seat_left(void **state)
{
	struct peer p[3];
	struct room *r = *state;

	listen_with(r, 2, 100);
	for (int i = 0; i < 3; i++)
		peer_connect(&p[i], r->event, r->port);
	run(r, 30);
	assert_int_equal(r->n, 2);
	assert_int_equal(r->busy, 1);
	for (int i = 0; i < 3; i++)
		peer_close(&p[i]);
}

/* Without descriptors who comes waits in the backlog, and the loop does not run hot. */
static void no_descriptors(void **state)
{
	struct rlimit was, none;
	struct room *r = *state;
	struct peer p;
	uint64_t turns = 0, first = 0, now = 0;
	int spare;

	listen_with(r, 10, 10);
	peer_connect(&p, r->event, r->port);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	spare = dup(0);
	assert_true(spare >= 0);
	close(spare);
	none = (struct rlimit){ (rlim_t)spare, was.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	sd_event_now(r->event, CLOCK_MONOTONIC, &first);
	do {
		assert_true(sd_event_run(r->event, 50000) >= 0);
		turns++;
		sd_event_now(r->event, CLOCK_MONOTONIC, &now);
	} while (now - first < 300000);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_int_equal(r->troubles, 1);
	assert_true(turns < 20);
	run(r, 1200);
	assert_int_equal(r->n, 1);
	peer_close(&p);
}

static void not_a_listening_socket(void **state)
{
	const struct net_listen_options o = { 1, 1, on_accepted, on_refused, on_trouble };
	struct room *r = *state;
	struct error e = { 0 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(net_listen_new(&r->listen, r->event, &o, r), 0);
	assert_int_equal(net_listen_add(r->listen, fd, 0, &e), -EINVAL);
	assert_non_null(strstr(e.text, "no listening socket"));
	assert_true(fcntl(fd, F_GETFD) < 0);
}

/* What is not wanted yet stays with the kernel; an end is seen nevertheless. */
static void paused(void **state)
{
	struct room *r = *state;
	struct line *l = &r->lines[0];
	struct peer p;

	listen_with(r, 2, 2);
	r->pause = true;
	peer_connect(&p, r->event, r->port);
	peer_send(&p, "one", 3);
	run(r, 20);
	peer_send(&p, "two", 3);
	run(r, 20);
	assert_int_equal(l->got.len, 3);
	net_stream_pause(l->stream, false);
	run(r, 20);
	assert_string_equal(l->got.data, "onetwo");
	/* Both ends gone: with unread data the kernel sends a reset. */
	assert_int_equal(net_stream_write(l->stream, "x", 1), 0);
	run(r, 20);
	peer_close(&p);
	run(r, 50);
	assert_true(l->closed);
}

static void ends(void **state)
{
	struct room *r = *state;
	struct line *l = &r->lines[0];
	struct peer p;

	listen_with(r, 2, 2);
	peer_connect(&p, r->event, r->port);
	run(r, 20);
	assert_int_equal(net_stream_write(l->stream, "221 bye\r\n", 9), 0);
	net_stream_flush(l->stream);
	assert_int_equal(net_stream_queued(l->stream), 0);
	net_stream_end(l->stream);
	assert_int_equal(net_stream_write(l->stream, "x", 1), -ENOTCONN);
	peer_expect(&p, "221 bye");
	peer_expect_end(&p);
	/* still read from */
	peer_send(&p, "late", 4);
	run(r, 20);
	assert_int_equal(l->got.len, 4);
	assert_false(l->closed);
	peer_close(&p);
	run(r, 20);
	assert_true(l->closed);
}

/* Until it has rung once more, whatever else the machine does; how long that took. */
static uint64_t wait_ring(struct room *r, const struct line *l)
{
	unsigned int before = l->timed_out;
	uint64_t first, now = 0;

	sd_event_now(r->event, CLOCK_MONOTONIC, &first);
	while (l->timed_out == before && (!now || now - first < 8000000)) {
		assert_true(sd_event_run(r->event, 10000) >= 0);
		sd_event_now(r->event, CLOCK_MONOTONIC, &now);
	}
	assert_int_equal(l->timed_out, before + 1);
	return now - first;
}

static void deadlines(void **state)
{
	struct room *r = *state;
	struct line *l = &r->lines[0];
	struct peer p;

	listen_with(r, 2, 2);
	peer_connect(&p, r->event, r->port);
	run(r, 20);
	/* later: the timer that is set already does not ring for it */
	assert_int_equal(net_stream_set_timeout(l->stream, 100000), 0);
	assert_int_equal(net_stream_set_timeout(l->stream, 400000), 0);
	assert_true(wait_ring(r, l) >= 390000);
	/* sooner */
	assert_int_equal(net_stream_set_timeout(l->stream, 60000000), 0);
	assert_int_equal(net_stream_set_timeout(l->stream, 50000), 0);
	wait_ring(r, l);
	/* none */
	assert_int_equal(net_stream_set_timeout(l->stream, 50000), 0);
	assert_int_equal(net_stream_set_timeout(l->stream, 0), 0);
	run(r, 200);
	assert_int_equal(l->timed_out, 2);
	assert_false(l->closed);
	peer_close(&p);
}

/* More than the socket takes: drained() when it is out. */
static void a_slow_reader(void **state)
{
	struct room *r = *state;
	struct line *l = &r->lines[0];
	static char big[1 << 20];
	size_t got = 0, sent = 0;
	struct peer p;

	listen_with(r, 2, 2);
	peer_connect(&p, r->event, r->port);
	run(r, 20);
	while (!net_stream_queued(l->stream)) {
		assert_int_equal(net_stream_write(l->stream, big, sizeof(big)), 0);
		net_stream_flush(l->stream);
		sent += sizeof(big);
	}
	while (got < sent) {
		ssize_t n = recv(p.fd, big, sizeof(big), 0);

		if (n > 0)
			got += (size_t)n;
		else
			run(r, 5);
	}
	run(r, 20);
	assert_int_equal(got, sent);
	assert_int_equal(l->drained, 1);
	peer_close(&p);
}

/*
 * TLS
 */

static void certificate(struct room *r)
{
	struct error e = { 0 };

	strcpy(r->dir, "/tmp/ifax-listen-XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	snprintf(r->certificate, sizeof(r->certificate), "%s/crt", r->dir);
	snprintf(r->key, sizeof(r->key), "%s/key", r->dir);
	peer_make_certificate(r->certificate, r->key);
	if (net_tls_server_new(&r->tls, r->certificate, r->key, &e) < 0)
		fail_msg("%s", error_text(&e));
}

static void exchange(struct room *r, struct peer *p, struct line *l)
{
	assert_int_equal(net_stream_write(l->stream, "220 hello\r\n", 11), 0);
	peer_expect(p, "220 hello");
	peer_send(p, "over TLS", 8);
	run(r, 20);
	assert_string_equal(l->got.data, "over TLS");
	assert_non_null(net_stream_tls(l->stream));
}

static void tls_from_the_first_byte(void **state)
{
	struct room *r = *state;
	struct peer p;

	certificate(r);
	listen_with(r, 2, 2);
	r->tls_at_once = true;
	peer_connect(&p, r->event, r->port);
	run(r, 20);
	assert_int_equal(net_stream_write(r->lines[0].stream, "x", 1), -ENOTCONN);
	peer_start_tls(&p);
	run(r, 20);
	assert_true(r->lines[0].secured);
	exchange(r, &p, &r->lines[0]);
	peer_close(&p);
}

static void start_tls(void **state)
{
	struct room *r = *state;
	struct line *l = &r->lines[0];
	struct peer p;

	certificate(r);
	listen_with(r, 2, 2);
	peer_connect(&p, r->event, r->port);
	run(r, 20);
	assert_null(net_stream_tls(l->stream));
	assert_int_equal(net_stream_write(l->stream, "220 go\r\n", 8), 0);
	assert_int_equal(net_stream_start_tls(l->stream), 0);
	peer_expect(&p, "220 go");
	peer_start_tls(&p);
	run(r, 20);
	assert_true(l->secured);
	exchange(r, &p, l);
	/* Bytes that OpenSSL has, but the user did not want yet. */
	buffer_clear(&l->got);
	r->pause = true;
	peer_send(&p, "a", 1);
	peer_send(&p, "b", 1);
	run(r, 20);
	assert_int_equal(l->got.len, 1);
	r->pause = false;
	net_stream_pause(l->stream, false);
	run(r, 20);
	assert_string_equal(l->got.data, "ab");
	peer_close(&p);
}

/* What a stranger says in place of a handshake ends the line, and nothing else. */
static void no_handshake(void **state)
{
	struct room *r = *state;
	struct peer p;

	certificate(r);
	listen_with(r, 2, 2);
	r->tls_at_once = true;
	peer_connect(&p, r->event, r->port);
	peer_send(&p, "EHLO plain.text\r\n", 17);
	run(r, 50);
	assert_true(r->lines[0].closed);
	assert_false(r->lines[0].secured);
	peer_close(&p);
}

static void serial_now(struct room *r, unsigned char digest[32])
{
	unsigned int len = 32;
	struct peer p;
	X509 *x;

	peer_connect(&p, r->event, r->port);
	run(r, 10);
	peer_start_tls(&p);
	x = SSL_get1_peer_certificate(p.ssl);
	assert_non_null(x);
	X509_digest(x, EVP_sha256(), digest, &len);
	X509_free(x);
	peer_close(&p);
	run(r, 20);
}

static void a_new_certificate(void **state)
{
	unsigned char one[32], two[32], three[32];
	struct room *r = *state;
	char other[64];

	certificate(r);
	listen_with(r, 9, 9);
	r->tls_at_once = true;
	serial_now(r, one);
	assert_null(net_tls_server_notice(r->tls));
	peer_make_certificate(r->certificate, r->key);
	serial_now(r, two);
	assert_memory_not_equal(one, two, 32);
	assert_non_null(strstr(net_tls_server_notice(r->tls), "new and in use"));
	assert_null(net_tls_server_notice(r->tls));
	/* Half of a pair: the old one goes on. */
	snprintf(other, sizeof(other), "%s/other", r->dir);
	peer_make_certificate(r->certificate, other);
	unlink(other);
	serial_now(r, three);
	assert_memory_equal(two, three, 32);
	assert_non_null(strstr(net_tls_server_notice(r->tls), "is not the key"));
}

static void no_certificate(void **state)
{
	struct room *r = *state;
	struct error e = { 0 };

	assert_int_equal(net_tls_server_new(&r->tls, "/nonexistent/crt", "/nonexistent/key", &e),
			 -EINVAL);
	assert_non_null(strstr(e.text, "/nonexistent/crt cannot be read"));
}

/*
 * Networks
 */

static void address(const char *text, struct sockaddr_storage *a)
{
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)a;
	struct sockaddr_in *four = (struct sockaddr_in *)a;

	memset(a, 0, sizeof(*a));
	if (inet_pton(AF_INET, text, &four->sin_addr) == 1)
		a->ss_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &six->sin6_addr) == 1)
		a->ss_family = AF_INET6;
	net_unmap(a);
}

static void networks(void **state)
{
	static const struct {
		const char *words, *address;
		bool in;
	} cases[] = {
		{ "127.0.0.0/8 ::1", "127.9.9.9", true }, { "127.0.0.0/8 ::1", "::1", true },
		{ "127.0.0.0/8 ::1", "128.0.0.1", false }, { "::1", "::2", false },
		{ "10.0.0.0/9", "10.127.255.255", true }, { "10.0.0.0/9", "10.128.0.0", false },
		{ "2001:db8::/33", "2001:db8:7fff::1", true },
		{ "2001:db8::/33", "2001:db8:8000::1", false }, { "0.0.0.0/0", "8.8.8.8", true },
		{ "0.0.0.0/0", "::1", false }, { "none", "127.0.0.1", false },
		{ "", "127.0.0.1", false }, { "192.0.2.1", "::ffff:192.0.2.1", true },
		{ "192.0.2.1", "192.0.2.2", false },
	};
	static const char *const wrong[] = { "", "x", "1.2.3", "1.2.3.4/33", "1.2.3.4/24", "::/129",
					     "1.2.3.4/", "1.2.3.4/-1", "1.2.3.4/8/8",
					     "2001:db8::1/64", "1.2.3.4/0032" };
	struct sockaddr_storage a;
	struct network n;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		address(cases[i].address, &a);
		if (networks_have(cases[i].words, &a) != cases[i].in)
			fail_msg("case %zu", i);
	}
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		if (network_parse(wrong[i], &n) != -EINVAL)
			fail_msg("\"%s\" is taken", wrong[i]);
}

static void literals(void **state)
{
	struct sockaddr_storage four, six;

	address("192.0.2.1", &four);
	address("2001:db8::1", &six);
	assert_true(network_is_literal("[192.0.2.1]", &four));
	assert_true(network_is_literal("#3221225985", &four));
	assert_true(network_is_literal("[IPv6:2001:DB8:0::1]", &six));
	assert_false(network_is_literal("[192.0.2.2]", &four));
	assert_false(network_is_literal("192.0.2.1", &four));
	assert_false(network_is_literal("[192.0.2.1/32]", &four));
	assert_false(network_is_literal("#", &four));
	assert_false(network_is_literal("#18446744073709551616", &four));
	assert_false(network_is_literal("#3221225985", &six));
	assert_false(network_is_literal("[]", &four));
}

static void penalties(void **state)
{
	struct penalties *p = calloc(1, sizeof(*p));
	struct sockaddr_storage a, b, many;
	char text[32];

	assert_non_null(p);
	address("2001:db8::1", &a);
	address("2001:db8::2", &b);	/* the same network */
	assert_int_equal(penalty_count(p, &a, 1000, 100), 0);
	penalty_add(p, &a, 1000, 100);
	penalty_add(p, &b, 1050, 100);
	assert_int_equal(penalty_count(p, &a, 1100, 100), 2);
	assert_int_equal(penalty_count(p, &a, 1101, 100), 0);
	penalty_add(p, &a, 1101, 100);
	assert_int_equal(penalty_count(p, &a, 1102, 100), 1);
	/* Full: the one who was quiet for longest goes. */
	for (int i = 0; i < PENALTY_PLACES; i++) {
		snprintf(text, sizeof(text), "10.0.%d.%d", i / 256, i % 256);
		address(text, &many);
		penalty_add(p, &many, 1103 + (uint64_t)i, 10000);
	}
	assert_int_equal(penalty_count(p, &a, 1400, 10000), 0);
	assert_int_equal(penalty_count(p, &many, 1400, 10000), 1);
	free(p);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(seats), TEST(no_seat_left), TEST(no_descriptors),
		TEST(not_a_listening_socket), TEST(paused), TEST(ends), TEST(deadlines),
		TEST(a_slow_reader), TEST(tls_from_the_first_byte), TEST(start_tls),
		TEST(no_handshake), TEST(a_new_certificate), TEST(no_certificate), TEST(networks),
		TEST(literals), TEST(penalties),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
