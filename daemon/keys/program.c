/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keys/program.h"

static void become(const char *folder, int input, int output, const char *const *argv)
{
	setenv("GNUPGHOME", folder, 1);
	if ((input < 0 || dup2(input, STDIN_FILENO) >= 0) &&
	    (output < 0 || dup2(output, STDOUT_FILENO) >= 0))
		execvp(argv[0], (char *const *)argv);
	_exit(127);
}

int program_run(const char *folder, int input, int output, const char *const *argv)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return -errno;
	if (!pid)
		become(folder, input, output, argv);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EIO;
}
