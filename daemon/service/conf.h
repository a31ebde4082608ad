/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * /etc/ifax/ifax.conf and ifax.conf.d/ drop-ins, in the form of systemd's own
 * files. Every setting is one row of the table in conf.c; man/ifax.conf.5
 * explains each.
 */
#ifndef IFAX_SERVICE_CONF_H
#define IFAX_SERVICE_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Strings are owned: conf_free(). Zeroed is not valid: conf_load() sets defaults. */
struct conf {
	/* [Box] */
	char *hostname;		/* for EHLO and Message-ID; default: the machine's own name */
	char *company;		/* on pages and in mails */
	char *spool;		/* folder */
	char *state;		/* folder */
	char *worker;		/* socket of the worker */
	uint32_t users_max;	/* 0 = any number */
	char *keyring;		/* socket of ifax-keyring, which opens and encrypts mail */
	/* [Send] */
	char *smarthost;	/* host or host:port; NULL: mail goes to its domains' own hosts */
	char *smarthost_tls;	/* none, opportunistic, required, tls; of all hosts */
	char *tls_policy;	/* words "domain:policy", or NULL: service/tls_policy.h */
	char *smarthost_user;	/* to log in as; the password is a credential */
	char *style;		/* plain or panasonic: the look of mails that are sent */
	char *sign;		/* yes or no: what is encrypted, by who has a key for that */
	uint64_t retry_usec;	/* first wait after a transient failure; doubles */
	uint64_t retry_max_usec;
	uint64_t expire_usec;	/* queued longer than this: failed */
	uint64_t delay_usec;	/* queued longer than this: the sender hears of it; 0 = never */
	uint64_t keep_usec;	/* mails and notices that are done with stay listed; 0 = for good */
	uint64_t timeout_usec;	/* of one command */
	char *returned;		/* headers, full: what of a fax comes back with a failure */
	uint64_t idle_usec;	/* a connection is kept for the next mail */
	uint32_t connections;	/* at a time */
	uint32_t connections_per_host;
	/* [Collect] */
	uint64_t interval_usec;	/* default between collections of a mailbox */
	uint64_t collect_retry_max_usec; /* a mailbox or server in trouble is asked so seldom */
	uint64_t max_message;	/* bytes of a mail */
	uint64_t collect_reserve; /* octets of the spool's disk left for those who print at once */
	uint32_t collect_connections;	/* at a time */
	uint32_t collect_connections_per_host;
	/* [Receive] */
	char *domains;		/* ours, words; NULL: the host name alone */
	char *networks;		/* words, who may relay and ask for names: networks_parse() */
	char *turn;		/* "no", or words "user:domain": service/turn.h */
	char *certificate;	/* PEM files, or NULL */
	char *key;
	uint32_t max_sessions;
	uint32_t max_sessions_per_address;
	uint64_t receive_max_message;	/* octets */
	uint64_t receive_max_memory;	/* of messages under way */
	uint32_t max_recipients;	/* of a transaction */
	uint32_t max_messages;		/* of a session, 0 = any number */
	uint32_t max_errors;		/* commands of a session that were wrong */
	uint32_t max_idle_commands;	/* that led to no mail */
	uint32_t max_auth_failures;	/* of a session */
	uint32_t max_auth_failures_per_address;	/* within ten minutes */
	uint32_t max_hops;		/* Received fields */
	uint64_t command_timeout_usec;
	uint64_t data_timeout_usec;	/* between two stretches of a message */
	/* [Scan] */
	uint32_t xres;		/* pixels per metre */
	uint32_t yres;
	uint32_t max_pages;	/* of a document */
	/* [Print] */
	char *print_text;	/* auto, always, never: whether the words of mails become pages */
	uint32_t max_received_pages;	/* of a received document */
};

/* Reads @path and the drop-ins in @path.d; missing files are fine. An error names file and line. */
int conf_load(struct conf *c, const char *path, struct error *e);
/* The parts of it: defaults, then one file's text on top. conf_free() after errors, too. */
int conf_defaults(struct conf *c, struct error *e);
int conf_parse(struct conf *c, const char *data, size_t len, const char *file, struct error *e);
void conf_free(struct conf *c);

#endif
