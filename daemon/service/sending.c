/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/fax.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "device/scan.h"
#include "keys/client.h"
#include "mail/address.h"
#include "mail/envelope.h"
#include "mail/message.h"
#include "page/bitmap.h"
#include "page/raster.h"
#include "page/tiff_write.h"
#include "service/queue.h"
#include "service/scanning.h"
#include "service/sealing.h"
#include "service/sending.h"
#include "service/unsealed.h"
#include "service/words.h"
#include "store/store.h"

#define RECIPIENTS_MAX 1000
#define SERIAL_MAX     31	/* of a board */

/*
 * The jobs of one request, a job for each way in which its recipients get their mail:
 * one document is scanned for all. It lives until that is there, or is known not to come.
 */
struct batch {
	struct batch *next;
	struct sending *sending;
	struct job *jobs[SENDING_JOBS_MAX];	/* NULL: sealing or scanning has it in hand */
	uint64_t ids[SENDING_JOBS_MAX];
	enum keys_method methods[SENDING_JOBS_MAX];
	size_t n;
	char **to;		/* all recipients, in the order in which they were named */
	size_t n_to;
	char *name;		/* of who sends, NULL: none */
	enum keys_method *ways;	/* in which each of them gets it, when it is asked for */
	size_t checked;		/* whose recipients' keys were found before a sheet moves */
	bool scanning;		/* for the first of them */
	uint32_t yres;
};

_Static_assert((int)SENDING_JOBS_MAX == (int)_KEYS_METHODS, "a job a method");

/* A mail while it is encrypted: what it says in the clear is nowhere else. */
struct letter {
	struct letter *next;
	struct sending *sending;
	uint64_t id;
	int clear;		/* a memory file */
};

struct sending {
	struct box *box;
	struct sealing *sealing;
	struct unsealed *unsealed;
	struct batch *batches;
	struct letter *letters;
};

/* What recipients can take, least first. Of whom nothing is known takes the first. */
static const struct form {
	const char *accepts;		/* in a recipient's entry */
	const char *encoding;		/* in a job */
	enum tiff_profile profile;
	uint32_t coding;
	uint32_t k;
	uint32_t width_max;		/* pixels, wider pages are made smaller; 0 = no matter */
} forms[] = {
	{ "s", "mh", TIFF_PROFILE_S, FAX_ENC_MH, 0, 1728 },
	{ "f-mr", "mr", TIFF_PROFILE_F, FAX_ENC_MR, 4, 0 },
	{ "f", "mmr", TIFF_PROFILE_F, FAX_ENC_MMR, 0, 0 },
};

static const struct resolution {
	const char *name;
	uint32_t yres;
} resolutions[] = {
	{ "standard", FAX_RES_3_85_MM },
	{ "fine", FAX_RES_7_7_MM },
	{ "superfine", FAX_RES_15_4_MM },
};

static size_t form_of(const struct sending *s, const char *address)
{
	struct recipient *r = NULL;
	size_t form = 0;

	if (store_recipient_get(s->box->store, address, &r) < 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
		if (r->accepts && !strcmp(forms[i].accepts, r->accepts))
			form = i;
	recipient_free(r);
	return form;
}

/* The best form that all recipients take. */
static const struct form *common_form(const struct batch *b)
{
	size_t least = ARRAY_SIZE(forms) - 1, form;

	for (size_t i = 0; i < b->n_to; i++) {
		form = form_of(b->sending, b->to[i]);
		if (form < least)
			least = form;
	}
	return &forms[least];
}

static const struct form *job_form(const struct job *job)
{
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
		if (job->encoding && !strcmp(forms[i].encoding, job->encoding))
			return &forms[i];
	return &forms[0];
}

/* Named twice, he gets it once. Local parts may differ by case alone. */
static bool is_named(const struct batch *b, const char *address)
{
	for (size_t i = 0; i < b->n_to; i++)
		if (!strcmp(b->to[i], address))
			return true;
	return false;
}

static int name_recipients(struct batch *b, char **to, struct error *e)
{
	size_t n = 0;
	int r;

	while (to && to[n])
		if (++n > RECIPIENTS_MAX)
			return error_set(e, -E2BIG, "a document can have %d recipients, no more",
					 RECIPIENTS_MAX);
	if (!n)
		return error_set(e, -EINVAL, "a recipient is missing");
	b->to = calloc(n, sizeof(*b->to));
	b->ways = calloc(n, sizeof(*b->ways));
	if (!b->to || !b->ways)
		return error_set(e, -ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++) {
		r = address_check(to[i], e);
		if (r < 0)
			return r;
		if (is_named(b, to[i]))
			continue;
		b->to[b->n_to] = strdup(to[i]);
		if (!b->to[b->n_to])
			return error_set(e, -ENOMEM, "out of memory");
		b->n_to++;
	}
	return 0;
}

/* Those who get their mail by @method; there may be none. */
static int add_recipients(const struct batch *b, struct job *job, enum keys_method method,
			  struct error *e)
{
	for (size_t i = 0; i < b->n_to; i++)
		if (b->ways[i] == method && job_add_recipient(job, b->to[i]) < 0)
			return error_set(e, -ENOMEM, "out of memory");
	return 0;
}

static int set_sender(struct batch *b, struct job *job, const char *code, struct error *e)
{
	struct user *u = NULL;
	int r;

	r = store_user_get(b->sending->box->store, code, false, &u);
	if (r == -ENOENT)
		return error_set(e, r, "there is no user %s; \"ifaxctl users\" lists them", code);
	if (r < 0)
		return error_set(e, r, "cannot read user %s: %s", code, strerror(-r));
	if (!u->address)
		r = error_set(e, -EINVAL,
			      "user %s has no mail address to send from; \"ifaxctl users "
			      "edit %s --address ...\" sets one",
			      code, code);
	else
		r = address_check(u->address, e);
	if (r >= 0 && u->name)
		r = message_check_text("name of the user", u->name, e);
	if (r >= 0 && (job_set(&job->from, u->address) < 0 || job_set(&job->user, u->code) < 0 ||
		       job_set(&b->name, u->name) < 0))
		r = error_set(e, -ENOMEM, "out of memory");
	user_free(u);
	return r;
}

/* Before a sheet is scanned: what the message would refuse later. */
static int check_words(const struct send_request *q, struct error *e)
{
	if (q->board && strlen(q->board) > SERIAL_MAX)
		return error_set(e, -EINVAL,
				 "no board has a serial number of more than %d characters",
				 SERIAL_MAX);
	return q->subject ? message_check_text("subject", q->subject, e) : 0;
}

/* The words of RFC 3461: who asks for success has to ask for the rest, too. */
static void ask_for_receipt(struct job *job)
{
	for (size_t i = 0; i < job->n_recipients; i++)
		job->recipients[i].notify = NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY;
}

static enum message_style style_of(const struct sending *s)
{
	return strcmp(s->box->conf.style, "panasonic") ? MESSAGE_PLAIN : MESSAGE_PANASONIC;
}

static int name_job(const struct sending *s, struct job *job, const char *wanted, struct error *e)
{
	_free_ char *id = message_id_make(s->box->conf.hostname), *subject = NULL;
	char when[32];

	words_time(words_now(), when, sizeof(when));
	if (wanted)
		words_set(&subject, "%s", wanted);
	else if (style_of(s) == MESSAGE_PANASONIC)
		words_set(&subject, MESSAGE_PANASONIC_SUBJECT);
	else
		words_set(&subject, "Fax of %s", when);
	if (!id || !subject || job_set(&job->message_id, id) < 0 ||
	    job_set(&job->subject, subject) < 0)
		return error_set(e, -ENOMEM, "out of memory");
	return 0;
}

static int fill_job(struct batch *b, struct job *job, const struct send_request *q,
		    enum keys_method method, struct error *e)
{
	const struct sending *s = b->sending;
	int r = set_sender(b, job, q->user, e);

	if (r >= 0)
		r = add_recipients(b, job, method, e);
	if (r >= 0)
		r = name_job(s, job, q->subject, e);
	if (r < 0)
		return r;
	job->kind = JOB_SEND;
	job->state = JOB_SCANNING;
	if (q->receipt)
		ask_for_receipt(job);
	job->ret = strcmp(s->box->conf.returned, "full") ? RET_HDRS : RET_FULL;
	if (job_set(&job->board, q->board) < 0 ||
	    job_set(&job->encoding, common_form(b)->encoding) < 0)
		return error_set(e, -ENOMEM, "out of memory");
	return 0;
}

static int choose_resolution(const char *name, uint32_t *yres, struct error *e)
{
	if (!name)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(resolutions); i++) {
		if (!strcmp(resolutions[i].name, name)) {
			*yres = resolutions[i].yres;
			return 0;
		}
	}
	return error_set(e, -EINVAL,
			 "\"%s\" is no resolution; there are standard, fine and superfine", name);
}

/* The document as a whole message, ready for the spool. */
static int build_message(const struct batch *b, const struct job *job,
			 const struct page_list *pages, struct buffer *out, struct error *e)
{
	const struct sending *s = b->sending;
	struct message_spec spec = {
		.style = style_of(s),
		.from = job->from,
		.from_name = b->name,
		.subject = job->subject,
		.message_id = job->message_id,
		.date = words_now(),
		.filename = "fax.tif",
		/* Who wrote the letter wrote it to all of them, however each gets it. */
		.to = (const char *const *)b->to,
		.n_to = b->n_to,
	};
	_buffer_ struct buffer tiff = { 0 };
	_free_ char *text = NULL;
	int r;

	r = tiff_write(pages, job_form(job)->profile, &tiff, e);
	if (r < 0)
		return r;
	words_set(&text, "A fax of %zu page(s) is attached.\n\n%s\n", pages->n,
		  s->box->conf.company ? s->box->conf.company : s->box->conf.hostname);
	if (!text)
		return error_set(e, -ENOMEM, "out of memory");
	spec.text = text;
	spec.tiff = tiff.data;
	spec.tiff_len = tiff.len;
	return message_build(&spec, out, e);
}

/* Gives the job its document; from here on it is the queue's. */
static int hand_over(struct box *box, struct job *job, const struct buffer *message,
		     struct error *e)
{
	struct queue_arrival *a = malloc(sizeof(*a));
	int r;

	if (!a)
		return error_set(e, -ENOMEM, "out of memory");
	*a = (struct queue_arrival){ box, job->id };
	job->state = JOB_QUEUED;
	queue_name_envelope(job, &box->conf);
	job->deadline = queue_deadline(&box->conf, words_now());
	words_set(&job->detail, "%u page(s) scanned; waits for the mail server", job->pages);
	r = store_job_attach(box->store, job, message->data, message->len, queue_on_arrival, a, e);
	if (r < 0)
		free(a);
	return r;
}

/* An original wider than the recipients take is made smaller: here pixels are touched. */
static int reduce(struct page *p, const struct form *form, struct error *e)
{
	const struct raster_engine narrow = {
		.nwidths = 1,
		.widths = { form->width_max },
		.nresolutions = 1,
		.resolutions = { { p->xres, p->yres } },
	};
	_bitmap_ struct bitmap b = { 0 };
	int r;

	if (!form->width_max || p->width <= form->width_max)
		return 0;
	r = raster_fit(p, &narrow, 0, e);
	if (r >= 0)
		r = bitmap_decode(&b, p, e);
	if (r >= 0)
		r = bitmap_to_page(&b, form->coding, tiff_coding_flags(form->profile, form->coding),
				   p);
	return r;
}

static int reduce_all(struct page_list *pages, const struct form *form, struct error *e)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < pages->n; i++)
		r = reduce(&pages->pages[i], form, e);
	return r;
}

/* The end of the way from paper to spool: the job has its document, or says why not. */
static void finish(struct sending *s, struct job *job, int r, const struct error *e)
{
	_free_ char *sentence = NULL;

	if (r < 0) {
		words_set(&sentence,
			  "the scanned pages cannot be kept: %s; put the original back in "
			  "the feeder and send it again",
			  error_text(e));
		job_say(&s->box->keeper, job, LOG_ERR, JOB_FAILED, NULL, NULL, sentence);
	} else {
		log_full(LOG_INFO, job->id, job->user, "Job %llu: %u page(s) scanned",
			 (unsigned long long)job->id, job->pages);
	}
	job_free(job);
}

/* It is to be encrypted, and cannot be, as @why says: not now, or not as things are. */
static void keep(struct sending *s, struct job *job, const struct buffer *message, int r,
		 const struct error *why)
{
	struct error e = { 0 };
	uint64_t id = job->id;
	int kept = unsealed_keep(s->unsealed, job, message, &e);

	finish(s, job, kept, &e);
	if (kept >= 0)
		unsealed_put_off(s->unsealed, id, r, why);
}

static void letter_free(struct letter *l)
{
	struct letter **p = &l->sending->letters;

	while (*p != l)
		p = &(*p)->next;
	*p = l->next;
	cleanup_close(&l->clear);
	free(l);
}

static struct letter *letter_of(struct sending *s, uint64_t id)
{
	struct letter *l = s->letters;

	while (l && l->id != id)
		l = l->next;
	return l;
}

static void on_sealed(void *userdata, struct job *job, struct buffer *message, int r,
		      const struct error *why)
{
	_buffer_ struct buffer clear = { 0 };
	struct letter *l = userdata;
	struct sending *s = l->sending;
	struct error e = { 0 };
	int q;

	if (r >= 0) {
		r = hand_over(s->box, job, message, &e);
		finish(s, job, r, &e);
	} else {
		q = keys_read(l->clear, SIZE_MAX, &clear);
		if (q >= 0)
			keep(s, job, &clear, r, why);
		else
			finish(s, job, error_set(&e, q, "%s", strerror(-q)), &e);
	}
	letter_free(l);
}

/* Takes @job over, but where it fails. */
static int seal(struct sending *s, struct job *job, enum keys_method method,
		const struct buffer *message, struct error *e)
{
	struct letter *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return error_set(e, -ENOMEM, "out of memory");
	*l = (struct letter){ s->letters, s, job->id, keys_memory(message->data, message->len, e) };
	s->letters = l;
	r = l->clear < 0 ? l->clear :
			   sealing_seal(s->sealing, job, method, l->clear, on_sealed, l, e);
	if (r < 0)
		letter_free(l);
	return r;
}

/* The box stops: what is just being encrypted is kept as it is, and the next start goes on. */
static void keep_letter(struct letter *l)
{
	struct job *job = sealing_cancel(l->sending->sealing, l->id);
	_buffer_ struct buffer clear = { 0 };
	struct error e = { 0 };

	if (keys_read(l->clear, SIZE_MAX, &clear) < 0 ||
	    unsealed_keep(l->sending->unsealed, job, &clear, &e) < 0)
		log_error("job %llu: the box stops, and its pages are lost",
			  (unsigned long long)l->id);
	job_free(job);
	letter_free(l);
}

static void batch_free(struct batch *b)
{
	for (struct batch **p = &b->sending->batches; *p; p = &(*p)->next)
		if (*p == b) {
			*p = b->next;
			break;
		}
	for (size_t i = 0; i < b->n; i++)
		job_free(b->jobs[i]);
	for (size_t i = 0; i < b->n_to; i++)
		free(b->to[i]);
	free(b->to);
	free(b->name);
	free(b->ways);
	free(b);
}

/* What is in hand of nobody else ends so; with it goes the batch. */
static int batch_ends(struct batch *b, int priority, enum job_state state, const char *sentence)
{
	int r = 0, q;

	for (size_t i = 0; i < b->n; i++) {
		if (!b->jobs[i] || !b->jobs[i]->id)
			continue;
		q = job_say(&b->sending->box->keeper, b->jobs[i], priority, state, NULL, NULL,
			    sentence);
		r = q < 0 ? q : r;
	}
	batch_free(b);
	return r;
}

/* What is built goes out, in the clear where nobody insists on more, or is kept. */
static void post(struct sending *s, struct job *job, const struct buffer *message)
{
	enum keys_method method = KEYS_ANY;
	struct error e = { 0 };
	/* Asked again: entries may have changed while paper moved. */
	int r = sealing_method(s->box, job, &method, &e);

	if (r >= 0 && method == KEYS_ANY) {
		r = hand_over(s->box, job, message, &e);
		finish(s, job, r, &e);
		return;
	}
	if (r >= 0)
		r = seal(s, job, method, message, &e);
	if (r < 0)
		keep(s, job, message, r, &e);
}

/* One job gets its document, or does not, whatever comes of the others. */
static void deliver(struct batch *b, size_t i, const struct page_list *pages, int r,
		    const struct error *why)
{
	_buffer_ struct buffer message = { 0 };
	struct job *job = take_ptr(b->jobs[i]);
	struct error e = *why;

	if (r >= 0)
		r = build_message(b, job, pages, &message, &e);
	if (r < 0)
		finish(b->sending, job, r, &e);
	else
		post(b->sending, job, &message);
}

static int same_scan(struct job *job, const struct job *scanned)
{
	job->pages = scanned->pages;
	return job_set(&job->board, scanned->board);
}

static void on_scanned(void *userdata, struct job *job, struct page_list *pages,
		       const struct error *why)
{
	struct batch *b = userdata;
	struct error e = { 0 };
	int r;

	if (!pages) {
		enum job_state state = job->state;

		job_free(job);
		batch_ends(b, state == JOB_FAILED ? LOG_WARNING : LOG_INFO, state, error_text(why));
		return;
	}
	b->jobs[0] = job;
	job->pages = pages->n;
	r = reduce_all(pages, job_form(job), &e);
	for (size_t i = 1; r >= 0 && i < b->n; i++)
		r = same_scan(b->jobs[i], job);
	for (size_t i = 0; i < b->n; i++)
		deliver(b, i, pages, r, &e);
	page_list_clear(pages);
	batch_free(b);
}

static int scan(struct batch *b, struct error *e)
{
	struct sending *s = b->sending;
	struct scan_params params = { .xres = s->box->conf.xres, .yres = b->yres };
	const struct form *form = job_form(b->jobs[0]);
	int r;

	params.encoding = form->coding;
	params.k = form->k;
	params.flags = tiff_coding_flags(form->profile, form->coding);
	r = scanning_start(s->box->scanning, b->jobs[0], &params, on_scanned, b);
	if (r < 0)
		return error_set(e, r, "cannot start scanning: %s", strerror(-r));
	b->jobs[0] = NULL;
	b->scanning = true;
	return 0;
}

static void on_checked(void *userdata, struct job *job, struct buffer *nothing, int r,
		       const struct error *why);

/* No sheet moves before there is a key for each who needs one. */
static int check_then_scan(struct batch *b, struct error *e)
{
	size_t i;
	int r;

	while (b->checked < b->n && b->methods[b->checked] == KEYS_ANY)
		b->checked++;
	i = b->checked;
	if (i == b->n)
		return scan(b, e);
	r = sealing_check(b->sending->sealing, b->jobs[i], b->methods[i], on_checked, b, e);
	if (r >= 0)
		b->jobs[i] = NULL;
	return r;
}

static void on_checked(void *userdata, struct job *job, struct buffer *nothing, int r,
		       const struct error *why)
{
	struct batch *b = userdata;
	struct error e = *why;

	b->jobs[b->checked] = job;
	if (r >= 0) {
		b->checked++;
		r = check_then_scan(b, &e);
	}
	if (r < 0)
		batch_ends(b, LOG_ERR, JOB_FAILED, error_text(&e));
}

/* A job for each method that there are recipients for. */
static int fill_batch(struct batch *b, const struct send_request *q, struct error *e)
{
	struct job *job;
	int r = name_recipients(b, q->to, e);

	if (r >= 0)
		r = sealing_wishes(b->sending->box, q->user, b->to, b->n_to, b->ways, e);
	for (enum keys_method m = KEYS_ANY; r >= 0 && m < _KEYS_METHODS; m++) {
		job = calloc(1, sizeof(*job));
		r = job ? fill_job(b, job, q, m, e) : error_set(e, -ENOMEM, "out of memory");
		if (r < 0 || !job->n_recipients) {
			job_free(job);
			continue;
		}
		b->methods[b->n] = m;
		b->jobs[b->n++] = job;
	}
	return r;
}

static int create_jobs(struct batch *b, struct error *e)
{
	struct store *store = b->sending->box->store;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < b->n; i++) {
		if (i)
			words_set(&b->jobs[i]->detail, "is scanned together with job %llu",
				  (unsigned long long)b->ids[0]);
		else
			words_set(&b->jobs[i]->detail, "waits for the scanner");
		r = store_job_create(store, b->jobs[i], NULL, 0, NULL, NULL, e);
		b->ids[i] = b->jobs[i]->id;
	}
	return r;
}

static int start(struct batch *b, const struct send_request *q, struct error *e)
{
	int r = choose_resolution(q->resolution, &b->yres, e);

	if (r >= 0)
		r = check_words(q, e);
	if (r >= 0)
		r = fill_batch(b, q, e);
	if (r >= 0)
		r = create_jobs(b, e);
	return r < 0 ? r : check_then_scan(b, e);
}

int sending_request(struct sending *s, const struct send_request *q,
		    uint64_t ids[SENDING_JOBS_MAX], struct error *e)
{
	struct batch *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return error_set(e, -ENOMEM, "out of memory");
	*b = (struct batch){ .next = s->batches, .sending = s, .yres = s->box->conf.yres };
	s->batches = b;
	r = start(b, q, e);
	if (r < 0) {
		batch_ends(b, LOG_ERR, JOB_FAILED, error_text(e));
		return r;
	}
	memcpy(ids, b->ids, sizeof(b->ids));
	return (int)b->n;
}

static struct batch *batch_of(struct sending *s, uint64_t id)
{
	for (struct batch *b = s->batches; b; b = b->next)
		for (size_t i = 0; i < b->n; i++)
			if (b->ids[i] == id)
				return b;
	return NULL;
}

int sending_cancel(struct sending *s, uint64_t id)
{
	static const char canceled[] = "canceled by request; nothing was sent";
	struct batch *b = batch_of(s, id);
	struct letter *l = letter_of(s, id);
	struct job *job;
	int r;

	if (b && b->scanning)
		return scanning_cancel(s->box->scanning, b->ids[0]);
	if (b) {
		b->jobs[b->checked] = sealing_cancel(s->sealing, b->ids[b->checked]);
		return batch_ends(b, LOG_INFO, JOB_CANCELED, canceled);
	}
	if (!l)
		return -ENOENT;
	job = sealing_cancel(s->sealing, id);
	letter_free(l);
	r = job_say(&s->box->keeper, job, LOG_INFO, JOB_CANCELED, NULL, NULL, canceled);
	job_free(job);
	return r;
}

void sending_wake(struct sending *s, uint64_t id)
{
	unsealed_wake(s->unsealed, id);
}

/* Jobs that were scanning when the box stopped have lost their pages. */
static int recover(struct sending *s, struct error *e)
{
	struct job_filter f = { .kind = JOB_SEND, .state = JOB_SCANNING,
				.limit = UINT32_MAX };
	struct job **jobs = NULL;
	size_t n = 0;
	int r;

	r = store_job_list(s->box->store, &f, &jobs, &n);
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = scanning_recover(s->box->scanning, jobs[i]);
	job_list_free(jobs, n);
	return r < 0 ? error_set(e, r, "cannot take over what was being scanned: %s", strerror(-r))
		     : 0;
}

int sending_new(struct sending **ret, struct box *box, struct error *e)
{
	struct sending *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return error_set(e, -ENOMEM, "out of memory");
	s->box = box;
	r = sealing_new(&s->sealing, box);
	r = r < 0 ? error_set(e, r, "out of memory") : recover(s, e);
	if (r >= 0)
		r = unsealed_new(&s->unsealed, box, s->sealing, e);
	if (r < 0) {
		sending_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void sending_free(struct sending *s)
{
	if (!s)
		return;
	while (s->letters)
		keep_letter(s->letters);
	sealing_free(s->sealing);
	unsealed_free(s->unsealed);
	while (s->batches)
		batch_free(s->batches);
	free(s);
}
