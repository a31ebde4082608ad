/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Scope-bound cleanup: what is declared with these is released where its scope ends. */
#ifndef IFAX_BASE_CLEANUP_H
#define IFAX_BASE_CLEANUP_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}

/* Closes *fd and marks it closed; errno stays as it was. */
static inline void cleanup_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

static inline void cleanup_fclose(FILE **f)
{
	if (*f)
		fclose(*f);
}

#define _free_	_cleanup_(cleanup_free)
#define _close_ _cleanup_(cleanup_close)
#define _fclose_ _cleanup_(cleanup_fclose)

/* Hands the value on and empties the variable, so that its cleanup does nothing. */
#define take_ptr(p)                          \
	({                                   \
		__typeof__(p) *_pp = &(p);   \
		__typeof__(p) _v = *_pp;     \
		*_pp = NULL;                 \
		_v;                          \
	})
#define take_fd(fd)                          \
	({                                   \
		int *_fp = &(fd);            \
		int _v = *_fp;               \
		*_fp = -1;                   \
		_v;                          \
	})

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
