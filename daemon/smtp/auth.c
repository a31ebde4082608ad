/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <gsasl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/cleanup.h"
#include "smtp/auth.h"
#include "smtp/path.h"

#define USERNAME_PROMPT "VXNlcm5hbWU6"	/* "Username:" */
#define PASSWORD_PROMPT "UGFzc3dvcmQ6"	/* "Password:" */

/* A client's message, decoded; not terminated. */
struct message {
	char *s;
	size_t len;
};

struct mechanism {
	const char *name;
	const char *prompt;	/* the challenge where there is no initial response */
	enum smtp_auth_next (*step)(struct smtp_auth *a, const struct message *m);
	enum smtp_auth_next (*verify)(struct smtp_auth *a, const struct scram_verifier *v);
};

struct smtp_auth {
	const struct mechanism *mechanism;
	char *user;
	char *challenge;
	char *password;			/* PLAIN, LOGIN: until it is checked */
	Gsasl *gsasl;			/* SCRAM */
	Gsasl_session *session;
	struct message first;		/* SCRAM: said before we knew the user's salt */
	bool proven;			/* SCRAM: our own proof is out, the client has to take it */
};

static void wipe(char **s, size_t len)
{
	if (*s)
		OPENSSL_cleanse(*s, len);
	gsasl_free(*s);
	*s = NULL;
}

static void wipe_message(struct message *m)
{
	wipe(&m->s, m->len);
}

static void wipe_text(char **s)
{
	wipe(s, *s ? strlen(*s) : 0);
}

static enum smtp_auth_next challenge(struct smtp_auth *a, const char *base64)
{
	free(a->challenge);
	a->challenge = strdup(base64);
	return a->challenge ? SMTP_AUTH_CHALLENGE : SMTP_AUTH_BROKEN;
}

/* The name goes to logs and tables: printable, and not without end. */
static enum smtp_auth_next take_user(struct smtp_auth *a, const char *s, size_t len)
{
	if (!len || len > SMTP_AUTH_USER_MAX || !smtp_utf8_valid(s, len))
		return SMTP_AUTH_MALFORMED;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] < ' ' || s[i] == 0x7f)
			return SMTP_AUTH_MALFORMED;
	a->user = strndup(s, len);
	return a->user ? SMTP_AUTH_VERIFIER : SMTP_AUTH_BROKEN;
}

static enum smtp_auth_next take_password(struct smtp_auth *a, const char *s, size_t len)
{
	if (!len || len > SCRAM_PASSWORD_MAX || memchr(s, '\0', len))
		return SMTP_AUTH_MALFORMED;
	a->password = strndup(s, len);
	return a->password ? SMTP_AUTH_VERIFIER : SMTP_AUTH_BROKEN;
}

static enum smtp_auth_next check_password(struct smtp_auth *a, const struct scram_verifier *v)
{
	bool right = scram_verifier_check(v, a->password);

	wipe_text(&a->password);
	return right ? SMTP_AUTH_DONE : SMTP_AUTH_FAILED;
}

/* [authzid] NUL authcid NUL passwd; who acts for another is refused. */
static enum smtp_auth_next plain_step(struct smtp_auth *a, const struct message *m)
{
	const char *user = memchr(m->s, '\0', m->len), *password;
	size_t authzid, len;
	enum smtp_auth_next next;

	if (!user)
		return SMTP_AUTH_MALFORMED;
	authzid = user++ - m->s;
	len = m->s + m->len - user;
	password = memchr(user, '\0', len);
	if (!password)
		return SMTP_AUTH_MALFORMED;
	next = take_user(a, user, password - user);
	if (next != SMTP_AUTH_VERIFIER)
		return next;
	if (authzid && (authzid != (size_t)(password - user) || memcmp(m->s, user, authzid)))
		return SMTP_AUTH_FAILED;
	password++;
	return take_password(a, password, m->s + m->len - password);
}

static enum smtp_auth_next login_step(struct smtp_auth *a, const struct message *m)
{
	enum smtp_auth_next next;

	if (a->user)
		return take_password(a, m->s, m->len);
	next = take_user(a, m->s, m->len);
	return next == SMTP_AUTH_VERIFIER ? challenge(a, PASSWORD_PROMPT) : next;
}

/*
 * SCRAM. The library draws up its first answer from the user's salt, but who the user is
 * stands in the message that it answers. So that message goes through it twice: the
 * first time to learn the name, and again when the caller has found what is kept.
 */

static enum smtp_auth_next scram_of(int rc)
{
	switch (rc) {
	case GSASL_OK:
	case GSASL_NEEDS_MORE:
		return SMTP_AUTH_CHALLENGE;
	case GSASL_MALLOC_ERROR:
	case GSASL_CRYPTO_ERROR:
		return SMTP_AUTH_BROKEN;
	case GSASL_AUTHENTICATION_ERROR:
		return SMTP_AUTH_FAILED;
	default:
		return SMTP_AUTH_MALFORMED;
	}
}

static int scram_start(struct smtp_auth *a)
{
	if (a->session)
		gsasl_finish(a->session);
	a->session = NULL;
	if (!a->gsasl && gsasl_init(&a->gsasl) != GSASL_OK)
		return GSASL_MALLOC_ERROR;
	return gsasl_server_start(a->gsasl, a->mechanism->name, &a->session);
}

static int scram_feed(struct smtp_auth *a, const struct message *m)
{
	char *out = NULL, *base64 = NULL;
	size_t len = 0;
	int rc = gsasl_step(a->session, m->s, m->len, &out, &len);

	if (rc == GSASL_OK || rc == GSASL_NEEDS_MORE) {
		int coded = gsasl_base64_to(out ? out : "", len, &base64, NULL);

		if (coded != GSASL_OK || challenge(a, base64) != SMTP_AUTH_CHALLENGE)
			rc = GSASL_MALLOC_ERROR;
	}
	gsasl_free(out);
	gsasl_free(base64);
	return rc;
}

static enum smtp_auth_next scram_name(struct smtp_auth *a, const struct message *m)
{
	const char *user, *authzid;
	int rc;

	/* "p": it wants the channel bound, which only SCRAM-SHA-256-PLUS can. */
	if (!m->len || (*m->s != 'n' && *m->s != 'y'))
		return SMTP_AUTH_MALFORMED;
	rc = scram_start(a);
	if (rc == GSASL_OK)
		rc = scram_feed(a, m);
	if (rc != GSASL_NEEDS_MORE)
		return rc == GSASL_OK ? SMTP_AUTH_MALFORMED : scram_of(rc);
	user = gsasl_property_fast(a->session, GSASL_AUTHID);
	authzid = gsasl_property_fast(a->session, GSASL_AUTHZID);
	if (!user)
		return SMTP_AUTH_MALFORMED;
	a->first = (struct message){ strndup(m->s, m->len), m->len };
	if (!a->first.s)
		return SMTP_AUTH_BROKEN;
	if (authzid && *authzid && strcmp(authzid, user))
		return take_user(a, user, strlen(user)) == SMTP_AUTH_VERIFIER ?
		       SMTP_AUTH_FAILED : SMTP_AUTH_MALFORMED;
	return take_user(a, user, strlen(user));
}

static enum smtp_auth_next scram_step(struct smtp_auth *a, const struct message *m)
{
	int rc;

	/* Its messages are text. */
	if (memchr(m->s, '\0', m->len))
		return SMTP_AUTH_MALFORMED;
	if (a->proven)
		return m->len ? SMTP_AUTH_MALFORMED : SMTP_AUTH_DONE;
	if (!a->user)
		return scram_name(a, m);
	rc = scram_feed(a, m);
	a->proven = rc == GSASL_OK;
	return a->proven ? SMTP_AUTH_CHALLENGE : rc == GSASL_NEEDS_MORE ? SMTP_AUTH_BROKEN :
	       scram_of(rc);
}

static int set_base64(Gsasl_session *session, Gsasl_property property, const uint8_t *raw,
		      size_t len)
{
	char text[2 * SCRAM_KEY];

	EVP_EncodeBlock((uint8_t *)text, raw, len);
	return gsasl_property_set(session, property, text);
}

static int scram_know(Gsasl_session *session, const struct scram_verifier *v)
{
	char iterations[16];
	int rc;

	snprintf(iterations, sizeof(iterations), "%u", v->iterations);
	rc = gsasl_property_set(session, GSASL_SCRAM_ITER, iterations);
	if (rc == GSASL_OK)
		rc = set_base64(session, GSASL_SCRAM_SALT, v->salt, SCRAM_SALT);
	if (rc == GSASL_OK)
		rc = set_base64(session, GSASL_SCRAM_STOREDKEY, v->stored_key, SCRAM_KEY);
	if (rc == GSASL_OK)
		rc = set_base64(session, GSASL_SCRAM_SERVERKEY, v->server_key, SCRAM_KEY);
	return rc;
}

static enum smtp_auth_next scram_verify(struct smtp_auth *a, const struct scram_verifier *v)
{
	struct scram_verifier decoy;
	int rc;

	if (!v && scram_verifier_decoy(a->user, &decoy) < 0)
		return SMTP_AUTH_BROKEN;
	rc = scram_start(a);
	if (rc == GSASL_OK)
		rc = scram_know(a->session, v ? v : &decoy);
	if (rc == GSASL_OK)
		rc = scram_feed(a, &a->first);
	wipe_message(&a->first);
	return rc == GSASL_NEEDS_MORE ? SMTP_AUTH_CHALLENGE : SMTP_AUTH_BROKEN;
}

static const struct mechanism mechanisms[] = {
	{ "PLAIN", "", plain_step, check_password },
	{ "LOGIN", USERNAME_PROMPT, login_step, check_password },
	{ "SCRAM-SHA-256", "", scram_step, scram_verify },
};

int smtp_auth_new(struct smtp_auth **ret, const char *mechanism, size_t len)
{
	const struct mechanism *m = NULL;
	struct smtp_auth *a;

	for (size_t i = 0; i < ARRAY_SIZE(mechanisms) && !m; i++)
		if (len == strlen(mechanisms[i].name) &&
		    !strncasecmp(mechanism, mechanisms[i].name, len))
			m = &mechanisms[i];
	if (!m)
		return -ENOENT;
	a = calloc(1, sizeof(*a));
	if (!a)
		return -ENOMEM;
	a->mechanism = m;
	*ret = a;
	return 0;
}

void smtp_auth_free(struct smtp_auth *a)
{
	if (!a)
		return;
	if (a->session)
		gsasl_finish(a->session);
	if (a->gsasl)
		gsasl_done(a->gsasl);
	wipe_text(&a->password);
	wipe_message(&a->first);
	free(a->challenge);
	free(a->user);
	free(a);
}

enum smtp_auth_next smtp_auth_step(struct smtp_auth *a, const char *line, size_t len)
{
	_cleanup_(wipe_message) struct message m = { 0 };

	if (!line)
		return challenge(a, a->mechanism->prompt);
	if (len) {
		int rc = gsasl_base64_from(line, len, &m.s, &m.len);

		if (rc != GSASL_OK)
			return rc == GSASL_MALLOC_ERROR ? SMTP_AUTH_BROKEN : SMTP_AUTH_MALFORMED;
	} else {
		m.s = strdup("");
	}
	return m.s ? a->mechanism->step(a, &m) : SMTP_AUTH_BROKEN;
}

enum smtp_auth_next smtp_auth_verifier(struct smtp_auth *a, const struct scram_verifier *v)
{
	return a->mechanism->verify(a, v);
}

bool smtp_auth_has_password(const struct smtp_auth *a)
{
	return a->password;
}

const char *smtp_auth_user(const struct smtp_auth *a)
{
	return a->user;
}

const char *smtp_auth_challenge(const struct smtp_auth *a)
{
	return a->challenge;
}
