// SPDX-License-Identifier: LGPL-2.1-or-later
/* Mails and notices that are done with are forgotten in time; nothing else is. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "service/retention.h"
#include "store/store.h"
#include "svc_help.h"

#define KEEP_MSEC 400
#define MANY	  150		/* more than go in one turn */

static int setup(void **state)
{
	struct svc *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	svc_make(s);
	s->box.conf.keep_usec = KEEP_MSEC * 1000;
	svc_open(s, 0);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct svc *s = *state;

	retention_free(take_ptr(s->box.retention));
	svc_remove(s);
	free(s);
	return 0;
}

static uint64_t put(struct svc *s, enum job_kind kind, enum job_state state)
{
	static const char text[] = "Subject: x\r\n\r\nx\r\n";
	struct job *j = fake_job(0, kind, state);
	struct error e = { 0 };
	uint64_t id;

	if (store_job_create(s->box.store, j, text, strlen(text), NULL, NULL, &e) < 0)
		fail_msg("%s", error_text(&e));
	id = j->id;
	job_free(j);
	return id;
}

static void start(struct svc *s)
{
	struct error e = { 0 };

	if (retention_new(&s->box.retention, &s->box, &e) < 0)
		fail_msg("%s", error_text(&e));
}

static void assert_kept(struct svc *s, uint64_t id, bool kept)
{
	struct job *j = NULL;

	assert_int_equal(store_job_get(s->box.store, id, &j), kept ? 0 : -ENOENT);
	job_free(j);
}

static void only_what_is_done_with(void **state)
{
	static const struct {
		enum job_kind kind;
		enum job_state state;
		bool kept;
	} cases[] = {
		{ JOB_MAIL, JOB_SENT, false },	    { JOB_MAIL, JOB_DELIVERED, false },
		{ JOB_MAIL, JOB_FAILED, false },    { JOB_MAIL, JOB_CANCELED, false },
		{ JOB_NOTICE, JOB_SENT, false },    { JOB_NOTICE, JOB_FAILED, false },
		{ JOB_MAIL, JOB_HELD, true },	    { JOB_NOTICE, JOB_QUEUED, true },
		{ JOB_SEND, JOB_SENT, true },	    { JOB_SEND, JOB_FAILED, true },
		{ JOB_PRINT, JOB_PRINTED, true },   { JOB_COLLECT, JOB_COLLECTED, true },
	};
	uint64_t ids[ARRAY_SIZE(cases)];
	struct svc *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		ids[i] = put(s, cases[i].kind, cases[i].state);
	start(s);
	svc_run(s, KEEP_MSEC / 4);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_kept(s, ids[i], true);
	svc_run(s, 2 * KEEP_MSEC);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_kept(s, ids[i], cases[i].kept);
	/* So it is for good. */
	retention_free(take_ptr(s->box.retention));
	svc_close(s);
	svc_open(s, 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_kept(s, ids[i], cases[i].kept);
}

static void many(void **state)
{
	struct svc *s = *state;

	for (int i = 0; i < MANY; i++)
		put(s, JOB_MAIL, JOB_SENT);
	svc_run(s, KEEP_MSEC);
	start(s);
	assert_int_equal(svc_count(s, JOB_MAIL, -1, NULL), MANY);
	svc_run(s, 1000);
	assert_int_equal(svc_count(s, JOB_MAIL, -1, NULL), 0);
}

static void kept_for_good(void **state)
{
	struct svc *s = *state;
	uint64_t id = put(s, JOB_MAIL, JOB_SENT);

	s->box.conf.keep_usec = 0;
	start(s);
	svc_run(s, KEEP_MSEC);
	assert_kept(s, id, true);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(only_what_is_done_with), TEST(many), TEST(kept_for_good),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
