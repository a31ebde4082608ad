/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A client of the SMTP receiver for its tests, on the receiver's own event loop:
 * what it waits for makes the loop turn. Fails the running test where it cannot.
 */
#ifndef SMTP_PEER_H
#define SMTP_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>
#include <systemd/sd-event.h>

struct peer {
	sd_event *event;
	int fd;
	SSL *ssl;
	char reply[65536];	/* the last one, all lines */
	char rest[65536];	/* read beyond it */
	size_t n_rest;
	bool closed;		/* the server's end was read */
};

/* A listening socket on a free port of 127.0.0.1. */
int peer_listen(uint16_t *port);
void peer_connect(struct peer *p, sd_event *event, uint16_t port);
void peer_close(struct peer *p);
void peer_send(struct peer *p, const char *data, size_t len);
/* Reads one whole reply: its code, 0 = the line was closed before. */
int peer_read(struct peer *p);
/* A line without its CRLF; the reply must begin with @start. */
void peer_say(struct peer *p, const char *line, const char *start);
void peer_expect(struct peer *p, const char *start);
/* As the server, after TURN: one line that must begin so; what makes the client say it. */
void peer_expect_line(struct peer *p, const char *start);
void peer_answer(struct peer *p, const char *reply, const char *command);
/* The server must close the line. */
void peer_expect_end(struct peer *p);
void peer_start_tls(struct peer *p);

/* Writes a certificate for "localhost", signed by itself, and its key, as PEM. */
void peer_make_certificate(const char *certificate, const char *key);

#endif
