/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The panel on a terminal: display, keypad, function keys, one-touch keys, the
 * box's state below. There is one, so it has no handle.
 */
#ifndef IFAX_CTL_PANEL_SCREEN_H
#define IFAX_CTL_PANEL_SCREEN_H

#include "ctl/panel_dialogue.h"

#define PANEL_STATUS_MAX 300

/* What stands below, each a line; "" where there is nothing. */
struct panel_status {
	char host[100];
	char boards[PANEL_STATUS_MAX];
	char jobs[PANEL_STATUS_MAX];
};

/* 0, or -errno: the terminal is not one that can be drawn on. */
int screen_open(void);
void screen_close(void);
/* The next key, enum panel_key or a character. false: none was pressed. */
bool screen_key(uint32_t *key);
void screen_draw(const struct dialogue *d, const struct panel_status *status);

#endif
