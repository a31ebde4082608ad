// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * bench-mail BYTES [PAGE.tif]   a fax mail of about so many bytes, to standard output
 *
 * Built as the product builds what it sends: TIFF-FX by page/tiff_write.h, the message
 * by mail/message.h. Without a page it draws pages of scribble.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/fax.h>

#include "base/cleanup.h"
#include "mail/message.h"
#include "page/tiff_read.h"
#include "page_aux.h"

#define ROWS_MAX 2376u
#define DATE	 1700000000000000ull

static void fail(const char *what, const struct error *e)
{
	fprintf(stderr, "bench-mail: %s: %s\n", what, error_text(e));
	exit(1);
}

static int read_file(const char *path, struct buffer *out)
{
	_fclose_ FILE *f = fopen(path, "re");
	char chunk[65536];
	size_t n;

	if (!f)
		return -errno;
	while ((n = fread(chunk, 1, sizeof(chunk), f)))
		if (buffer_append(out, chunk, n) < 0)
			return -ENOMEM;
	return ferror(f) ? -EIO : 0;
}

static int add_drawn(struct page_list *l, uint32_t rows)
{
	struct t4_image image = aux_scribble(1728, rows, (uint32_t)l->n + 1);
	struct page *p = aux_add_page(l, &image, FAX_ENC_MMR,
				      tiff_coding_flags(TIFF_PROFILE_F, FAX_ENC_MMR), 8000, 7700);

	t4_image_free(&image);
	return p ? 0 : -ENOMEM;
}

static size_t coded_bytes(const struct page_list *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		for (uint32_t s = 0; s < l->pages[i].nstrips; s++)
			n += l->pages[i].strips[s].len;
	return n;
}

/* Copies of the page at hand, as many as come nearest to @want; one at least. */
static void fill_read(struct page_list *l, const struct buffer *file, size_t want)
{
	struct error e = { 0 };
	size_t each;

	if (tiff_read(file->data, file->len, NULL, l, &e) < 0)
		fail("the page cannot be read", &e);
	each = coded_bytes(l);
	while (coded_bytes(l) + each / 2 < want)
		if (tiff_read(file->data, file->len, NULL, l, &e) < 0)
			fail("the page cannot be read", &e);
}

/* The last page is drawn anew, with more rows, until there is enough. */
static int fill_drawn(struct page_list *l, size_t want)
{
	uint32_t rows = 0;
	int r = 0;

	while (!r && (!l->n || coded_bytes(l) < want)) {
		if (rows == ROWS_MAX)
			rows = 0;
		else if (l->n)
			page_list_truncate(l, l->n - 1);
		rows += ROWS_MAX / 24;
		r = add_drawn(l, rows);
	}
	return r;
}

static void build(const struct page_list *l, struct buffer *out)
{
	static const char *const to[] = { "fax@box.example.test" };
	_buffer_ struct buffer tiff = { 0 };
	struct message_spec spec = {
		.from = "sender@example.org", .from_name = "A Sender",
		.to = to, .n_to = 1, .subject = "Fax of the bench",
		.message_id = "<bench.1@example.org>", .date = DATE,
		.text = "The pages are attached.\n", .filename = "fax.tif",
	};
	struct error e = { 0 };

	if (tiff_write(l, TIFF_PROFILE_F, &tiff, &e) < 0)
		fail("the pages cannot be written", &e);
	spec.tiff = tiff.data;
	spec.tiff_len = tiff.len;
	if (message_build(&spec, out, &e) < 0)
		fail("the message cannot be built", &e);
}

int main(int argc, char **argv)
{
	_buffer_ struct buffer file = { 0 }, mail = { 0 };
	struct page_list pages = { 0 };
	size_t want;
	int r = 0;

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: bench-mail BYTES [PAGE.tif]\n");
		return 2;
	}
	/* base64 in lines of 76: 57 octets become 78. */
	want = strtoull(argv[1], NULL, 10) * 57 / 78;
	if (argc == 3) {
		r = read_file(argv[2], &file);
		if (!r)
			fill_read(&pages, &file, want);
	} else {
		r = fill_drawn(&pages, want);
	}
	if (r < 0) {
		fprintf(stderr, "bench-mail: %s\n", strerror(-r));
		return 1;
	}
	build(&pages, &mail);
	page_list_clear(&pages);
	return fwrite(mail.data, 1, mail.len, stdout) == mail.len && !fflush(stdout) ? 0 : 1;
}
