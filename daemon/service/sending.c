/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/fax.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "device/scan.h"
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
#include "service/words.h"
#include "store/store.h"

#define RECIPIENTS_MAX 1000
#define SERIAL_MAX     31	/* of a board */

/* A job whose recipients' keys are looked for before a sheet moves. */
struct waiting {
	struct waiting *next;
	uint64_t job;
	uint32_t yres;
};

struct sending {
	struct box *box;
	struct sealing *sealing;
	struct waiting *waiting;
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
static const struct form *common_form(const struct sending *s, const struct job *job)
{
	size_t least = ARRAY_SIZE(forms) - 1, form;

	for (size_t i = 0; i < job->n_recipients; i++) {
		form = form_of(s, job->recipients[i].address);
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
static bool is_recipient(const struct job *job, const char *address)
{
	for (size_t i = 0; i < job->n_recipients; i++)
		if (!strcmp(job->recipients[i].address, address))
			return true;
	return false;
}

static int add_recipients(struct job *job, char **to, struct error *e)
{
	int r;

	for (size_t i = 0; to && to[i]; i++) {
		if (i >= RECIPIENTS_MAX)
			return error_set(e, -E2BIG, "a document can have %d recipients, no more",
					 RECIPIENTS_MAX);
		r = address_check(to[i], e);
		if (r < 0)
			return r;
		if (is_recipient(job, to[i]))
			continue;
		if (job_add_recipient(job, to[i]) < 0)
			return error_set(e, -ENOMEM, "out of memory");
	}
	if (!job->n_recipients)
		return error_set(e, -EINVAL, "a recipient is missing");
	return 0;
}

static int set_sender(const struct sending *s, struct job *job, const char *code, struct error *e)
{
	struct user *u = NULL;
	int r;

	r = store_user_get(s->box->store, code, false, &u);
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
	if (r >= 0 && (job_set(&job->from, u->address) < 0 || job_set(&job->user, u->code) < 0))
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

static int fill_job(const struct sending *s, struct job *job, const struct send_request *q,
		    struct error *e)
{
	_free_ char *id = NULL, *subject = NULL;
	char when[32];
	int r;

	job->kind = JOB_SEND;
	job->state = JOB_SCANNING;
	r = check_words(q, e);
	if (r >= 0)
		r = set_sender(s, job, q->user, e);
	if (r >= 0)
		r = add_recipients(job, q->to, e);
	if (r < 0)
		return r;
	if (q->receipt)
		ask_for_receipt(job);
	job->ret = strcmp(s->box->conf.returned, "full") ? RET_HDRS : RET_FULL;
	id = message_id_make(s->box->conf.hostname);
	words_time(words_now(), when, sizeof(when));
	if (q->subject)
		words_set(&subject, "%s", q->subject);
	else if (style_of(s) == MESSAGE_PANASONIC)
		words_set(&subject, MESSAGE_PANASONIC_SUBJECT);
	else
		words_set(&subject, "Fax of %s", when);
	if (!id || !subject || job_set(&job->message_id, id) < 0 ||
	    job_set(&job->subject, subject) < 0 || job_set(&job->board, q->board) < 0 ||
	    job_set(&job->encoding, common_form(s, job)->encoding) < 0)
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
static int build_message(const struct sending *s, const struct job *job,
			 const struct page_list *pages, struct buffer *out, struct error *e)
{
	struct message_spec spec = {
		.style = style_of(s),
		.from = job->from,
		.subject = job->subject,
		.message_id = job->message_id,
		.date = words_now(),
		.filename = "fax.tif",
	};
	_buffer_ struct buffer tiff = { 0 };
	_free_ char *text = NULL;
	const char **to = NULL;
	struct user *u = NULL;
	int r;

	r = tiff_write(pages, job_form(job)->profile, &tiff, e);
	if (r < 0)
		return r;
	to = calloc(job->n_recipients, sizeof(*to));
	words_set(&text, "A fax of %zu page(s) is attached.\n\n%s\n", pages->n,
		  s->box->conf.company ? s->box->conf.company : s->box->conf.hostname);
	if (!to || !text) {
		free(to);
		return error_set(e, -ENOMEM, "out of memory");
	}
	for (size_t i = 0; i < job->n_recipients; i++)
		to[i] = job->recipients[i].address;
	if (store_user_get(s->box->store, job->user, false, &u) >= 0)
		spec.from_name = u->name;
	spec.to = to;
	spec.n_to = job->n_recipients;
	spec.text = text;
	spec.tiff = tiff.data;
	spec.tiff_len = tiff.len;
	r = message_build(&spec, out, e);
	user_free(u);
	free(to);
	return r;
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

/* The end of the way from paper to spool: the job is queued, or says why not. */
static void finish(struct sending *s, struct job *job, struct buffer *message, int r,
		   struct error *e)
{
	_free_ char *sentence = NULL;

	if (r >= 0)
		r = hand_over(s->box, job, message, e);
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

static void on_sealed(void *userdata, struct job *job, struct buffer *message, int r,
		      const struct error *why)
{
	struct error e = *why;

	finish(userdata, job, message, r, &e);
}

static void on_scanned(void *userdata, struct job *job, struct page_list *pages,
		       const struct error *why)
{
	struct sending *s = userdata;
	_buffer_ struct buffer message = { 0 };
	enum keys_method method = KEYS_ANY;
	struct error e = { 0 };
	int r;

	if (!pages) {
		job_free(job);
		return;
	}
	job->pages = pages->n;
	r = reduce_all(pages, job_form(job), &e);
	if (r >= 0)
		r = build_message(s, job, pages, &message, &e);
	page_list_clear(pages);
	/* Asked again: entries may have changed while paper moved. */
	if (r >= 0)
		r = sealing_method(s->box, job, &method, &e);
	if (r >= 0 && method != KEYS_ANY) {
		r = sealing_seal(s->sealing, job, method, &message, on_sealed, s, &e);
		if (r >= 0)
			return;
	}
	finish(s, job, &message, r, &e);
}

static int scan(struct sending *s, struct job *job, uint32_t yres, struct error *e)
{
	struct scan_params params = { .xres = s->box->conf.xres, .yres = yres };
	const struct form *form = job_form(job);
	int r;

	params.encoding = form->coding;
	params.k = form->k;
	params.flags = tiff_coding_flags(form->profile, form->coding);
	r = scanning_start(s->box->scanning, job, &params, on_scanned, s);
	return r < 0 ? error_set(e, r, "cannot start scanning: %s", strerror(-r)) : 0;
}

/* Its resolution; the job waits no more. */
static uint32_t end_waiting(struct sending *s, uint64_t job)
{
	uint32_t yres = s->box->conf.yres;

	for (struct waiting **p = &s->waiting; *p; p = &(*p)->next) {
		struct waiting *w = *p;

		if (w->job != job)
			continue;
		yres = w->yres;
		*p = w->next;
		free(w);
		break;
	}
	return yres;
}

static void on_checked(void *userdata, struct job *job, struct buffer *nothing, int r,
		       const struct error *why)
{
	struct sending *s = userdata;
	uint32_t yres = end_waiting(s, job->id);
	struct error e = *why;

	if (r >= 0)
		r = scan(s, job, yres, &e);
	if (r >= 0)
		return;
	job_say(&s->box->keeper, job, LOG_ERR, JOB_FAILED, NULL, NULL, error_text(&e));
	job_free(job);
}

static int check_then_scan(struct sending *s, struct job *job, enum keys_method method,
			   uint32_t yres, struct error *e)
{
	struct waiting *w = malloc(sizeof(*w));
	int r;

	if (!w)
		return error_set(e, -ENOMEM, "out of memory");
	*w = (struct waiting){ s->waiting, job->id, yres };
	s->waiting = w;
	r = sealing_check(s->sealing, job, method, on_checked, s, e);
	if (r < 0)
		end_waiting(s, job->id);
	return r;
}

static int start(struct sending *s, struct job *job, const struct send_request *q, uint64_t *id,
		 struct error *e)
{
	enum keys_method method = KEYS_ANY;
	uint32_t yres = s->box->conf.yres;
	int r;

	r = choose_resolution(q->resolution, &yres, e);
	if (r >= 0)
		r = fill_job(s, job, q, e);
	if (r >= 0)
		r = sealing_method(s->box, job, &method, e);
	if (r >= 0)
		r = job_set(&job->detail, "waits for the scanner");
	if (r >= 0)
		r = store_job_create(s->box->store, job, NULL, 0, NULL, NULL, e);
	if (r < 0)
		return r;
	*id = job->id;
	return method == KEYS_ANY ? scan(s, job, yres, e) :
				    check_then_scan(s, job, method, yres, e);
}

int sending_request(struct sending *s, const struct send_request *q, uint64_t *id, struct error *e)
{
	struct job *job = calloc(1, sizeof(*job));
	int r;

	if (!job)
		return error_set(e, -ENOMEM, "out of memory");
	r = start(s, job, q, id, e);
	if (r < 0) {
		if (job->id)
			job_say(&s->box->keeper, job, LOG_ERR, JOB_FAILED, NULL, NULL,
				error_text(e));
		job_free(job);
	}
	return r;
}

int sending_cancel(struct sending *s, uint64_t id)
{
	struct job *job = sealing_cancel(s->sealing, id);
	int r;

	if (!job)
		return scanning_cancel(s->box->scanning, id);
	end_waiting(s, id);
	r = job_say(&s->box->keeper, job, LOG_INFO, JOB_CANCELED, NULL, NULL,
		    "canceled by request; nothing was sent");
	job_free(job);
	return r;
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
	sealing_free(s->sealing);
	while (s->waiting)
		end_waiting(s, s->waiting->job);
	free(s);
}
