// SPDX-License-Identifier: LGPL-2.1-or-later
/* Recipients of whom something is known. */
#include "store/store_internal.h"

#include <string.h>

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

/* A key that is another's stays his: who presses it expects him. */
static int check_key_free(struct store *s, const struct recipient *rcpt, struct error *e)
{
	sqlite3_stmt *st;
	int r = 0, rc;

	if (!rcpt->one_touch)
		return 0;
	rc = sqlite3_prepare_v2(s->users, "SELECT address FROM recipients WHERE one_touch=?1 "
				"AND address<>?2", -1, &st, NULL);
	if (rc != SQLITE_OK)
		return users_db_error(s, rc, e);
	sqlite3_bind_int64(st, 1, rcpt->one_touch);
	users_bind_text(st, 2, rcpt->address);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		r = error_set(e, -EEXIST, "One-touch key %u is that of %s.", rcpt->one_touch,
			      (const char *)sqlite3_column_text(st, 0));
	else if (rc != SQLITE_DONE)
		r = users_db_error(s, rc, e);
	sqlite3_finalize(st);
	return r;
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
		r = users_check_address(rcpt->address, e);
	if (!r)
		r = users_check_text("name", rcpt->name, USERS_FIELD_MAX, e);
	if (!r && (!rcpt->accepts || !users_one_of(rcpt->accepts, forms)))
		r = error_set(e, -EINVAL, "What a recipient accepts is s, f-mr or f.");
	if (!r && rcpt->method && !users_one_of(rcpt->method, methods))
		r = error_set(e, -EINVAL, "Mail is encrypted by openpgp or smime, not \"%s\".",
			      rcpt->method);
	if (!r && rcpt->must_encrypt && !rcpt->method)
		r = error_set(e, -EINVAL, "%s must get encrypted mail, so a method is needed: "
			      "openpgp or smime.", rcpt->address);
	if (!r)
		r = users_check_text("key", rcpt->key, USERS_FIELD_MAX, e);
	if (!r && rcpt->one_touch > ONE_TOUCH_KEYS)
		r = error_set(e, -EINVAL, "One-touch keys are 1 to %d, and 0 is none.",
			      ONE_TOUCH_KEYS);
	if (!r)
		r = check_key_free(s, rcpt, e);
	if (r < 0)
		return r;
	rc = sqlite3_prepare_v2(s->users, "INSERT OR REPLACE INTO recipients VALUES(?,?,?,?,?,?,?)",
				-1, &st, NULL);
	if (rc != SQLITE_OK)
		return users_db_error(s, rc, e);
	users_bind_text(st, 1, rcpt->address);
	users_bind_text(st, 2, rcpt->name);
	users_bind_text(st, 3, rcpt->accepts);
	users_bind_text(st, 4, rcpt->method);
	users_bind_text(st, 5, rcpt->key);
	sqlite3_bind_int(st, 6, rcpt->must_encrypt);
	if (rcpt->one_touch)
		sqlite3_bind_int64(st, 7, rcpt->one_touch);
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
	rcpt->one_touch = (uint32_t)sqlite3_column_int64(st, 6);
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

static int list_row(struct store *s, sqlite3_stmt *st, void **ret)
{
	return row_recipient(st, (struct recipient **)ret);
}

static void list_free(void **list, size_t n)
{
	recipient_list_free((struct recipient **)list, n);
}

int store_recipient_list(struct store *s, struct recipient ***ret, size_t *n)
{
	void **list;
	int r = users_list(s, "SELECT * FROM recipients ORDER BY address", list_row, list_free,
			   &list, n);

	if (!r)
		*ret = (struct recipient **)list;
	return r;
}

int store_recipient_remove(struct store *s, const char *address, struct error *e)
{
	int r = users_remove_row(s, "DELETE FROM recipients WHERE address=?", address, e);

	return r == -ENOENT ? error_set(e, r, "There is no recipient %s.", address) : r;
}
