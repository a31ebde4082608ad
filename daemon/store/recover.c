// SPDX-License-Identifier: LGPL-2.1-or-later
/* Starting: the index is brought up to what the journal holds. */
#include "store/store_internal.h"

#include <endian.h>
#include <string.h>

/* A document that stood in a part of the journal that is damaged: the job says so. */
static int replay_orphan(struct store *s, const struct job *old, struct job *j, uint64_t segment)
{
	static const struct index_body none;
	_buffer_ struct buffer state = { 0 };
	int r = 0;

	if (j->body_len && !job_state_final(j->state)) {
		j->state = JOB_FAILED;
		r = job_set(&j->detail, "The document was lost to damage on the spool's disk; send "
					"it again.");
	}
	j->body_len = 0;
	if (!r)
		r = job_encode(j, &state);
	return r < 0 ? r : index_put_job(s->index, old, j, state.data, state.len, segment, &none);
}

/* The record with the encrypted document is damaged: what stands here is the one in the clear. */
static bool lost_sealing(const struct job *old, const struct job *j, const struct index_body *body)
{
	return old && old->unsealed && !j->unsealed && !body;
}

static int replay_put(struct store *s, const struct journal_record *rec, struct job *j,
		      const void *state, size_t len, const struct index_body *body)
{
	struct job *old = NULL;
	int r = index_get_job(s->index, j->id, &old, NULL);

	if (r < 0 && r != -ENOENT)
		return r;
	if ((old || body) && !lost_sealing(old, j, body))
		r = index_put_job(s->index, old, j, state, len, rec->pos.segment, body);
	else
		r = replay_orphan(s, old, j, rec->pos.segment);
	job_free(old);
	return r;
}

static int replay_state(struct store *s, const struct journal_record *rec, const uint8_t *state,
			size_t len, const struct index_body *body)
{
	struct job *j;
	int r = job_decode(state, len, &j);

	if (r < 0)
		return r;
	if (j->id > s->last_id)
		s->last_id = j->id;
	r = replay_put(s, rec, j, state, len, body);
	if (!r && body && j->source)
		r = index_put_source(s->index, j->source, rec->pos.segment);
	job_free(j);
	return r;
}

/*
 * The segment with the document may have been given back since; then what stands
 * behind this record says so, for a job that needs it is moved first.
 */
static int replay_link(struct store *s, const struct journal_record *rec)
{
	struct index_body body = { .shared = true };
	struct link_head h;

	if (rec->len < sizeof(h))
		return -EBADMSG;
	memcpy(&h, rec->payload, sizeof(h));
	body.pos.segment = le64toh(h.segment);
	body.pos.offset = le64toh(h.offset);
	body.pos.seq = le64toh(h.seq);
	body.len = le64toh(h.len);
	if (le64toh(h.skip) > UINT32_MAX || body.len > JOURNAL_PAYLOAD_MAX ||
	    body.pos.seq >= rec->pos.seq || body.pos.segment > rec->pos.segment)
		return -EBADMSG;
	body.skip = (uint32_t)le64toh(h.skip);
	return replay_state(s, rec, rec->payload + sizeof(h), rec->len - sizeof(h), &body);
}

static int replay_job(struct store *s, const struct journal_record *rec)
{
	struct index_body body = { 0 };
	uint32_t len;

	if (rec->len < sizeof(len))
		return -EBADMSG;
	memcpy(&len, rec->payload, sizeof(len));
	len = le32toh(len);
	if (len > rec->len - sizeof(len))
		return -EBADMSG;
	body.len = rec->len - sizeof(len) - len;
	if (body.len) {
		body.pos = rec->pos;
		body.skip = (uint32_t)sizeof(len) + len;
	}
	return replay_state(s, rec, rec->payload + sizeof(len), len, &body);
}

static int replay_remove(struct store *s, const struct journal_record *rec)
{
	uint64_t id;

	if (rec->len != sizeof(id))
		return -EBADMSG;
	memcpy(&id, rec->payload, sizeof(id));
	return index_remove_job(s->index, le64toh(id));
}

static int replay_source(struct store *s, const struct journal_record *rec, bool known)
{
	_free_ char *source = strndup((const char *)rec->payload, rec->len);

	if (!source)
		return -ENOMEM;
	return known ? index_put_source(s->index, source, rec->pos.segment)
		     : index_remove_source(s->index, source);
}

static int replay_record(void *userdata, const struct journal_record *rec)
{
	struct store *s = userdata;

	switch (rec->type) {
	case RECORD_JOB:
		return replay_job(s, rec);
	case RECORD_STATE:
		return replay_state(s, rec, rec->payload, rec->len, NULL);
	case RECORD_REMOVE:
		return replay_remove(s, rec);
	case RECORD_SOURCE:
		return replay_source(s, rec, true);
	case RECORD_FORGET:
		return replay_source(s, rec, false);
	case RECORD_LINK:
		return replay_link(s, rec);
	default:
		return -EPROTO;	/* of a later version: better to stop than to lose it */
	}
}

static void note_report(struct store *s, const struct journal_report *rp)
{
	if (rp->lost || rp->bad_segments)
		snprintf(s->notice, sizeof(s->notice),
			 "The spool is damaged: %llu records (%llu of them once durable) and %llu "
			 "segments cannot be read; everything else was kept. Check the disk.",
			 (unsigned long long)rp->lost, (unsigned long long)rp->lost_durable,
			 (unsigned long long)rp->bad_segments);
	else if (rp->torn)
		snprintf(s->notice, sizeof(s->notice),
			 "The end of the spool was incomplete, as after a power failure; %llu "
			 "unfinished records were dropped.", (unsigned long long)rp->torn);
}

int store_recover(struct store *s, struct error *e)
{
	struct journal_report report;
	struct index_place place;
	bool follow;
	int r = index_place(s->index, &place);

	if (r < 0)
		return error_set(e, r, "The index cannot be read.");
	follow = place.pos.segment &&
		 journal_has(s->journal, &place.pos, place.nonce) > 0;
	if (!follow) {
		place = (struct index_place){ 0 };
		r = index_reset(s->index, e);
		if (r < 0)
			return r;
	}
	s->last_id = journal_mark(s->journal);
	if (place.last_id > s->last_id)
		s->last_id = place.last_id;
	r = journal_replay(s->journal, follow ? &place.pos : NULL, replay_record, s, &report, e);
	if (r < 0)
		return r;
	note_report(s, &report);
	/* Ids of a replayed tail stand in no segment's head yet. */
	journal_set_mark(s->journal, s->last_id);
	r = journal_start(s->journal, e);
	if (!r && report.records)
		store_commit_index(s);
	if (s->broken)
		return error_set(e, s->broken, "%s", s->notice);
	return r;
}
