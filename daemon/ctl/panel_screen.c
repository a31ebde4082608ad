// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/panel_screen.h"

#include <errno.h>
#include <locale.h>
#include <string.h>
#include <wchar.h>

#define NCURSES_WIDECHAR 1
#include <ncurses.h>

#include "base/cleanup.h"

/*
 * As it is laid out: the display on top, as large as the terminal lets it; below it
 * what can be pressed, where there is room for it; two lines of state.
 */
#define LINES_ALL    24
#define KEYS_ROWS    10
#define STATUS_ROWS  2
#define KEYPAD_AT    2
#define FUNCTIONS_AT 20
#define TOUCH_AT     44
#define TOUCH_ROWS   7
#define TOUCH_WIDTH  17
#define ESCAPE	     27

int screen_open(void)
{
	/* Without it only ASCII is drawn. */
	setlocale(LC_ALL, "");
	if (!newterm(NULL, stdout, stdin))
		return -ENOTTY;
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	/* What a line brings late after ESC is a key of its own. */
	set_escdelay(50);
	return 0;
}

void screen_close(void)
{
	endwin();
}

/*
 * Keys
 */

/* Escape and a digit are a one-touch key; Escape alone stops. */
static uint32_t after_escape(void)
{
	wint_t c;
	int r = get_wch(&c);

	if (r == OK && c >= '0' && c <= '9')
		return PANEL_KEY_ONE_TOUCH + (c == '0' ? 10 : c - '0');
	if (r != ERR)
		unget_wch((wchar_t)c);
	return PANEL_KEY_STOP;
}

static uint32_t special(wint_t c)
{
	if (c > KEY_F0 && c <= KEY_F(5))
		return PANEL_KEY_FUNCTION + (c - KEY_F0);
	switch (c) {
	case KEY_F(10):
		return PANEL_KEY_FUNCTION + PANEL_LEAVE;
	case KEY_ENTER:
		return PANEL_KEY_START;
	case KEY_BACKSPACE:
	case KEY_DC:
		return PANEL_KEY_CLEAR;
	case KEY_LEFT:
	case KEY_RIGHT:
	case KEY_UP:
	case KEY_DOWN:
		return PANEL_KEY_CHANGE;
	default:
		return 0;	/* none of the panel's */
	}
}

static uint32_t character(wint_t c)
{
	switch (c) {
	case '\r':
	case '\n':
		return PANEL_KEY_START;
	case ESCAPE:
		return after_escape();
	case '\b':
	case 0x7f:
		return PANEL_KEY_CLEAR;
	case '\t':
		return PANEL_KEY_CHANGE;
	default:
		return c;
	}
}

bool screen_key(uint32_t *key)
{
	wint_t c;
	int r = get_wch(&c);

	if (r == ERR)
		return false;
	*key = r == KEY_CODE_YES ? special(c) : character(c);
	return true;
}

/*
 * Drawing
 */

/* In @width columns at most; what is no character of the locale is left out. */
static void put(int row, int column, int width, const char *text)
{
	wchar_t wide[PANEL_NOTE_MAX + 1];
	size_t n = 0, len = strlen(text);
	mbstate_t state = { 0 };
	int used = 0;

	while (len && n < ARRAY_SIZE(wide) - 1) {
		wchar_t c;
		size_t taken = mbrtowc(&c, text, len, &state);

		if (taken == (size_t)-1 || taken == (size_t)-2 || !taken) {
			memset(&state, 0, sizeof(state));
			taken = 1;
		} else if (wcwidth(c) < 0 || used + wcwidth(c) > width) {
			if (wcwidth(c) >= 0)
				break;
		} else {
			used += wcwidth(c);
			wide[n++] = c;
		}
		text += taken;
		len -= taken;
	}
	wide[n] = L'\0';
	if (width > 0 && row >= 0 && row < LINES)
		mvaddnwstr(row, column, wide, (int)n);
}

/* How much of @text goes on a line of @width, by words where it can. */
static size_t line_length(const char *text, size_t width)
{
	size_t n = strcspn(text, "\n"), cut;

	if (n <= width)
		return n;
	for (cut = width; cut > width / 2 && text[cut] != ' '; cut--)
		;
	if (text[cut] != ' ')
		for (cut = width; cut > 1 && (text[cut] & 0xc0) == 0x80; cut--)
			;
	return cut;
}

/* In lines, from @row on; the row behind them. */
static int put_lines(int row, int end, int column, int width, const char *text)
{
	char line[PANEL_MESSAGE_MAX + 1];

	while (*text && row < end) {
		size_t n = line_length(text, width > 10 ? (size_t)width : 10);

		memcpy(line, text, n);
		line[n] = '\0';
		put(row++, column, width, line);
		text += n;
		text += *text == '\n' || *text == ' ';
	}
	return row;
}

/* In characters of Unicode: not every terminal that speaks UTF-8 has another set besides. */
static void frame(int rows)
{
	mvadd_wch(0, 0, WACS_ULCORNER);
	hline_set(WACS_HLINE, COLS - 2);
	mvadd_wch(0, COLS - 1, WACS_URCORNER);
	mvvline_set(1, 0, WACS_VLINE, rows - 2);
	mvvline_set(1, COLS - 1, WACS_VLINE, rows - 2);
	mvadd_wch(rows - 1, 0, WACS_LLCORNER);
	hline_set(WACS_HLINE, COLS - 2);
	mvadd_wch(rows - 1, COLS - 1, WACS_LRCORNER);
}

/* The end of what is typed is seen, however long it is. */
static const char *tail(const char *text, size_t width)
{
	size_t n = strlen(text);

	if (n <= width)
		return text;
	text += n - width;
	while ((*text & 0xc0) == 0x80)
		text++;
	return text;
}

/* Leaves the cursor where something is typed. */
static void draw_display(const struct dialogue *d, const char *host, int rows)
{
	int width = COLS - 4, row = 3, y = -1, x = 0;
	struct panel_display shown;

	dialogue_display(d, &shown);
	frame(rows);
	put(0, 2, width, host);
	attron(A_BOLD);
	put(1, 2, width, shown.title);
	attroff(A_BOLD);
	row = put_lines(row, rows - (*shown.prompt ? 4 : 2), 2, width, shown.note);
	row += row > 3;
	put(row++, 2, width, shown.prompt);
	if (shown.wants_input) {
		put(row, 2, width, "> ");
		put(row, 4, width - 2, tail(shown.input, width > 4 ? (size_t)width - 4 : 1));
		getyx(stdscr, y, x);
	}
	put(rows - 2, 2, width, shown.hint);
	curs_set(shown.wants_input ? 1 : 0);
	move(y < 0 ? LINES - 1 : y, y < 0 ? COLS - 1 : x);
}

static void draw_keypad(int row)
{
	static const char *const rows[] = { " 1   2   3 ", " 4   5   6 ", " 7   8   9 ",
					    " *   0   # " };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		put(row + (int)i, KEYPAD_AT, COLS - KEYPAD_AT, rows[i]);
	put(row + 5, KEYPAD_AT, COLS - KEYPAD_AT, "Enter  Start");
	put(row + 6, KEYPAD_AT, COLS - KEYPAD_AT, "Esc    Stop");
	put(row + 7, KEYPAD_AT, COLS - KEYPAD_AT, "<--    Clear");
}

static void draw_functions(int row)
{
	static const char *const keys[] = { "F1  Send",	     "F2  Collect mail",
					    "F3  Print kept mail", "F4  Register a user",
					    "F5  Messages", "F10 Leave" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		put(row + (int)i, FUNCTIONS_AT, COLS - FUNCTIONS_AT, keys[i]);
}

/* Alt with a digit presses one of the first ten; "#" and the number any. */
static void draw_touch(const struct dialogue *d, int row)
{
	char text[200];

	for (size_t i = 0; i < d->n_touch; i++) {
		const struct panel_touch *t = &d->touch[i];
		int column = TOUCH_AT + (int)i / TOUCH_ROWS * TOUCH_WIDTH;

		if (column + TOUCH_WIDTH > COLS)
			break;
		snprintf(text, sizeof(text), "#%-2u %s", t->key, *t->name ? t->name : t->address);
		put(row + (int)i % TOUCH_ROWS, column, TOUCH_WIDTH - 1, text);
	}
	if (d->n_touch)
		put(row + TOUCH_ROWS, TOUCH_AT, COLS - TOUCH_AT,
		    "Alt-1 ... Alt-0, or #number");
}

static void draw_status(const struct panel_status *s)
{
	attron(A_REVERSE);
	mvhline(LINES - 2, 0, ' ', COLS);
	mvhline(LINES - 1, 0, ' ', COLS - 1);
	put(LINES - 2, 1, COLS - 2, s->boards);
	put(LINES - 1, 1, COLS - 3, s->jobs);
	attroff(A_REVERSE);
}

void screen_draw(const struct dialogue *d, const struct panel_status *status)
{
	bool all = LINES >= LINES_ALL;
	int rows = LINES - STATUS_ROWS - (all ? KEYS_ROWS : 0);

	erase();
	draw_status(status);
	if (all) {
		draw_keypad(rows + 1);
		draw_functions(rows + 1);
		draw_touch(d, rows + 1);
	}
	/* The last: the cursor stays there. */
	if (rows >= 6 && COLS >= 20)
		draw_display(d, status->host, rows);
	refresh();
}
