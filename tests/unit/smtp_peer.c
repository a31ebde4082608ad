// SPDX-License-Identifier: LGPL-2.1-or-later
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "smtp_peer.h"

#define PATIENCE_USEC (8 * 1000000ull)

int peer_listen(uint16_t *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 512), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*port = ntohs(a.sin_port);
	return fd;
}

void peer_connect(struct peer *p, sd_event *event, uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int on = 1;

	memset(p, 0, sizeof(*p));
	p->event = event;
	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(p->fd >= 0);
	assert_int_equal(connect(p->fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(fcntl(p->fd, F_SETFL, O_NONBLOCK), 0);
	setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

void peer_close(struct peer *p)
{
	SSL_free(p->ssl);
	p->ssl = NULL;
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
}

static uint64_t now(struct peer *p)
{
	uint64_t usec = 0;

	sd_event_now(p->event, CLOCK_MONOTONIC, &usec);
	return usec;
}

/* The server's turn; after PATIENCE without a result the test has failed. */
static void turn(struct peer *p, uint64_t since)
{
	assert_true(sd_event_run(p->event, 10000) >= 0);
	if (now(p) - since > PATIENCE_USEC)
		fail_msg("nothing came from the server");
}

/* Bytes, 0 = later, -1 = the end. */
static int receive(struct peer *p, char *data, size_t len)
{
	ssize_t n;

	if (p->ssl) {
		n = SSL_read(p->ssl, data, len);
		if (n > 0)
			return n;
		return SSL_get_error(p->ssl, n) == SSL_ERROR_WANT_READ ? 0 : -1;
	}
	n = recv(p->fd, data, len, 0);
	if (n < 0)
		return errno == EAGAIN ? 0 : -1;
	return n ? n : -1;
}

void peer_send(struct peer *p, const char *data, size_t len)
{
	uint64_t since = now(p);

	while (len) {
		ssize_t n = p->ssl ? SSL_write(p->ssl, data, len) :
				     send(p->fd, data, len, MSG_NOSIGNAL);

		if (n > 0) {
			data += n;
			len -= n;
		} else if (!p->ssl && errno != EAGAIN) {
			return;		/* the server has hung up; what it said is read next */
		} else {
			turn(p, since);
		}
	}
}

/* The length of the first whole reply in @s, 0: it is not there yet. */
static size_t whole_reply(const char *s)
{
	const char *p = s, *nl;

	while ((nl = strchr(p, '\n'))) {
		if (strlen(p) > 3 && p[3] == ' ')
			return nl + 1 - s;
		p = nl + 1;
	}
	return 0;
}

static size_t whole_line(const char *s)
{
	const char *nl = strchr(s, '\n');

	return nl ? nl + 1 - s : 0;
}

/* False: the line was closed before. */
static bool read_whole(struct peer *p, size_t (*whole)(const char *s))
{
	uint64_t since = now(p);
	size_t n;

	while (!(n = whole(p->rest))) {
		int got = receive(p, p->rest + p->n_rest, sizeof(p->rest) - 1 - p->n_rest);

		if (got < 0) {
			p->closed = true;
			p->reply[0] = '\0';
			return false;
		}
		p->n_rest += got;
		p->rest[p->n_rest] = '\0';
		if (!got)
			turn(p, since);
	}
	memcpy(p->reply, p->rest, n);
	p->reply[n] = '\0';
	memmove(p->rest, p->rest + n, p->n_rest - n + 1);
	p->n_rest -= n;
	return true;
}

int peer_read(struct peer *p)
{
	return read_whole(p, whole_reply) ? atoi(p->reply) : 0;
}

void peer_expect(struct peer *p, const char *start)
{
	peer_read(p);
	if (strncmp(p->reply, start, strlen(start)))
		fail_msg("\"%s\" in place of \"%s\"", p->reply, start);
}

void peer_say(struct peer *p, const char *line, const char *start)
{
	peer_send(p, line, strlen(line));
	peer_send(p, "\r\n", 2);
	peer_read(p);
	if (strncmp(p->reply, start, strlen(start)))
		fail_msg("\"%s\" in place of \"%s\" after \"%s\"", p->reply, start, line);
}

void peer_expect_line(struct peer *p, const char *start)
{
	read_whole(p, whole_line);
	if (strncmp(p->reply, start, strlen(start)))
		fail_msg("\"%s\" in place of \"%s\"", p->reply, start);
}

void peer_answer(struct peer *p, const char *reply, const char *command)
{
	peer_send(p, reply, strlen(reply));
	peer_send(p, "\r\n", 2);
	peer_expect_line(p, command);
}

void peer_expect_end(struct peer *p)
{
	if (peer_read(p))
		fail_msg("\"%s\" in place of the end", p->reply);
}

void peer_start_tls(struct peer *p)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	uint64_t since = now(p);
	int r;

	assert_non_null(ctx);
	p->ssl = SSL_new(ctx);
	SSL_CTX_free(ctx);
	SSL_set_mode(p->ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
			     SSL_MODE_ENABLE_PARTIAL_WRITE);
	SSL_set_fd(p->ssl, p->fd);
	while ((r = SSL_connect(p->ssl)) != 1) {
		if (SSL_get_error(p->ssl, r) != SSL_ERROR_WANT_READ)
			fail_msg("the handshake has failed");
		turn(p, since);
	}
}

void peer_make_certificate(const char *certificate, const char *key)
{
	EVP_PKEY *pkey = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	X509_NAME *name;
	FILE *f;

	assert_true(pkey && x);
	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600 * 24);
	X509_set_pubkey(x, pkey);
	name = X509_get_subject_name(x);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1,
				   -1, 0);
	X509_set_issuer_name(x, name);
	assert_true(X509_sign(x, pkey, EVP_sha256()) > 0);
	f = fopen(certificate, "w");
	assert_non_null(f);
	assert_int_equal(PEM_write_X509(f, x), 1);
	fclose(f);
	f = fopen(key, "w");
	assert_non_null(f);
	assert_int_equal(PEM_write_PrivateKey(f, pkey, NULL, NULL, 0, NULL, NULL), 1);
	fclose(f);
	X509_free(x);
	EVP_PKEY_free(pkey);
}
