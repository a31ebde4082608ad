/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The doors: sockets, certificate, limits of all sessions together. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "service/queue.h"
#include "service/receiver_internal.h"
#include "service/turn.h"

#define FREE_USEC  1000000	/* how long an answer of statvfs() is good */
#define PENALTY_USEC (600 * UINT64_C(1000000))

/* Octets that are free on the spool's disk; what cannot be asked is found out on storing. */
static uint64_t free_bytes(struct receiver *r)
{
	struct statvfs v;
	uint64_t now = 0;

	sd_event_now(r->box->event, CLOCK_MONOTONIC, &now);
	if (!r->free_asked || now - r->free_asked > FREE_USEC) {
		if (statvfs(r->box->conf.spool, &v) < 0)
			return UINT64_MAX;
		r->free_bytes = (uint64_t)v.f_bavail * v.f_frsize;
		r->free_asked = now;
	}
	return r->free_bytes;
}

bool receiver_has_room(struct receiver *r, uint64_t size)
{
	uint64_t there = free_bytes(r), reserve = store_reserve(r->box->store);

	return there > reserve && there - reserve > size;
}

bool receiver_has_room_to_keep(struct receiver *r)
{
	return free_bytes(r) >= r->box->conf.collect_reserve;
}

void receiver_note_tls(struct receiver *r)
{
	const char *notice = r->tls ? net_tls_server_notice(r->tls) : NULL;

	if (notice)
		log_notice("%s", notice);
}

static uint64_t monotonic(struct receiver *r)
{
	uint64_t now = 0;

	sd_event_now(r->box->event, CLOCK_MONOTONIC, &now);
	return now;
}

void receiver_login_failed(struct receiver *r, const struct sockaddr_storage *a)
{
	penalty_add(&r->penalties, a, monotonic(r), PENALTY_USEC);
}

bool receiver_may_log_in(struct receiver *r, const struct sockaddr_storage *a)
{
	return penalty_count(&r->penalties, a, monotonic(r), PENALTY_USEC) <
	       r->box->conf.max_auth_failures_per_address;
}

/*
 * Doors
 */

static void on_accepted(void *userdata, int fd, const struct net_peer *peer, struct net_seat *seat)
{
	receiver_session_start(userdata, fd, peer, seat);
}

static const char *on_refused(void *userdata, const struct net_peer *peer, bool busy)
{
	struct receiver *r = userdata;

	log_info("%s is turned away: %s", peer->text, busy ?
		 "MaxSessions= are here" : "it has MaxSessionsPerAddress= already");
	/* Who expects TLS would not understand. */
	if (peer->tag == RECEIVER_SUBMISSIONS)
		return NULL;
	/* In the greeting's place: with our name, and without an enhanced code (RFC 2034 3). */
	snprintf(r->turned_away, sizeof(r->turned_away), "421 %s Too many connections%s\r\n",
		 r->box->conf.hostname, busy ? ", come back later" : " from your address");
	return r->turned_away;
}

static void on_trouble(void *userdata, const struct error *e)
{
	log_warning("%s", error_text(e));
}

static int accept_by_queue(void *userdata, const struct envelope *env, const struct iovec *body,
			   int n_body, store_done_fn done, void *done_data, uint64_t *id,
			   struct error *e)
{
	struct box *box = userdata;

	return queue_accept(box->queue, env, body, n_body, done, done_data, id, e);
}

/* Certificate= and Key=, or the credentials ifax.smtp.crt and ifax.smtp.key; neither: no TLS. */
static int load_tls(struct receiver *r, struct error *e)
{
	const struct conf *c = &r->box->conf;
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	_free_ char *certificate = NULL, *key = NULL;

	if (c->certificate)
		return net_tls_server_new(&r->tls, c->certificate, c->key, e);
	if (!folder)
		return 0;
	if (asprintf(&certificate, "%s/ifax.smtp.crt", folder) < 0) {
		certificate = NULL;
		return error_set(e, -ENOMEM, "out of memory");
	}
	if (asprintf(&key, "%s/ifax.smtp.key", folder) < 0) {
		key = NULL;
		return error_set(e, -ENOMEM, "out of memory");
	}
	if (access(certificate, F_OK) < 0 && access(key, F_OK) < 0)
		return 0;
	return net_tls_server_new(&r->tls, certificate, key, e);
}

static void set_options(struct receiver *r)
{
	const struct conf *c = &r->box->conf;

	for (int port = 0; port <= RECEIVER_SUBMISSIONS; port++)
		r->options[port] = (struct smtp_server_options){
			.hostname = c->hostname,
			.submission = port != RECEIVER_SMTP,
			.tls_offered = r->tls && port != RECEIVER_SUBMISSIONS,
			.tls_active = port == RECEIVER_SUBMISSIONS,
			.auth_offered = r->tls,
			.turn_offered = turn_is_on(c),
			.max_message = c->receive_max_message,
			.max_rcpts = c->max_recipients,
			.max_messages = c->max_messages,
			.max_bad = c->max_errors,
			.max_idle = c->max_idle_commands,
			.max_auth = c->max_auth_failures,
		};
}

int receiver_new(struct receiver **ret, struct box *box, receiver_accept_fn accept,
		 void *userdata, struct error *e)
{
	const struct net_listen_options options = {
		.max = box->conf.max_sessions,
		.max_per_address = box->conf.max_sessions_per_address,
		.accepted = on_accepted,
		.refused = on_refused,
		.trouble = on_trouble,
	};
	struct receiver *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return error_set(e, -ENOMEM, "out of memory");
	r->box = box;
	r->accept = accept ? accept : accept_by_queue;
	r->userdata = accept ? userdata : box;
	err = load_tls(r, e);
	if (!err) {
		err = logins_new(&r->logins, box->event, receiver_session_log_in);
		if (err < 0)
			error_set(e, err, "cannot set a timer: %s", strerror(-err));
	}
	if (!err) {
		err = net_listen_new(&r->listen, box->event, &options, r);
		if (err < 0)
			error_set(e, err, "cannot listen for mail: %s", strerror(-err));
	}
	if (err < 0) {
		receiver_free(r);
		return err;
	}
	set_options(r);
	*ret = r;
	return 0;
}

void receiver_free(struct receiver *r)
{
	if (!r)
		return;
	/* Who waits for the disk gets his answer: told nothing, he would send it again. */
	r->stopping = true;
	store_flush(r->box->store);
	while (r->sessions)
		receiver_session_stop(r->sessions);
	net_listen_free(r->listen);
	logins_free(r->logins);
	net_tls_server_free(r->tls);
	free(r);
}

int receiver_listen(struct receiver *r, struct error *e)
{
	static const char *const names[] = {
		[RECEIVER_SMTP] = "smtp",
		[RECEIVER_SUBMISSION] = "submission",
		[RECEIVER_SUBMISSIONS] = "submissions",
		NULL,
	};

	return net_listen_systemd(r->listen, names, e);
}

int receiver_add(struct receiver *r, int fd, enum receiver_port port, struct error *e)
{
	return net_listen_add(r->listen, fd, port, e);
}

void receiver_figures(struct receiver *r, struct receiver_figures *ret)
{
	ret->sessions = net_listen_count(r->listen);
	ret->mails = r->mails;
	ret->memory = r->memory;
	ret->scarce = !receiver_has_room_to_keep(r);
}
