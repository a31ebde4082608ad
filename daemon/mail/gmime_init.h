/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* GMime keeps tables of its own, made once a process. */
#ifndef IFAX_MAIL_GMIME_INIT_H
#define IFAX_MAIL_GMIME_INIT_H

void gmime_init_once(void);

#endif
