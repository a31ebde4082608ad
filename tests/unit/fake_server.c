/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "fake_server.h"

struct line {
	int fd;
	SSL *ssl;
	char in[4096];		/* in the clear: what is read and not looked at yet */
	size_t at, n;
};

static EVP_PKEY *key;
static X509 *cert;
static SSL_CTX *context;	/* one for all, so that sessions can be taken up again */
static char ca_path[64];

static void remove_ca(void)
{
	unlink(ca_path);
	SSL_CTX_free(context);
	X509_free(cert);
	EVP_PKEY_free(key);
}

static void make_certificate(void)
{
	X509_EXTENSION *names;
	X509V3_CTX ctx;
	X509_NAME *name;
	FILE *f;

	if (cert)
		return;
	key = EVP_EC_gen("P-256");
	cert = X509_new();
	assert_true(key && cert);
	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_set_pubkey(cert, key);
	name = X509_get_subject_name(cert);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1,
				   -1, 0);
	X509_set_issuer_name(cert, name);
	X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
	names = X509V3_EXT_conf_nid(NULL, &ctx, NID_subject_alt_name, "DNS:localhost");
	assert_non_null(names);
	X509_add_ext(cert, names, -1);
	X509_EXTENSION_free(names);
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);

	context = SSL_CTX_new(TLS_server_method());
	assert_non_null(context);
	assert_int_equal(SSL_CTX_use_certificate(context, cert), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(context, key), 1);

	strcpy(ca_path, "/tmp/ifax-test-ca-XXXXXX");
	f = fdopen(mkstemp(ca_path), "w");
	assert_non_null(f);
	assert_int_equal(PEM_write_X509(f, cert), 1);
	fclose(f);
	atexit(remove_ca);
}

const char *fake_server_ca(void)
{
	make_certificate();
	return ca_path;
}

static bool read_octet(struct line *l, char *o)
{
	ssize_t n;

	if (l->ssl)
		return SSL_read(l->ssl, o, 1) == 1;
	if (l->at == l->n) {
		n = recv(l->fd, l->in, sizeof(l->in), 0);
		if (n <= 0)
			return false;
		l->n = (size_t)n;
		l->at = 0;
	}
	*o = l->in[l->at++];
	return true;
}

static bool read_line(struct line *l, char *s, size_t size)
{
	size_t n = 0;
	char o;

	while (n + 1 < size && read_octet(l, &o)) {
		s[n++] = o;
		if (o == '\n') {
			s[n] = '\0';
			return true;
		}
	}
	s[n] = '\0';
	return false;
}

static void send_all(struct line *l, const char *s)
{
	size_t len = strlen(s);

	if (l->ssl)
		SSL_write(l->ssl, s, len);
	else
		(void)!send(l->fd, s, len, MSG_NOSIGNAL);
}

static void begin_tls(struct fake_server *f, struct line *l)
{
	l->ssl = SSL_new(context);
	if (!l->ssl)
		return;
	SSL_set_fd(l->ssl, l->fd);
	if (SSL_accept(l->ssl) == 1)
		f->resumed += SSL_session_reused(l->ssl);
}

static void hang_up(struct line *l)
{
	SSL_free(l->ssl);
	if (l->fd >= 0)
		close(l->fd);
	*l = (struct line){ .fd = -1 };
}

static bool pick_up(struct fake_server *f, struct line *l)
{
	struct pollfd p = { .fd = f->listener, .events = POLLIN };
	const struct timeval limit = { .tv_sec = 10 };

	hang_up(l);
	if (poll(&p, 1, 10000) != 1) {
		snprintf(f->wrong, sizeof(f->wrong), "nobody connected");
		return false;
	}
	l->fd = accept(f->listener, NULL, NULL);
	setsockopt(l->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return l->fd >= 0;
}

static bool expect(struct fake_server *f, struct line *l, const char *start)
{
	char s[512];

	if (read_line(l, s, sizeof(s)) && !strncmp(s, start, strlen(start)))
		return true;
	snprintf(f->wrong, sizeof(f->wrong), "\"%s\" in place of \"%s\"", s, start);
	return false;
}

static bool read_body(struct fake_server *f, struct line *l)
{
	char o;

	buffer_clear(&f->body);
	while (read_octet(l, &o)) {
		buffer_append(&f->body, &o, 1);
		if ((f->body.len == 3 && !strcmp(f->body.data, ".\r\n")) ||
		    (f->body.len >= 5 && !strcmp(f->body.data + f->body.len - 5, "\r\n.\r\n")))
			return true;
	}
	snprintf(f->wrong, sizeof(f->wrong), "the body did not end");
	return false;
}

static bool is_quiet(struct fake_server *f, struct line *l)
{
	struct pollfd p = { .fd = l->fd, .events = POLLIN };

	if (l->at == l->n && poll(&p, 1, 100) == 0)
		return true;
	snprintf(f->wrong, sizeof(f->wrong), "more before its answer");
	return false;
}

static bool act(struct fake_server *f, struct line *l, const char *what)
{
	char o;

	if (!strncmp(what, "S:", 2))
		send_all(l, what + 2);
	else if (!strncmp(what, "C:", 2))
		return expect(f, l, what + 2);
	else if (!strcmp(what, "BODY"))
		return read_body(f, l);
	else if (!strcmp(what, "TLS"))
		/* a client that does not trust us hangs up: WAIT sees it */
		begin_tls(f, l);
	else if (!strcmp(what, "NEXT"))
		return pick_up(f, l);
	else if (!strcmp(what, "QUIET"))
		return is_quiet(f, l);
	else if (!strcmp(what, "PAUSE"))
		usleep(300000);
	else
		while (read_octet(l, &o))
			;
	return true;
}

static void *serve(void *arg)
{
	struct fake_server *f = arg;
	struct line l = { .fd = -1 };

	if (pick_up(f, &l))
		for (const char *const *s = f->script; *s; s++)
			if (!act(f, &l, *s))
				break;
	hang_up(&l);
	f->finished = true;
	return NULL;
}

void fake_server_start(struct fake_server *f, const char *const *script)
{
	fake_server_start_at(f, "127.0.0.1", 0, script);
}

void fake_server_start_at(struct fake_server *f, const char *address, uint16_t port,
			  const char *const *script)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	socklen_t len = sizeof(a);
	int on = 1;

	make_certificate();
	memset(f, 0, sizeof(*f));
	assert_int_equal(inet_pton(AF_INET, address, &a.sin_addr), 1);
	f->script = script;
	f->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(f->listener >= 0);
	setsockopt(f->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	assert_int_equal(bind(f->listener, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(f->listener, 8), 0);
	assert_int_equal(getsockname(f->listener, (struct sockaddr *)&a, &len), 0);
	f->port = ntohs(a.sin_port);
	assert_int_equal(pthread_create(&f->thread, NULL, serve, f), 0);
}

void fake_server_stop(struct fake_server *f)
{
	pthread_join(f->thread, NULL);
	close(f->listener);
	if (f->wrong[0])
		fail_msg("the server got %s", f->wrong);
}
