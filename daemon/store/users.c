// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * users.db: users and recipients, synchronous. A password is stored sealed with
 * AES-256-GCM, its owner's code as associated data, so that a row copied to
 * another user does not open.
 */
#include "store/store_internal.h"
#include "smtp/scram.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>
#include <strings.h>

#define NONCE	     12
#define TAG	     16
#define FIELD_MAX    512
#define PASSWORD_MAX 256
#define VERIFIER_MAX 256
#define KEEP_MAX     31

/*
 * How the file came to be what it is: step n brings it from version n to n + 1.
 * What stands here has run on people's files and is not edited.
 */
static const char *const schema[] = {
	"CREATE TABLE IF NOT EXISTS users(code TEXT PRIMARY KEY, name TEXT, address TEXT,"
	" pop3_host TEXT, pop3_port INT, pop3_tls TEXT, pop3_login TEXT, sealed BLOB,"
	" auto_receive INT, auto_print INT, interval INT, keep_days INT, leave INT) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS recipients(address TEXT PRIMARY KEY COLLATE NOCASE, name TEXT,"
	" accepts TEXT) WITHOUT ROWID;",

	"ALTER TABLE users ADD COLUMN verifier TEXT;"
	"CREATE INDEX users_address ON users(address COLLATE NOCASE);"
	"CREATE TABLE aliases(name TEXT PRIMARY KEY, title TEXT, kind TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE members(name TEXT, place INT, member TEXT NOT NULL,"
	" PRIMARY KEY(name, place)) WITHOUT ROWID;",

	"ALTER TABLE users ADD COLUMN panel_hash TEXT;"
	"ALTER TABLE users ADD COLUMN at_end TEXT;"
	"ALTER TABLE users ADD COLUMN receive_text INT DEFAULT 1;"
	"ALTER TABLE users ADD COLUMN collect_after_send INT DEFAULT 0;"
	"ALTER TABLE users ADD COLUMN encrypt INT DEFAULT 0;"
	"ALTER TABLE recipients ADD COLUMN method TEXT;"
	"ALTER TABLE recipients ADD COLUMN key TEXT;"
	"ALTER TABLE recipients ADD COLUMN must_encrypt INT DEFAULT 0;",
};

static const char *const queries[_USERS_QUERIES] = {
	[USERS_BY_CODE] = "SELECT * FROM users WHERE code=?",
	[USERS_BY_ADDRESS] = "SELECT * FROM users WHERE address=? COLLATE NOCASE",
	[USERS_RECIPIENT] = "SELECT * FROM recipients WHERE address=?",
	[USERS_ALIAS] = "SELECT name,title,kind FROM aliases WHERE name=lower(?)",
	[USERS_MEMBERS] = "SELECT member FROM members WHERE name=? ORDER BY place",
};

void user_free(struct user *u)
{
	if (!u)
		return;
	if (u->pop3_password)
		explicit_bzero(u->pop3_password, strlen(u->pop3_password));
	free(u->pop3_password);
	free(u->verifier);
	free(u->panel_hash);
	free(u->at_end);
	free(u->code);
	free(u->name);
	free(u->address);
	free(u->pop3_host);
	free(u->pop3_tls);
	free(u->pop3_login);
	free(u);
}

void user_list_free(struct user **users, size_t n)
{
	for (size_t i = 0; i < n; i++)
		user_free(users[i]);
	free(users);
}

void recipient_free(struct recipient *r)
{
	if (!r)
		return;
	free(r->address);
	free(r->name);
	free(r->accepts);
	free(r->method);
	free(r->key);
	free(r);
}

void recipient_list_free(struct recipient **r, size_t n)
{
	for (size_t i = 0; i < n; i++)
		recipient_free(r[i]);
	free(r);
}

int users_db_error(struct store *s, int rc, struct error *e)
{
	return error_set(e, rc == SQLITE_FULL ? -ENOSPC : -EIO, "The users' file failed: %s.",
			 sqlite3_errmsg(s->users));
}

static int version(struct store *s, int *ret, struct error *e)
{
	sqlite3_stmt *st;
	int rc = sqlite3_prepare_v2(s->users, "PRAGMA user_version", -1, &st, NULL);

	if (rc == SQLITE_OK) {
		if (sqlite3_step(st) == SQLITE_ROW)
			*ret = sqlite3_column_int(st, 0);
		rc = sqlite3_finalize(st);
	}
	return rc == SQLITE_OK ? 0 : users_db_error(s, rc, e);
}

/* Step and new version are one transaction: a crash leaves the file as it was or as it is to be. */
static int upgrade(struct store *s, int from, struct error *e)
{
	_buffer_ struct buffer sql = { 0 };
	int rc, r = buffer_printf(&sql, "BEGIN IMMEDIATE; %s PRAGMA user_version=%d; COMMIT;",
				  schema[from], from + 1);

	if (r < 0)
		return error_set(e, r, "Out of memory.");
	rc = sqlite3_exec(s->users, sql.data, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		return 0;
	r = users_db_error(s, rc, e);
	sqlite3_exec(s->users, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

static int prepare_queries(struct store *s, struct error *e)
{
	int rc = SQLITE_OK;

	for (int i = 0; i < _USERS_QUERIES && rc == SQLITE_OK; i++)
		rc = sqlite3_prepare_v3(s->users, queries[i], -1, SQLITE_PREPARE_PERSISTENT,
					&s->users_queries[i], NULL);
	return rc == SQLITE_OK ? 0 : users_db_error(s, rc, e);
}

/*
 * Nobody else has the file open, so it is locked once and not for each look-up. Its
 * journal is emptied after a change: what was overwritten would stand there.
 */
int users_open(struct store *s, const char *state, struct error *e)
{
	_buffer_ struct buffer path = { 0 };
	int rc, r, v = 0;

	if (buffer_printf(&path, "%s/users.db", state) < 0)
		return error_set(e, -ENOMEM, "Out of memory.");
	r = private_file(path.data);
	if (r < 0)
		return error_set(e, r, "%s cannot be opened: %s.", path.data, strerror(-r));
	rc = sqlite3_open_v2(path.data, &s->users,
			     SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
			     NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(s->users,
				  "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=TRUNCATE;"
				  "PRAGMA synchronous=FULL; PRAGMA secure_delete=ON;", NULL, NULL,
				  NULL);
	if (rc != SQLITE_OK)
		return users_db_error(s, rc, e);
	r = version(s, &v, e);
	if (!r && (v < 0 || v > (int)ARRAY_SIZE(schema)))
		r = error_set(e, -ENOTSUP, "%s was written by a newer ifax; install that again.",
			      path.data);
	for (; !r && v < (int)ARRAY_SIZE(schema); v++)
		r = upgrade(s, v, e);
	return r ? r : prepare_queries(s, e);
}

void users_close(struct store *s)
{
	for (int i = 0; i < _USERS_QUERIES; i++) {
		sqlite3_finalize(s->users_queries[i]);
		s->users_queries[i] = NULL;
	}
	sqlite3_close(s->users);
	s->users = NULL;
}

static int associate(EVP_CIPHER_CTX *c, const char *code)
{
	static const char purpose[] = "ifax pop3 password of ";
	int n;

	return EVP_CipherUpdate(c, NULL, &n, (const uint8_t *)purpose, sizeof(purpose) - 1) == 1 &&
	       EVP_CipherUpdate(c, NULL, &n, (const uint8_t *)code, (int)strlen(code)) == 1;
}

/* nonce, sealed bytes, tag */
static int seal(const uint8_t key[32], const char *code, const char *clear, struct buffer *out)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	int len = (int)strlen(clear), n = 0, m = 0, r = -EIO;
	uint8_t *p;

	if (!c || buffer_reserve(out, (size_t)len + NONCE + TAG) < 0) {
		r = -ENOMEM;
		goto out;
	}
	p = (uint8_t *)out->data + out->len;
	if (RAND_bytes(p, NONCE) == 1 &&
	    EVP_EncryptInit_ex(c, EVP_aes_256_gcm(), NULL, key, p) == 1 && associate(c, code) &&
	    EVP_EncryptUpdate(c, p + NONCE, &n, (const uint8_t *)clear, len) == 1 &&
	    EVP_EncryptFinal_ex(c, p + NONCE + n, &m) == 1 &&
	    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, TAG, p + NONCE + len) == 1) {
		out->len += (size_t)len + NONCE + TAG;
		r = 0;
	}
out:
	EVP_CIPHER_CTX_free(c);
	return r;
}

/* -EBADMSG: another key, another user's, or damaged. */
static int unseal(const uint8_t key[32], const char *code, const uint8_t *p, size_t len, char **ret)
{
	EVP_CIPHER_CTX *c;
	_free_ char *clear = NULL;
	int n = 0, m = 0, r = -EBADMSG;

	if (len < NONCE + TAG || len > NONCE + TAG + PASSWORD_MAX)
		return -EBADMSG;
	len -= NONCE + TAG;
	clear = calloc(1, len + 1);
	c = EVP_CIPHER_CTX_new();
	if (!c || !clear)
		r = -ENOMEM;
	else if (EVP_DecryptInit_ex(c, EVP_aes_256_gcm(), NULL, key, p) == 1 &&
		 associate(c, code) &&
		 EVP_DecryptUpdate(c, (uint8_t *)clear, &n, p + NONCE, (int)len) == 1 &&
		 EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, TAG,
				     (void *)(uintptr_t)(p + NONCE + len)) == 1 &&
		 EVP_DecryptFinal_ex(c, (uint8_t *)clear + n, &m) == 1)
		r = 0;
	EVP_CIPHER_CTX_free(c);
	if (!r)
		*ret = take_ptr(clear);
	else if (clear)
		explicit_bzero(clear, len);
	return r;
}

int users_check_text(const char *what, const char *v, size_t max, struct error *e)
{
	if (v && strlen(v) > max)
		return error_set(e, -EINVAL, "The %s is longer than %zu characters.", what, max);
	for (const char *p = v; p && *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return error_set(e, -EINVAL,
					 "The %s holds a line end or control character.", what);
	return 0;
}

static int check_code(const char *code, struct error *e)
{
	size_t n = code ? strlen(code) : 0;

	if (!n || n > 16 ||
	    n != strspn(code, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-"))
		return error_set(e, -EINVAL,
				 "A user code is 1 to 16 letters, digits, '_' or '-'.");
	return 0;
}

static int check_address(const char *address, struct error *e)
{
	const char *at = address ? strrchr(address, '@') : NULL;

	if (address && (!at || at == address || !at[1] || strpbrk(address, " <>,;")))
		return error_set(e, -EINVAL, "\"%s\" is not a mail address: name@domain.", address);
	return 0;
}

static bool one_of(const char *v, const char *const *list)
{
	for (; *list; list++)
		if (!strcmp(v, *list))
			return true;
	return false;
}

static int check_verifier(const char *text, struct error *e)
{
	struct scram_verifier v;

	if (text && *text && scram_verifier_parse(text, &v) < 0)
		return error_set(e, -EINVAL, "What is to check the log-in is no verifier of "
				 "SCRAM-SHA-256.");
	return 0;
}

static int check_user(struct store *s, const struct user *u, struct error *e)
{
	static const char *const tls[] = { "none", "starttls", "tls", NULL };
	static const char *const ends[] = { "print", "notice", NULL };
	const struct {
		const char *what, *value;
		size_t max;
	} texts[] = {
		{ "name", u->name, FIELD_MAX },
		{ "mail address", u->address, 320 },
		{ "POP3 server", u->pop3_host, 255 },
		{ "POP3 log-in", u->pop3_login, FIELD_MAX },
		{ "POP3 password", u->pop3_password, PASSWORD_MAX },
		{ "verifier", u->verifier, VERIFIER_MAX },
		{ "panel password", u->panel_hash, VERIFIER_MAX },
	};
	int r = check_code(u->code, e);

	for (size_t i = 0; i < ARRAY_SIZE(texts) && !r; i++)
		r = users_check_text(texts[i].what, texts[i].value, texts[i].max, e);
	if (!r)
		r = check_address(u->address, e);
	if (!r)
		r = check_verifier(u->verifier, e);
	if (r < 0)
		return r;
	if (u->pop3_tls && !one_of(u->pop3_tls, tls))
		return error_set(e, -EINVAL, "The POP3 TLS mode is none, starttls or tls.");
	if (u->pop3_port > 65535)
		return error_set(e, -EINVAL, "A port is 1 to 65535, or 0 for the usual one.");
	if (u->keep_days < 1 || u->keep_days > KEEP_MAX)
		return error_set(e, -EINVAL, "Mail is kept 1 to %d days, not %u.", KEEP_MAX,
				 u->keep_days);
	if (u->at_end && !one_of(u->at_end, ends))
		return error_set(e, -EINVAL, "At the end of its days mail is removed after "
				 "\"print\" or \"notice\", not \"%s\".", u->at_end);
	if (u->pop3_password && *u->pop3_password && !s->has_key)
		return error_set(e, -ENOKEY, "No key is there to seal a password with: give "
				 "ifaxd its credential.");
	return 0;
}

void users_bind_text(sqlite3_stmt *st, int at, const char *v)
{
	if (v)
		sqlite3_bind_text(st, at, v, -1, SQLITE_STATIC);
}

sqlite3_stmt *users_query(struct store *s, enum users_query which, const char *key)
{
	sqlite3_stmt *st = s->users_queries[which];

	users_bind_text(st, 1, key);
	return st;
}

void users_done(sqlite3_stmt *st)
{
	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
}

static const char put_sql[] =
	"INSERT INTO users VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,"
	"?19)";
/* ?20: the password changes, ?21: the verifier, ?22: the panel's password */
static const char update_sql[] =
	"UPDATE users SET name=?2,address=?3,pop3_host=?4,pop3_port=?5,pop3_tls=?6,pop3_login=?7,"
	"sealed=iif(?20,?8,sealed),auto_receive=?9,auto_print=?10,interval=?11,keep_days=?12,"
	"leave=?13,verifier=iif(?21,?14,verifier),panel_hash=iif(?22,?15,panel_hash),at_end=?16,"
	"receive_text=?17,collect_after_send=?18,encrypt=?19 WHERE code=?1";

static void bind_user(sqlite3_stmt *st, const struct user *u, const struct buffer *sealed)
{
	users_bind_text(st, 1, u->code);
	users_bind_text(st, 2, u->name);
	users_bind_text(st, 3, u->address);
	users_bind_text(st, 4, u->pop3_host);
	sqlite3_bind_int64(st, 5, u->pop3_port);
	users_bind_text(st, 6, u->pop3_tls);
	users_bind_text(st, 7, u->pop3_login);
	if (sealed->len)
		sqlite3_bind_blob(st, 8, sealed->data, (int)sealed->len, SQLITE_STATIC);
	sqlite3_bind_int(st, 9, u->auto_receive);
	sqlite3_bind_int(st, 10, u->auto_print);
	sqlite3_bind_int64(st, 11, u->interval);
	sqlite3_bind_int64(st, 12, u->keep_days);
	sqlite3_bind_int(st, 13, u->leave_on_server);
	if (u->verifier && *u->verifier)
		users_bind_text(st, 14, u->verifier);
	if (u->panel_hash && *u->panel_hash)
		users_bind_text(st, 15, u->panel_hash);
	users_bind_text(st, 16, u->at_end);
	sqlite3_bind_int(st, 17, u->receive_text);
	sqlite3_bind_int(st, 18, u->collect_after_send);
	sqlite3_bind_int(st, 19, u->encrypt);
}

/* One name space for mail: a new code must not be an alias's name. */
static int check_code_free(struct store *s, const char *code, struct error *e)
{
	struct alias *a = NULL;
	int r = store_alias_get(s, code, &a);

	alias_free(a);
	if (r == -ENOENT)
		return 0;
	return r < 0 ? error_set(e, r, "The users' file cannot be read.") :
		       error_set(e, -EEXIST, "The name %s is an alias or a list already.", code);
}

int store_user_put(struct store *s, const struct user *u, bool create, struct error *e)
{
	_buffer_ struct buffer sealed = { 0 };
	sqlite3_stmt *st;
	int r = check_user(s, u, e), rc;

	if (!r && create)
		r = check_code_free(s, u->code, e);
	if (!r && u->pop3_password && *u->pop3_password) {
		r = seal(s->key, u->code, u->pop3_password, &sealed);
		if (r < 0)
			return error_set(e, r, "The password cannot be sealed.");
	}
	if (r < 0)
		return r;
	rc = sqlite3_prepare_v2(s->users, create ? put_sql : update_sql, -1, &st, NULL);
	if (rc != SQLITE_OK)
		return users_db_error(s, rc, e);
	bind_user(st, u, &sealed);
	if (!create) {
		sqlite3_bind_int(st, 20, u->pop3_password != NULL);
		sqlite3_bind_int(st, 21, u->verifier != NULL);
		sqlite3_bind_int(st, 22, u->panel_hash != NULL);
	}
	sqlite3_step(st);
	rc = sqlite3_finalize(st);
	if (rc == SQLITE_CONSTRAINT)
		return error_set(e, -EEXIST, "The user code %s is taken.", u->code);
	if (rc != SQLITE_OK)
		return users_db_error(s, rc, e);
	if (!sqlite3_changes(s->users))
		return error_set(e, -ENOENT, "There is no user %s.", u->code);
	return 0;
}

int users_column(sqlite3_stmt *st, int i, char **ret)
{
	const char *v = (const char *)sqlite3_column_text(st, i);

	return v ? job_set(ret, v) : 0;
}

static int row_user(struct store *s, sqlite3_stmt *st, bool secrets, struct user **ret)
{
	struct user *u = calloc(1, sizeof(*u));
	size_t sealed = (size_t)sqlite3_column_bytes(st, 7);
	int r = u ? users_column(st, 0, &u->code) : -ENOMEM;

	if (!r)
		r = users_column(st, 1, &u->name);
	if (!r)
		r = users_column(st, 2, &u->address);
	if (!r)
		r = users_column(st, 3, &u->pop3_host);
	if (!r)
		r = users_column(st, 5, &u->pop3_tls);
	if (!r)
		r = users_column(st, 6, &u->pop3_login);
	if (!r)
		r = users_column(st, 15, &u->at_end);
	if (!r) {
		u->pop3_port = (uint32_t)sqlite3_column_int64(st, 4);
		u->has_password = sealed != 0;
		u->has_login = sqlite3_column_type(st, 13) != SQLITE_NULL;
		u->auto_receive = sqlite3_column_int(st, 8);
		u->auto_print = sqlite3_column_int(st, 9);
		u->interval = (uint32_t)sqlite3_column_int64(st, 10);
		u->keep_days = (uint32_t)sqlite3_column_int64(st, 11);
		u->leave_on_server = sqlite3_column_int(st, 12);
		u->has_panel_password = sqlite3_column_type(st, 14) != SQLITE_NULL;
		u->receive_text = sqlite3_column_int(st, 16);
		u->collect_after_send = sqlite3_column_int(st, 17);
		u->encrypt = sqlite3_column_int(st, 18);
	}
	if (!r && secrets)
		r = users_column(st, 13, &u->verifier);
	if (!r && secrets)
		r = users_column(st, 14, &u->panel_hash);
	if (!r && secrets && sealed)
		r = s->has_key ? unseal(s->key, u->code, sqlite3_column_blob(st, 7), sealed,
					&u->pop3_password)
			       : -ENOKEY;
	if (r < 0) {
		user_free(u);
		return r;
	}
	*ret = u;
	return 0;
}

int store_user_get(struct store *s, const char *code, bool secrets, struct user **ret)
{
	sqlite3_stmt *st = users_query(s, USERS_BY_CODE, code);
	int r, rc = sqlite3_step(st);

	if (rc == SQLITE_ROW)
		r = row_user(s, st, secrets, ret);
	else
		r = rc == SQLITE_DONE ? -ENOENT : -EIO;
	users_done(st);
	return r;
}

/* The domain's case does not matter, the rest's does. */
static bool same_address(const char *a, const char *b)
{
	const char *at = strrchr(a, '@');
	size_t local = at ? (size_t)(at - a) : strlen(a);

	return !strncmp(a, b, local) && !strcasecmp(a + local, b + local);
}

int store_user_find(struct store *s, const char *key, bool secrets, struct user **ret)
{
	struct user *u, *found = NULL;
	sqlite3_stmt *st;
	int rc, r = 0;

	if (!strchr(key, '@'))
		return store_user_get(s, key, secrets, ret);
	st = users_query(s, USERS_BY_ADDRESS, key);
	while (!r && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		if (!same_address(key, (const char *)sqlite3_column_text(st, 2)))
			continue;
		r = found ? -ENOTUNIQ : row_user(s, st, secrets, &u);
		found = r ? found : u;
	}
	users_done(st);
	if (!r && rc != SQLITE_DONE)
		r = -EIO;
	if (!r && !found)
		r = -ENOENT;
	if (r < 0) {
		user_free(found);
		return r;
	}
	*ret = found;
	return 0;
}

int store_user_list(struct store *s, struct user ***ret, size_t *n)
{
	struct user **list = NULL;
	sqlite3_stmt *st;
	size_t count = 0;
	int r = 0, rc = SQLITE_DONE;

	if (sqlite3_prepare_v2(s->users, "SELECT * FROM users ORDER BY code", -1, &st, NULL))
		return -EIO;
	while (!r && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		if (!(count & (count - 1))) {
			void *p = reallocarray(list, count ? 2 * count : 1, sizeof(*list));

			r = p ? 0 : -ENOMEM;
			list = p ? p : list;
		}
		if (!r)
			r = row_user(s, st, false, &list[count]);
		count += !r;
	}
	sqlite3_finalize(st);
	if (!r && rc != SQLITE_DONE)
		r = -EIO;
	if (r < 0) {
		user_list_free(list, count);
		return r;
	}
	*ret = list;
	*n = count;
	return 0;
}

int users_remove_row(struct store *s, const char *sql, const char *key, struct error *e)
{
	sqlite3_stmt *st;
	int rc = sqlite3_prepare_v2(s->users, sql, -1, &st, NULL);

	if (rc != SQLITE_OK)
		return users_db_error(s, rc, e);
	users_bind_text(st, 1, key);
	sqlite3_step(st);
	rc = sqlite3_finalize(st);
	if (rc != SQLITE_OK)
		return users_db_error(s, rc, e);
	return sqlite3_changes(s->users) ? 0 : -ENOENT;
}

int store_user_remove(struct store *s, const char *code, struct error *e)
{
	int r = users_remove_row(s, "DELETE FROM users WHERE code=?", code, e);

	return r == -ENOENT ? error_set(e, r, "There is no user %s.", code) : r;
}

int store_recipient_put(struct store *s, const struct recipient *rcpt, struct error *e)
{
	static const char *const forms[] = { "s", "f-mr", "f", NULL };
	static const char *const methods[] = { "openpgp", "smime", NULL };
	sqlite3_stmt *st;
	int rc, r = users_check_text("mail address", rcpt->address, 320, e);

	if (!r && !rcpt->address)
		r = error_set(e, -EINVAL, "A recipient needs a mail address.");
	if (!r)
		r = check_address(rcpt->address, e);
	if (!r)
		r = users_check_text("name", rcpt->name, FIELD_MAX, e);
	if (!r && (!rcpt->accepts || !one_of(rcpt->accepts, forms)))
		r = error_set(e, -EINVAL, "What a recipient accepts is s, f-mr or f.");
	if (!r && rcpt->method && !one_of(rcpt->method, methods))
		r = error_set(e, -EINVAL, "Mail is encrypted by openpgp or smime, not \"%s\".",
			      rcpt->method);
	if (!r && rcpt->must_encrypt && !rcpt->method)
		r = error_set(e, -EINVAL, "%s must get encrypted mail, so a method is needed: "
			      "openpgp or smime.", rcpt->address);
	if (!r)
		r = users_check_text("key", rcpt->key, FIELD_MAX, e);
	if (r < 0)
		return r;
	rc = sqlite3_prepare_v2(s->users, "INSERT OR REPLACE INTO recipients VALUES(?,?,?,?,?,?)",
				-1, &st, NULL);
	if (rc != SQLITE_OK)
		return users_db_error(s, rc, e);
	users_bind_text(st, 1, rcpt->address);
	users_bind_text(st, 2, rcpt->name);
	users_bind_text(st, 3, rcpt->accepts);
	users_bind_text(st, 4, rcpt->method);
	users_bind_text(st, 5, rcpt->key);
	sqlite3_bind_int(st, 6, rcpt->must_encrypt);
	sqlite3_step(st);
	rc = sqlite3_finalize(st);
	return rc == SQLITE_OK ? 0 : users_db_error(s, rc, e);
}

static int row_recipient(sqlite3_stmt *st, struct recipient **ret)
{
	struct recipient *rcpt = calloc(1, sizeof(*rcpt));
	int r = rcpt ? users_column(st, 0, &rcpt->address) : -ENOMEM;

	if (!r)
		r = users_column(st, 1, &rcpt->name);
	if (!r)
		r = users_column(st, 2, &rcpt->accepts);
	if (!r)
		r = users_column(st, 3, &rcpt->method);
	if (!r)
		r = users_column(st, 4, &rcpt->key);
	if (r < 0) {
		recipient_free(rcpt);
		return r;
	}
	rcpt->must_encrypt = sqlite3_column_int(st, 5);
	*ret = rcpt;
	return 0;
}

int store_recipient_get(struct store *s, const char *address, struct recipient **ret)
{
	sqlite3_stmt *st = users_query(s, USERS_RECIPIENT, address);
	int r, rc = sqlite3_step(st);

	if (rc == SQLITE_ROW)
		r = row_recipient(st, ret);
	else
		r = rc == SQLITE_DONE ? -ENOENT : -EIO;
	users_done(st);
	return r;
}

int store_recipient_list(struct store *s, struct recipient ***ret, size_t *n)
{
	struct recipient **list = NULL;
	sqlite3_stmt *st;
	size_t count = 0;
	int r = 0, rc = SQLITE_DONE;

	if (sqlite3_prepare_v2(s->users, "SELECT * FROM recipients ORDER BY address", -1, &st,
			       NULL))
		return -EIO;
	while (!r && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		if (!(count & (count - 1))) {
			void *p = reallocarray(list, count ? 2 * count : 1, sizeof(*list));

			r = p ? 0 : -ENOMEM;
			list = p ? p : list;
		}
		if (!r)
			r = row_recipient(st, &list[count]);
		count += !r;
	}
	sqlite3_finalize(st);
	if (!r && rc != SQLITE_DONE)
		r = -EIO;
	if (r < 0) {
		recipient_list_free(list, count);
		return r;
	}
	*ret = list;
	*n = count;
	return 0;
}

int store_recipient_remove(struct store *s, const char *address, struct error *e)
{
	int r = users_remove_row(s, "DELETE FROM recipients WHERE address=?", address, e);

	return r == -ENOENT ? error_set(e, r, "There is no recipient %s.", address) : r;
}
