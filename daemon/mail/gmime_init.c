/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <pthread.h>

#include <gmime/gmime.h>

#include "mail/gmime_init.h"

void gmime_init_once(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, g_mime_init);
}
