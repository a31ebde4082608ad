/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>

#include "base/cleanup.h"
#include "ctl/ctl.h"

int ctl_read_password(FILE *in, const char *prompt, char text[CTL_PASSWORD_MAX + 2])
{
	struct termios shown, hidden;
	int quiet = 0;

	if (isatty(fileno(in)) && tcgetattr(fileno(in), &shown) == 0) {
		hidden = shown;
		hidden.c_lflag &= ~ECHO;
		quiet = tcsetattr(fileno(in), TCSANOW, &hidden) == 0;
		fprintf(stderr, "%s: ", prompt);
	}
	if (!fgets(text, CTL_PASSWORD_MAX + 2, in))
		text[0] = '\0';
	if (quiet) {
		tcsetattr(fileno(in), TCSANOW, &shown);
		fprintf(stderr, "\n");
	}
	text[strcspn(text, "\r\n")] = '\0';
	if (*text && strlen(text) <= CTL_PASSWORD_MAX)
		return 0;
	fprintf(stderr, "ifaxctl: the password is empty or longer than %d bytes\n",
		CTL_PASSWORD_MAX);
	return -EINVAL;
}

int ctl_password_from(const char *path, char text[CTL_PASSWORD_MAX + 2])
{
	_fclose_ FILE *f = NULL;

	if (!strcmp(path, "-"))
		return ctl_read_password(stdin, "password", text);
	f = fopen(path, "re");
	if (f)
		return ctl_read_password(f, "password", text);
	fprintf(stderr, "ifaxctl: cannot read the password from %s: %m\n", path);
	return -errno;
}
