// SPDX-License-Identifier: LGPL-2.1-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <sys/stat.h>

#include "base/cleanup.h"
#include "service/conf.h"

static int parse(struct conf *c, const char *text, struct error *e)
{
	assert_int_equal(conf_defaults(c, e), 0);
	return conf_parse(c, text, strlen(text), "f", e);
}

static void defaults(void **state)
{
	struct error e = { 0 };
	struct conf c;

	assert_int_equal(conf_load(&c, "/nonexistent/ifax.conf", &e), 0);
	assert_non_null(c.hostname);
	assert_null(c.company);
	assert_string_equal(c.spool, "/var/spool/ifax");
	assert_string_equal(c.state, "/var/lib/ifax");
	assert_string_equal(c.worker, "/run/ifax/worker.sock");
	assert_null(c.smarthost);
	assert_null(c.smarthost_user);
	assert_int_equal(c.delay_usec, 4 * 3600 * 1000000ull);
	assert_int_equal(c.idle_usec, 2000000);
	assert_int_equal(c.connections, 100);
	assert_int_equal(c.connections_per_host, 20);
	assert_string_equal(c.smarthost_tls, "opportunistic");
	assert_int_equal(c.retry_usec, 300 * 1000000ull);
	assert_int_equal(c.retry_max_usec, 4 * 3600 * 1000000ull);
	assert_int_equal(c.expire_usec, 5 * 86400 * 1000000ull);
	assert_int_equal(c.timeout_usec, 300 * 1000000ull);
	assert_int_equal(c.interval_usec, 300 * 1000000ull);
	assert_int_equal(c.max_message, 50 << 20);
	assert_int_equal(c.xres, 8000);
	assert_int_equal(c.yres, 7700);
	assert_int_equal(c.max_pages, 200);
	assert_int_equal(c.max_received_pages, 200);
	assert_null(c.domains);
	assert_string_equal(c.networks, "127.0.0.0/8 ::1");
	assert_null(c.certificate);
	assert_int_equal(c.max_sessions, 1000);
	assert_int_equal(c.receive_max_message, 50 << 20);
	assert_int_equal(c.command_timeout_usec, 300 * 1000000ull);
	conf_free(&c);
}

static void syntax(void **state)
{
	struct error e = { 0 };
	struct conf c;

	if (parse(&c,
		  "# a comment\n; another\n\n[Box]\r\n  Company =  Meyer \\\n# in between\n"
		  "   & Co  \r\n"
		  "Hostname=fax.example.test\n[Send]\nRetry=1h 30min\nExpire=2 d\nTimeout=90\n"
		  "Smarthost=[::1]:2525\nSmarthostTLS=required\n"
		  "[Collect]\nMaxMessage=1M 512K\n[Box]\nSpool=/a\nSpool=\n[Scan]\nXRes=16000",
		  &e))
		fail_msg("%s", error_text(&e));
	assert_string_equal(c.company, "Meyer     & Co");
	assert_string_equal(c.hostname, "fax.example.test");
	assert_int_equal(c.retry_usec, 5400 * 1000000ull);
	assert_int_equal(c.expire_usec, 2 * 86400 * 1000000ull);
	assert_int_equal(c.timeout_usec, 90 * 1000000ull);
	assert_int_equal(c.keep_usec, 7 * 86400 * 1000000ull);
	assert_string_equal(c.smarthost, "[::1]:2525");
	assert_string_equal(c.smarthost_tls, "required");
	assert_int_equal(c.max_message, 1536 << 10);
	assert_string_equal(c.spool, "/var/spool/ifax");
	assert_int_equal(c.xres, 16000);
	conf_free(&c);
}

static void errors_name_file_and_line(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "Company=x\n", "f:1: Company= stands before any [Section]." },
		{ "\n[Bocks]\n", "f:2: There is no section [Bocks]" },
		{ "[Box\n", "f:1: The section's closing bracket" },
		{ "[Box]\nCompany\n", "f:2: This is neither" },
		{ "[Box]\nCompnay=x\n",
		  "f:2: There is no setting Compnay= in [Box]. Is Company= in [Box] meant?" },
		{ "[Box]\nSmarthost=x\n", "Is Smarthost= in [Send] meant?" },
		{ "[Box]\nZzzzzzz=x\n", "f:2: There is no setting Zzzzzzz= in [Box]." },
		{ "[Box]\nSpool=spool\n", "f:2: Spool= wants a path" },
		{ "[Box]\nHostname=a b\n", "f:2: Hostname= wants a host name" },
		{ "[Box]\nHostname=a:25\n", "f:2: Hostname= wants a host name" },
		{ "[Send]\nSmarthost=a:0\n", "f:2: Smarthost= wants a host name" },
		{ "[Send]\nSmarthost=a:65536\n", "f:2: Smarthost= wants a host name" },
		{ "[Send]\nSmarthostTLS=maybe\n", "f:2: SmarthostTLS= is one of: none" },
		{ "[Send]\nTLSPolicy=a.test\n", "f:2: TLSPolicy= wants domains and policies" },
		{ "[Send]\nTLSPolicy=a.test:may b.test:must\n", "f:2: TLSPolicy= wants" },
		{ "[Send]\nTLSPolicy=.:may\n", "f:2: TLSPolicy= wants" },
		{ "[Send]\nTLSPolicy=:may\n", "f:2: TLSPolicy= wants" },
		{ "[Send]\nTLSPolicy=[1.2:may\n", "f:2: TLSPolicy= wants" },
		{ "[Send]\nRetry=soon\n", "f:2: Retry= wants a time" },
		{ "[Send]\nRetry=-1\n", "f:2: Retry= wants a time" },
		{ "[Send]\nRetry=5 parsecs\n", "f:2: Retry= wants a time" },
		{ "[Send]\nRetry=0\n", "f:2: Retry= must lie between 1s and 1d." },
		{ "[Send]\nRetry=99999999999999999999\n", "f:2: Retry= must lie between" },
		{ "[Send]\nExpire=20000000000000w\n", "f:2: Expire= must lie between" },
		{ "[Collect]\n#\nMaxMessage=50X\n", "f:3: MaxMessage= wants a size" },
		{ "[Scan]\nMaxPages=0\n", "f:2: MaxPages= must lie between 1 and 10000." },
		{ "[Scan]\nMaxPages=10 1\n", "f:2: MaxPages= wants a number" },
		{ "[Scan]\nXRes=80 \\\n00x\nYRes=1\n", "f:2: XRes= wants a number" },
		{ "[Box]\nCompany=a\001b\n", "f:2: A control character." },
		{ "[Receive]\nDomains=a b,c\n", "f:2: Domains= wants host names" },
		{ "[Receive]\nDomains=a:25\n", "f:2: Domains= wants host names" },
		{ "[Receive]\nTurn=branch.test\n", "f:2: Turn= wants users and domains" },
		{ "[Receive]\nTurn=100:a.test 1/2:b.test\n", "f:2: Turn= wants users" },
		{ "[Receive]\nNetworks=10.0.0.1/8\n", "f:2: Networks= wants addresses or" },
		{ "[Receive]\nNetworks=::1 any\n", "f:2: Networks= wants addresses or networks" },
		{ "[Receive]\nMaxRecipients=99\n", "f:2: MaxRecipients= must lie between 100" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error e = { 0 };
		struct conf c;

		if (parse(&c, cases[i].text, &e) != -EINVAL || !strstr(e.text, cases[i].says))
			fail_msg("case %zu: \"%s\", not \"%s\"", i, e.text, cases[i].says);
		conf_free(&c);
	}
}

static void put(const char *dir, const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void remove_file(const char *dir, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	remove(path);
}

static void drop_ins_in_order(void **state)
{
	char dir[] = "/tmp/ifax-conf-XXXXXX", path[64], folder[64];
	static const char *const names[] = { "ifax.conf.d/20-b.conf", "ifax.conf.d/10-a.conf",
					     "ifax.conf.d/30-c.conf~", "ifax.conf.d",
					     "ifax.conf", "" };
	struct error e = { 0 };
	struct conf c;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/ifax.conf", dir);
	snprintf(folder, sizeof(folder), "%s/ifax.conf.d", dir);
	mkdir(folder, 0700);
	put(dir, "ifax.conf", "[Box]\nCompany=main\n[Send]\nSmarthost=main\n[Scan]\nMaxPages=1\n");
	put(dir, "ifax.conf.d/20-b.conf", "[Box]\nCompany=b\n");
	put(dir, "ifax.conf.d/10-a.conf", "[Box]\nCompany=a\n[Send]\nSmarthost=a\n");
	put(dir, "ifax.conf.d/30-c.conf~", "[Box]\nCompany=c\n");
	assert_int_equal(conf_load(&c, path, &e), 0);
	assert_string_equal(c.company, "b");
	assert_string_equal(c.smarthost, "a");
	assert_int_equal(c.max_pages, 1);
	conf_free(&c);
	put(dir, "ifax.conf.d/20-b.conf", "[Box]\n\nCompanie=b\n");
	assert_int_equal(conf_load(&c, path, &e), -EINVAL);
	assert_non_null(strstr(e.text, "ifax.conf.d/20-b.conf:3: "));
	put(dir, "ifax.conf.d/20-b.conf", "[Send]\nRetry=2h\nRetryMax=1h\n");
	assert_int_equal(conf_load(&c, path, &e), -EINVAL);
	assert_non_null(strstr(e.text, "RetryMax= is shorter than Retry="));
	put(dir, "ifax.conf.d/20-b.conf", "[Receive]\nKey=/k\n");
	assert_int_equal(conf_load(&c, path, &e), -EINVAL);
	assert_non_null(strstr(e.text, "Certificate= and Key="));
	put(dir, "ifax.conf.d/20-b.conf", "[Receive]\nMaxMemory=1M\n");
	assert_int_equal(conf_load(&c, path, &e), -EINVAL);
	assert_non_null(strstr(e.text, "MaxMemory="));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		remove_file(dir, names[i]);
}

/* The file that ships says what the table says: every setting, with its default. */
static void shipped_file_is_the_defaults(void **state)
{
	_fclose_ FILE *f = fopen("daemon/ifax.conf", "r");
	char text[16384], line[256];
	struct error e = { 0 };
	size_t n = 0, keys = 0;
	struct conf c, d;

	if (!f)
		skip();
	while (fgets(line, sizeof(line), f) && n + sizeof(line) < sizeof(text)) {
		bool key = line[0] == '#' && strchr(line, '=') && line[1] != ' ';

		keys += key;
		n += (size_t)sprintf(text + n, "%s", line + key);
	}
	if (parse(&c, text, &e))
		fail_msg("%s", error_text(&e));
	assert_int_equal(keys, 52);
	assert_int_equal(conf_defaults(&d, &e), 0);
	assert_int_equal(c.retry_usec, d.retry_usec);
	assert_int_equal(c.retry_max_usec, d.retry_max_usec);
	assert_int_equal(c.expire_usec, d.expire_usec);
	assert_int_equal(c.timeout_usec, d.timeout_usec);
	assert_int_equal(c.interval_usec, d.interval_usec);
	assert_int_equal(c.max_message, d.max_message);
	assert_int_equal(c.xres, d.xres);
	assert_int_equal(c.yres, d.yres);
	assert_int_equal(c.max_pages, d.max_pages);
	assert_int_equal(c.max_received_pages, d.max_received_pages);
	assert_string_equal(c.spool, d.spool);
	assert_string_equal(c.state, d.state);
	assert_string_equal(c.worker, d.worker);
	assert_null(c.smarthost);
	assert_null(c.smarthost_user);
	assert_int_equal(c.delay_usec, d.delay_usec);
	assert_int_equal(c.idle_usec, d.idle_usec);
	assert_int_equal(c.connections, d.connections);
	assert_int_equal(c.connections_per_host, d.connections_per_host);
	assert_string_equal(c.smarthost_tls, d.smarthost_tls);
	assert_string_equal(c.style, d.style);
	assert_string_equal(c.networks, d.networks);
	assert_int_equal(c.max_sessions, d.max_sessions);
	assert_int_equal(c.max_sessions_per_address, d.max_sessions_per_address);
	assert_int_equal(c.receive_max_message, d.receive_max_message);
	assert_int_equal(c.receive_max_memory, d.receive_max_memory);
	assert_int_equal(c.max_recipients, d.max_recipients);
	assert_int_equal(c.max_messages, d.max_messages);
	assert_int_equal(c.max_errors, d.max_errors);
	assert_int_equal(c.max_idle_commands, d.max_idle_commands);
	assert_int_equal(c.max_auth_failures, d.max_auth_failures);
	assert_int_equal(c.max_hops, d.max_hops);
	assert_int_equal(c.command_timeout_usec, d.command_timeout_usec);
	assert_int_equal(c.data_timeout_usec, d.data_timeout_usec);
	conf_free(&c);
	conf_free(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(syntax),
		cmocka_unit_test(errors_name_file_and_line),
		cmocka_unit_test(drop_ins_in_order),
		cmocka_unit_test(shipped_file_is_the_defaults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
