/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "keys/passphrase.h"
#include "keys/program.h"
#include "keys/protocol.h"

#define ANSWER_BYTES (1u << 20)

/*
 * The new passphrase is a variable that nobody has set: none. What the agent says of a key
 * that has none, or is not here at all, does not matter: what it has in the end does.
 */
static int write_script(struct buffer *script, int password, const char *const *grips, size_t n)
{
	int r = buffer_printf(script, "/definqfile PASSPHRASE /proc/self/fd/%d\n"
			      "/definq NEW_PASSPHRASE none\n"
			      "OPTION pinentry-mode=loopback\n", password);

	for (size_t i = 0; i < n && r >= 0; i++)
		r = buffer_printf(script, "PASSWD %s\n", grips[i]);
	return r < 0 ? r : buffer_printf(script, "KEYINFO --list\n/bye\n");
}

/* "S KEYINFO <keygrip> <type> <serial> <id> <cached> <protection> ...", P for a passphrase. */
static bool has_passphrase(const char *line)
{
	char protection[2];

	return sscanf(line, "S KEYINFO %*s %*s %*s %*s %*s %1s", protection) == 1 &&
	       *protection == 'P';
}

/* The agent's last word is on the list; without that nothing is known. */
static int judge(char *answer, const char *password, struct error *e)
{
	bool listed = false, left = false;

	for (char *line; (line = strsep(&answer, "\n"));) {
		listed = *line ? !strncmp(line, "OK", 2) : listed;
		left |= has_passphrase(line);
	}
	if (!listed)
		return error_set(e, -EIO, "GnuPG's agent does not say what keys it has");
	if (!left)
		return 0;
	return error_set(e, -EKEYREJECTED, *password ?
			 "The passphrase does not open the secret key in this file" :
			 "The secret key in this file has a passphrase: import it with "
			 "--password-file, whose first line is that; it is kept without");
}

int passphrase_remove(const char *folder, const char *const *grips, size_t n,
		      const char *password, struct error *e)
{
	static const char *const ask[] = { "gpg-connect-agent", "--quiet", NULL };
	_close_ int secret = keys_memory(password, strlen(password), e);
	_close_ int answer = keys_memory(NULL, 0, e);
	_buffer_ struct buffer script = { 0 }, said = { 0 };
	_close_ int commands = -1;
	int r;

	if (secret < 0 || answer < 0)
		return secret < 0 ? secret : answer;
	r = write_script(&script, secret, grips, *password ? n : 0);
	if (r < 0)
		return error_set(e, r, "There are too many keys in this file");
	commands = keys_memory(script.data, script.len, e);
	if (commands < 0)
		return commands;
	/* The program that is run inherits this one. */
	fcntl(secret, F_SETFD, 0);
	lseek(commands, 0, SEEK_SET);
	r = program_run(folder, commands, answer, ask);
	if (r >= 0)
		r = keys_read(answer, ANSWER_BYTES, &said);
	if (r < 0)
		return error_set(e, r, "GnuPG's agent cannot be asked: %s", strerror(-r));
	return judge(said.data, password, e);
}
