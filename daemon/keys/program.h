/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* GnuPG's own programs, for what GPGME does not do. */
#ifndef IFAX_KEYS_PROGRAM_H
#define IFAX_KEYS_PROGRAM_H

/*
 * Runs @argv with the keys of @folder; it reads @input and writes to @output, where these are
 * not -1. Waits for it: -EIO where it does not end well.
 */
int program_run(const char *folder, int input, int output, const char *const *argv);

#endif
