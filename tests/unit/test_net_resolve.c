/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names, asked of a name server of the test's own on the same event loop. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "net/resolve.h"
#include "net/smtp_session.h"

enum { A = 1, MX = 15, AAAA = 28 };
enum { NXDOMAIN = 3, SERVFAIL = 2 };

static const struct record {
	const char *name;
	int type;
	int rcode;
	int preference;
	const char *value;
} records[] = {
	{ "two.test", MX, 0, 20, "b.test" },
	{ "two.test", MX, 0, 10, "a.test" },
	{ "two.test", MX, 0, 30, "c.test" },
	{ "null.test", MX, 0, 0, "" },
	{ "broken.test", MX, SERVFAIL, 0, NULL },
	{ "broken.test", A, SERVFAIL, 0, NULL },
	{ "broken.test", AAAA, SERVFAIL, 0, NULL },
	{ "a.test", A, 0, 0, "127.0.0.9" },
	{ "plain.test", A, 0, 0, "127.0.0.8" },
};

struct test {
	sd_event *event;
	int dns;
	char servers[32];
	struct net_query *query;
	int calls, r;
	struct buffer log;
	bool within;		/* the function that starts the query has not returned */
	bool done;
	enum smtp_result result;
};

static void put16(struct buffer *b, int v)
{
	const uint8_t o[] = { v >> 8, v };

	buffer_append(b, o, 2);
}

static void put_name(struct buffer *b, const char *name)
{
	while (*name) {
		uint8_t n = strcspn(name, ".");

		buffer_append(b, &n, 1);
		buffer_append(b, name, n);
		name += n + (name[n] == '.');
	}
	buffer_append(b, "", 1);
}

static void put_record(struct buffer *b, const struct record *r)
{
	_buffer_ struct buffer data = { 0 };
	struct in_addr a;

	if (r->type == MX) {
		put16(&data, r->preference);
		put_name(&data, r->value);
	} else {
		inet_pton(AF_INET, r->value, &a);
		buffer_append(&data, &a, 4);
	}
	put16(b, 0xc00c);		/* the name asked for */
	put16(b, r->type);
	put16(b, 1);
	put16(b, 0);
	put16(b, 60);
	put16(b, data.len);
	buffer_append(b, data.data, data.len);
}

/* "a.test" out of a question, and where it ends. */
static size_t question(const uint8_t *q, size_t len, char *name, size_t size)
{
	size_t i = 12, n = 0;

	while (i < len && q[i]) {
		for (int k = q[i++]; k && i < len && n + 2 < size; k--)
			name[n++] = q[i++];
		name[n++] = '.';
	}
	name[n ? n - 1 : 0] = '\0';
	return i + 1;
}

static int on_question(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	_buffer_ struct buffer b = { 0 }, answers = { 0 };
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	int type, n = 0, rcode = NXDOMAIN;
	char name[256];
	uint8_t q[512];
	ssize_t len;
	size_t end;

	len = recvfrom(fd, q, sizeof(q), 0, (struct sockaddr *)&from, &from_len);
	assert_true(len > 16);
	end = question(q, len, name, sizeof(name));
	type = q[end + 1];
	for (size_t i = 0; i < ARRAY_SIZE(records); i++) {
		if (strcasecmp(records[i].name, name))
			continue;
		if (rcode == NXDOMAIN)
			rcode = 0;
		if (records[i].type != type)
			continue;
		rcode = records[i].rcode;
		if (!rcode) {
			put_record(&answers, &records[i]);
			n++;
		}
	}
	buffer_append(&b, q, 2);
	put16(&b, 0x8180 | rcode);
	put16(&b, 1);
	put16(&b, n);
	put16(&b, 0);
	put16(&b, 0);
	buffer_append(&b, q + 12, end + 4 - 12);
	buffer_append(&b, answers.data, answers.len);
	sendto(fd, b.data, b.len, 0, (struct sockaddr *)&from, from_len);
	return 0;
}

static int on_too_long(sd_event_source *source, uint64_t usec, void *userdata)
{
	fail_msg("the query does not end");
	return 0;
}

static int setup(void **state)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct test *t = calloc(1, sizeof(*t));
	socklen_t len = sizeof(a);

	*state = t;
	if (!t || sd_event_new(&t->event) < 0)
		return -1;
	t->dns = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (bind(t->dns, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    getsockname(t->dns, (struct sockaddr *)&a, &len) < 0)
		return -1;
	snprintf(t->servers, sizeof(t->servers), "127.0.0.1:%u", ntohs(a.sin_port));
	buffer_printf(&t->log, " ");
	sd_event_add_time_relative(t->event, NULL, CLOCK_MONOTONIC, 20000000, 0, on_too_long, NULL);
	return sd_event_add_io(t->event, NULL, t->dns, EPOLLIN, on_question, t) < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	struct test *t = *state;

	sd_event_unref(t->event);
	close(t->dns);
	buffer_free(&t->log);
	free(t);
	return 0;
}

static void on_mx(void *userdata, int r, const char *const *hosts, const struct error *e)
{
	struct test *t = userdata;

	assert_false(t->within);
	t->calls++;
	t->r = r;
	for (int i = 0; i < r; i++)
		buffer_printf(&t->log, "%s ", hosts[i]);
	if (r < 0)
		assert_true(strlen(e->text) > 0);
	sd_event_exit(t->event, 0);
}

static void on_host(void *userdata, int r, const struct net_address *addrs, const struct error *e)
{
	struct test *t = userdata;

	assert_false(t->within);
	t->calls++;
	t->r = r;
	for (int i = 0; i < r; i++) {
		const struct sockaddr_in *a = (const struct sockaddr_in *)&addrs[i].addr;
		char text[INET_ADDRSTRLEN];

		if (a->sin_family == AF_INET)
			buffer_printf(&t->log, "%s:%u ", inet_ntop(AF_INET, &a->sin_addr, text,
								   sizeof(text)),
				      ntohs(a->sin_port));
	}
	if (r < 0)
		assert_true(strlen(e->text) > 0);
	sd_event_exit(t->event, 0);
}

static void mx(struct test *t, const char *domain, int r, const char *log)
{
	t->within = true;
	assert_int_equal(net_resolve_mx(&t->query, t->event, domain, t->servers, on_mx, t, NULL),
			 0);
	t->within = false;
	sd_event_loop(t->event);
	assert_int_equal(t->calls, 1);
	assert_int_equal(t->r, r);
	assert_string_equal(t->log.data, log);
}

static void host(struct test *t, const char *name, int r, const char *log)
{
	t->within = true;
	assert_int_equal(net_resolve_host(&t->query, t->event, name, 25, t->servers, on_host, t,
					  NULL),
			 0);
	t->within = false;
	sd_event_loop(t->event);
	assert_int_equal(t->calls, 1);
	if (r > 0)
		assert_true(t->r >= r);
	else
		assert_int_equal(t->r, r);
	assert_string_equal(t->log.data, log);
}

static void test_mx_by_preference(void **state)
{
	mx(*state, "two.test", 3, " a.test b.test c.test ");
}

static void test_null_mx(void **state)
{
	mx(*state, "null.test", -EOPNOTSUPP, " ");
}

static void test_no_mx_is_its_own_host(void **state)
{
	mx(*state, "plain.test", 1, " plain.test ");
}

static void test_mx_of_a_literal(void **state)
{
	mx(*state, "[127.0.0.1]", 1, " 127.0.0.1 ");
}

static void test_mx_server_failure(void **state)
{
	mx(*state, "broken.test", -EAGAIN, " ");
}

static void test_host(void **state)
{
	host(*state, "plain.test", 1, " 127.0.0.8:25 ");
}

static void test_host_from_the_hosts_file(void **state)
{
	host(*state, "localhost", 1, " 127.0.0.1:25 ");
}

static void test_host_literal(void **state)
{
	host(*state, "[127.1.2.3]", 1, " 127.1.2.3:25 ");
}

static void test_no_such_host(void **state)
{
	host(*state, "nowhere.test", -ENOENT, " ");
}

static void test_host_server_failure(void **state)
{
	host(*state, "broken.test", -EAGAIN, " ");
}

static void test_canceled(void **state)
{
	struct test *t = *state;

	assert_int_equal(net_resolve_host(&t->query, t->event, "plain.test", 25, t->servers,
					  on_host, t,
					  NULL), 0);
	net_query_cancel(t->query);
	sd_event_run(t->event, 100000);
	sd_event_run(t->event, 100000);
	assert_int_equal(t->calls, 0);
}

static void test_names_that_are_none(void **state)
{
	struct test *t = *state;
	char longest[300];
	struct error e = { 0 };

	memset(longest, 'a', sizeof(longest));
	longest[299] = '\0';
	assert_int_equal(net_resolve_host(&t->query, t->event, "", 25, NULL, on_host, t, &e),
			 -EINVAL);
	assert_int_equal(net_resolve_mx(&t->query, t->event, longest, NULL, on_mx, t, &e), -EINVAL);
	assert_true(strlen(e.text) > 0);
}

static void on_done(void *userdata, const struct smtp_session_outcome *o)
{
	struct test *t = userdata;

	t->done = true;
	t->result = o->result;
	buffer_printf(&t->log, "%s %s", o->rcpts[0].enhanced, o->text);
	sd_event_exit(t->event, 0);
}

/* A message to a domain: what its name server says decides. */
static void send_to(struct test *t, const char *domain)
{
	struct envelope_rcpt rcpts[] = { { .address = (char *)"a@x" } };
	const struct envelope e = { .from = (char *)"", .rcpts = rcpts, .n_rcpts = 1 };
	const struct smtp_session_callbacks callbacks = { .done = on_done };
	struct smtp_session *s;
	FILE *file = tmpfile();
	struct extent body = { 0 };

	assert_non_null(file);
	body.fd = fileno(file);
	assert_int_equal(smtp_session_send(&s, t->event, &(struct smtp_session_options){
			.host = domain, .mx = true, .port = 1, .helo = "box", .dns = t->servers,
		}, &e, &body, &callbacks, t, NULL), 0);
	assert_false(t->done);
	sd_event_loop(t->event);
	assert_true(t->done);
	fclose(file);
}

static void test_mail_to_a_null_mx(void **state)
{
	struct test *t = *state;

	send_to(t, "null.test");
	assert_int_equal(t->result, SMTP_RESULT_REFUSED);
	assert_non_null(strstr(t->log.data, "5.1.10"));
}

/* a.test refuses the connection; b.test and c.test are not there. */
static void test_mail_tries_each_host(void **state)
{
	struct test *t = *state;

	send_to(t, "two.test");
	assert_int_equal(t->result, SMTP_RESULT_CANNOT_CONNECT);
	assert_non_null(strstr(t->log.data, "c.test"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
		TEST(test_mx_by_preference),
		TEST(test_null_mx),
		TEST(test_no_mx_is_its_own_host),
		TEST(test_mx_of_a_literal),
		TEST(test_mx_server_failure),
		TEST(test_host),
		TEST(test_host_from_the_hosts_file),
		TEST(test_host_literal),
		TEST(test_no_such_host),
		TEST(test_host_server_failure),
		TEST(test_canceled),
		TEST(test_names_that_are_none),
		TEST(test_mail_to_a_null_mx),
		TEST(test_mail_tries_each_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
