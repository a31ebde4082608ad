/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ifax-keyring - keeps the keys, encrypts and decrypts mail, apart from everything else
 *
 * Started by its socket unit; with --listen it makes the socket itself. One request
 * at a time, each in a child that may die of it: GnuPG's folders have one writer.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "keys/serve.h"
#include "worker/protocol.h"

#define REQUEST_SECONDS 10	/* for a client to send its request */
#define ANSWER_SECONDS	60	/* to answer it; a new RSA key takes its time */

static int usage(FILE *f)
{
	fputs("ifax-keyring --state FOLDER                 serve the socket that systemd gives\n"
	      "ifax-keyring --state FOLDER --listen PATH   serve a socket of its own\n"
	      "ifax-keyring --version\n", f);
	return f == stdout ? EXIT_SUCCESS : 2;
}

/* In a child. */
static int answer(const char *state, int conn)
{
	struct timeval patience = { .tv_sec = REQUEST_SECONDS };
	struct keys_request rq;
	struct keys_reply rp;
	int fds[KEYS_NFDS], r;

	setsockopt(conn, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	r = worker_recv(conn, &rq, sizeof(rq), fds, KEYS_NFDS);
	if (r == -EPIPE)
		return 0;
	if (r < 0 || !keys_request_ok(&rq) || fds[KEYS_NFDS - 1] < 0) {
		struct error e;

		error_set(&e, -EPROTO, "ifax-keyring was asked in a way that it does not "
			  "understand");
		keys_reply_init(&rp);
		keys_reply_fail(&rp, KEYS_TROUBLE, &e);
	} else {
		alarm(ANSWER_SECONDS);
		keys_serve(state, &rq, fds, &rp);
	}
	return worker_send(conn, &rp, sizeof(rp), NULL, 0);
}

/* Speaks for a child that did not get to it. */
static void answer_for(int conn, int status)
{
	struct keys_reply rp;
	struct error e;

	keys_reply_init(&rp);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		error_set(&e, -ETIMEDOUT, "Reading what came encrypted took too long");
	else
		error_set(&e, -EIO, "What came encrypted brought its reader down");
	keys_reply_fail(&rp, KEYS_CRASHED, &e);
	/* A client that has gone needs no answer. */
	(void)worker_send(conn, &rp, sizeof(rp), NULL, 0);
}

static void serve(const char *state, int conn)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(answer(state, conn) < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
	}
	if (pid < 0) {
		log_error("cannot start a child: %m");
		return;
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		answer_for(conn, status);
}

static int run(const char *state, const char *path, struct error *e)
{
	_close_ int listener = -1;

	if (chdir(state) < 0)
		return error_set(e, -errno, "Cannot use %s: %m", state);
	if (!path && sd_listen_fds(1) != 1)
		return error_set(e, -EINVAL, "systemd did not hand over one socket");
	listener = path ? worker_listen(path, e) : SD_LISTEN_FDS_START;
	if (listener < 0)
		return listener;
	/* GnuPG looks here where it is not told better. */
	setenv("HOME", state, 1);
	setenv("GNUPGHOME", state, 1);
	setenv("LC_ALL", "C.UTF-8", 1);
	sd_notify(0, "READY=1");
	for (;;) {
		_close_ int conn = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (conn >= 0)
			serve(state, conn);
		else if (errno != EINTR && errno != ECONNABORTED)
			return error_set(e, -errno, "Cannot take connections: %m");
	}
}

int main(int argc, char *argv[])
{
	static const struct option options[] = {
		{ "state", required_argument, NULL, 's' },
		{ "listen", required_argument, NULL, 'l' },
		{ "version", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	const char *path = NULL, *state = NULL;
	struct error e = { 0 };
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0) {
		switch (c) {
		case 's':
			state = optarg;
			break;
		case 'l':
			path = optarg;
			break;
		case 'v':
			puts("ifax-keyring " IFAX_VERSION);
			return EXIT_SUCCESS;
		case 'h':
			return usage(stdout);
		default:
			return usage(stderr);
		}
	}
	if (optind < argc || !state)
		return usage(stderr);
	umask(0077);
	if (run(state, path, &e) < 0) {
		log_error("%s", error_text(&e));
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
