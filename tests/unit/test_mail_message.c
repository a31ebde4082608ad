// SPDX-License-Identifier: LGPL-2.1-or-later
/* The mail that carries a document. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>

#include "mail/address.h"
#include "mail/incoming.h"
#include "mail/message.h"

static const char *const to[] = {"office@example.test", "two@example.test"};
static char data[5000];

static struct message_spec plain(void)
{
	return (struct message_spec){
		.from = "fax@example.test",
		.from_name = "Front Desk",
		.to = to,
		.n_to = 2,
		.subject = "Fax of 2 pages",
		.message_id = "<1.2@example.test>",
		.date = 1700000000000000,
		.text = "Two pages follow.\n",
		.filename = "fax-1.tif",
		.tiff = data,
		.tiff_len = sizeof(data),
	};
}

static bool has(const struct buffer *b, const char *text)
{
	return memmem(b->data, b->len, text, strlen(text));
}

static const struct incoming_item *only_file(const struct incoming *in)
{
	for (size_t i = 0; i < in->n_items; i++)
		if (in->items[i].kind == INCOMING_TIFF)
			return &in->items[i];
	fail_msg("there is no file");
	return NULL;
}

static void P1_it_has_every_header(void **state)
{
	struct message_spec s = plain();
	_buffer_ struct buffer b = {0};
	struct error e;

	assert_int_equal(message_build(&s, &b, &e), 0);
	assert_true(has(&b, "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"));
	assert_true(has(&b, "Message-Id: <1.2@example.test>\r\n"));
	assert_true(has(&b, "MIME-Version: 1.0\r\n"));
	assert_true(has(&b, "X-Mailer: ifax "));
	assert_true(has(&b, "From: Front Desk <fax@example.test>\r\n"));
	assert_true(has(&b, "Subject: Fax of 2 pages\r\n"));
	assert_true(has(&b, "To: office@example.test, two@example.test\r\n"));
	assert_true(has(&b, "Content-Type: multipart/mixed; boundary="));
	assert_true(has(&b, "Content-Type: text/plain"));
	assert_true(has(&b, "Two pages follow.\r\n"));
	assert_true(has(&b, "Content-Type: image/tiff; application=faxbw; name=fax-1.tif\r\n"));
	assert_true(has(&b, "Content-Disposition: attachment; filename=fax-1.tif\r\n"));
	assert_true(has(&b, "Content-Transfer-Encoding: base64\r\n"));
	assert_memory_equal(b.data + b.len - 4, "--\r\n", 4);
}

/* The position of a header field that must be there, at the start of a line. */
static size_t place(const struct buffer *b, const char *field)
{
	char line[80];
	const char *at;

	snprintf(line, sizeof(line), "%s", field);
	if (b->len >= strlen(line) && !memcmp(b->data, line, strlen(line)))
		return 0;
	snprintf(line, sizeof(line), "\r\n%s", field);
	at = memmem(b->data, b->len, line, strlen(line));
	if (!at)
		fail_msg("there is no \"%s\" in %.600s", field, b->data);
	return (size_t)(at - b->data);
}

/* P1: the same fields in the order and the spelling of Panasonic's Internet faxes. */
static void P1_panasonic_look(void **state)
{
	static const char *const order[] = {
		"Date: Tue, 14 Nov 2023", "Message-Id: <1.2@example.test>\r\n",
		"Mime-Version: 1.0\r\n", "X-Mailer: Internet FAX, ", "From: \"Front",
		"Subject: IMAGE from Internet FAX", "To: office@example.test",
		"Content-Type: multipart/mixed; boundary=+-+-+-",
	};
	struct message_spec s = plain();
	_buffer_ struct buffer b = {0};
	struct incoming in = {0};
	struct error e;
	size_t last = 0, at;

	s.style = MESSAGE_PANASONIC;
	s.subject = MESSAGE_PANASONIC_SUBJECT;
	s.from_name = "Front, Desk";
	assert_int_equal(message_build(&s, &b, &e), 0);
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		at = place(&b, order[i]);
		assert_true(i ? at > last : at == 0);
		last = at;
	}
	assert_null(memmem(b.data, b.len, "MIME-Version", 12));
	/* What says so is read here, too. */
	assert_int_equal(incoming_parse(b.data, b.len, NULL, &in, &e), 0);
	assert_string_equal(in.summary.from, "fax@example.test");
	assert_string_equal(in.summary.from_name, "Front, Desk");
	assert_string_equal(in.summary.message_id, "<1.2@example.test>");
	assert_int_equal(incoming_count(&in, INCOMING_TIFF), 1);
	assert_int_equal(only_file(&in)->len, sizeof(data));
	incoming_free(&in);
}

/* P2: what such a fax sends, by the servers that it went through, is read. */
static void P2_panasonic_mail_is_read(void **state)
{
	static const char mail[] =
		"X-UIDL: 8f32e4b1d691fdfc28daa812d913f572\r\n"
		"Received: from relay.example.test by pop.example.test (8.9.3/3.7W-RDMG)\r\n"
		"\twith ESMTP id PAA09160 for <fax@example.test>;\r\n"
		"\tSun, 01 Apr 2007 15:04:50 +0900 (JST)\r\n"
		"Received: from nwr35\r\n"
		"\tby relay.example.test (8.9.3/3.7W-RDMG) with SMTP id PAA09157\r\n"
		"\tfor <fax@example.test>; Sun, 01 Apr 2007 15:04:48 +0900 (JST)\r\n"
		"Date: Sun, 01 Apr 2007 15:04:48 +0900 (JST)\r\n"
		"Message-Id: <200704010604.PAA09157@relay.example.test>\r\n"
		"Mime-Version: 1.0\r\n"
		"X-Mailer: Internet FAX, Panasonic\r\n"
		"From: \"Panasonic\" <uf@example.test>\r\n"
		"Subject: IMAGE from Internet FAX\r\n"
		"To: fax@example.test\r\n"
		"Content-Type: multipart/mixed; boundary=\"+-+-+-Pan-+-+\"\r\n"
		"Status: RO\r\n"
		"\r\n"
		"--+-+-+-Pan-+-+\r\n"
		"Content-Type: text/plain; charset=\"us-ascii\"\r\n"
		"\r\n"
		"An image data in TIFF-F format has been attached to this email.\r\n"
		"--+-+-+-Pan-+-+ \r\n"
		"Content-Type: image/tiff; name=\"image.tif\"\r\n"
		"Content-Transfer-Encoding: base64\r\n"
		"Content-Disposition: attachment; filename=\"image.tif\"\r\n"
		"\r\n"
		"SUkqAAgAAAAAAAAA\r\n"
		"--+-+-+-Pan-+-+--\r\n"
		"\r\n";
	struct incoming in = {0};
	struct error e;

	assert_int_equal(incoming_parse(mail, sizeof(mail) - 1, NULL, &in, &e), 0);
	assert_string_equal(in.summary.from, "uf@example.test");
	assert_string_equal(in.summary.from_name, "Panasonic");
	assert_string_equal(in.summary.subject, "IMAGE from Internet FAX");
	assert_string_equal(in.summary.message_id, "<200704010604.PAA09157@relay.example.test>");
	assert_int_equal(in.summary.date, 1175407488);
	assert_int_equal(incoming_count(&in, INCOMING_TIFF), 1);
	assert_int_equal(only_file(&in)->len, 12);
	assert_memory_equal(only_file(&in)->data, "II*\0", 4);
	incoming_free(&in);
}

static void lines_end_in_crlf_and_are_short(void **state)
{
	struct message_spec s = plain();
	_buffer_ struct buffer b = {0};
	size_t line = 0;
	struct error e;

	s.subject =
		"A subject that goes on and on, about the quarterly figures of all branches, "
		"and about what B\xc3\xbcro and \xe6\x9d\xb1\xe4\xba\xac said about them last week";
	s.text =
		"A line of the text that is longer than seventy-six characters, as people do write "
		"them.\nb\xc3\xbcro\n.\nFrom me\n";
	assert_int_equal(message_build(&s, &b, &e), 0);
	for (size_t i = 0; i < b.len; i++) {
		assert_true((unsigned char)b.data[i] < 0x80);
		if (b.data[i] == '\n') {
			assert_true(i && b.data[i - 1] == '\r');
			assert_true(line - 1 <= 78);
			line = 0;
			continue;
		}
		assert_true(b.data[i] != '\r' || b.data[i + 1] == '\n');
		line++;
	}
	assert_int_equal(line, 0);
}

static void no_header_can_be_smuggled_in(void **state)
{
	static const char *const poison[] = {
		"x\r\nBcc: evil@example.test",
		"x\nBcc: evil@example.test",
		"x\rBcc: a",
		"x\t",
		"x\x7f",
		"x\xc2\x85y",
		"\xff\xfe",
	};

	for (size_t i = 0; i < sizeof(poison) / sizeof(*poison); i++)
		for (int field = 0; field < 6; field++) {
			struct message_spec s = plain();
			_buffer_ struct buffer b = {0};
			const char *list[] = {poison[i]};
			struct error e = {0};

			if (field == 0)
				s.subject = poison[i];
			if (field == 1)
				s.from_name = poison[i];
			if (field == 2)
				s.from = poison[i];
			if (field == 3)
				s.filename = poison[i];
			if (field == 4)
				s.message_id = poison[i];
			if (field == 5) {
				s.to = list;
				s.n_to = 1;
			}
			assert_int_equal(message_build(&s, &b, &e), -EINVAL);
			assert_true(strlen(e.text) > 10);
			assert_int_equal(b.len, 0);
		}
}

static void missing_and_wild_values_are_refused(void **state)
{
	struct message_spec s = plain();
	_buffer_ struct buffer b = {0};
	char subject[600];
	struct error e;

	s.n_to = 0;
	assert_int_equal(message_build(&s, &b, &e), -EINVAL);
	s = plain();
	memset(subject, 'x', sizeof(subject) - 1);
	subject[sizeof(subject) - 1] = '\0';
	s.subject = subject;
	assert_int_equal(message_build(&s, &b, &e), -EINVAL);
	s = plain();
	s.text = "bell \a";
	assert_int_equal(message_build(&s, &b, &e), -EINVAL);
	s = plain();
	s.message_id = "<a b@c>";
	assert_int_equal(message_build(&s, &b, &e), -EINVAL);
}

static void names_come_through_as_they_were(void **state)
{
	static const char *const names[] = {
		"B\xc3\xbcro, \"100\" <x>", "=?utf-8?q?x?=", "a\\b", "(comment)",
		"\xe6\x9d\xb1\xe4\xba\xac",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct message_spec s = plain();
		_buffer_ struct buffer b = {0};
		const struct incoming_item *file;
		struct incoming in;
		struct error e;

		s.from_name = s.subject = names[i];
		s.filename = "pages of B\xc3\xbcro.tif";
		assert_int_equal(message_build(&s, &b, &e), 0);
		assert_int_equal(incoming_parse(b.data, b.len, NULL, &in, &e), 0);
		assert_string_equal(in.summary.from, "fax@example.test");
		if (names[i][0] != '=') { /* looks encoded, and is read as such */
			assert_string_equal(in.summary.from_name, names[i]);
			assert_string_equal(in.summary.subject, names[i]);
		}
		assert_string_equal(in.summary.message_id, "<1.2@example.test>");
		assert_int_equal(in.summary.date, 1700000000);
		assert_int_equal(incoming_count(&in, INCOMING_TIFF), 1);
		file = &in.items[in.n_items - 1];
		assert_string_equal(file->name, "pages of B\xc3\xbcro.tif");
		assert_int_equal(file->len, sizeof(data));
		assert_memory_equal(file->data, data, sizeof(data));
		incoming_free(&in);
	}
}

static void message_ids_are_unique_and_sound(void **state)
{
	char *a = message_id_make("fax.example.test"), *b = message_id_make("fax.example.test");
	struct message_spec s = plain();
	_buffer_ struct buffer out = {0};
	struct error e;

	assert_string_not_equal(a, b);
	a[strlen(a) - 1] = '\0';
	assert_int_equal(address_check(a + 1, &e), 0);
	s.message_id = b;
	assert_int_equal(message_build(&s, &out, &e), 0);
	free(a);
	free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(P1_it_has_every_header),
		cmocka_unit_test(P1_panasonic_look),
		cmocka_unit_test(P2_panasonic_mail_is_read),
		cmocka_unit_test(lines_end_in_crlf_and_are_short),
		cmocka_unit_test(no_header_can_be_smuggled_in),
		cmocka_unit_test(missing_and_wild_values_are_refused),
		cmocka_unit_test(names_come_through_as_they_were),
		cmocka_unit_test(message_ids_are_unique_and_sound),
	};

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = i * 7;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
