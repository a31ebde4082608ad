/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A whole box but for its devices and the bus: the real store in a folder of its
 * own, the real duties, a real worker in a process of its own; a scanner and a
 * printer that do what the test tells them. Fails the running test where it
 * cannot do its work.
 */
#ifndef SVC_HELP_H
#define SVC_HELP_H

#include <sys/types.h>

#include "fake_devices.h"
#include "fake_server.h"
#include "service/box.h"
#include "worker/server.h"

struct svc {
	char dir[40], spool[64], state[64], socket[64];
	struct box box;
	struct fake_scanner scanner;
	struct fake_printer printer;
	pid_t worker;		/* 0 = none runs */
};

/* The folder and a configuration; nothing runs yet. */
void svc_make(struct svc *s);
/* Starts all duties, as main.c does. The smarthost is @port on loopback, 0 = nobody. */
void svc_open(struct svc *s, uint16_t port);
void svc_close(struct svc *s);	/* in main.c's order; what is stored stays */
void svc_remove(struct svc *s);

/*
 * @parse NULL: the real parser. It is forked: before svc_open(), whose threads it would find
 * with their locks held.
 */
void svc_start_worker(struct svc *s, worker_parse_fn parse);
/*
 * The real parser, but what a slip of the box says becomes a page that says nothing:
 * which needs no fonts.
 */
void svc_parse(const struct worker_request *rq, int message, int output, struct worker_reply *rp);
void svc_stop_worker(struct svc *s);

void svc_add_user(struct svc *s, const char *code, const char *login, uint16_t pop3_port);

/*
 * From now on the users' file cannot be read, as on a disk that fails, where it is asked for
 * users or for recipients; and then it can again.
 */
enum svc_table { SVC_USERS, SVC_RECIPIENTS };
void svc_break(struct svc *s, enum svc_table table);
void svc_mend(struct svc *s);

/* Runs the event loop for @msec. */
void svc_run(struct svc *s, unsigned int msec);
/* Runs it until the job is in @state; the job, as stored, the caller's to free. */
struct job *svc_wait(struct svc *s, uint64_t id, enum job_state state);
/* Runs it until the server's script has ended, and stops the server. */
void svc_serve(struct svc *s, struct fake_server *f);
/* Runs it until the fake printer has a page in hand. */
void svc_wait_page(struct svc *s);
struct job *svc_job(struct svc *s, uint64_t id);
/* Fails unless the job is in @state and its detail has @words; NULL: any. */
void svc_expect(struct svc *s, uint64_t id, enum job_state state, const char *words);
/* The number of jobs of @kind (-1 = any) in @state (-1 = any); *@id: of the last. */
size_t svc_count(struct svc *s, int kind, int state, uint64_t *id);

/*
 * For a child that is to be killed: its parent hears by @fd of what it took, only when
 * that is durable. A callback of the store's; malloc() it, it is freed there.
 */
struct svc_taken {
	uint64_t id;
	int fd;
};

void svc_on_taken(void *taken, int r);

/* A mail with a fax of one page; free data by buffer_free(). */
void svc_fax_mail(struct buffer *mail, const char *message_id);

#endif
