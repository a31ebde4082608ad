/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ifaxd: wires the rooms together and runs the event loop. No logic lives here. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <systemd/sd-daemon.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "bus/manager.h"
#include "service/box.h"
#include "service/collector.h"
#include "service/inbound.h"
#include "service/keeping.h"
#include "service/queue.h"
#include "service/receiver.h"
#include "service/retention.h"
#include "service/rings.h"
#include "service/selftest.h"
#include "service/sending.h"
#include "service/terminal.h"
#include "store/store.h"

#define KEY_BYTES 32

/* The key comes as a systemd credential; without it no passwords can be stored. */
static int load_key(uint8_t key[KEY_BYTES], struct error *e)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	_free_ char *path = NULL;
	_close_ int fd = -1;

	if (!folder)
		return -ENOENT;
	if (asprintf(&path, "%s/ifax.key", folder) < 0) {
		path = NULL;
		return error_set(e, -ENOMEM, "out of memory");
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_set(e, -errno, "cannot read the credential ifax.key: %m");
	if (read(fd, key, KEY_BYTES) != KEY_BYTES)
		return error_set(e, -EINVAL, "the credential ifax.key is shorter than %d bytes",
				 KEY_BYTES);
	return 0;
}

static int open_store(struct box *box, struct error *e)
{
	struct store_options options = { .spool = box->conf.spool, .state = box->conf.state };
	uint8_t key[KEY_BYTES];
	int r;

	r = load_key(key, e);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r == -ENOENT)
		log_warning("no credential ifax.key: passwords of mailboxes cannot be stored");
	else
		options.key = key;
	r = store_open(&box->store, box->event, &options, e);
	explicit_bzero(key, sizeof(key));
	if (r >= 0 && store_notice(box->store))
		log_warning("%s", store_notice(box->store));
	return r;
}

static int on_signal(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata)
{
	log_info("stopping");
	return sd_event_exit(sd_event_source_get_event(s), 0);
}

static int open_event(struct box *box, struct error *e)
{
	sigset_t set;
	int r;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	r = sd_event_default(&box->event);
	if (r >= 0)
		r = sd_event_add_signal(box->event, NULL, SIGTERM, on_signal, NULL);
	if (r >= 0)
		r = sd_event_add_signal(box->event, NULL, SIGINT, on_signal, NULL);
	if (r >= 0)
		r = sd_event_set_watchdog(box->event, true);
	return r < 0 ? error_set(e, r, "cannot make an event loop: %s", strerror(-r)) : 0;
}

static void close_box(struct box *box)
{
	receiver_free(take_ptr(box->receiver));
	selftest_free(take_ptr(box->selftest));
	manager_free(take_ptr(box->manager));
	terminals_free(take_ptr(box->terminals));
	collector_free(take_ptr(box->collector));
	box_close_devices(box);
	sending_free(take_ptr(box->sending));
	rings_free(take_ptr(box->rings));
	retention_free(take_ptr(box->retention));
	keeping_free(take_ptr(box->keeping));
	queue_free(take_ptr(box->queue));
	inbound_free(take_ptr(box->inbound));
	store_close(box->store);
	sd_event_unref(box->event);
	conf_free(&box->conf);
}

static int open_box(struct box *box, const char *conf, struct error *e)
{
	int r;

	r = conf_load(&box->conf, conf, e);
	if (r >= 0)
		r = open_event(box, e);
	if (r >= 0)
		r = open_store(box, e);
	if (r >= 0)
		r = box_open_duties(box, e);
	if (r >= 0)
		r = inbound_new(&box->inbound, box, e);
	if (r >= 0)
		r = keeping_new(&box->keeping, box, e);
	if (r >= 0)
		r = queue_new(&box->queue, box, e);
	if (r >= 0)
		r = retention_new(&box->retention, box, e);
	if (r >= 0)
		r = rings_new(&box->rings, box, e);
	if (r >= 0)
		r = sending_new(&box->sending, box, e);
	if (r >= 0)
		r = collector_new(&box->collector, box, e);
	if (r >= 0)
		r = terminals_new(&box->terminals);
	if (r >= 0)
		r = manager_new(&box->manager, box, e);
	if (r >= 0)
		r = receiver_new(&box->receiver, box, NULL, NULL, e);
	if (r >= 0)
		r = box_open_devices(box, e);
	if (r >= 0)
		r = receiver_listen(box->receiver, e);
	return r;
}

static int run(const char *conf)
{
	struct box box = { 0 };
	struct error e = { 0 };
	int r;

	umask(077);
	r = open_box(&box, conf, &e);
	if (r < 0) {
		log_error("%s", error_text(&e));
	} else {
		sd_notify(0, "READY=1\nSTATUS=ready");
		r = sd_event_loop(box.event);
		sd_notify(0, "STOPPING=1");
	}
	close_box(&box);
	return r < 0 ? EXIT_FAILURE : r;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	const char *conf = "/etc/ifax/ifax.conf";
	int o;

	while ((o = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
		switch (o) {
		case 'c':
			conf = optarg;
			break;
		case 'V':
			printf("ifaxd %s\n", IFAX_VERSION);
			return 0;
		default:
			fprintf(stderr, "ifaxd: see ifaxd(8)\n");
			return 2;
		}
	}
	if (optind != argc) {
		fprintf(stderr, "ifaxd: \"%s\" is one word too many; see ifaxd(8)\n", argv[optind]);
		return 2;
	}
	return run(conf);
}
