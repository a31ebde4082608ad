/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Taking the passphrase off OpenPGP secret keys, in a folder of GnuPG's that holds no
 * others: nobody is there later to type it. By gpg-agent itself, which alone says what it
 * asks for, the old passphrase or the new one.
 */
#ifndef IFAX_KEYS_PASSPHRASE_H
#define IFAX_KEYS_PASSPHRASE_H

#include <stddef.h>

#include "base/error.h"

/*
 * @grips: the keygrips of the keys. @password "": none was given. -EKEYREJECTED: a key still
 * has a passphrase, for it is another, or none was given.
 */
int passphrase_remove(const char *folder, const char *const *grips, size_t n,
		      const char *password, struct error *e);

#endif
