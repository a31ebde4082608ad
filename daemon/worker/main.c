/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ifax-worker - parses what came by mail, apart from everything else
 *
 * Started by its socket unit; with --listen it makes the socket itself; with
 * --check it looks at one mail and tells what it finds.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "page/pageset.h"
#include "worker/parse.h"
#include "worker/server.h"

#define MAX_MEMORY (1ull << 30)

static int usage(FILE *f)
{
	fputs("ifax-worker                 serve the socket handed over by systemd\n"
	      "ifax-worker --listen PATH   serve a socket of its own\n"
	      "ifax-worker --check FILE    say what a mail brings: 0 pages, 1 none, 2 trouble\n"
	      "ifax-worker --version\n", f);
	return f == stdout ? EXIT_SUCCESS : 2;
}

static int check(const char *path)
{
	_close_ int message = open(path, O_RDONLY | O_CLOEXEC);
	_close_ int output = -1;
	struct worker_request rq;
	struct worker_reply rp;
	struct error e;

	if (message < 0) {
		fprintf(stderr, "%s: %m\n", path);
		return 2;
	}
	output = pageset_create(&e);
	if (output < 0) {
		fprintf(stderr, "%s\n", error_text(&e));
		return 2;
	}
	worker_request_init(&rq);
	worker_parse_fd(&rq, message, output, &rp);
	printf("code:       %s\n", worker_code_name(rp.code));
	printf("from:       %s\n", rp.summary.from);
	printf("subject:    %s\n", rp.summary.subject);
	printf("message-id: %s\n", rp.summary.message_id);
	if (rp.code == WORKER_PAGES)
		printf("pages:      %u (%u damaged rows)\ndigest:     %s\n", rp.pages, rp.rows_bad,
		       rp.digest);
	else
		printf("because:    %s\n", rp.sentence);
	return rp.code == WORKER_PAGES ? 0 : rp.code == WORKER_TROUBLE ? 2 : 1;
}

static int systemd_socket(struct error *e)
{
	int n = sd_listen_fds(1);

	if (n != 1)
		return error_set(e, -EINVAL, "systemd handed over %d sockets instead of one", n);
	return SD_LISTEN_FDS_START;
}

static int run(const char *path, struct error *e)
{
	static const struct worker_server_options options = { .parse = worker_parse_fd,
							.max_memory = MAX_MEMORY };
	struct worker_server *server = NULL;
	sd_event *event = NULL;
	sigset_t signals;
	int fd, r;

	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	fd = path ? worker_listen(path, e) : systemd_socket(e);
	if (fd < 0)
		return fd;
	r = sd_event_default(&event);
	if (r >= 0)
		r = sd_event_add_signal(event, NULL, SIGTERM, NULL, NULL);
	if (r >= 0)
		r = sd_event_add_signal(event, NULL, SIGINT, NULL, NULL);
	if (r < 0)
		return error_set(e, r, "Cannot set up the event loop: %s", strerror(-r));
	r = worker_server_new(&server, event, fd, &options, e);
	if (r < 0)
		return r;
	sd_notify(0, "READY=1");
	r = sd_event_loop(event);
	worker_server_free(server);
	sd_event_unref(event);
	return r < 0 ? error_set(e, r, "The event loop failed: %s", strerror(-r)) : 0;
}

int main(int argc, char *argv[])
{
	static const struct option options[] = {
		{ "listen", required_argument, NULL, 'l' },
		{ "check", required_argument, NULL, 'c' },
		{ "version", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	const char *path = NULL;
	struct error e = { 0 };
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0) {
		switch (c) {
		case 'l':
			path = optarg;
			break;
		case 'c':
			return check(optarg);
		case 'v':
			puts("ifax-worker " IFAX_VERSION);
			return EXIT_SUCCESS;
		case 'h':
			return usage(stdout);
		default:
			return usage(stderr);
		}
	}
	if (optind < argc)
		return usage(stderr);
	if (run(path, &e) < 0) {
		log_error("%s", error_text(&e));
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
