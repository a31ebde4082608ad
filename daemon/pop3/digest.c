/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "pop3/digest.h"

static bool is_changing(const char *name, size_t len)
{
	static const char *const names[] = {
		"Status", "X-Status", "X-UIDL", "X-UID", "X-Keywords", "Content-Length",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (len == strlen(names[i]) && !strncasecmp(name, names[i], len))
			return true;
	return false;
}

int pop3_digest_begin(struct pop3_digest *d)
{
	if (!d->md)
		d->md = EVP_MD_CTX_new();
	d->n = 0;
	d->undecided = true;
	d->skip = d->ended = false;
	return d->md && EVP_DigestInit_ex(d->md, EVP_sha256(), NULL) == 1 ? 0 : -ENOMEM;
}

static void decide(struct pop3_digest *d, char next)
{
	/* A folded line shares its field's fate. */
	if (!(d->n == 0 && (next == ' ' || next == '\t')))
		d->skip = next == ':' && is_changing(d->name, d->n);
	if (!d->skip)
		EVP_DigestUpdate(d->md, d->name, d->n);
	d->undecided = false;
}

static void add_octet(struct pop3_digest *d, char o)
{
	if (d->undecided) {
		if (d->n == 0 && o == '\r') {
			d->ended = true;
			return;
		}
		if (o != ':' && o != ' ' && o != '\t' && o != '\n' && d->n < sizeof(d->name)) {
			d->name[d->n++] = o;
			return;
		}
		decide(d, o);
	}
	if (!d->skip)
		EVP_DigestUpdate(d->md, &o, 1);
	if (o == '\n') {
		d->undecided = true;
		d->n = 0;
	}
}

void pop3_digest_add(struct pop3_digest *d, const char *data, size_t len)
{
	for (size_t i = 0; i < len && !d->ended; i++)
		add_octet(d, data[i]);
}

int pop3_digest_end(struct pop3_digest *d, char **ret)
{
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned int len = 0;
	char *hex;

	if (EVP_DigestFinal_ex(d->md, md, &len) != 1)
		return -ENOMEM;
	hex = malloc(2 * len + 1);
	if (!hex)
		return -ENOMEM;
	for (unsigned int i = 0; i < len; i++)
		snprintf(hex + 2 * i, 3, "%02x", md[i]);
	*ret = hex;
	return 0;
}

void pop3_digest_free(struct pop3_digest *d)
{
	EVP_MD_CTX_free(d->md);
	d->md = NULL;
}
