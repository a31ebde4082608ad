/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The control interface, org.ifax1.Manager at /org/ifax1. Every method is one
 * row in manager.c: name, who may, what it does. Dictionaries (a{sv}) grow; the
 * names in them stay.
 */
#ifndef IFAX_BUS_MANAGER_H
#define IFAX_BUS_MANAGER_H

#include "service/box.h"

struct manager;

/* Connects to the system bus and takes the name; box->manager's services must be there. */
int manager_new(struct manager **ret, struct box *box, struct error *e);
void manager_free(struct manager *m);

#endif
