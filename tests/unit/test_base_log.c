// SPDX-License-Identifier: LGPL-2.1-or-later
/* What a peer said must not pose as a message of ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"

static void a_message_is_one_line(void **state)
{
	int p[2], old = dup(STDERR_FILENO);
	char text[200] = "";

	unsetenv("JOURNAL_STREAM");
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_true(dup2(p[1], STDERR_FILENO) >= 0);
	log_full(LOG_WARNING, 0, NULL, "refused: %s", "no\r\n<0>job 1 sent\x1b[2J");
	dup2(old, STDERR_FILENO);
	close(old);
	close(p[1]);
	assert_true(read(p[0], text, sizeof(text) - 1) > 0);
	close(p[0]);
	assert_string_equal(text, "<4>refused: no  <0>job 1 sent [2J\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_message_is_one_line) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
