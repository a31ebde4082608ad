// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Users. A password is stored sealed with AES-256-GCM, its owner's code as
 * associated data, so that a row copied to another user does not open.
 */
#include "store/store_internal.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>
#include <strings.h>

#define NONCE	     12
#define TAG	     16

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
	free(u->ring);
	free(u);
}

void user_freep(struct user **u)
{
	user_free(*u);
}

void user_list_free(struct user **users, size_t n)
{
	for (size_t i = 0; i < n; i++)
		user_free(users[i]);
	free(users);
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

	if (len < NONCE + TAG || len > NONCE + TAG + USERS_PASSWORD_MAX)
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

static int check_user(struct store *s, const struct user *u, struct error *e)
{
	int r = user_check(u, NULL, e);

	if (!r && u->pop3_password && *u->pop3_password && !s->has_key)
		r = error_set(e, -ENOKEY, "No key is there to seal a password with: give "
			      "ifaxd its credential.");
	return r;
}

/* A code may become another user's later, a ring's name never does. */
static const char put_sql[] =
	"INSERT INTO users VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,"
	"?19,?1||'.'||lower(hex(randomblob(8))))";
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

/* Binds a user who has been checked to a statement as above, and runs it. */
static int run_put(struct store *s, sqlite3_stmt *st, const struct user *u, bool create,
		   struct error *e)
{
	_buffer_ struct buffer sealed = { 0 };
	int r = 0, rc;

	if (u->pop3_password && *u->pop3_password)
		r = seal(s->key, u->code, u->pop3_password, &sealed);
	if (r < 0)
		return error_set(e, r, "The password cannot be sealed.");
	bind_user(st, u, &sealed);
	if (!create) {
		sqlite3_bind_int(st, 20, u->pop3_password != NULL);
		sqlite3_bind_int(st, 21, u->verifier != NULL);
		sqlite3_bind_int(st, 22, u->panel_hash != NULL);
	}
	sqlite3_step(st);
	rc = sqlite3_reset(st);
	sqlite3_clear_bindings(st);
	if (rc != SQLITE_OK && rc != SQLITE_CONSTRAINT)
		return users_db_error(s, rc, e);
	if (rc == SQLITE_OK && sqlite3_changes(s->users))
		return 0;
	return rc == SQLITE_OK && !create ?
		       error_set(e, -ENOENT, "There is no user %s.", u->code) :
		       error_set(e, -EEXIST, "The user code %s is taken.", u->code);
}

int users_put(struct store *s, sqlite3_stmt *st, const struct user *u, bool create,
	      struct error *e)
{
	int r = check_user(s, u, e);

	if (!r && create)
		r = check_code_free(s, u->code, e);
	return r < 0 ? r : run_put(s, st, u, create, e);
}

int store_user_put(struct store *s, const struct user *u, bool create, struct error *e)
{
	int r = users_check_settled(s, e), rc;
	sqlite3_stmt *st;

	if (r < 0)
		return r;
	rc = sqlite3_prepare_v2(s->users, create ? put_sql : update_sql, -1, &st, NULL);
	if (rc != SQLITE_OK)
		return users_db_error(s, rc, e);
	r = users_put(s, st, u, create, e);
	sqlite3_finalize(st);
	return r;
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
	if (!r)
		r = users_column(st, 19, &u->ring);
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

int store_user_check_code(struct store *s, const char *code, struct error *e)
{
	struct user *u = NULL;
	int r = users_check_code(code, e);

	if (r < 0)
		return r;
	r = store_user_get(s, code, false, &u);
	user_free(u);
	if (!r)
		return error_set(e, -EEXIST, "The user code %s is taken.", code);
	if (r != -ENOENT)
		return error_set(e, r, "The users' file cannot be read.");
	return check_code_free(s, code, e);
}

int store_user_count(struct store *s, uint64_t *ret)
{
	sqlite3_stmt *st;
	int r = -EIO;

	if (sqlite3_prepare_v2(s->users, "SELECT count(*) FROM users", -1, &st, NULL))
		return r;
	if (sqlite3_step(st) == SQLITE_ROW) {
		*ret = (uint64_t)sqlite3_column_int64(st, 0);
		r = 0;
	}
	sqlite3_finalize(st);
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

static int list_row(struct store *s, sqlite3_stmt *st, void **ret)
{
	return row_user(s, st, false, (struct user **)ret);
}

static void list_free(void **users, size_t n)
{
	user_list_free((struct user **)users, n);
}

int store_user_list(struct store *s, struct user ***ret, size_t *n)
{
	void **list;
	int r = users_list(s, "SELECT * FROM users ORDER BY code", list_row, list_free,
			   &list, n);

	if (!r)
		*ret = (struct user **)list;
	return r;
}

/* Row and ring go in one transaction: the ring is a trigger's to note, see users_db.c. */
int store_user_remove(struct store *s, const char *code, struct error *e)
{
	int r = users_check_settled(s, e);

	if (r < 0)
		return r;
	r = users_remove_row(s, "DELETE FROM users WHERE code=?", code, e);
	return r == -ENOENT ? error_set(e, r, "There is no user %s.", code) : r;
}

int store_ring_left(struct store *s, char **ret)
{
	sqlite3_stmt *st;
	int rc, r = -EIO;

	if (sqlite3_prepare_v2(s->users, "SELECT ring FROM rings_left LIMIT 1", -1, &st, NULL))
		return r;
	*ret = NULL;
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		r = users_column(st, 0, ret);
	else if (rc == SQLITE_DONE)
		r = -ENOENT;
	sqlite3_finalize(st);
	return r;
}

int store_ring_gone(struct store *s, const char *ring, struct error *e)
{
	return users_remove_row(s, "DELETE FROM rings_left WHERE ring=?", ring, e);
}
