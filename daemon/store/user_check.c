// SPDX-License-Identifier: LGPL-2.1-or-later
/* What users' fields may be, of whatever box: no file is asked. */
#include "smtp/path.h"
#include "smtp/scram.h"
#include "store/store_internal.h"

#include <string.h>

#define VERIFIER_MAX 256
#define KEEP_MAX     31

int users_check_text(const char *what, const char *v, size_t max, struct error *e)
{
	if (v && strlen(v) > max)
		return error_set(e, -EINVAL, "The %s is longer than %zu characters.", what, max);
	if (v && !smtp_utf8_valid(v, strlen(v)))
		return error_set(e, -EINVAL, "The %s is not written in UTF-8.", what);
	for (const char *p = v; p && *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return error_set(e, -EINVAL,
					 "The %s holds a line end or control character.", what);
	return 0;
}

int users_check_address(const char *address, struct error *e)
{
	const char *at = address ? strrchr(address, '@') : NULL;

	if (address && (!at || at == address || !at[1] || strpbrk(address, " <>,;")))
		return error_set(e, -EINVAL, "\"%s\" is not a mail address: name@domain.", address);
	return 0;
}

bool users_one_of(const char *v, const char *const *list)
{
	for (; *list; list++)
		if (!strcmp(v, *list))
			return true;
	return false;
}

int users_check_code(const char *code, struct error *e)
{
	size_t n = code ? strlen(code) : 0;

	if (!n || n > 16 ||
	    n != strspn(code, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-"))
		return error_set(e, -EINVAL,
				 "A user code is 1 to 16 letters, digits, '_' or '-'.");
	return 0;
}

static int check_verifier(const char *text, struct error *e)
{
	struct scram_verifier v;

	if (text && *text && scram_verifier_parse(text, &v) < 0)
		return error_set(e, -EINVAL, "What is to check the log-in is no verifier of "
				 "SCRAM-SHA-256.");
	return 0;
}

/* What is to check a log-in at the panel. */
static int check_hash(const char *text, struct error *e)
{
	if (text && *text && strncmp(text, "$y$", 3))
		return error_set(e, -EINVAL, "What is to check the password at the panel is no "
				 "hash by yescrypt.");
	return 0;
}

static int check_tls(const char *v, struct error *e)
{
	static const char *const tls[] = { "none", "starttls", "tls", NULL };

	if (v && !users_one_of(v, tls))
		return error_set(e, -EINVAL, "The POP3 TLS mode is none, starttls or tls.");
	return 0;
}

static int check_at_end(const char *v, struct error *e)
{
	static const char *const ends[] = { "print", "notice", NULL };

	if (v && !users_one_of(v, ends))
		return error_set(e, -EINVAL, "At the end of its days mail is removed after "
				 "\"print\" or \"notice\", not \"%s\".", v);
	return 0;
}

static int check_numbers(const struct user *u, const char **field, struct error *e)
{
	*field = "pop3-port";
	if (u->pop3_port > 65535)
		return error_set(e, -EINVAL, "A port is 1 to 65535, or 0 for the usual one.");
	*field = "keep-days";
	if (u->keep_days < 1 || u->keep_days > KEEP_MAX)
		return error_set(e, -EINVAL, "Mail is kept 1 to %d days, not %u.", KEEP_MAX,
				 u->keep_days);
	return 0;
}

int user_check(const struct user *u, const char **field, struct error *e)
{
	const struct {
		const char *key, *what, *value;
		size_t max;
		int (*check)(const char *v, struct error *e);
	} texts[] = {
		{ "code", NULL, u->code, 0, users_check_code },
		{ "name", "name", u->name, USERS_FIELD_MAX, NULL },
		{ "address", "mail address", u->address, 320, users_check_address },
		{ "pop3-host", "POP3 server", u->pop3_host, 255, NULL },
		{ "pop3-tls", "POP3 TLS mode", u->pop3_tls, USERS_FIELD_MAX, check_tls },
		{ "pop3-login", "POP3 log-in", u->pop3_login, USERS_FIELD_MAX, NULL },
		{ "pop3-password", "POP3 password", u->pop3_password, USERS_PASSWORD_MAX, NULL },
		{ "login-verifier", "verifier", u->verifier, VERIFIER_MAX, check_verifier },
		{ "panel-hash", "panel password", u->panel_hash, VERIFIER_MAX, check_hash },
		{ "at-end", "end", u->at_end, USERS_FIELD_MAX, check_at_end },
	};
	const char *unused;
	int r = 0;

	field = field ? field : &unused;
	for (size_t i = 0; i < ARRAY_SIZE(texts) && !r; i++) {
		*field = texts[i].key;
		if (texts[i].what)
			r = users_check_text(texts[i].what, texts[i].value, texts[i].max, e);
		if (!r && texts[i].check)
			r = texts[i].check(texts[i].value, e);
	}
	return r ? r : check_numbers(u, field, e);
}
