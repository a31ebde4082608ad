/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include <fontconfig/fontconfig.h>
#include <pango/pangofc-fontmap.h>

#include "page/fonts.h"

/*
 * A font of coloured pictures is what systems prefer for emoji, and it comes out
 * black or empty on paper; one of dots only fits no printer's resolution.
 */
static const FcChar8 rules[] =
	"<?xml version='1.0'?><!DOCTYPE fontconfig SYSTEM 'urn:fontconfig:fonts.dtd'>"
	"<fontconfig>"
	"<selectfont><rejectfont>"
	"<pattern><patelt name='color'><bool>true</bool></patelt></pattern>"
	"<pattern><patelt name='outline'><bool>false</bool></patelt></pattern>"
	"</rejectfont></selectfont>"
	"<alias binding='same'><family>emoji</family><prefer>"
	"<family>Noto Emoji</family><family>Symbola</family><family>DejaVu Sans</family>"
	"</prefer></alias>"
	"</fontconfig>";

static FcConfig *load(void)
{
	FcConfig *c = FcInitLoadConfig();

	/* The rules count while the lists of fonts are read: they come first. */
	if (c && FcConfigParseAndLoadFromMemory(c, rules, FcTrue) && FcConfigBuildFonts(c))
		return c;
	if (c)
		FcConfigDestroy(c);
	return NULL;
}

PangoFontMap *fonts_map(struct error *e)
{
	static PangoFontMap *map;
	FcFontSet *set;
	FcConfig *c;

	if (map)
		return map;
	c = load();
	set = c ? FcConfigGetFonts(c, FcSetSystem) : NULL;
	if (!set || !set->nfont) {
		error_set(e, -ENOENT, "No font is installed to print text with; "
			  "install fonts-dejavu-core or another");
	} else {
		map = pango_cairo_font_map_new_for_font_type(CAIRO_FONT_TYPE_FT);
		if (map)
			pango_fc_font_map_set_config(PANGO_FC_FONT_MAP(map), c);
		else
			error_set(e, -ENOTSUP, "Pango cannot draw with FreeType here");
	}
	if (c)
		FcConfigDestroy(c);	/* the map has its own hold on it */
	return map;
}
