/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "page/pageset.h"
#include "worker/server.h"

#define DEFAULT_CHILDREN 4
#define DEFAULT_TIMEOUT	 120000
#define REQUEST_SECONDS	 10	/* for a client to send its request */
#define CHILD_FILES	 64
#define CHILD_CONN	 3	/* behind standard input, output and error */

/* A child at work; parent's side. */
struct child {
	struct worker_server *server;
	struct child *next;
	pid_t pid;
	int conn;
	bool timed_out;
	sd_event_source *exit;
	sd_event_source *timer;
};

struct worker_server {
	sd_event *event;
	struct worker_server_options o;
	int listen_fd;
	sd_event_source *listen;
	struct child *children;
	uint32_t nchildren;
};

/* --- the child --- */

static void limit(int resource, rlim_t value)
{
	struct rlimit l = { value, value };

	/* Only ever lowers: a lower one from outside stays, and that is fine. */
	(void)setrlimit(resource, &l);
}

/*
 * A child keeps its own connection and nothing else of the parent's: neither
 * the event loop nor the connections of other mails are for it to touch.
 */
static int isolate(int conn)
{
	if (conn != CHILD_CONN && dup2(conn, CHILD_CONN) < 0)
		return -errno;
	if (close_range(CHILD_CONN + 1, ~0u, 0) < 0)
		return -errno;
	return CHILD_CONN;
}

static void confine(const struct worker_server_options *o)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_NOFILE, CHILD_FILES);
	limit(RLIMIT_FSIZE, PAGESET_BYTES_MAX);
	limit(RLIMIT_CPU, o->timeout_ms / 1000 + 1);
	if (o->max_memory)
		limit(RLIMIT_AS, o->max_memory);
}

static int answer(const struct worker_server_options *o, int conn)
{
	struct timeval patience = { .tv_sec = REQUEST_SECONDS };
	struct worker_request rq;
	struct worker_reply rp;
	int fds[WORKER_NFDS];
	int r;

	setsockopt(conn, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	r = worker_recv(conn, &rq, sizeof(rq), fds, WORKER_NFDS);
	if (r == -EPIPE)
		return 0;	/* came and went */
	if (r < 0 || !worker_request_check(&rq) || fds[WORKER_NFDS - 1] < 0) {
		struct error e;

		error_set(&e, -EPROTO, "The worker was asked in a way that it does not understand");
		worker_reply_init(&rp);
		worker_reply_fail(&rp, WORKER_TROUBLE, &e);
	} else {
		o->parse(&rq, fds[0], fds[1], &rp);
	}
	return worker_send(conn, &rp, sizeof(rp), NULL, 0);
}

/* --- the parent --- */

static void child_free(struct child *c)
{
	struct worker_server *s = c->server;

	for (struct child **p = &s->children; *p; p = &(*p)->next)
		if (*p == c) {
			*p = c->next;
			break;
		}
	sd_event_source_disable_unref(c->exit);
	sd_event_source_disable_unref(c->timer);
	close(c->conn);
	free(c);
	s->nchildren--;
	if (s->listen)
		sd_event_source_set_enabled(s->listen, SD_EVENT_ON);
}

/* Speaks for a child that did not get to it. */
static void answer_for(struct child *c, const siginfo_t *si)
{
	struct worker_reply rp;
	struct error e;

	worker_reply_init(&rp);
	if (c->timed_out || (si->si_code != CLD_EXITED && si->si_status == SIGXCPU)) {
		error_set(&e, -ETIMEDOUT, "Checking the mail took too long and was given up");
		worker_reply_fail(&rp, WORKER_TIMEOUT, &e);
	} else if (si->si_code == CLD_EXITED) {
		error_set(&e, -EIO, "The worker ended with status %d", si->si_status);
		worker_reply_fail(&rp, WORKER_CRASHED, &e);
	} else {
		error_set(&e, -EIO, "The mail brought its parser down (%s)",
			  strsignal(si->si_status));
		worker_reply_fail(&rp, WORKER_CRASHED, &e);
	}
	/* A client that has gone needs no answer. */
	(void)worker_send(c->conn, &rp, sizeof(rp), NULL, 0);
}

static int on_exit_child(sd_event_source *source, const siginfo_t *si, void *userdata)
{
	struct child *c = userdata;

	if (si->si_code != CLD_EXITED || si->si_status != EXIT_SUCCESS)
		answer_for(c, si);
	child_free(c);
	return 0;
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct child *c = userdata;

	c->timed_out = true;
	kill(c->pid, SIGKILL);
	return 0;
}

static int watch_child(struct worker_server *s, struct child *c)
{
	int r = sd_event_add_child(s->event, &c->exit, c->pid, WEXITED, on_exit_child, c);

	if (r < 0)
		return r;
	return sd_event_add_time_relative(s->event, &c->timer, CLOCK_MONOTONIC,
					  s->o.timeout_ms * 1000ull, 0, on_timeout, c);
}

/* Takes @conn over. */
static int start_child(struct worker_server *s, int conn)
{
	struct child *c = calloc(1, sizeof(*c));
	int r;

	if (!c) {
		close(conn);
		return -ENOMEM;
	}
	c->pid = fork();
	if (c->pid == 0) {
		conn = isolate(conn);
		confine(&s->o);
		_exit(conn < 0 || answer(&s->o, conn) < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
	}
	if (c->pid < 0) {
		r = -errno;
		close(conn);
		free(c);
		return r;
	}
	c->server = s;
	c->conn = conn;
	c->next = s->children;
	s->children = c;
	s->nchildren++;
	if (s->nchildren >= s->o.max_children)
		sd_event_source_set_enabled(s->listen, SD_EVENT_OFF);
	r = watch_child(s, c);
	if (r < 0) {
		kill(c->pid, SIGKILL);
		waitpid(c->pid, NULL, 0);
		child_free(c);
	}
	return r;
}

static int on_connection(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct worker_server *s = userdata;
	int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

	/* Whatever hinders this one, a closed connection tells the client; the next may pass. */
	if (conn >= 0)
		(void)start_child(s, conn);
	return 0;
}

int worker_server_new(struct worker_server **ret, sd_event *event, int listen_fd,
		      const struct worker_server_options *o, struct error *e)
{
	struct worker_server *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return error_set(e, -ENOMEM, "Out of memory");
	s->listen_fd = listen_fd;
	s->event = sd_event_ref(event);
	s->o = *o;
	if (!s->o.max_children)
		s->o.max_children = DEFAULT_CHILDREN;
	if (!s->o.timeout_ms)
		s->o.timeout_ms = DEFAULT_TIMEOUT;
	/* A client that is gone by the time it is accepted must not hold up the loop. */
	r = fcntl(listen_fd, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
	if (r >= 0)
		r = sd_event_add_io(event, &s->listen, listen_fd, EPOLLIN, on_connection, s);
	if (r < 0) {
		worker_server_free(s);
		return error_set(e, r, "Cannot watch the worker's socket: %s", strerror(-r));
	}
	*ret = s;
	return 0;
}

void worker_server_free(struct worker_server *s)
{
	if (!s)
		return;
	s->listen = sd_event_source_disable_unref(s->listen);
	while (s->children) {
		struct child *c = s->children;

		kill(c->pid, SIGKILL);
		waitpid(c->pid, NULL, 0);
		child_free(c);
	}
	close(s->listen_fd);
	sd_event_unref(s->event);
	free(s);
}
