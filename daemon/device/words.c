/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stddef.h>

#include <linux/fax.h>

#include "base/cleanup.h"
#include "device/words.h"

/* In the order of what a person must mend first. */
static const struct {
	uint32_t condition;
	const char *scanner;
	const char *printer;
} condition_words[] = {
	{ FAX_COND_COVER, "The scanner's cover is open: close it.",
	  "The printer's cover is open: close it." },
	{ FAX_COND_JAM, "An original is stuck in the scanner: take it out.",
	  "Paper is stuck in the printer: take it out." },
	{ FAX_COND_PAPER_OUT, "No original lies in the feeder: put one in.",
	  "The printer is out of paper: put paper into the tray." },
	{ FAX_COND_TONER_OUT, NULL, "The printer is out of toner: change the cartridge." },
	{ FAX_COND_OUTPUT_FULL, "The scanner's output tray is full: empty it.",
	  "The printer's output tray is full: empty it." },
	{ FAX_COND_HOT, "The scanner is too hot: it goes on when it has cooled down.",
	  "The printer is too hot: it goes on when it has cooled down." },
};

static const struct {
	int error;
	const char *scanner;
	const char *printer;
} code_words[] = {
	[FAX_CODE_OK] = { 0, "", "" },
	[FAX_CODE_PAPER_OUT] = { -ENOSPC, "No original lies in the feeder.",
				 "The printer is out of paper." },
	[FAX_CODE_JAM] = { -EIO, "The original is stuck in the scanner.",
			   "Paper is stuck in the printer." },
	[FAX_CODE_COVER] = { -EIO, "The scanner's cover was opened.",
			     "The printer's cover was opened." },
	[FAX_CODE_DMA] = { -EIO, "The board could not reach memory.",
			   "The board could not reach memory." },
	[FAX_CODE_OVERRUN] = { -EIO, "The scanner was faster than the coder.",
			       "The printer got more than it could take." },
	[FAX_CODE_UNDERRUN] = { -EIO, "The scanner ran dry.",
				"The printer did not get its lines in time." },
	[FAX_CODE_RESET] = { -EIO, "The board was reset.", "The board was reset." },
	[FAX_CODE_CODING] = { -EILSEQ, "The coder could not code the page.",
			      "The coder could not decode the page." },
	[FAX_CODE_OUT_FULL] = { -ENOBUFS, "The coded page is too large.",
				"The coded page is too large." },
	[FAX_CODE_TIMEOUT] = { -ETIMEDOUT, "The scanner made no progress.",
			       "The printer made no progress." },
	[FAX_CODE_CANCELED] = { -ECANCELED, "Scanning was canceled.", "Printing was canceled." },
	[FAX_CODE_GONE] = { -ENODEV, "The scanner was unplugged.", "The printer was unplugged." },
	[FAX_CODE_TOO_LONG] = { -EMSGSIZE, "The original is longer than the scanner can take.",
				"The page is longer than the printer can take." },
	[FAX_CODE_TOO_WIDE] = { -EMSGSIZE, "The original is wider than the scanner can take.",
				"The page is wider than the printer can take." },
	[FAX_CODE_PEER] = { -EPIPE, "Scanner and coder came apart.",
			    "Coder and printer came apart." },
};

const char *condition_sentence(uint32_t function, uint32_t conditions)
{
	for (size_t i = 0; i < ARRAY_SIZE(condition_words); i++)
		if (conditions & condition_words[i].condition)
			return function == FAX_FUNC_SCAN ? condition_words[i].scanner :
							   condition_words[i].printer;
	return NULL;
}

uint32_t conditions_that_stop(uint32_t conditions)
{
	uint32_t mask = 0;

	for (size_t i = 0; i < ARRAY_SIZE(condition_words); i++)
		mask |= condition_words[i].condition;
	return conditions & mask;
}

int code_error(struct error *e, uint32_t function, uint32_t code)
{
	if (code >= ARRAY_SIZE(code_words))
		return error_set(e, -EPROTO, "The board reports %u, which nobody knows.", code);
	return error_set(e, code_words[code].error, "%s",
			 function == FAX_FUNC_SCAN ? code_words[code].scanner :
						     code_words[code].printer);
}
