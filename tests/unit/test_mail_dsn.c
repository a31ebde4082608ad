// SPDX-License-Identifier: LGPL-2.1-or-later
/* Notices as they are written, and reports as they are read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>

#include "mail/dsn.h"
#include "mail/incoming.h"

static const char original[] = "From: fax@example.test\r\n"
			       "Message-ID: <7.7@example.test>\r\n"
			       "Subject: a page\r\n"
			       "\r\n"
			       "The text of the mail.\r\n";

static const struct dsn_rcpt refused = {
	.address = "nobody@far.test",
	.orcpt = "rfc822;Nobody@far.test",
	.action = DSN_FAILED,
	.status = "5.1.1",
	.remote = "mx.far.test",
	.diagnostic = "550 5.1.1 no such user",
	.text = "mx.far.test says: no such user",
	.last_attempt = 1700000000000000,
};

static struct dsn_spec plain(const struct dsn_rcpt *rcpts, size_t n)
{
	return (struct dsn_spec){
		.hostname = "box.test",
		.to = "fax@example.test",
		.message_id = "<1.2@box.test>",
		.date = 1700000000000000,
		.arrival = 1699999999000000,
		.envid = "job-7",
		.rcpts = rcpts,
		.n_rcpts = n,
		.original = original,
		.original_len = sizeof(original) - 1,
	};
}

static bool has(const struct buffer *b, const char *text)
{
	return memmem(b->data, b->len, text, strlen(text));
}

static void build(const struct dsn_spec *s, struct buffer *b, bool *eight_bit)
{
	struct error e = {0};

	assert_int_equal(dsn_build(s, b, eight_bit, &e), 0);
	/* what RFC 5321 forbids on the wire */
	for (size_t i = 0, line = 0; i < b->len; i++) {
		line = b->data[i] == '\n' ? 0 : line + 1;
		assert_true(line <= 998);
		if (b->data[i] == '\n')
			assert_true(i && b->data[i - 1] == '\r');
		if (b->data[i] == '\r')
			assert_true(i + 1 < b->len && b->data[i + 1] == '\n');
	}
}

static void G2_a_refusal_has_every_field(void **state)
{
	struct dsn_spec s = plain(&refused, 1);
	_buffer_ struct buffer b = {0};
	bool eight_bit = true;

	build(&s, &b, &eight_bit);
	assert_false(eight_bit);
	assert_true(has(&b, "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"));
	assert_true(has(&b, "From: Mail Delivery System <MAILER-DAEMON@box.test>\r\n"));
	assert_true(has(&b, "To: <fax@example.test>\r\n"));
	assert_true(has(&b, "Auto-Submitted: auto-replied\r\n"));
	assert_true(has(&b, "Content-Type: multipart/report; report-type=delivery-status;\r\n"));
	assert_true(has(&b, "Reporting-MTA: dns; box.test\r\nOriginal-Envelope-Id: job-7\r\n"));
	assert_true(has(&b, "\r\n\r\nOriginal-Recipient: rfc822;Nobody@far.test\r\n"
			    "Final-Recipient: rfc822; nobody@far.test\r\n"
			    "Action: failed\r\nStatus: 5.1.1\r\n"
			    "Remote-MTA: dns; mx.far.test\r\n"
			    "Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n"
			    "Last-Attempt-Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"));
	assert_true(has(&b, "mx.far.test says: no such user\r\n"));
}

static void only_the_header_comes_back_unless_all_is_asked_for(void **state)
{
	struct dsn_spec s = plain(&refused, 1);
	_buffer_ struct buffer header = {0}, full = {0};
	bool eight_bit;

	build(&s, &header, &eight_bit);
	assert_true(has(&header, "Content-Type: text/rfc822-headers\r\n"));
	assert_true(has(&header, "Subject: a page\r\n"));
	assert_false(has(&header, "The text of the mail."));
	s.full = true;
	build(&s, &full, &eight_bit);
	assert_true(has(&full, "Content-Type: message/rfc822\r\n"));
	assert_true(has(&full, "The text of the mail.\r\n"));
}

/* Where the sentence tells of a reply, it stands for itself as well. */
static void the_reply_is_told_word_for_word(void **state)
{
	static const struct {
		const char *text, *remote, *want;
		enum dsn_action action;
	} rows[] = {
		{ "mx:25: the server refused the recipient: 550 5.1.1 who: 400 of them?", "mx",
		  "\r\nDiagnostic-Code: smtp; 550 5.1.1 who: 400 of them?\r\n", DSN_FAILED },
		{ "given up after 3 attempts; the last said: mx:25: the server refused the "
		  "message: 451 busy", "mx", "\r\nDiagnostic-Code: smtp; 451 busy\r\n",
		  DSN_FAILED },
		{ "mx:25: accepted: 250 ok", "mx", NULL, DSN_RELAYED },
		{ "mx: 5501 cannot be reached: 4 times", "mx", NULL, DSN_DELAYED },
		{ "there is no user 100: 550 at this box", NULL, NULL, DSN_FAILED },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct dsn_rcpt r = { .address = "a@far.test", .action = rows[i].action,
				      .text = rows[i].text, .remote = rows[i].remote };
		struct dsn_spec s = plain(&r, 1);
		_buffer_ struct buffer b = {0};
		bool eight_bit;

		build(&s, &b, &eight_bit);
		assert_int_equal(has(&b, rows[i].want ? rows[i].want : "Diagnostic-Code"),
				 rows[i].want != NULL);
	}
}

/* A notice must not stumble over what the mail stumbled over. */
static void what_could_not_go_does_not_come_back(void **state)
{
	static const char *const status[] = { "5.2.3", "5.3.4", "5.6.3", "5.6.7" };
	static const char mail[] = "Subject: gr\xc3\xb6\xc3\x9f" "e\r\n\r\n\xc3\xa4\r\n";

	for (size_t i = 0; i < sizeof(status) / sizeof(status[0]); i++) {
		struct dsn_rcpt r = { .address = "a@far.test", .action = DSN_FAILED,
				      .status = status[i] };
		struct dsn_spec s = plain(&r, 1);
		_buffer_ struct buffer b = {0};
		bool eight_bit = true;

		s.full = true;
		s.original = mail;
		s.original_len = sizeof(mail) - 1;
		build(&s, &b, &eight_bit);
		assert_false(eight_bit);
		assert_true(has(&b, "Content-Type: text/rfc822-headers\r\n"
				    "Content-Transfer-Encoding: 7bit\r\n\r\n"
				    "Subject: gr????e\r\n\r\n--"));
	}
}

static void each_recipient_has_a_group_of_its_own(void **state)
{
	const struct dsn_rcpt rcpts[] = {
		refused,
		{ .address = "slow@far.test", .action = DSN_DELAYED,
		  .retry_until = 1700086400000000 },
		{ .address = "here@box.test", .action = DSN_DELIVERED },
		{ .address = "old@far.test", .action = DSN_RELAYED },
	};
	struct dsn_spec s = plain(rcpts, 4);
	_buffer_ struct buffer b = {0};
	bool eight_bit;

	build(&s, &b, &eight_bit);
	assert_true(has(&b, "Subject: Undelivered mail\r\n"));
	assert_true(has(&b, "\r\n\r\nFinal-Recipient: rfc822; slow@far.test\r\n"
			    "Action: delayed\r\nStatus: 4.0.0\r\n"
			    "Will-Retry-Until: Wed, 15 Nov 2023 22:13:20 +0000\r\n"));
	assert_true(has(&b, "Action: delivered\r\nStatus: 2.0.0\r\n"));
	assert_true(has(&b, "Action: relayed\r\nStatus: 2.0.0\r\n"));
}

static void nothing_from_outside_begins_a_line(void **state)
{
	struct dsn_rcpt evil = refused;
	struct dsn_spec s = plain(&evil, 1);
	_buffer_ struct buffer b = {0};
	bool eight_bit;

	evil.diagnostic = "550 no\r\nX-Evil: yes\r\n\r\n--";
	evil.orcpt = "rfc822;a\nX-Evil: yes";
	evil.text = "no\rX-Evil: yes";
	evil.remote = "mx\nX-Evil: yes";
	s.envid = "id\r\nX-Evil: yes";
	build(&s, &b, &eight_bit);
	assert_false(has(&b, "\nX-Evil"));
	assert_false(has(&b, "\rX-Evil"));
}

static void long_and_beyond_ascii(void **state)
{
	struct dsn_rcpt far = { .address = "b\xc3\xbcro@far.test", .action = DSN_FAILED };
	struct dsn_spec s = plain(&far, 1);
	_buffer_ struct buffer b = {0};
	char longest[3000];
	bool eight_bit = false;

	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	far.diagnostic = longest;
	build(&s, &b, &eight_bit);
	assert_true(eight_bit);
	assert_true(has(&b, "Content-Type: message/global-delivery-status\r\n"));
	assert_true(has(&b, "Final-Recipient: utf-8; b\xc3\xbcro@far.test\r\n"));
}

static void what_is_missing_is_refused(void **state)
{
	struct dsn_spec s = plain(&refused, 0);
	_buffer_ struct buffer b = {0};
	struct error e = {0};
	bool eight_bit;

	assert_int_equal(dsn_build(&s, &b, &eight_bit, &e), -EINVAL);
	s = plain(&refused, 1);
	s.to = "";
	assert_int_equal(dsn_build(&s, &b, &eight_bit, &e), -EINVAL);
	s.to = "a@b\r\nBcc: c@d";
	assert_int_equal(dsn_build(&s, &b, &eight_bit, &e), -EINVAL);
	s = plain(&refused, 1);
	s.message_id = "none";
	assert_int_equal(dsn_build(&s, &b, &eight_bit, &e), -EINVAL);
	assert_int_equal(b.len, 0);
}

static void G2_what_is_written_can_be_read(void **state)
{
	const struct dsn_rcpt rcpts[] = {
		refused, { .address = "slow@far.test", .action = DSN_DELAYED } };
	struct dsn_spec s = plain(rcpts, 2);
	_buffer_ struct buffer b = {0};
	struct incoming in;
	struct error e = {0};
	bool eight_bit;

	for (int full = 0; full < 2; full++) {
		buffer_clear(&b);
		s.full = full;
		build(&s, &b, &eight_bit);
		assert_int_equal(incoming_parse(b.data, b.len, NULL, &in, &e), 0);
		assert_int_equal(in.report.kind, REPORT_DELIVERY);
		assert_string_equal(in.report.envid, "job-7");
		assert_string_equal(in.report.message_id, "<7.7@example.test>");
		assert_int_equal(in.report.n_rcpts, 2);
		assert_string_equal(in.report.rcpts[0].address, "nobody@far.test");
		assert_string_equal(in.report.rcpts[0].original, "Nobody@far.test");
		assert_string_equal(in.report.rcpts[0].status, "5.1.1");
		assert_string_equal(in.report.rcpts[0].diagnostic, "550 5.1.1 no such user");
		assert_int_equal(in.report.rcpts[0].action, REPORT_FAILED);
		assert_int_equal(in.report.rcpts[1].action, REPORT_DELAYED);
		incoming_free(&in);
	}
}

static struct report read_status(const char *text, enum report_kind kind)
{
	struct report r = {0};

	report_parse_status(text, strlen(text), kind, &r);
	return r;
}

/* As Postfix, Exim and Sendmail write them: folded, with comments, fields of their own. */
static void reports_of_other_servers(void **state)
{
	struct report r = read_status("Reporting-MTA: dns; mail.test\n"
				      "X-Postfix-Queue-ID: ABC\n"
				      "Arrival-Date: Mon, 1 Jan 2024 00:00:00 +0000\n"
				      "\n"
				      "Final-Recipient: rfc822;a@b.test\n"
				      "Action: FAILED (unknown user)\n"
				      "Status: 5.1.1 (no such mailbox)\n"
				      "Diagnostic-Code: smtp; 550 5.1.1\n"
				      "    <a@b.test>: rejected\n"
				      "\n\n"
				      "Final-Recipient: RFC822; c@b.test\n"
				      "Action: relayed\n"
				      "Status: 2.0.0\n",
				      REPORT_DELIVERY);

	assert_int_equal(r.n_rcpts, 2);
	assert_int_equal(r.rcpts[0].action, REPORT_FAILED);
	assert_string_equal(r.rcpts[0].status, "5.1.1");
	assert_string_equal(r.rcpts[0].diagnostic, "550 5.1.1    <a@b.test>: rejected");
	assert_string_equal(r.rcpts[1].address, "c@b.test");
	assert_int_equal(r.rcpts[1].action, REPORT_RELAYED);
}

#define MIXED(subtype, rest)							\
	"From: d@b.test\r\nTo: a@b.test\r\nMIME-Version: 1.0\r\n"			\
	"Content-Type: multipart/" subtype "; boundary=\"1/b\"\r\n\r\n"			\
	"--1/b\r\nContent-Type: text/plain\r\n\r\nHi!\r\n"				\
	"--1/b\r\nContent-Type: message/delivery-status\r\n\r\n"			\
	"Reporting-MTA: dns; b.test\r\n\r\nFinal-Recipient: rfc822; x@b.test\r\n"	\
	"Action: delivered\r\nStatus: 2.0.0\r\n\r\n"				\
	rest "--1/b--\r\n"

/* OpenSMTPD calls its reports multipart/mixed; a status beside a document is just a part. */
static void a_report_by_what_is_in_it(void **state)
{
	static const struct {
		const char *mail;
		enum report_kind kind;
	} mails[] = {
		{ MIXED("mixed", "--1/b\r\nContent-Type: message/rfc822\r\n\r\n"
				 "Message-Id: <7@b.test>\r\n\r\nx\r\n"), REPORT_DELIVERY },
		{ MIXED("mixed", "--1/b\r\nContent-Type: text/rfc822-headers\r\n\r\n"
				 "Message-Id: <7@b.test>\r\n"), REPORT_DELIVERY },
		{ MIXED("mixed", "--1/b\r\nContent-Type: image/tiff\r\n\r\nII*\r\n"),
		  REPORT_NONE },
	};

	for (size_t i = 0; i < sizeof(mails) / sizeof(mails[0]); i++) {
		struct incoming in;
		struct error e = {0};

		incoming_parse(mails[i].mail, strlen(mails[i].mail), NULL, &in, &e);
		assert_int_equal(in.report.kind, mails[i].kind);
		if (mails[i].kind != REPORT_NONE) {
			assert_string_equal(in.report.message_id, "<7@b.test>");
			assert_int_equal(in.report.rcpts[0].action, REPORT_DELIVERED);
		}
		incoming_free(&in);
	}
}

static void G4_dispositions(void **state)
{
	static const struct {
		const char *value;
		enum report_action action;
	} cases[] = {
		{ "automatic-action/MDN-sent-automatically; dispatched", REPORT_DELIVERED },
		{ "manual-action/MDN-sent-manually; displayed", REPORT_DELIVERED },
		{ "automatic-action/MDN-sent-automatically; processed/error", REPORT_FAILED },
		{ "manual-action/MDN-sent-manually;deleted", REPORT_FAILED },
		{ "nonsense", REPORT_UNKNOWN },
	};
	char text[300];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(text, sizeof(text),
			 "Reporting-UA: fax; x\r\nFinal-Recipient: rfc822;a@b.test\r\n"
			 "Original-Message-ID: <7.7@example.test>\r\nDisposition: %s\r\n",
			 cases[i].value);
		struct report r = read_status(text, REPORT_DISPOSITION);

		assert_int_equal(r.n_rcpts, 1);
		assert_string_equal(r.rcpts[0].address, "a@b.test");
		assert_string_equal(r.message_id, "<7.7@example.test>");
		assert_int_equal(r.rcpts[0].action, cases[i].action);
	}
}

static void more_recipients_than_there_is_room_for(void **state)
{
	_buffer_ struct buffer b = {0};
	struct report r = {0};

	buffer_printf(&b, "Reporting-MTA: dns; x\r\n");
	for (int i = 0; i < REPORT_RCPTS + 5; i++)
		buffer_printf(&b, "\r\nFinal-Recipient: rfc822;u%d@b.test\r\nAction: x\r\n", i);
	report_parse_status(b.data, b.len, REPORT_DELIVERY, &r);
	assert_int_equal(r.n_rcpts, REPORT_RCPTS);
	assert_string_equal(r.rcpts[REPORT_RCPTS - 1].address, "u31@b.test");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(G2_a_refusal_has_every_field),
		cmocka_unit_test(only_the_header_comes_back_unless_all_is_asked_for),
		cmocka_unit_test(the_reply_is_told_word_for_word),
		cmocka_unit_test(what_could_not_go_does_not_come_back),
		cmocka_unit_test(each_recipient_has_a_group_of_its_own),
		cmocka_unit_test(nothing_from_outside_begins_a_line),
		cmocka_unit_test(long_and_beyond_ascii),
		cmocka_unit_test(what_is_missing_is_refused),
		cmocka_unit_test(G2_what_is_written_can_be_read),
		cmocka_unit_test(reports_of_other_servers),
		cmocka_unit_test(a_report_by_what_is_in_it),
		cmocka_unit_test(G4_dispositions),
		cmocka_unit_test(more_recipients_than_there_is_room_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
