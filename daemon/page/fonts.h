/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fonts for paper: those that have outlines, and no colours. */
#ifndef IFAX_PAGE_FONTS_H
#define IFAX_PAGE_FONTS_H

#include <pango/pangocairo.h>

#include "base/error.h"

/* Made once a process, and kept: NULL where no such font is installed. */
PangoFontMap *fonts_map(struct error *e);

#endif
