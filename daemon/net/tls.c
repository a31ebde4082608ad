/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/cleanup.h"
#include "net/tls.h"

int net_tls_from_name(const char *name)
{
	static const struct {
		const char *name;
		enum net_tls tls;
	} names[] = {
		{ "none", NET_TLS_NONE },
		{ "opportunistic", NET_TLS_OPPORTUNISTIC },
		{ "required", NET_TLS_REQUIRED },
		{ "starttls", NET_TLS_REQUIRED },
		{ "tls", NET_TLS_IMPLICIT },
	};

	if (!name)
		return NET_TLS_NONE;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcasecmp(name, names[i].name))
			return names[i].tls;
	return -EINVAL;
}

/*
 * A socket BIO of our own, for OpenSSL's writes with write(2), which raises
 * SIGPIPE.
 */

static int sock_fd(BIO *b)
{
	return (int)(intptr_t)BIO_get_data(b);
}

static int sock_result(BIO *b, ssize_t n, int retry)
{
	BIO_clear_retry_flags(b);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_flags(b, retry | BIO_FLAGS_SHOULD_RETRY);
	return n;
}

static int sock_write(BIO *b, const char *data, int len)
{
	return sock_result(b, send(sock_fd(b), data, len, MSG_NOSIGNAL), BIO_FLAGS_WRITE);
}

static int sock_read(BIO *b, char *data, int len)
{
	ssize_t n = recv(sock_fd(b), data, len, 0);

	if (n == 0)
		BIO_set_flags(b, BIO_FLAGS_IN_EOF);
	return sock_result(b, n, BIO_FLAGS_READ);
}

static long sock_ctrl(BIO *b, int cmd, long num, void *ptr)
{
	if (cmd == BIO_CTRL_EOF)
		return BIO_test_flags(b, BIO_FLAGS_IN_EOF) != 0;
	return cmd == BIO_CTRL_FLUSH;
}

static BIO_METHOD *sock_method(void)
{
	static BIO_METHOD *method;
	BIO_METHOD *m;

	if (method)
		return method;
	m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket without SIGPIPE");
	if (!m)
		return NULL;
	BIO_meth_set_write(m, sock_write);
	BIO_meth_set_read(m, sock_read);
	BIO_meth_set_ctrl(m, sock_ctrl);
	method = m;
	return method;
}

/*
 * Sessions to come back with, of the servers that were verified last. Those of another
 * trust would let in who is trusted by that alone, so it is part of the key.
 */

#define SESSIONS_MAX 64

static struct kept_session {
	char *key;
	SSL_SESSION *session;
	uint64_t used;		/* by a counter; the smallest goes first */
} kept_sessions[SESSIONS_MAX];
static uint64_t sessions_used;

static char *session_key(const char *host, uint16_t port, const char *ca_file)
{
	char *key = NULL;

	return asprintf(&key, "%s:%u %s", host, port, ca_file ? ca_file : "") < 0 ? NULL : key;
}

static void free_key(void *parent, void *key, CRYPTO_EX_DATA *ad, int index, long argl, void *argp)
{
	free(key);
}

/* Where an SSL has the key of its session; -1: there is no memory for that. */
static int key_index(void)
{
	static int index = -1;

	if (index < 0)
		index = SSL_get_ex_new_index(0, NULL, NULL, NULL, free_key);
	return index;
}

/* The place of @key, else one that is empty or was not used the longest. */
static struct kept_session *find_session(const char *key)
{
	struct kept_session *oldest = &kept_sessions[0];

	for (size_t i = 0; i < SESSIONS_MAX; i++) {
		if (kept_sessions[i].key && !strcmp(kept_sessions[i].key, key))
			return &kept_sessions[i];
		if (kept_sessions[i].used < oldest->used)
			oldest = &kept_sessions[i];
	}
	return oldest;
}

/* 1: the session is ours now. */
static int on_new_session(SSL *ssl, SSL_SESSION *session)
{
	const char *key = SSL_get_ex_data(ssl, key_index());
	struct kept_session *k;
	char *copy;

	if (!key || SSL_get_verify_result(ssl) != X509_V_OK)
		return 0;
	copy = strdup(key);
	if (!copy)
		return 0;
	k = find_session(key);
	free(k->key);
	SSL_SESSION_free(k->session);
	*k = (struct kept_session){ copy, session, ++sessions_used };
	return 1;
}

/* Takes the last session up again; without memory for that it is a new one. */
static void resume(SSL *ssl, const char *host, uint16_t port, const char *ca_file)
{
	char *key = session_key(host, port, ca_file);
	struct kept_session *k;

	if (!key || key_index() < 0 || SSL_set_ex_data(ssl, key_index(), key) != 1) {
		free(key);
		return;
	}
	k = find_session(key);
	if (!k->key || strcmp(k->key, key) || SSL_set_session(ssl, k->session) != 1)
		return;
	k->used = ++sessions_used;
}

/* Made once: reading the system's trust store takes longer than a handshake. */
static SSL_CTX *client_context(void)
{
	static SSL_CTX *context;
	SSL_CTX *c;

	if (context)
		return context;
	c = SSL_CTX_new(TLS_client_method());
	if (!c)
		return NULL;
	SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION);
	SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
			 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_default_verify_paths(c);
	SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(c, on_new_session);
	context = c;
	return context;
}

static bool trust_file(SSL *ssl, const char *ca_file)
{
	X509_STORE *store = X509_STORE_new();
	bool ok = store && X509_STORE_load_file(store, ca_file) == 1;

	if (ok)
		ok = SSL_set1_verify_cert_store(ssl, store) == 1;
	X509_STORE_free(store);
	return ok;
}

static bool set_name(SSL *ssl, const char *host, bool verify)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
	struct in6_addr a;
	bool literal = inet_pton(AF_INET, host, &a) == 1 || inet_pton(AF_INET6, host, &a) == 1;

	if (!literal && SSL_set_tlsext_host_name(ssl, host) != 1)
		return false;
	if (!verify)
		return true;
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (literal)
		return X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1;
	return X509_VERIFY_PARAM_set1_host(param, host, 0) == 1;
}

/* On @fd, by a BIO of our own. */
static SSL *new_ssl(SSL_CTX *context, int fd)
{
	BIO_METHOD *method = sock_method();
	SSL *ssl = context ? SSL_new(context) : NULL;
	BIO *bio = ssl && method ? BIO_new(method) : NULL;

	if (!bio) {
		SSL_free(ssl);
		return NULL;
	}
	BIO_set_data(bio, (void *)(intptr_t)fd);
	BIO_set_init(bio, 1);
	SSL_set_bio(ssl, bio, bio);
	return ssl;
}

int net_tls_client(SSL **ret, int fd, const char *host, uint16_t port, bool verify,
		   const char *ca_file, struct error *e)
{
	SSL *ssl = new_ssl(client_context(), fd);

	if (!ssl)
		return error_set(e, -ENOMEM, "there is no memory for encryption");
	SSL_set_connect_state(ssl);
	SSL_set_verify(ssl, verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	if (verify && ca_file && !trust_file(ssl, ca_file)) {
		SSL_free(ssl);
		return error_set(e, -EINVAL, "the certificates in %s cannot be read", ca_file);
	}
	if (!set_name(ssl, host, verify)) {
		SSL_free(ssl);
		return error_set(e, -EINVAL, "\"%s\" is no name for a certificate", host);
	}
	if (verify)
		resume(ssl, host, port, ca_file);
	*ret = ssl;
	return 0;
}

/*
 * The server's side
 */

/* By what a changed file is known. */
struct stamp {
	struct timespec mtime;
	ino_t ino;
	off_t size;
};

struct net_tls_server {
	char *certificate, *key;
	SSL_CTX *context;
	struct stamp stamps[2];
	bool told;
	struct error notice;
};

static void take_stamp(const char *path, struct stamp *s)
{
	struct stat st;

	memset(s, 0, sizeof(*s));
	if (stat(path, &st) < 0)
		return;
	s->mtime = st.st_mtim;
	s->ino = st.st_ino;
	s->size = st.st_size;
}

static bool same_stamp(const struct stamp *a, const struct stamp *b)
{
	return a->ino == b->ino && a->size == b->size && a->mtime.tv_sec == b->mtime.tv_sec &&
	       a->mtime.tv_nsec == b->mtime.tv_nsec;
}

/*
 * For thousands of idle lines: buffers go when they are empty, no sessions are
 * kept, and one ticket is enough to come back with.
 */
static SSL_CTX *server_context(void)
{
	SSL_CTX *c = SSL_CTX_new(TLS_server_method());

	if (!c)
		return NULL;
	SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION);
	SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
			 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(c, 1);
	return c;
}

static int load_server(const struct net_tls_server *t, SSL_CTX **ret, struct error *e)
{
	SSL_CTX *c = server_context();
	int r = 0;

	if (!c)
		return error_set(e, -ENOMEM, "there is no memory for encryption");
	if (SSL_CTX_use_certificate_chain_file(c, t->certificate) != 1)
		r = error_set(e, -EINVAL, "%s cannot be read as a certificate (%s)",
			      t->certificate, ERR_reason_error_string(ERR_peek_last_error()));
	else if (SSL_CTX_use_PrivateKey_file(c, t->key, SSL_FILETYPE_PEM) != 1 ||
		 SSL_CTX_check_private_key(c) != 1)
		r = error_set(e, -EINVAL, "%s is not the key of the certificate in %s (%s)",
			      t->key, t->certificate,
			      ERR_reason_error_string(ERR_peek_last_error()));
	ERR_clear_error();
	if (r < 0) {
		SSL_CTX_free(c);
		return r;
	}
	*ret = c;
	return 0;
}

int net_tls_server_new(struct net_tls_server **ret, const char *certificate, const char *key,
		       struct error *e)
{
	struct net_tls_server *t = calloc(1, sizeof(*t));
	int r = -ENOMEM;

	if (t) {
		t->certificate = strdup(certificate);
		t->key = strdup(key);
	}
	if (!t || !t->certificate || !t->key) {
		error_set(e, r, "there is no memory for encryption");
	} else {
		take_stamp(certificate, &t->stamps[0]);
		take_stamp(key, &t->stamps[1]);
		r = load_server(t, &t->context, e);
	}
	if (r < 0) {
		net_tls_server_free(t);
		return r;
	}
	*ret = t;
	return 0;
}

void net_tls_server_free(struct net_tls_server *t)
{
	if (!t)
		return;
	SSL_CTX_free(t->context);
	free(t->certificate);
	free(t->key);
	free(t);
}

/* A pair is two files: while one is new and the other old, the old pair serves. */
static void reload_changed(struct net_tls_server *t)
{
	struct stamp now[2];
	SSL_CTX *fresh;

	take_stamp(t->certificate, &now[0]);
	take_stamp(t->key, &now[1]);
	if (same_stamp(&now[0], &t->stamps[0]) && same_stamp(&now[1], &t->stamps[1]))
		return;
	memcpy(t->stamps, now, sizeof(now));
	t->told = false;
	if (load_server(t, &fresh, &t->notice) < 0)
		return;
	SSL_CTX_free(t->context);
	t->context = fresh;
	error_set(&t->notice, 0, "the certificate in %s is new and in use", t->certificate);
}

const char *net_tls_server_notice(struct net_tls_server *t)
{
	if (t->told || !t->notice.text[0])
		return NULL;
	t->told = true;
	return t->notice.text;
}

int net_tls_accept(SSL **ret, int fd, struct net_tls_server *t, struct error *e)
{
	SSL *ssl;

	reload_changed(t);
	ssl = new_ssl(t->context, fd);
	if (!ssl)
		return error_set(e, -ENOMEM, "there is no memory for encryption");
	SSL_set_accept_state(ssl);
	*ret = ssl;
	return 0;
}

int net_tls_error(SSL *ssl, const char *host, uint16_t port, struct error *e)
{
	unsigned long code = ERR_peek_last_error();
	long verify = SSL_get_verify_result(ssl);

	ERR_clear_error();
	if (!port)
		return error_set(e, -ECONNRESET, "the encrypted line from %s broke (%s)", host,
				 code ? ERR_reason_error_string(code) : "closed by the client");
	if (SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE && verify != X509_V_OK)
		return error_set(e, -EKEYREJECTED, "the certificate of %s:%u is not to be trusted "
				 "(%s): let this machine know its authority, or correct the name",
				 host, port, X509_verify_cert_error_string(verify));
	return error_set(e, -ECONNRESET, "the encrypted line to %s:%u broke (%s)", host, port,
			 code ? ERR_reason_error_string(code) : "closed by the server");
}
