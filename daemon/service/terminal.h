/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Users' terminals: the panels at which they are active now. A message that SMTP
 * sends (SEND, SOML, SAML of RFC 821) goes to all panels of its user, and to
 * nobody else.
 *
 * A panel is told by the name of its connection, which the bus made unique.
 */
#ifndef IFAX_SERVICE_TERMINAL_H
#define IFAX_SERVICE_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define TERMINAL_PANELS_MAX 256
#define TERMINAL_TEXT_MAX   65536	/* octets of a message; the rest is left out */

struct terminals;

/* Borrowed for the call; @text is the message as it came. */
struct terminal_message {
	const char *user;		/* code */
	const char *from;		/* reverse-path, "" is the null one */
	const char *text;
	size_t len;
};

/* Brings a message to one panel. 0, or -errno: it is not there any more. */
typedef int (*terminal_say_fn)(void *userdata, const char *panel,
			       const struct terminal_message *m);

int terminals_new(struct terminals **ret);
void terminals_free(struct terminals *t);	/* NULL is fine */
/* Who speaks to the panels, NULL: nobody can; those that were here are gone then. */
void terminals_set_voice(struct terminals *t, terminal_say_fn say, void *userdata);

/* -EEXIST: it is here already, for whomever; -E2BIG: there are too many. */
int terminal_attach(struct terminals *t, const char *user, const char *panel, struct error *e);
/* -ENOENT: it was not here. */
int terminal_detach(struct terminals *t, const char *panel);
bool terminal_active(const struct terminals *t, const char *user);
/* The number of panels that have it, 0: the user is not active. */
unsigned int terminal_send(struct terminals *t, const struct terminal_message *m);

#endif
