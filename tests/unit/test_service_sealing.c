// SPDX-License-Identifier: LGPL-2.1-or-later
/* Encrypted mail through the box: the real store, worker and ifax-keyring. */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include <cmocka.h>
#include <linux/fax.h>

#include "base/cleanup.h"
#include "keys/client.h"
#include "keys/mime.h"
#include "service/inbound.h"
#include "service/queue.h"
#include "service/registration.h"
#include "service/sending.h"
#include "store/store_internal.h"
#include "svc_help.h"

/* The other side has a ring of his own, by the same code: gpg is asked in test_keys. */
struct scene {
	struct svc svc;
	char keyring[80], alice[80], ada[80];	/* ada: the name of user 100's ring */
	pid_t pid;
	struct ring *ring;	/* Alice's */
};

/* What ifax-keyring said last. */
struct said {
	int done;
	int r;
	struct keys_reply reply;
	struct buffer output;
	struct error why;
};

static void on_said(void *userdata, int r, const struct keys_reply *reply, int output,
		    const struct error *e)
{
	struct said *said = userdata;

	said->done = 1;
	said->r = r;
	if (r < 0) {
		said->why = *e;
		return;
	}
	said->reply = *reply;
	assert_int_equal(keys_read(output, KEYS_OUTPUT_BYTES, &said->output), 0);
}

static void ask(struct scene *n, enum keys_op op, const struct buffer *in, struct said *said,
		size_t count, const char *const *argv)
{
	struct keys_question q = { op, KEYS_ANY, -1, argv, count };
	_close_ int fd = in ? keys_memory(in->data, in->len, NULL) : -1;
	struct error e = { 0 };

	memset(said, 0, sizeof(*said));
	q.input = fd;
	if (keys_ask(n->svc.box.event, n->keyring, &q, on_said, said, NULL, &e) < 0)
		fail_msg("%s", error_text(&e));
	while (!said->done)
		assert_true(sd_event_run(n->svc.box.event, 30000000) >= 0);
}

static void ask_ok(struct scene *n, enum keys_op op, const struct buffer *in, struct said *said,
		   size_t count, const char *const *argv)
{
	ask(n, op, in, said, count, argv);
	if (said->r < 0 || said->reply.code != KEYS_OK)
		fail_msg("%s", said->r < 0 ? error_text(&said->why) : said->reply.sentence);
}

static void run_keyring(struct scene *n)
{
	char program[PATH_MAX], state[80];
	ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 32);

	assert_true(len > 0);
	program[len] = '\0';
	/* build/unit/test_service_sealing stands beside build/ifax-keyring. */
	for (int i = 0; i < 2; i++)
		*strrchr(program, '/') = '\0';
	strcat(program, "/ifax-keyring");
	snprintf(state, sizeof(state), "%s/keys", n->svc.dir);
	fflush(stdout);
	n->pid = fork();
	if (!n->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(program, program, "--state", state, "--listen", n->keyring, NULL);
		_exit(127);
	}
	for (int i = 0; access(n->keyring, F_OK); i++) {
		assert_true(i < 1000);
		usleep(10000);
	}
}

static void start_keyring(struct scene *n)
{
	char state[80];

	snprintf(state, sizeof(state), "%s/keys", n->svc.dir);
	assert_int_equal(mkdir(state, 0700), 0);
	run_keyring(n);
}

static void stop_keyring(struct scene *n)
{
	kill(n->pid, SIGKILL);
	waitpid(n->pid, NULL, 0);
	unlink(n->keyring);
}

static void ring_of(struct scene *n, const char *code, char name[80])
{
	struct user *u;

	assert_int_equal(store_user_get(n->svc.box.store, code, false, &u), 0);
	snprintf(name, 80, "%s", u->ring);
	user_free(u);
}

static void exchange_keys(struct scene *n)
{
	const char *const make[] = { n->ada, "Ada Muster", "ada@example.test" };
	static const char *const others[] = { "", "" };
	_buffer_ struct buffer key = { 0 }, list = { 0 };
	struct error e = { 0 }, done = { 0 };
	struct said said;
	char fingerprint[65];
	const char *argv[] = { n->ada, fingerprint };

	if (ring_open(&n->ring, n->alice, &e) < 0 ||
	    ring_make(n->ring, "Alice", "alice@example.test", &done, &e) < 0 ||
	    ring_list(n->ring, &list, &e) < 0)
		fail_msg("%s", error_text(&e));
	snprintf(fingerprint, sizeof(fingerprint), "%.*s", (int)strcspn(list.data + 8, "\t"),
		 list.data + 8);
	assert_int_equal(ring_export(n->ring, fingerprint, &key, &e), 0);
	ask_ok(n, KEYS_IMPORT, &key, &said, 2, others);
	buffer_free(&said.output);
	ask_ok(n, KEYS_MAKE, NULL, &said, 3, make);
	buffer_free(&said.output);
	ask_ok(n, KEYS_LIST, NULL, &said, 1, make);
	snprintf(fingerprint, sizeof(fingerprint), "%.*s",
		 (int)strcspn(said.output.data + 8, "\t"), said.output.data + 8);
	buffer_free(&said.output);
	ask_ok(n, KEYS_EXPORT, NULL, &said, 2, argv);
	assert_int_equal(ring_import(n->ring, &said.output, "", &done, &e), 0);
	buffer_free(&said.output);
}

static void add_recipient(struct svc *s, const char *address, const char *method, bool must)
{
	struct recipient r = { .address = (char *)address, .accepts = (char *)"f",
			       .method = (char *)method, .must_encrypt = must };
	struct error e = { 0 };

	if (store_recipient_put(s->box.store, &r, &e) < 0)
		fail_msg("%s", error_text(&e));
}

static int setup(void **state)
{
	struct scene *n = calloc(1, sizeof(*n));
	struct svc *s = &n->svc;

	svc_make(s);
	snprintf(n->keyring, sizeof(n->keyring), "%s/keyring", s->dir);
	snprintf(n->alice, sizeof(n->alice), "%s/alice", s->dir);
	free(s->box.conf.keyring);
	s->box.conf.keyring = strdup(n->keyring);
	svc_start_worker(s, NULL);
	svc_open(s, 0);
	svc_add_user(s, "100", NULL, 0);
	ring_of(n, "100", n->ada);
	add_recipient(s, "alice@example.test", "openpgp", false);
	add_recipient(s, "bob@example.test", "openpgp", true);
	add_recipient(s, "eve@example.test", "smime", false);
	add_recipient(s, "carol@example.test", NULL, false);
	start_keyring(n);
	exchange_keys(n);
	*state = n;
	return 0;
}

static int teardown(void **state)
{
	struct scene *n = *state;

	ring_close(n->ring);
	kill(n->pid, SIGTERM);
	waitpid(n->pid, NULL, 0);
	svc_remove(&n->svc);
	free(n);
	return 0;
}

static void let_user_encrypt(struct svc *s)
{
	struct error e = { 0 };
	struct user *u;

	assert_int_equal(store_user_get(s->box.store, "100", false, &u), 0);
	u->encrypt = true;
	assert_int_equal(store_user_put(s->box.store, u, false, &e), 0);
	user_free(u);
}

/* How many jobs there are of it, in @ids. */
static int request_all(struct svc *s, const char *first, const char *second, const char *third,
		       uint64_t ids[SENDING_JOBS_MAX])
{
	char *to[] = { (char *)first, (char *)second, (char *)third, NULL };
	struct send_request q = { .user = "100", .to = to };
	struct error e = { 0 };
	int n = sending_request(s->box.sending, &q, ids, &e);

	if (n < 0)
		fail_msg("%s", error_text(&e));
	return n;
}

static uint64_t request(struct svc *s, const char *to)
{
	uint64_t ids[SENDING_JOBS_MAX];

	assert_int_equal(request_all(s, to, NULL, NULL, ids), 1);
	return ids[0];
}

/* Until a sheet moves. */
static void begin_scan(struct svc *s)
{
	for (int i = 0; !s->scanner.done; i++) {
		assert_true(i < 1000);
		assert_true(sd_event_run(s->box.event, 50000) >= 0);
	}
}

static void scan_one(struct svc *s)
{
	begin_scan(s);
	fake_scanner_page(&s->scanner, false);
}

static void read_body(struct svc *s, uint64_t id, struct buffer *ret)
{
	struct error e = { 0 };
	_close_ int fd = -1;

	fd = store_job_body(s->box.store, id, &fd, &e) < 0 ? -1 : fd;
	assert_int_equal(keys_read(fd, KEYS_OUTPUT_BYTES, ret), 0);
}

static void sent_encrypted(struct scene *n, uint64_t id, enum ring_verdict verdict)
{
	_buffer_ struct buffer mail = { 0 }, clear = { 0 };
	struct mime_seen seen;
	struct error e = { 0 };

	read_body(&n->svc, id, &mail);
	assert_non_null(strstr(mail.data, "From: Ada Muster <ada@example.test>\r\n"));
	assert_non_null(strstr(mail.data, "Content-Type: multipart/encrypted;"));
	assert_null(strstr(mail.data, "image/tiff"));
	if (mime_open(n->ring, n->ring, &mail, &clear, &seen, &e) < 0)
		fail_msg("%s", error_text(&e));
	assert_true(seen.encrypted);
	assert_int_equal(seen.signature.verdict, verdict);
	if (verdict == RING_GOOD)
		assert_string_equal(seen.signature.signer, "Ada Muster <ada@example.test>");
	assert_non_null(strstr(clear.data, "Content-Type: image/tiff"));
}

/* E5: encrypted by the recipient's method where the user wants it, else not. */
static void S45_S46_sent_as_the_recipient_takes_it(void **state)
{
	_buffer_ struct buffer mail = { 0 };
	struct scene *n = *state;
	struct svc *s = &n->svc;
	uint64_t id = request(s, "alice@example.test");

	scan_one(s);
	job_free(svc_wait(s, id, JOB_QUEUED));
	read_body(s, id, &mail);
	assert_non_null(strstr(mail.data, "image/tiff"));
	let_user_encrypt(s);
	id = request(s, "alice@example.test");
	scan_one(s);
	job_free(svc_wait(s, id, JOB_QUEUED));
	sent_encrypted(n, id, RING_GOOD);
	job_set(&s->box.conf.sign, "no");
	id = request(s, "alice@example.test");
	scan_one(s);
	job_free(svc_wait(s, id, JOB_QUEUED));
	sent_encrypted(n, id, RING_UNSIGNED);
	/* Who has no method gets it as always. */
	id = request(s, "carol@example.test");
	scan_one(s);
	job_free(svc_wait(s, id, JOB_QUEUED));
	buffer_clear(&mail);
	read_body(s, id, &mail);
	assert_non_null(strstr(mail.data, "image/tiff"));
}

/* Bob must get it encrypted, and nobody has his key: no sheet moves. */
static void never_in_the_clear(void **state)
{
	struct scene *n = *state;
	struct svc *s = &n->svc;
	uint64_t id = request(s, "bob@example.test");

	job_free(svc_wait(s, id, JOB_FAILED));
	svc_expect(s, id, JOB_FAILED, "no openpgp key of bob@example.test");
	assert_int_equal(s->scanner.pages, 0);
}

static void remove_user(struct scene *n, const char *code)
{
	struct error e = { 0 };

	if (registration_remove(&n->svc.box, code, &e) < 0)
		fail_msg("%s", error_text(&e));
}

/* The job says @words, has its scan, and that goes to nobody. */
static void is_kept(struct svc *s, uint64_t id, enum job_state state, const char *words)
{
	_buffer_ struct buffer mail = { 0 };
	struct store_route r = { 0 };
	struct job *job;

	svc_expect(s, id, state, words);
	job = svc_job(s, id);
	assert_true(job->unsealed);
	assert_int_equal(job->pages, 1);
	job_free(job);
	read_body(s, id, &mail);
	assert_non_null(strstr(mail.data, "image/tiff"));
	while (!store_route_next(s->box.store, NULL, NULL, NULL, &r))
		assert_int_not_equal(r.id, id);
}

static void release(struct svc *s, uint64_t id)
{
	struct job *job = svc_job(s, id);
	struct error e = { 0 };

	if (queue_release(s->box.queue, job, &e) < 0)
		fail_msg("%s", error_text(&e));
	job_free(job);
}

static void retry(struct svc *s, uint64_t id)
{
	struct job *job = svc_job(s, id);
	struct error e = { 0 };

	if (queue_retry(s->box.queue, job, &e) < 0)
		fail_msg("%s", error_text(&e));
	job_free(job);
}

/* Until it has its encrypted document. */
static void wait_sealed(struct scene *n, uint64_t id, enum ring_verdict verdict)
{
	struct job *job;

	for (int i = 0;; i++) {
		job = svc_wait(&n->svc, id, JOB_QUEUED);
		if (!job->unsealed)
			break;
		assert_true(i < 1000);
		job_free(job);
		svc_run(&n->svc, 20);
	}
	assert_int_equal(job->n_recipients, 1);
	assert_int_equal(job->recipients[0].state, RCPT_WAITING);
	job_free(job);
	sent_encrypted(n, id, verdict);
}

/* The entry changed while paper moved: what is built then is what it says then. */
static void the_entry_counts_at_the_end(void **state)
{
	_buffer_ struct buffer mail = { 0 };
	struct scene *n = *state;
	struct svc *s = &n->svc;
	uint64_t id = request(s, "carol@example.test");

	begin_scan(s);
	add_recipient(s, "carol@example.test", "openpgp", true);
	fake_scanner_page(&s->scanner, false);
	is_kept(s, id, JOB_HELD, "no openpgp key of carol@example.test");
	svc_expect(s, id, JOB_HELD, "ifaxctl queue release");
	/* Not so long as he insists: the word of a person opens nothing. */
	release(s, id);
	is_kept(s, id, JOB_HELD, "no openpgp key of carol@example.test");
	add_recipient(s, "carol@example.test", "openpgp", false);
	retry(s, id);
	for (int i = 0; svc_count(s, -1, JOB_HELD, NULL); i++) {
		assert_true(i < 1000);
		svc_run(s, 20);
	}
	svc_run(s, 200);
	job_free(svc_wait(s, id, JOB_QUEUED));
	read_body(s, id, &mail);
	assert_non_null(strstr(mail.data, "image/tiff"));
}

/* Nobody knows how she gets it: then nothing is asked for, and no sheet moves. */
static void unreadable_is_not_clear(void **state)
{
	static const enum svc_table tables[] = { SVC_RECIPIENTS, SVC_USERS };
	static const char *const words[] = { "alice@example.test cannot be read",
					     "user 100 cannot be read" };
	char *to[] = { (char *)"alice@example.test", NULL };
	struct send_request q = { .user = "100", .to = to };
	uint64_t ids[SENDING_JOBS_MAX];
	struct scene *n = *state;
	struct svc *s = &n->svc;

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		struct error e = { 0 };

		svc_break(s, tables[i]);
		assert_true(sending_request(s->box.sending, &q, ids, &e) < 0);
		if (!strstr(e.text, words[i]))
			fail_msg("%s", e.text);
		svc_mend(s);
		assert_int_equal(svc_count(s, -1, -1, NULL), 0);
	}
	assert_int_equal(s->scanner.pages, 0);
}

/* It cannot be read when the paper has moved: nothing goes, the scan is there, and goes then. */
static void unreadable_at_the_end(void **state)
{
	struct scene *n = *state;
	struct svc *s = &n->svc;
	uint64_t id;

	let_user_encrypt(s);
	for (enum svc_table table = SVC_USERS; table <= SVC_RECIPIENTS; table++) {
		id = request(s, "alice@example.test");
		begin_scan(s);
		svc_break(s, table);
		fake_scanner_page(&s->scanner, false);
		is_kept(s, id, JOB_QUEUED, "cannot be read");
		svc_expect(s, id, JOB_QUEUED, "next try");
		retry(s, id);
		svc_run(s, 200);
		is_kept(s, id, JOB_QUEUED, "cannot be read");
		svc_mend(s);
		/* Also after a restart, and without a word of anybody. */
		if (table == SVC_USERS) {
			retry(s, id);
		} else {
			svc_close(s);
			svc_open(s, 0);
		}
		wait_sealed(n, id, RING_GOOD);
	}
}

/* His wish went with him; it is not taken for none. */
static void a_removed_user_may_have_wanted_it(void **state)
{
	struct scene *n = *state;
	struct svc *s = &n->svc;
	uint64_t id;

	let_user_encrypt(s);
	id = request(s, "alice@example.test");
	begin_scan(s);
	svc_break(s, SVC_RECIPIENTS);
	fake_scanner_page(&s->scanner, false);
	is_kept(s, id, JOB_QUEUED, "cannot be read");
	svc_mend(s);
	remove_user(n, "100");
	retry(s, id);
	wait_sealed(n, id, RING_UNSIGNED);
}

/* A method that a later version knows, or a row that is damaged. */
static void an_unknown_method_is_not_clear(void **state)
{
	char *to[] = { (char *)"bob@example.test", NULL };
	struct send_request q = { .user = "100", .to = to };
	uint64_t ids[SENDING_JOBS_MAX];
	struct scene *n = *state;
	struct svc *s = &n->svc;
	struct error e = { 0 };

	assert_int_equal(sqlite3_exec(s->box.store->users, "UPDATE recipients SET method='mls' "
				      "WHERE address='bob@example.test'", NULL, NULL, NULL), 0);
	assert_true(sending_request(s->box.sending, &q, ids, &e) < 0);
	assert_non_null(strstr(e.text, "does not say by which"));
}

static void is_for(struct svc *s, uint64_t id, const char *address)
{
	struct job *j = svc_job(s, id);

	assert_int_equal(j->n_recipients, 1);
	assert_string_equal(j->recipients[0].address, address);
	job_free(j);
}

/* Carol gets it in the clear, Alice encrypted: two jobs, and a sheet moves. */
static void begin_two(struct svc *s, uint64_t ids[SENDING_JOBS_MAX])
{
	let_user_encrypt(s);
	assert_int_equal(request_all(s, "carol@example.test", "alice@example.test", NULL, ids), 2);
	svc_expect(s, ids[1], JOB_SCANNING, "together with job");
	begin_scan(s);
}

static void read_message_id(const struct buffer *mail, char id[128])
{
	const char *at = strcasestr(mail->data, "\r\nMessage-Id: ");

	assert_non_null(at);
	snprintf(id, 128, "%.*s", (int)strcspn(at + 2, "\r"), at + 2);
}

/* One document, scanned once: each gets what he would get alone. */
static void S46_each_gets_it_in_his_way(void **state)
{
	static const char to[] = "To: carol@example.test, alice@example.test\r\n";
	_buffer_ struct buffer clear = { 0 }, sealed = { 0 };
	uint64_t ids[SENDING_JOBS_MAX];
	char one[128], other[128];
	struct scene *n = *state;
	struct svc *s = &n->svc;

	begin_two(s, ids);
	fake_scanner_page(&s->scanner, false);
	job_free(svc_wait(s, ids[0], JOB_QUEUED));
	job_free(svc_wait(s, ids[1], JOB_QUEUED));
	assert_int_equal(s->scanner.pages, 1);
	is_for(s, ids[0], "carol@example.test");
	is_for(s, ids[1], "alice@example.test");
	sent_encrypted(n, ids[1], RING_GOOD);
	read_body(s, ids[0], &clear);
	read_body(s, ids[1], &sealed);
	assert_non_null(strstr(clear.data, "image/tiff"));
	/* The letter was written to both; a notice that names one mail names one job. */
	assert_non_null(strstr(clear.data, to));
	assert_non_null(strstr(sealed.data, to));
	read_message_id(&clear, one);
	read_message_id(&sealed, other);
	assert_string_not_equal(one, other);
}

/* Bob must get it encrypted and has no key, Eve neither: Carol gets nothing before they do. */
static void without_a_key_nobody_gets_it(void **state)
{
	uint64_t ids[SENDING_JOBS_MAX];
	struct scene *n = *state;
	struct svc *s = &n->svc;

	let_user_encrypt(s);
	assert_int_equal(request_all(s, "eve@example.test", "carol@example.test",
				     "bob@example.test", ids), 3);
	job_free(svc_wait(s, ids[0], JOB_FAILED));
	for (int i = 0; i < 3; i++)
		svc_expect(s, ids[i], JOB_FAILED, "no openpgp key of bob@example.test");
	assert_int_equal(s->scanner.pages, 0);
}

/* One of them is canceled while paper moves: the scan is one, and so is its end. */
static void canceled_together(void **state)
{
	uint64_t ids[SENDING_JOBS_MAX];
	struct scene *n = *state;
	struct svc *s = &n->svc;

	begin_two(s, ids);
	assert_int_equal(sending_cancel(s->box.sending, ids[1]), 0);
	fake_scanner_fail(&s->scanner, FAX_CODE_CANCELED);
	svc_expect(s, ids[0], JOB_CANCELED, "canceled");
	svc_expect(s, ids[1], JOB_CANCELED, "canceled");
	assert_int_equal(sending_cancel(s->box.sending, ids[0]), -ENOENT);
}

/* The box stops while paper moves: of each it is said that nothing was sent. */
static void stopped_together(void **state)
{
	uint64_t ids[SENDING_JOBS_MAX];
	struct scene *n = *state;
	struct svc *s = &n->svc;

	begin_two(s, ids);
	svc_close(s);
	svc_open(s, 0);
	svc_expect(s, ids[0], JOB_FAILED, "stopped");
	svc_expect(s, ids[1], JOB_FAILED, "stopped");
}

/* The keyring goes while paper moves: who needs it gets his mail when it is back. */
static void one_waits_alone(void **state)
{
	uint64_t ids[SENDING_JOBS_MAX];
	struct scene *n = *state;
	struct svc *s = &n->svc;

	s->box.conf.retry_usec = 1000000;
	begin_two(s, ids);
	stop_keyring(n);
	fake_scanner_page(&s->scanner, false);
	job_free(svc_wait(s, ids[0], JOB_QUEUED));
	is_kept(s, ids[1], JOB_QUEUED, "it cannot be encrypted now: Cannot reach ifax-keyring");
	assert_int_equal(s->scanner.pages, 1);
	run_keyring(n);
	wait_sealed(n, ids[1], RING_GOOD);
}

/* The box stops while it is encrypted: that is no reason to scan it again. */
static void stopped_while_it_is_encrypted(void **state)
{
	struct scene *n = *state;
	struct svc *s = &n->svc;
	uint64_t id;

	let_user_encrypt(s);
	id = request(s, "alice@example.test");
	begin_scan(s);
	kill(n->pid, SIGSTOP);
	fake_scanner_page(&s->scanner, false);
	svc_run(s, 100);
	svc_expect(s, id, JOB_SCANNING, NULL);
	svc_close(s);
	kill(n->pid, SIGCONT);
	svc_open(s, 0);
	wait_sealed(n, id, RING_GOOD);
}

/* Canceled while it is encrypted, at first and again: nothing is sent and nothing leaks. */
static void canceled_while_it_is_encrypted(void **state)
{
	struct scene *n = *state;
	struct svc *s = &n->svc;
	struct job *job;
	uint64_t id;

	let_user_encrypt(s);
	id = request(s, "alice@example.test");
	begin_scan(s);
	kill(n->pid, SIGSTOP);
	fake_scanner_page(&s->scanner, false);
	svc_run(s, 100);
	assert_int_equal(sending_cancel(s->box.sending, id), 0);
	svc_expect(s, id, JOB_CANCELED, "nothing was sent");
	assert_int_equal(sending_cancel(s->box.sending, id), -ENOENT);
	kill(n->pid, SIGCONT);
	id = request(s, "alice@example.test");
	begin_scan(s);
	svc_break(s, SVC_USERS);
	fake_scanner_page(&s->scanner, false);
	is_kept(s, id, JOB_QUEUED, "cannot be read");
	svc_mend(s);
	kill(n->pid, SIGSTOP);
	retry(s, id);
	svc_run(s, 100);
	job = svc_job(s, id);
	assert_int_equal(job_say(&s->box.keeper, job, LOG_INFO, JOB_CANCELED, NULL, NULL, "no"),
			 0);
	job_free(job);
	kill(n->pid, SIGCONT);
	svc_run(s, 1000);
	is_kept(s, id, JOB_CANCELED, "no");
	retry(s, id);
	wait_sealed(n, id, RING_GOOD);
}

/* From now on, or not any more: as gpg has it. */
static void let_expire(struct scene *n, const char *when)
{
	char home[200], command[600];

	snprintf(home, sizeof(home), "%s/keys/users/%s", n->svc.dir, n->ada);
	snprintf(command, sizeof(command), "exec 2>/dev/null; cd %s && for f in $(gpg --homedir . "
		 "--with-colons -K | sed -n '/^fpr/{s/fpr:*//;s/://;p;q}'); do gpg --homedir . "
		 "--passphrase '' --pinentry-mode loopback --quick-set-expire $f %s; done && "
		 "sleep 2; gpgconf --homedir . --kill gpg-agent", home, when);
	assert_int_equal(system(command), 0);
}

/* Nobody decides but a person that what he always signed goes without. */
static void an_expired_key_is_waited_for(void **state)
{
	struct scene *n = *state;
	struct svc *s = &n->svc;
	uint64_t id;

	let_user_encrypt(s);
	id = request(s, "alice@example.test");
	begin_scan(s);
	let_expire(n, "seconds=1");
	fake_scanner_page(&s->scanner, false);
	is_kept(s, id, JOB_HELD, "ada@example.test signs has expired");
	release(s, id);
	svc_run(s, 1000);
	is_kept(s, id, JOB_HELD, "ada@example.test signs has expired");
	/* And it is said at once, before a sheet moves. */
	fake_scanner_init(&s->scanner, "S1");
	svc_expect(s, request(s, "alice@example.test"), JOB_FAILED, "signs has expired");
	assert_int_equal(s->scanner.pages, 0);
	let_expire(n, "0");
	release(s, id);
	wait_sealed(n, id, RING_GOOD);
}

/* Too long without a keyring: it ends as other mail does, and its sender hears of it. */
static void given_up(void **state)
{
	_buffer_ struct buffer notice = { 0 };
	struct scene *n = *state;
	struct svc *s = &n->svc;
	uint64_t id, about = 0;

	let_user_encrypt(s);
	s->box.conf.retry_usec = s->box.conf.retry_max_usec = 100000;
	s->box.conf.expire_usec = 1000000;
	job_set(&s->box.conf.returned, "full");
	id = request(s, "alice@example.test");
	begin_scan(s);
	stop_keyring(n);
	fake_scanner_page(&s->scanner, false);
	is_kept(s, id, JOB_FAILED, "given up after");
	assert_int_equal(svc_count(s, JOB_NOTICE, -1, &about), 1);
	read_body(s, about, &notice);
	assert_non_null(strstr(notice.data, "cannot be encrypted now"));
	assert_null(strstr(notice.data, "image/tiff"));
	run_keyring(n);
	retry(s, id);
	wait_sealed(n, id, RING_GOOD);
}

static void canceled_while_keys_are_looked_for(void **state)
{
	struct scene *n = *state;
	struct svc *s = &n->svc;
	uint64_t id = request(s, "bob@example.test");

	assert_int_equal(sending_cancel(s->box.sending, id), 0);
	svc_expect(s, id, JOB_CANCELED, "canceled");
	svc_run(s, 200);
	svc_expect(s, id, JOB_CANCELED, "canceled");
}

static uint64_t accept_mail(struct svc *s, const char *key, const char *user,
			    const struct buffer *mail)
{
	const struct iovec v = { mail->data, mail->len };
	struct error e = { 0 };
	uint64_t id = 0;

	if (inbound_accept(s->box.inbound, user, key, &v, 1, NULL, NULL, &id, &e) < 0)
		fail_msg("%s", error_text(&e));
	return id;
}

static void seal_fax(struct scene *n, struct buffer *out)
{
	static const char *const who[] = { "ada@example.test" };
	_buffer_ struct buffer mail = { 0 };
	struct error e = { 0 };

	svc_fax_mail(&mail, "<sealed@x>");
	if (mime_seal(n->ring, NULL, KEYS_OPENPGP, who, 1, &mail, out, &e) < 0)
		fail_msg("%s", error_text(&e));
}

/* Opened with the user's key, and marked on its page. */
static void received_opens_and_is_marked(void **state)
{
	_buffer_ struct buffer sealed = { 0 };
	struct scene *n = *state;
	struct svc *s = &n->svc;
	uint64_t id;

	seal_fax(n, &sealed);
	id = accept_mail(s, "pop3/100/a", "100", &sealed);
	svc_wait_page(s);
	fake_printer_end(&s->printer, FAX_CODE_OK, false);
	job_free(svc_wait(s, id, JOB_PRINTED));
}

/* For another it is kept; nothing is lost, and it says what to do. */
static void without_the_key_it_is_kept(void **state)
{
	_buffer_ struct buffer sealed = { 0 };
	struct scene *n = *state;
	struct svc *s = &n->svc;
	uint64_t id;

	seal_fax(n, &sealed);
	svc_add_user(s, "200", NULL, 0);
	id = accept_mail(s, "pop3/200/a", "200", &sealed);
	job_free(svc_wait(s, id, JOB_HELD));
	svc_expect(s, id, JOB_HELD, "ifaxctl keys import --user 200");
	assert_int_equal(s->printer.pages, 0);
}

/* ifax-keyring is not there: the mail waits for it. */
static void the_keyring_is_waited_for(void **state)
{
	_buffer_ struct buffer sealed = { 0 };
	struct scene *n = *state;
	struct svc *s = &n->svc;
	struct job *job;
	uint64_t id;

	seal_fax(n, &sealed);
	stop_keyring(n);
	id = accept_mail(s, "pop3/100/a", "100", &sealed);
	job = svc_wait(s, id, JOB_CHECKING);
	for (int i = 0; !job->next_try && i < 1000; i++) {
		job_free(job);
		svc_run(s, 20);
		job = svc_wait(s, id, JOB_CHECKING);
	}
	assert_true(job->next_try > 0);
	assert_non_null(strstr(job->detail, "ifax-keyring"));
	job_free(job);
}

/* Is there a folder of keys by this name still? */
static bool ring_is_there(struct scene *n, const char *name)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/keys/users/%s", n->svc.dir, name);
	return !access(path, F_OK);
}

static void wait_for_removal(struct scene *n)
{
	char *left = NULL;

	for (int i = 0; !store_ring_left(n->svc.box.store, &left); i++) {
		free(take_ptr(left));
		assert_true(i < 1000);
		assert_true(sd_event_run(n->svc.box.event, 50000) >= 0);
	}
	assert_false(ring_is_there(n, n->ada));
}

static void a_removed_users_keys_go(void **state)
{
	struct scene *n = *state;

	assert_true(ring_is_there(n, n->ada));
	remove_user(n, "100");
	wait_for_removal(n);
}

/*
 * The keyring is away when the user goes, another gets his code, and the box is killed:
 * the other opens nothing of the first one's, and the first one's keys go all the same.
 */
static void keys_are_not_inherited(void **state)
{
	_buffer_ struct buffer sealed = { 0 };
	struct scene *n = *state;
	struct svc *s = &n->svc;
	char second[80];
	uint64_t id;

	seal_fax(n, &sealed);
	stop_keyring(n);
	remove_user(n, "100");
	svc_add_user(s, "100", NULL, 0);
	ring_of(n, "100", second);
	assert_string_not_equal(second, n->ada);
	svc_run(s, 200);
	svc_close(s);
	assert_true(ring_is_there(n, n->ada));
	run_keyring(n);
	svc_open(s, 0);
	id = accept_mail(s, "pop3/100/a", "100", &sealed);
	job_free(svc_wait(s, id, JOB_HELD));
	wait_for_removal(n);
	/* His own is not taken with it. */
	assert_true(ring_is_there(n, second));
}

/* What came for who is no user any more is kept: nothing is opened for nobody. */
static void mail_of_a_removed_user_is_kept(void **state)
{
	_buffer_ struct buffer sealed = { 0 };
	struct scene *n = *state;
	uint64_t id;

	seal_fax(n, &sealed);
	remove_user(n, "100");
	id = accept_mail(&n->svc, "pop3/100/a", "100", &sealed);
	job_free(svc_wait(&n->svc, id, JOB_HELD));
	svc_expect(&n->svc, id, JOB_HELD, "was removed with his keys");
}

int main(void)
{
#define t(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		t(S45_S46_sent_as_the_recipient_takes_it),
		t(never_in_the_clear),
		t(the_entry_counts_at_the_end),
		t(unreadable_is_not_clear),
		t(unreadable_at_the_end),
		t(a_removed_user_may_have_wanted_it),
		t(an_unknown_method_is_not_clear),
		t(S46_each_gets_it_in_his_way),
		t(without_a_key_nobody_gets_it),
		t(canceled_together),
		t(stopped_together),
		t(one_waits_alone),
		t(stopped_while_it_is_encrypted),
		t(canceled_while_it_is_encrypted),
		t(given_up),
		t(an_expired_key_is_waited_for),
		t(canceled_while_keys_are_looked_for),
		t(received_opens_and_is_marked),
		t(without_the_key_it_is_kept),
		t(the_keyring_is_waited_for),
		t(a_removed_users_keys_go),
		t(keys_are_not_inherited),
		t(mail_of_a_removed_user_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
