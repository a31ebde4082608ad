// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The panel's dialogues, key by key, against the flow charts: S1 to S19 of the
 * registration, S41 to S49 of sending.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "ctl/panel_dialogue.h"

static const struct panel_touch touch[] = {
	{ 1, "Ann", "ann@x.test" },
	{ 12, "Bob", "bob@x.test" },
};

static int setup(void **state)
{
	struct dialogue *d = malloc(sizeof(*d));

	assert_non_null(d);
	dialogue_begin(d);
	dialogue_set_touch(d, touch, ARRAY_SIZE(touch));
	*state = d;
	return 0;
}

static int teardown(void **state)
{
	dialogue_end(*state);
	free(*state);
	return 0;
}

static void press(struct dialogue *d, const char *text)
{
	for (; *text; text++)
		dialogue_key(d, (unsigned char)*text);
}

static void enter(struct dialogue *d, const char *text)
{
	press(d, text);
	dialogue_key(d, PANEL_KEY_START);
}

/* ON or OFF, whatever stands there. */
static void choose(struct dialogue *d, bool on)
{
	enter(d, on ? "1" : "0");
}

static void at(struct dialogue *d, enum panel_step step, const char *name)
{
	assert_int_equal(d->step, step);
	assert_string_equal(panel_step_name(step), name);
}

static void noted(struct dialogue *d, const char *words)
{
	struct panel_display shown;

	dialogue_display(d, &shown);
	assert_non_null(shown.note);
	if (!strstr(shown.note, words))
		fail_msg("\"%s\" says nothing of \"%s\"", shown.note, words);
}

static void yes(struct dialogue *d, enum panel_request request)
{
	assert_int_equal(d->request, request);
	dialogue_answer(d, &(struct panel_answer){ .yes = true, .number = 7, .text = "Ada",
						   .jobs = (uint64_t[]){ 7 }, .n_jobs = 1 });
}

static void no(struct dialogue *d, enum panel_request request, const char *why)
{
	assert_int_equal(d->request, request);
	dialogue_answer(d, &(struct panel_answer){ .error = why });
}

static void begin(struct dialogue *d, enum panel_function f)
{
	dialogue_key(d, PANEL_KEY_FUNCTION + f);
}

/* To a step of the registration, by the shortest way. */
static void to_login(struct dialogue *d)
{
	begin(d, PANEL_REGISTER);
	yes(d, ASK_ROOM);
}

static void to_code(struct dialogue *d)
{
	to_login(d);
	enter(d, "ada");
	enter(d, "secret");
	enter(d, "secret");
}

static void to_receive(struct dialogue *d)
{
	to_code(d);
	enter(d, "100");
	yes(d, ASK_CODE);
	enter(d, "Ada Muster");
}

static void to_check(struct dialogue *d)
{
	to_receive(d);
	choose(d, false);
}

/*
 * Registration
 */

static void S1_asks_whether_the_table_is_full(void **state)
{
	struct dialogue *d = *state;

	begin(d, PANEL_REGISTER);
	at(d, STEP_ROOM, "S1");
	/* Keys wait for the answer. */
	press(d, "x");
	dialogue_key(d, PANEL_KEY_STOP);
	at(d, STEP_ROOM, "S1");
	yes(d, ASK_ROOM);
	at(d, STEP_LOGIN, "S3");
}

static void S2_says_that_it_is_and_quits(void **state)
{
	struct dialogue *d = *state;

	begin(d, PANEL_REGISTER);
	dialogue_answer(d, &(struct panel_answer){ .yes = false });
	noted(d, "user registration filled");
	dialogue_key(d, PANEL_KEY_START);
	at(d, STEP_IDLE, "");
	begin(d, PANEL_REGISTER);
	no(d, ASK_ROOM, "ifaxd is not running");
	noted(d, "not running");
}

static void S3_S4_S5_ask_for_log_in_and_password_twice(void **state)
{
	struct dialogue *d = *state;
	struct panel_display shown;

	to_login(d);
	enter(d, "ada");
	at(d, STEP_PASSWORD, "S4");
	dialogue_key(d, PANEL_KEY_START);	/* there must be one */
	at(d, STEP_PASSWORD, "S4");
	press(d, "secret");
	dialogue_display(d, &shown);
	assert_string_equal(shown.input, "******");
	dialogue_key(d, PANEL_KEY_START);
	at(d, STEP_PASSWORD_AGAIN, "S5");
	enter(d, "secret");
	at(d, STEP_CODE, "S8");
	assert_string_equal(d->user.login, "ada");
	assert_string_equal(d->user.password, "secret");
}

static void S3_without_a_mailbox_goes_on_to_S8(void **state)
{
	struct dialogue *d = *state;

	to_login(d);
	dialogue_key(d, PANEL_KEY_START);
	at(d, STEP_CODE, "S8");
}

static void S6_S7_passwords_that_differ_are_invalid(void **state)
{
	struct dialogue *d = *state;

	to_login(d);
	enter(d, "ada");
	enter(d, "secret");
	enter(d, "Secret");
	noted(d, "invalid password");
	at(d, STEP_PASSWORD, "S4");
	enter(d, "secret");
	noted(d, "");
	enter(d, "secret");
	at(d, STEP_CODE, "S8");
}

static void S8_S9_a_free_code_is_taken(void **state)
{
	struct dialogue *d = *state;

	to_code(d);
	dialogue_key(d, PANEL_KEY_START);
	at(d, STEP_CODE, "S8");
	enter(d, "1 2");
	noted(d, "A user code is 1 to 16");
	at(d, STEP_CODE, "S8");
	enter(d, "12345678901234567890");
	at(d, STEP_CODE_FREE, "S9");
	assert_string_equal(d->user.code, "1234567890123456");
	yes(d, ASK_CODE);
	at(d, STEP_NAME, "S11");
}

static void S10_a_code_that_is_taken_is_asked_for_again(void **state)
{
	struct dialogue *d = *state;

	to_code(d);
	enter(d, "100");
	no(d, ASK_CODE, "user code already taken: 100; choose another");
	noted(d, "user code already taken");
	at(d, STEP_CODE, "S8");
	enter(d, "101");
	yes(d, ASK_CODE);
	at(d, STEP_NAME, "S11");
	assert_string_equal(d->user.code, "101");
}

static void S11_asks_for_the_name(void **state)
{
	struct dialogue *d = *state;

	to_code(d);
	enter(d, "100");
	yes(d, ASK_CODE);
	press(d, "Max");
	dialogue_key(d, ' ');
	dialogue_key(d, 0xfc);		/* two octets, one character */
	dialogue_key(d, PANEL_KEY_CLEAR);
	dialogue_key(d, 0x1f600);
	assert_string_equal(d->input, "Max \xf0\x9f\x98\x80");
	dialogue_key(d, PANEL_KEY_CLEAR);
	dialogue_key(d, 0xd6);
	dialogue_key(d, 0x1b);		/* no character */
	dialogue_key(d, 0xd800);
	dialogue_key(d, PANEL_KEY_START);
	assert_string_equal(d->user.name, "Max \xc3\x96");
	at(d, STEP_RECEIVE, "S12");
}

static void S12_off_leads_to_S15(void **state)
{
	struct dialogue *d = *state;

	to_receive(d);
	choose(d, false);
	at(d, STEP_CHECK, "S15");
	assert_false(d->user.auto_receive);
}

static void S12_S13_on_leads_to_S15(void **state)
{
	struct dialogue *d = *state;

	to_receive(d);
	choose(d, true);
	at(d, STEP_PRINT, "S13");
	choose(d, true);
	at(d, STEP_CHECK, "S15");
	assert_true(d->user.auto_receive && d->user.auto_print);
}

static void S13_off_leads_to_S14(void **state)
{
	struct dialogue *d = *state;

	to_receive(d);
	choose(d, true);
	dialogue_key(d, PANEL_KEY_CHANGE);
	dialogue_key(d, PANEL_KEY_START);
	at(d, STEP_DAYS, "S14");
	assert_false(d->user.auto_print);
}

static void S14_takes_1_to_31_days(void **state)
{
	static const char *const wrong[] = { "0", "32", "99", "00" };
	struct dialogue *d = *state;

	to_receive(d);
	choose(d, true);
	choose(d, false);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		enter(d, wrong[i]);
		at(d, STEP_DAYS, "S14");
		noted(d, "1 to 31 days");
	}
	enter(d, "x3-1");
	at(d, STEP_CHECK, "S15");
	assert_int_equal(d->user.keep_days, 31);
}

static void S15_S16_S17_are_on_or_off(void **state)
{
	struct dialogue *d = *state;

	to_check(d);
	choose(d, true);
	at(d, STEP_TEXT, "S16");
	choose(d, false);
	at(d, STEP_ENCRYPT, "S17");
	choose(d, true);
	assert_true(d->user.check_on_sending && !d->user.receive_text && d->user.encrypt);
	at(d, STEP_SERVER, "");
}

/* What the flow charts do not ask stands between S17 and S18. */
static void after_S17_server_address_and_panel_password(void **state)
{
	struct dialogue *d = *state;

	to_check(d);
	choose(d, true);
	choose(d, true);
	choose(d, false);
	dialogue_key(d, PANEL_KEY_START);	/* a mailbox has a server */
	at(d, STEP_SERVER, "");
	enter(d, "pop.x.test:99999");
	noted(d, "a port is");
	enter(d, "pop.x.test:995");
	assert_string_equal(d->user.host, "pop.x.test");
	assert_string_equal(d->user.tls, "tls");
	assert_int_equal(d->user.port, 995);
	enter(d, "ada");
	noted(d, "name@domain");
	enter(d, "ada@x.test");
	enter(d, "1234");
	enter(d, "1243");
	noted(d, "invalid password");
	enter(d, "1234");
	enter(d, "1234");
	at(d, STEP_STORE, "S18");
	assert_string_equal(d->user.panel_password, "1234");
}

static void to_store(struct dialogue *d)
{
	to_check(d);
	choose(d, false);
	choose(d, true);
	choose(d, false);
	enter(d, "pop.x.test");
	enter(d, "ada@x.test");
	enter(d, "");
	at(d, STEP_STORE, "S18");
}

static void S18_stores_and_forgets_the_passwords(void **state)
{
	struct dialogue *d = *state;

	to_store(d);
	assert_string_equal(d->user.tls, "starttls");
	assert_int_equal(d->user.port, 0);
	yes(d, ASK_STORE);
	noted(d, "user 100 is registered");
	assert_string_equal(d->user.password, "");
	at(d, STEP_NEXT, "S19");
}

static void S18_what_is_not_stored_is_said(void **state)
{
	struct dialogue *d = *state;

	to_store(d);
	no(d, ASK_STORE, "user registration filled: there are 10 users");
	noted(d, "not stored: user registration filled");
	at(d, STEP_NEXT, "S19");
}

static void S19_goes_on_with_S1_or_ends(void **state)
{
	struct dialogue *d = *state;

	to_store(d);
	yes(d, ASK_STORE);
	choose(d, true);
	at(d, STEP_ROOM, "S1");
	yes(d, ASK_ROOM);
	at(d, STEP_LOGIN, "S3");
	dialogue_key(d, PANEL_KEY_STOP);
	to_store(d);
	yes(d, ASK_STORE);
	choose(d, false);
	at(d, STEP_IDLE, "");
}

static void stop_ends_a_registration_anywhere(void **state)
{
	struct dialogue *d = *state;

	to_code(d);
	dialogue_key(d, PANEL_KEY_STOP);
	at(d, STEP_IDLE, "");
	assert_string_equal(d->user.password, "");
	assert_string_equal(d->input, "");
}

/*
 * Sending
 */

static void to_recipient(struct dialogue *d, bool checks)
{
	begin(d, PANEL_SEND);
	enter(d, "100");
	assert_int_equal(d->request, ASK_USER);
	dialogue_answer(d, &(struct panel_answer){ .text = "Ada", .yes = checks });
}

static void to_sending(struct dialogue *d, bool checks)
{
	to_recipient(d, checks);
	enter(d, "a@x.test");
	yes(d, ASK_SEND);
	at(d, STEP_SENDING, "S47");
}

static void job(struct dialogue *d, uint64_t id, bool collects, const char *state, bool final)
{
	const struct panel_job j = { id, collects, final, strcmp(state, "failed"), state, "words" };

	dialogue_job(d, &j);
}

static void S41_S42_the_user_code_is_looked_up(void **state)
{
	struct dialogue *d = *state;

	press(d, "1");			/* at rest a digit is a function key */
	at(d, STEP_SENDER, "S41");
	enter(d, "999");
	at(d, STEP_SENDER_KNOWN, "S42");
	no(d, ASK_USER, "there is no user 999");
	noted(d, "no user 999");
	at(d, STEP_SENDER, "S41");
	enter(d, "100");
	yes(d, ASK_USER);
	noted(d, "Ada");
	at(d, STEP_RECIPIENT, "S43");
}

/* E4: whose mail stays on the server for want of room is told so when he comes. */
static void S42_memory_full_is_said_to_its_user(void **state)
{
	struct dialogue *d = *state;

	begin(d, PANEL_SEND);
	enter(d, "100");
	dialogue_answer(d, &(struct panel_answer){ .text = "Ada", .notice = "memory is full" });
	noted(d, "sender: Ada\nmemory is full");
	at(d, STEP_RECIPIENT, "S43");
}

static void S43_takes_an_address(void **state)
{
	struct dialogue *d = *state;

	to_recipient(d, false);
	dialogue_key(d, PANEL_KEY_START);
	at(d, STEP_RECIPIENT, "S43");
	enter(d, "a@x.test");
	at(d, STEP_SEND, "S44");
	assert_int_equal(d->request, ASK_SEND);
	assert_string_equal(d->recipient, "a@x.test");
}

static void S43_takes_one_touch_keys(void **state)
{
	struct dialogue *d = *state;

	to_recipient(d, false);
	dialogue_key(d, PANEL_KEY_ONE_TOUCH + 9);	/* there is none */
	dialogue_key(d, PANEL_KEY_ONE_TOUCH + 1);
	dialogue_key(d, PANEL_KEY_ONE_TOUCH + 12);
	assert_string_equal(d->input, "ann@x.test, bob@x.test");
	dialogue_key(d, PANEL_KEY_STOP);
	to_recipient(d, false);
	enter(d, "#13");
	noted(d, "no such one-touch key");
	enter(d, "#12");
	assert_string_equal(d->recipient, "bob@x.test");
}

static void S43_is_answered_by_a_key_that_was_pressed_first(void **state)
{
	struct dialogue *d = *state;

	dialogue_key(d, PANEL_KEY_ONE_TOUCH + 1);
	at(d, STEP_SENDER, "S41");
	enter(d, "100");
	yes(d, ASK_USER);
	assert_string_equal(d->input, "ann@x.test");
	dialogue_key(d, PANEL_KEY_START);
	at(d, STEP_SEND, "S44");
}

static void S44_to_S47_are_followed_to_the_end(void **state)
{
	struct dialogue *d = *state;

	assert_null(dialogue_follows(d));
	to_sending(d, false);
	assert_string_equal(dialogue_follows(d), "100");
	job(d, 8, false, "failed", true);	/* another's */
	job(d, 7, false, "scanning", false);
	noted(d, "job 7: scanning\nwords");
	job(d, 7, false, "sent", true);
	noted(d, "job 7: sent");
	at(d, STEP_SHOWN, "");
	assert_null(dialogue_follows(d));
	press(d, "x");
	at(d, STEP_IDLE, "");
}

/* S46: some of the recipients get it encrypted: two jobs, and both are waited for. */
static void S46_S47_all_jobs_of_a_document_are_followed(void **state)
{
	struct dialogue *d = *state;

	to_recipient(d, true);
	enter(d, "a@x.test, b@x.test");
	dialogue_answer(d, &(struct panel_answer){ .jobs = (uint64_t[]){ 7, 8 }, .n_jobs = 2 });
	noted(d, "job 7 to a@x.test, b@x.test\njob 8 to");
	job(d, 8, false, "failed", true);
	job(d, 8, false, "failed", true);	/* told again: nothing new */
	at(d, STEP_SENDING, "S47");
	job(d, 7, false, "sending", false);
	noted(d, "job 7: sending\nwords\njob 8: failed\nwords");
	job(d, 7, false, "sent", true);
	at(d, STEP_COLLECTING, "S49");
	job(d, 9, true, "collected", true);
	at(d, STEP_SHOWN, "");
}

static void S45_S46_what_cannot_be_encrypted_is_said(void **state)
{
	struct dialogue *d = *state;

	to_recipient(d, false);
	enter(d, "a@x.test");
	no(d, ASK_SEND, "there is no key for a@x.test");
	noted(d, "no key for a@x.test");
	/* Put right, it is started again. */
	at(d, STEP_RECIPIENT, "S43");
	dialogue_key(d, PANEL_KEY_START);
	at(d, STEP_SEND, "S44");
	assert_string_equal(d->recipient, "a@x.test");
}

static void S48_off_ends_after_sending(void **state)
{
	struct dialogue *d = *state;

	to_sending(d, false);
	job(d, 7, false, "sent", true);
	at(d, STEP_SHOWN, "");
}

static void S48_on_leads_to_S49_which_is_followed(void **state)
{
	struct dialogue *d = *state;

	to_sending(d, true);
	job(d, 5, true, "collected", true);	/* an earlier one */
	job(d, 7, false, "sent", true);
	at(d, STEP_COLLECTING, "S49");
	job(d, 6, true, "collected", true);
	job(d, 9, false, "sent", true);
	at(d, STEP_COLLECTING, "S49");
	job(d, 8, true, "collecting", false);
	noted(d, "job 8: collecting");
	job(d, 10, true, "collected", true);
	at(d, STEP_COLLECTING, "S49");
	job(d, 8, true, "collected", true);
	noted(d, "job 8: collected");
	at(d, STEP_SHOWN, "");
}

static void S48_is_not_asked_where_sending_failed(void **state)
{
	struct dialogue *d = *state;

	to_sending(d, true);
	job(d, 7, false, "failed", true);
	noted(d, "job 7: failed");
	at(d, STEP_SHOWN, "");
}

static void S49_that_does_not_begin_is_not_waited_for(void **state)
{
	struct dialogue *d = *state;

	to_sending(d, true);
	for (int i = 0; i < 100; i++)
		dialogue_looked(d);
	at(d, STEP_SENDING, "S47");
	job(d, 7, false, "sent", true);
	for (int i = 0; i < 100 && d->step == STEP_COLLECTING; i++)
		dialogue_looked(d);
	noted(d, "The mail is sent. The mailbox is not looked into");
	at(d, STEP_SHOWN, "");
	/* One that has begun may take its time. */
	press(d, "x");
	to_sending(d, true);
	job(d, 7, false, "sent", true);
	job(d, 8, true, "collecting", false);
	for (int i = 0; i < 100; i++)
		dialogue_looked(d);
	at(d, STEP_COLLECTING, "S49");
}

static void stop_leaves_a_job_to_itself(void **state)
{
	struct dialogue *d = *state;

	to_sending(d, true);
	dialogue_key(d, PANEL_KEY_STOP);
	at(d, STEP_IDLE, "");
	job(d, 7, false, "sent", true);
	at(d, STEP_IDLE, "");
}

/*
 * The rest
 */

static void collecting_now_is_followed(void **state)
{
	struct dialogue *d = *state;

	begin(d, PANEL_COLLECT);
	enter(d, "999");
	no(d, ASK_COLLECT, "there is no user 999");
	noted(d, "no user 999");
	enter(d, "100");
	yes(d, ASK_COLLECT);
	job(d, 8, true, "collected", true);
	at(d, STEP_COLLECTING, "S49");
	job(d, 7, true, "collected", true);
	at(d, STEP_SHOWN, "");
}

static void kept_mail_is_printed_by_code_and_password(void **state)
{
	struct dialogue *d = *state;

	begin(d, PANEL_KEPT);
	enter(d, "100");
	dialogue_key(d, PANEL_KEY_START);	/* there must be one */
	at(d, STEP_KEPT_PASSWORD, "");
	enter(d, "1234");
	assert_string_equal(d->user.code, "100");
	assert_string_equal(d->user.panel_password, "1234");
	yes(d, ASK_KEPT);
	noted(d, "7 mails are printed");
	assert_string_equal(d->user.panel_password, "");
	press(d, "x");
	begin(d, PANEL_KEPT);
	enter(d, "100");
	enter(d, "4321");
	no(d, ASK_KEPT, "the user code or the password is wrong");
	noted(d, "password is wrong");
	at(d, STEP_SHOWN, "");
}

static void messages_are_shown_at_rest(void **state)
{
	struct dialogue *d = *state;
	char text[1100];

	dialogue_message(d, "12:00", "a@x.test", "first");
	dialogue_message(d, "12:01", "b@x.test", "second");
	noted(d, "b@x.test>\nsecond");
	begin(d, PANEL_MESSAGE);
	noted(d, "first");
	begin(d, PANEL_MESSAGE);
	noted(d, "second");
	begin(d, PANEL_SEND);
	noted(d, "");
	dialogue_key(d, PANEL_KEY_STOP);
	/* a long one, cut between two characters */
	memset(text, 'x', 999);
	strcpy(text + 999, "\xc3\xa4 and more");
	dialogue_message(d, "12:01", "b@x.test", text);
	noted(d, "xx [there is more, which is not shown]");
	for (int i = 0; i < 2 * PANEL_MESSAGES; i++)
		dialogue_message(d, "12:02", "c@x.test", "more");
	assert_int_equal(d->n_messages, PANEL_MESSAGES);
}

static void the_panel_is_left_at_rest_alone(void **state)
{
	struct dialogue *d = *state;

	to_login(d);
	begin(d, PANEL_LEAVE);
	assert_false(d->leave);
	dialogue_key(d, PANEL_KEY_STOP);
	begin(d, PANEL_LEAVE);
	assert_true(d->leave);
}

/* Any keys at all, and any answers: nothing is written beyond its place. */
static void any_keys(void **state)
{
	static const uint64_t jobs[] = { 7, 8, 9, 10 };
	static const uint32_t keys[] = {
		PANEL_KEY_START, PANEL_KEY_START, PANEL_KEY_START, PANEL_KEY_CLEAR,
		PANEL_KEY_CHANGE, 'a', '@', '1', '0', '#', ' ', 0xe9, 0x20ac, 0x1f600, 0x10ffff,
		PANEL_KEY_FUNCTION + PANEL_SEND, PANEL_KEY_FUNCTION + PANEL_REGISTER,
		PANEL_KEY_FUNCTION + PANEL_COLLECT, PANEL_KEY_FUNCTION + PANEL_KEPT,
		PANEL_KEY_FUNCTION + 200,
		PANEL_KEY_ONE_TOUCH + 1, PANEL_KEY_ONE_TOUCH + 12, PANEL_KEY_ONE_TOUCH + 77, 0, 5,
	};
	struct dialogue *d = *state;
	struct panel_display shown;
	uint64_t seen = 0;

	srand(1);
	for (int i = 0; i < 300000; i++) {
		seen |= 1ull << d->step;
		if (d->request && rand() % 2)
			dialogue_answer(d, &(struct panel_answer){
				.error = rand() % 8 ? NULL : "no", .yes = true, .number = 7,
				.jobs = jobs, .n_jobs = 1 + rand() % ARRAY_SIZE(jobs) });
		if (d->step == STEP_SENDING || d->step == STEP_COLLECTING)
			job(d, 7 + rand() % 4, d->step == STEP_COLLECTING, "sent", rand() % 2);
		seen |= 1ull << d->step;
		dialogue_key(d, rand() % 999 ? keys[rand() % ARRAY_SIZE(keys)] : PANEL_KEY_STOP);
		dialogue_display(d, &shown);
		assert_true(strlen(shown.input) <= PANEL_INPUT_MAX);
	}
	assert_int_equal(seen, (1ull << _PANEL_STEPS) - 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(S1_asks_whether_the_table_is_full),
		T(S2_says_that_it_is_and_quits),
		T(S3_S4_S5_ask_for_log_in_and_password_twice),
		T(S3_without_a_mailbox_goes_on_to_S8),
		T(S6_S7_passwords_that_differ_are_invalid),
		T(S8_S9_a_free_code_is_taken),
		T(S10_a_code_that_is_taken_is_asked_for_again),
		T(S11_asks_for_the_name),
		T(S12_off_leads_to_S15),
		T(S12_S13_on_leads_to_S15),
		T(S13_off_leads_to_S14),
		T(S14_takes_1_to_31_days),
		T(S15_S16_S17_are_on_or_off),
		T(after_S17_server_address_and_panel_password),
		T(S18_stores_and_forgets_the_passwords),
		T(S18_what_is_not_stored_is_said),
		T(S19_goes_on_with_S1_or_ends),
		T(stop_ends_a_registration_anywhere),
		T(S41_S42_the_user_code_is_looked_up),
		T(S42_memory_full_is_said_to_its_user),
		T(S43_takes_an_address),
		T(S43_takes_one_touch_keys),
		T(S43_is_answered_by_a_key_that_was_pressed_first),
		T(S44_to_S47_are_followed_to_the_end),
		T(S46_S47_all_jobs_of_a_document_are_followed),
		T(S45_S46_what_cannot_be_encrypted_is_said),
		T(S48_off_ends_after_sending),
		T(S48_on_leads_to_S49_which_is_followed),
		T(S48_is_not_asked_where_sending_failed),
		T(S49_that_does_not_begin_is_not_waited_for),
		T(stop_leaves_a_job_to_itself),
		T(collecting_now_is_followed),
		T(kept_mail_is_printed_by_code_and_password),
		T(messages_are_shown_at_rest),
		T(the_panel_is_left_at_rest_alone),
		T(any_keys),
	};

	return cmocka_run_group_tests_name("panel dialogue", tests, NULL, NULL);
}
