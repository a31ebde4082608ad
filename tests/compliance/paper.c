// SPDX-License-Identifier: LGPL-2.1-or-later
/* Originals and sheets: the simulator's knobs, or somebody at the board. */
#include "compliance.h"

static void put(const char *dir, const char *name, const void *data, size_t len)
{
	const uint8_t *from = data;
	char path[256];
	size_t done = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	expect(fd >= 0, "%s: %s", path, strerror(errno));
	while (done < len) {
		n = write(fd, from + done, len - done);
		expect(n > 0, "%s: %s", path, strerror(errno));
		done += n;
	}
	close(fd);
}

void knob(const char *name, const char *value)
{
	put(here.knobs, name, value, strlen(value));
}

void fault(const char *name, const char *value)
{
	put(here.faults, name, value, strlen(value));
}

long knob_value(const char *name)
{
	char path[256], text[32] = "";
	int fd;

	snprintf(path, sizeof(path), "%s/%s", here.knobs, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	expect(fd >= 0 && read(fd, text, sizeof(text) - 1) >= 0, "%s: %s", path, strerror(errno));
	close(fd);
	return strtol(text, NULL, 0);
}

/* Paper there, no jam, feeder and tray empty, as fast as it goes. */
void paper_reset(void)
{
	knob("cover", "0");
	knob("jam_scan_at", "0");
	knob("jam_print_at", "0");
	knob("jam", "0");
	knob("paper", "250");
	knob("rows_per_second", "0");
	knob("feeder_clear", "1");
	knob("tray_clear", "1");
}

static void ask(const char *what)
{
	FILE *tty = fopen("/dev/tty", "r+e");
	int c;

	if (!tty)
		skip("there is no terminal to ask the operator at");
	fprintf(tty, "*** %s, then press Enter (s: skip): ", what);
	fflush(tty);
	c = fgetc(tty);
	fclose(tty);
	if (c == 's' || c == EOF)
		skip("the operator did not");
}

void feed(const uint8_t *pixels, uint32_t width, uint32_t rows)
{
	size_t size = (size_t)rows * ((width + 7) / 8);
	uint8_t *all;
	char head[40];
	int n;

	if (!here.knobs[0]) {
		ask("Put an A4 original into the feeder");
		return;
	}
	n = snprintf(head, sizeof(head), "P4\n%u %u\n", width, rows);
	all = malloc(n + size);
	expect(all, "no memory");
	memcpy(all, head, n);
	memcpy(all + n, pixels, size);
	put(here.knobs, "feeder", all, n + size);
	free(all);
	expect(!knob_value("feeder_error"), "the feeder refuses the original");
}

/* The tray is a file of PBM images one behind the other. */
uint8_t *printed(uint32_t *width, uint32_t *rows)
{
	size_t size = 64u << 20, len = 0, at = 0, next = 0;
	uint8_t *all = malloc(size + 1);
	char path[256];
	ssize_t got;
	int fd, n;

	snprintf(path, sizeof(path), "%s/tray", here.knobs);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	expect(fd >= 0 && all, "%s: %s", path, strerror(errno));
	while (len < size && (got = read(fd, all + len, size - len)) > 0)
		len += got;
	close(fd);
	all[len] = 0;
	while (next < len) {
		n = 0;
		expect(sscanf((char *)all + next, "P4%u %u%n", width, rows, &n) == 2,
		       "the tray holds no image at byte %zu", next);
		at = next + n + 1;
		next = at + (size_t)*rows * ((*width + 7) / 8);
	}
	expect(next && next == len, "no whole sheet lies in the tray");
	memmove(all, all + at, next - at);
	return all;
}
